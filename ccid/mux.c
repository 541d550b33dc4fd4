/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux.c - several slots of one device at work at once (CCID 1.1 §4.4 and §6.1.1).
 *
 * THEORY. A device with bMaxCCIDBusySlots > 1 takes a command for a slot while others are
 * executed, and answers when it is ready, in any order, over one Bulk-IN endpoint. Each
 * slot has an executor of its own, and a lane: a port of which it is the only user. A
 * device that executes one command at a time has no mux, and its slots use its port.
 *
 * A command: begin (a place within the limit, and a number that nobody has) - out (one
 * lane at a time is in bulk_out) - in, as often as the answer takes - end.
 *
 * Who reads. Of the lanes that wait for an answer one, the leader, is in bulk_in, with
 * its own deadline; the others wait on the condition, each until its own. The leader
 * reads one packet into the box, which says whose the message is. That lane takes it from
 * there, and reads the rest itself, straight to where it wants it; until it has, nobody
 * else reads. A message that no lane waits for is the leader's, who drops it (cmd.c,
 * which checks numbers and types, and counts). A leader that has its answer, or gives up,
 * wakes the others, and one of them leads. What a lane leaves unread of its message is
 * dropped by the next leader.
 *
 * Coming back. A cancel, and repairs, make a transfer of one lane end without touching
 * the others' (ops->hold). The user of a pipe takes the hold back itself before it lets
 * the pipe go, and waits for those who are still in ops->hold: a late hold never hits the
 * next user.
 *
 * Faults. A transfer that fails (not: runs into its deadline) leaves the lane `alone`:
 * nobody else touches the pipes until it has begun to speak again, or its resync.c has
 * come to its end. That is bounded, and others get the time back. Clearing halts and
 * resets need the same by force. While a lane resynchronises no other lane begins a
 * command; those under way go on, and get their answers. A reset of the device ends them.
 *
 * Lock: mux->lock, a leaf, not held across a call of the port (wait excepted).
 *
 * Files: mux_table.c (who has a command outstanding) < mux.c (who may do what) <
 * mux_transfer.c (sending, sorting what comes in) < mux_lane.c (the port).
 *
 * Deliberately not done: no lane for the device as a whole (its start happens on the lane
 * of slot 0, before others are used).
 */
#include "ccid/mux_internal.h"

#include <stdlib.h>

#include "ccid/clock.h"
#include "ccid/slot.h"

/* As long as repairs may last: CCID_RESYNC_LATER_MS and a step that has just begun. */
#define ALONE_WAIT_MS 6000

uint64_t mux_now_ms(struct ccid_mux *mux)
{
    return mux->inner.ops->now_ms(mux->inner.usb);
}

void mux_wait_locked(struct ccid_mux *mux, uint64_t deadline_ms)
{
    mux->inner.ops->wait(mux->inner.usb, &mux->changed, &mux->lock, deadline_ms);
}

enum ccid_usb_result mux_obstacle_locked(const struct mux_lane *lane)
{
    if (lane->mux->gone)
        return CCID_USB_GONE;
    if (lane->lost)
        return CCID_USB_IO;
    return lane->cancelled ? CCID_USB_CANCELLED : CCID_USB_OK;
}

/* ---- pipes ----------------------------------------------------------------------- */

void mux_interrupt_locked(struct ccid_mux *mux, enum ccid_usb_pipe pipe)
{
    struct mux_pipe *p = &mux->pipes[pipe];

    if (p->user == NULL || p->back || p->held)
        return;
    p->held = true;
    p->holders++;
    pthread_mutex_unlock(&mux->lock);
    mux->inner.ops->hold(mux->inner.usb, pipe, true);
    pthread_mutex_lock(&mux->lock);
    p->holders--;
    pthread_cond_broadcast(&mux->changed);
}

void mux_enter_locked(struct mux_lane *lane, enum ccid_usb_pipe pipe)
{
    lane->mux->pipes[pipe].user = lane;
    lane->mux->pipes[pipe].back = false;
}

bool mux_leave_locked(struct mux_lane *lane, enum ccid_usb_pipe pipe)
{
    struct ccid_mux *mux = lane->mux;
    struct mux_pipe *p = &mux->pipes[pipe];
    bool interrupted;

    p->back = true;
    interrupted = p->held;
    if (interrupted) {
        while (p->holders > 0)
            pthread_cond_wait(&mux->changed, &mux->lock); /* they do not block */
        pthread_mutex_unlock(&mux->lock);
        mux->inner.ops->hold(mux->inner.usb, pipe, false);
        pthread_mutex_lock(&mux->lock);
        p->held = false;
    }
    p->user = NULL;
    pthread_cond_broadcast(&mux->changed);
    return interrupted;
}

void mux_abandon_locked(struct mux_lane *lane)
{
    struct ccid_mux *mux = lane->mux;

    if (mux->owner != lane)
        return;
    mux->owner = NULL;
    if (mux->box_full)
        RtlSecureZeroMemory(mux->box, mux->box_len);
    mux->box_full = false;
    pthread_cond_broadcast(&mux->changed);
}

/* ---- repairs --------------------------------------------------------------------- */

enum ccid_usb_result mux_alone_locked(struct mux_lane *lane)
{
    struct ccid_mux *mux = lane->mux;
    uint64_t deadline_ms = mux_now_ms(mux) + ALONE_WAIT_MS;

