/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux_transfer.c - sends a lane's messages and sorts those that come in (mux.c).
 */
#include "ccid/mux_internal.h"

#include <string.h>

#include "ccid/clock.h"
#include "ccid/msg.h"

/* How long one lane steps back for the repairs of others, without loss of its own time.
 */
#define PATIENCE_MS 6000

struct mux_job mux_job_new(struct ccid_usb *usb, uint32_t timeout_ms)
{
    struct mux_lane *lane = mux_lane_of(usb);

    return (struct mux_job){
        .lane = lane,
        .mux = lane->mux,
        .deadline_ms = ccid_clock_deadline(mux_now_ms(lane->mux), timeout_ms),
        .patience_ms = PATIENCE_MS,
    };
}

static uint32_t time_left_ms(const struct mux_job *j)
{
    uint64_t now = mux_now_ms(j->mux);

    if (j->deadline_ms == CCID_CLOCK_NEVER)
        return UINT32_MAX;
    return now < j->deadline_ms ? (uint32_t)(j->deadline_ms - now) : 0;
}

/* Waits until something changes; CCID_USB_TIMEOUT when there is no time to. What goes by
 * while another lane repairs the pipes is given back. */
static enum ccid_usb_result wait_locked(struct mux_job *j)
{
    struct ccid_mux *mux = j->mux;
    uint64_t began = mux_now_ms(mux), spent;

    if (mux->alone == NULL || mux->alone == j->lane || j->patience_ms == 0) {
        if (began >= j->deadline_ms)
            return CCID_USB_TIMEOUT;
        mux_wait_locked(mux, j->deadline_ms);
        return CCID_USB_OK;
    }
    mux_wait_locked(mux, began + j->patience_ms);
    spent = mux_now_ms(mux) - began;
    j->patience_ms -= spent < j->patience_ms ? spent : j->patience_ms;
    if (j->deadline_ms != CCID_CLOCK_NEVER)
        j->deadline_ms += spent;
    return CCID_USB_OK;
}

static bool is_free_locked(const struct mux_job *j, enum ccid_usb_pipe pipe)
{
    return j->mux->pipes[pipe].user == NULL &&
           (j->mux->alone == NULL || j->mux->alone == j->lane);
}

/* After a transfer. CCID_USB_OK also when it was only called back: to be tried again. */
static enum ccid_usb_result judge_locked(struct mux_job *j, enum ccid_usb_result result,
                                         bool interrupted)
{
    switch (result) {
    case CCID_USB_OK:
    case CCID_USB_TIMEOUT:
    case CCID_USB_NO_MEMORY:
        return result;
    case CCID_USB_CANCELLED:
        return interrupted ? CCID_USB_OK : result;
    case CCID_USB_GONE:
        j->mux->gone = true;
        pthread_cond_broadcast(&j->mux->changed);
        return result;
    case CCID_USB_STALL:
    case CCID_USB_OVERFLOW:
    case CCID_USB_IO:
        break;
    }
    /* Who resynchronises repairs everything. */
    if (j->mux->alone == NULL && (j->mux->pausing == NULL || j->mux->pausing == j->lane))
        j->mux->alone = j->lane;
    return result;
}

/* ---- out ------------------------------------------------------------------------- */

enum ccid_usb_result mux_send(struct mux_job *j, const uint8_t *out, size_t len)
{
    struct ccid_mux *mux = j->mux;
    enum ccid_usb_result result;
    bool interrupted;

    pthread_mutex_lock(&mux->lock);
    while ((result = mux_obstacle_locked(j->lane)) == CCID_USB_OK &&
           !is_free_locked(j, CCID_USB_OUT)) {
        result = wait_locked(j);
        if (result != CCID_USB_OK)
            break;
    }
    if (result == CCID_USB_OK) {
        mux_enter_locked(j->lane, CCID_USB_OUT);
        pthread_mutex_unlock(&mux->lock);
        result = mux->inner.ops->bulk_out(mux->inner.usb, out, len, time_left_ms(j));
        pthread_mutex_lock(&mux->lock);
        interrupted = mux_leave_locked(j->lane, CCID_USB_OUT);
        /* Half a message cannot be completed: one that was called back has failed. */
        if (result == CCID_USB_CANCELLED && interrupted) {
            result = mux_obstacle_locked(j->lane);
            if (result == CCID_USB_OK)
                result = CCID_USB_IO;
        } else {
            result = judge_locked(j, result, false);
        }
    }
    pthread_mutex_unlock(&mux->lock);
    return result;
}

/* ---- in -------------------------------------------------------------------------- */

