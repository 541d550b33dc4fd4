/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux_lane.c - the port of one slot among several that are busy at once (mux.c).
 */
#include "ccid/mux_internal.h"

#include "ccid/clock.h"

static enum ccid_usb_result op_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                        size_t out_len, uint32_t timeout_ms)
{
    struct mux_job job = mux_job_new(usb, timeout_ms);

    return mux_send(&job, out, out_len);
}

static enum ccid_usb_result op_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                       size_t *in_len, uint32_t timeout_ms)
{
    struct mux_job job = mux_job_new(usb, timeout_ms);
    enum ccid_usb_result result;

    job.in = in;
    job.size = in_size;
    result = mux_receive(&job);
    *in_len = job.got;
    return result;
}

static enum ccid_usb_result op_exchange(struct ccid_usb *usb, const uint8_t *out,
                                        size_t out_len, uint8_t *in, size_t in_size,
                                        size_t *in_len, uint32_t timeout_ms)
{
    struct mux_job job = mux_job_new(usb, timeout_ms);
    enum ccid_usb_result result;

    job.in = in;
    job.size = in_size;
    result = mux_send(&job, out, out_len);
    if (result == CCID_USB_OK)
        result = mux_receive(&job);
    *in_len = job.got;
    return result;
}

static enum ccid_usb_result op_control(struct ccid_usb *usb, uint8_t request_type,
                                       uint8_t request, uint16_t value, uint16_t index,
                                       uint8_t *data, uint16_t data_len, size_t *done,
                                       uint32_t timeout_ms)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    enum ccid_usb_result result;

    *done = 0;
    pthread_mutex_lock(&mux->lock);
    result = mux_obstacle_locked(lane);
    pthread_mutex_unlock(&mux->lock);
    if (result != CCID_USB_OK)
        return result;
    return mux->inner.ops->control(mux->inner.usb, request_type, request, value, index,
                                   data, data_len, done, timeout_ms);
}

static enum ccid_usb_result op_clear_halt(struct ccid_usb *usb)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    enum ccid_usb_result result;

    pthread_mutex_lock(&mux->lock);
    result = mux_alone_locked(lane);
    if (result == CCID_USB_OK) {
        pthread_mutex_unlock(&mux->lock);
        result = mux->inner.ops->clear_halt(mux->inner.usb);
        pthread_mutex_lock(&mux->lock);
        mux_alone_end_locked(mux);
    }
    pthread_mutex_unlock(&mux->lock);
    return result;
}

/* The commands of all lanes are lost, and so is what was half read. */
static void forget_all_locked(struct mux_lane *lane)
{
    struct ccid_mux *mux = lane->mux;

    for (uint8_t i = 0; i < mux->table.slot_count; i++) {
        if (&mux->lanes[i] != lane && mux->table.slots[i].outstanding)
            mux->lanes[i].lost = true;
    }
    mux->owner = NULL;
    RtlSecureZeroMemory(mux->box, mux->packet);
    mux->box_full = false;
    mux->left = 0;
}

static enum ccid_usb_result op_reset(struct ccid_usb *usb)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    enum ccid_usb_result result;

    pthread_mutex_lock(&mux->lock);
    result = mux_alone_locked(lane);
    if (result == CCID_USB_OK) {
        pthread_mutex_unlock(&mux->lock);
        result = mux->inner.ops->reset(mux->inner.usb);
        pthread_mutex_lock(&mux->lock);
        forget_all_locked(lane);
        mux_alone_end_locked(mux);
    }
    pthread_mutex_unlock(&mux->lock);
    return result;
}

static void op_cancel(struct ccid_usb *usb, bool on)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;

    pthread_mutex_lock(&mux->lock);
    lane->cancelled = on;
    if (on && mux->pipes[CCID_USB_IN].user == lane)
        mux_interrupt_locked(mux, CCID_USB_IN);
    if (on && mux->pipes[CCID_USB_OUT].user == lane)
        mux_interrupt_locked(mux, CCID_USB_OUT);
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
}

static void op_wait(struct ccid_usb *usb, pthread_cond_t *condition,
                    pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct ccid_mux *mux = mux_lane_of(usb)->mux;

    mux->inner.ops->wait(mux->inner.usb, condition, lock, deadline_ms);
}

static void op_enter(struct ccid_usb *usb)
{
    struct ccid_mux *mux = mux_lane_of(usb)->mux;

    mux->inner.ops->enter(mux->inner.usb);
}

static void op_leave(struct ccid_usb *usb)
{
    struct ccid_mux *mux = mux_lane_of(usb)->mux;

    mux->inner.ops->leave(mux->inner.usb);
}

static uint64_t op_now_ms(struct ccid_usb *usb)
{
    return mux_now_ms(mux_lane_of(usb)->mux);
}

static enum ccid_usb_result op_sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    struct mux_lane *lane = mux_lane_of(usb);
    struct ccid_mux *mux = lane->mux;
    uint64_t deadline_ms = ccid_clock_deadline(mux_now_ms(mux), ms);
    enum ccid_usb_result result;

    pthread_mutex_lock(&mux->lock);
    while ((result = mux_obstacle_locked(lane)) == CCID_USB_OK &&
           mux_now_ms(mux) < deadline_ms)
        mux_wait_locked(mux, deadline_ms);
    pthread_mutex_unlock(&mux->lock);
    return result;
}

const struct ccid_usb_ops mux_lane_ops = {
    .exchange = op_exchange,
    .bulk_out = op_bulk_out,
    .bulk_in = op_bulk_in,
    .control = op_control,
    .clear_halt = op_clear_halt,
    .reset = op_reset,
    .cancel = op_cancel,
    .wait = op_wait,
    .enter = op_enter,
    .leave = op_leave,
    .now_ms = op_now_ms,
    .sleep_ms = op_sleep_ms,
};