    for (;;) {
        enum ccid_usb_result result = mux_obstacle_locked(lane);

        if (result != CCID_USB_OK)
            return result;
        if (mux->alone == NULL)
            mux->alone = lane;
        if (mux->alone == lane) {
            mux_interrupt_locked(mux, CCID_USB_IN);
            mux_interrupt_locked(mux, CCID_USB_OUT);
            if (mux->pipes[CCID_USB_IN].user == NULL &&
                mux->pipes[CCID_USB_OUT].user == NULL)
                return CCID_USB_OK;
        }
        if (mux_now_ms(mux) >= deadline_ms)
            break;
        mux_wait_locked(mux, deadline_ms);
    }
    if (mux->alone == lane)
        mux_alone_end_locked(mux);
    return CCID_USB_TIMEOUT;
}

void mux_alone_end_locked(struct ccid_mux *mux)
{
    mux->alone = NULL;
    pthread_cond_broadcast(&mux->changed);
}

enum ccid_usb_result ccid_mux_pause(struct ccid_usb *usb, uint32_t timeout_ms)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    uint64_t deadline_ms = ccid_clock_deadline(mux_now_ms(mux), timeout_ms);
    enum ccid_usb_result result = CCID_USB_OK;

    pthread_mutex_lock(&mux->lock);
    lane->lost = false;
    while (mux->pausing != NULL && result == CCID_USB_OK) {
        result = mux_obstacle_locked(lane);
        if (result == CCID_USB_OK && mux_now_ms(mux) >= deadline_ms)
            result = CCID_USB_TIMEOUT;
        if (result == CCID_USB_OK)
            mux_wait_locked(mux, deadline_ms);
    }
    if (result == CCID_USB_OK)
        mux->pausing = lane;
    if (result == CCID_USB_OK && mux->alone != NULL)
        mux->alone = lane; /* repairs for the other one, too */
    else if (mux->alone == lane)
        mux_alone_end_locked(mux); /* nobody is going to repair anything */
    pthread_mutex_unlock(&mux->lock);
    return result;
}

void ccid_mux_resume(struct ccid_usb *usb)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;

    pthread_mutex_lock(&mux->lock);
    mux_abandon_locked(lane);
    if (mux->alone == lane)
        mux_alone_end_locked(mux);
    mux->pausing = NULL;
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
}

void ccid_mux_gone(struct ccid_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
    mux->gone = true;
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
}

/* ---- commands -------------------------------------------------------------------- */

enum ccid_usb_result ccid_mux_begin(struct ccid_usb *usb, uint8_t *seq)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    /* Whoever has a place gives it back by then. */
    uint64_t deadline_ms = mux_now_ms(mux) + CCID_COMMAND_MAX_MS;
    enum ccid_usb_result result;

    pthread_mutex_lock(&mux->lock);
    mux_abandon_locked(lane);
    lane->lost = false;
    if (mux->alone == lane && mux->pausing != lane)
        mux_alone_end_locked(mux);
    for (;;) {
        result = mux_obstacle_locked(lane);
        /* Who resynchronises has given his place back, but the reader does not know. */
        if (result != CCID_USB_OK ||
            ((mux->pausing == NULL || mux->pausing == lane) &&
             ccid_mux_table_take(&mux->table, lane->index, mux->pausing == lane, seq)))
            break;
        if (mux_now_ms(mux) >= deadline_ms) {
            result = CCID_USB_TIMEOUT;
            break;
        }
        mux_wait_locked(mux, deadline_ms);
    }
    if (result != CCID_USB_OK) {
        ccid_mux_table_leave(&mux->table, lane->index);
        pthread_cond_broadcast(&mux->changed);
    }
    pthread_mutex_unlock(&mux->lock);
    return result;
}

void ccid_mux_end(struct ccid_usb *usb)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;

    pthread_mutex_lock(&mux->lock);
    mux_abandon_locked(lane);
    ccid_mux_table_leave(&mux->table, lane->index);
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
}

/* ---- life ------------------------------------------------------------------------ */

struct ccid_mux *ccid_mux_new(const struct ccid_usb_port *port,
                              const struct ccid_desc *desc)
{
    struct ccid_mux *mux = calloc(1, sizeof(*mux));

    if (mux == NULL)
        return NULL;
    mux->inner = *port;
    mux->packet = desc->bulk_in.packet_size;
    mux->box = calloc(1, mux->packet);
    if (mux->box == NULL || pthread_mutex_init(&mux->lock, NULL) != 0)
        goto free_mux;
    if (ccid_clock_condition_init(&mux->changed) != 0)
        goto destroy_lock;
    ccid_mux_table_init(&mux->table, desc->slot_count, desc->busy_slot_count);
    for (uint8_t i = 0; i < desc->slot_count; i++)
        mux->lanes[i] = (struct mux_lane){.mux = mux, .index = i};
    return mux;

destroy_lock:
    pthread_mutex_destroy(&mux->lock);
free_mux:
    free(mux->box);
    free(mux);
    return NULL;
}

void ccid_mux_free(struct ccid_mux *mux)
{
    if (mux == NULL)
        return;
    pthread_cond_destroy(&mux->changed);
    pthread_mutex_destroy(&mux->lock);
    free(mux->box);
    free(mux);
}

struct ccid_usb_port ccid_mux_lane(struct ccid_mux *mux, uint8_t slot)
{
    return (struct ccid_usb_port){&mux_lane_ops,
                                  (struct ccid_usb *)(void *)&mux->lanes[slot]};
}