/* A packet has come into the box: whose is it? */
static void sort_locked(struct mux_job *j, size_t len)
{
    struct ccid_mux *mux = j->mux;
    uint64_t total = CCID_HEADER_LENGTH;
    int slot;

    if (mux->left > 0) { /* of a message that nobody wants */
        RtlSecureZeroMemory(mux->box, len);
        mux->left = len < mux->packet || mux->left <= len ? 0 : mux->left - len;
        return;
    }
    slot = ccid_mux_table_owner(&mux->table, mux->box, len);
    if (len > CCID_MUX_SLOT_AT)
        total += ccid_msg_length(mux->box);
    mux->left = len == mux->packet && total > len ? total - len : 0;
    mux->owner = slot < 0 ? j->lane : &mux->lanes[slot];
    mux->box_len = len;
    mux->box_full = true;
    pthread_cond_broadcast(&mux->changed);
}

static enum ccid_usb_result read_packet_locked(struct mux_job *j)
{
    struct ccid_mux *mux = j->mux;
    enum ccid_usb_result result;
    size_t len = 0;
    bool interrupted;

    mux_enter_locked(j->lane, CCID_USB_IN);
    pthread_mutex_unlock(&mux->lock);
    result = mux->inner.ops->bulk_in(mux->inner.usb, mux->box, mux->packet, &len,
                                     time_left_ms(j));
    pthread_mutex_lock(&mux->lock);
    interrupted = mux_leave_locked(j->lane, CCID_USB_IN);
    if (result == CCID_USB_OK)
        sort_locked(j, len);
    else
        RtlSecureZeroMemory(mux->box, mux->packet); /* the part of it that has come */
    if (result == CCID_USB_TIMEOUT && mux->pausing == j->lane)
        mux->left = 0; /* the rest of that message does not come any more */
    return judge_locked(j, result, interrupted);
}

/* The beginning of the lane's message, to where it wants it. */
static void take_box_locked(struct mux_job *j)
{
    struct ccid_mux *mux = j->mux;
    size_t len = mux->box_len < j->size - j->got ? mux->box_len : j->size - j->got;

    if (len > 0)
        memcpy(j->in + j->got, mux->box, len);
    RtlSecureZeroMemory(mux->box, mux->box_len);
    j->got += len;
    mux->box_full = false;
    if (mux->left == 0)
        mux->owner = NULL;
    pthread_cond_broadcast(&mux->changed);
}

/* The rest of it, as much as there is room for. */
static enum ccid_usb_result read_rest_locked(struct mux_job *j)
{
    struct ccid_mux *mux = j->mux;
    uint64_t rounded = (mux->left + mux->packet - 1) / mux->packet * mux->packet;
    size_t room = j->size - j->got;
    size_t want = rounded < room ? (size_t)rounded : room;
    enum ccid_usb_result result;
    size_t len = 0;
    bool interrupted;

    mux_enter_locked(j->lane, CCID_USB_IN);
    pthread_mutex_unlock(&mux->lock);
    result = mux->inner.ops->bulk_in(mux->inner.usb, j->in + j->got, want, &len,
                                     time_left_ms(j));
    pthread_mutex_lock(&mux->lock);
    interrupted = mux_leave_locked(j->lane, CCID_USB_IN);
    j->got += len;
    mux->left -= len < mux->left ? len : mux->left;
    if (result == CCID_USB_OK && (len < want || mux->left == 0)) {
        mux->left = 0;
        mux->owner = NULL;
        pthread_cond_broadcast(&mux->changed);
    }
    return judge_locked(j, result, interrupted);
}

/* A message from its beginning, or from where the last call has left it. */
enum ccid_usb_result mux_receive(struct mux_job *j)
{
    struct ccid_mux *mux = j->mux;
    enum ccid_usb_result result;
    bool done = false;

    pthread_mutex_lock(&mux->lock);
    do {
        result = mux_obstacle_locked(j->lane);
        if (result != CCID_USB_OK)
            break;
        if (mux->owner == j->lane && mux->box_full) {
            take_box_locked(j);
            done = mux->owner != j->lane || j->got == j->size;
        } else if (!is_free_locked(j, CCID_USB_IN) ||
                   (mux->owner != NULL && mux->owner != j->lane)) {
            result = wait_locked(j);
        } else if (time_left_ms(j) == 0) {
            result = CCID_USB_TIMEOUT;
        } else if (mux->owner == j->lane) {
            result = read_rest_locked(j);
            done = mux->owner != j->lane || j->got == j->size;
        } else {
            result = read_packet_locked(j);
        }
    } while (result == CCID_USB_OK && !done);
    pthread_mutex_unlock(&mux->lock);
    return result;
}
