/* SPDX-License-Identifier: BSD-2-Clause */
/* fault_usb.c - see fault_usb.h. */
#include "fault_usb.h"

#include <stdlib.h>
#include <string.h>

static struct fault_usb *from_usb(struct ccid_usb *usb)
{
    return (struct fault_usb *)(void *)usb;
}

/* The fault that hits the next transfer of that kind, or NULL. Two on one transfer: the
 * one that was armed first. */
static const struct fault *next_fault(struct fault_usb *self, enum fault_on on)
{
    const struct fault *hit = NULL;

    if (((unsigned)on & FAULT_ON_ANY) != 0)
        self->transfer_count++;
    for (unsigned i = 0; i < self->armed_count; i++) {
        const struct fault *fault = &self->armed[i].fault;

        if (((unsigned)fault->on & (unsigned)on) == 0)
            continue;
        self->armed[i].seen++;
        if (hit == NULL && (self->armed[i].seen == fault->at ||
                            (fault->sticky && self->armed[i].seen > fault->at)))
            hit = fault;
    }
    if (hit != NULL)
        self->hit_count++;
    return hit;
}

/* What happens before, or instead of, the transfer. True: it is over. */
static bool fails_before(struct fault_usb *self, const struct fault *fault,
                         uint32_t *timeout_ms, enum ccid_usb_result *result)
{
    if (fault == NULL)
        return false;
    if (fault->kind == FAULT_RESULT) {
        *result = fault->result;
        if (*result == CCID_USB_TIMEOUT)
            self->clock->now_ms += *timeout_ms;
        return true;
    }
    if (fault->kind == FAULT_DELAY) {
        if (fault->delay_ms >= *timeout_ms) {
            self->clock->now_ms += *timeout_ms;
            *result = CCID_USB_TIMEOUT;
            return true;
        }
        self->clock->now_ms += fault->delay_ms;
        *timeout_ms -= fault->delay_ms;
    }
    return false;
}

/* What the host sees of a transfer that the device has seen. */
static enum ccid_usb_result after(struct fault_usb *self, const struct fault *fault,
                                  uint64_t deadline_ms, enum ccid_usb_result result)
{
    if (self->seen != NULL)
        self->seen(self->seen_context);
    if (fault == NULL || fault->kind != FAULT_FAIL || result != CCID_USB_OK)
        return result;
    if (fault->result == CCID_USB_TIMEOUT && self->clock->now_ms < deadline_ms)
        self->clock->now_ms = deadline_ms;
    return fault->result;
}

static enum ccid_usb_result bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint32_t timeout_ms)
{
    struct fault_usb *self = from_usb(usb);
    const struct fault *fault = next_fault(self, FAULT_ON_OUT);
    uint64_t deadline_ms = self->clock->now_ms + timeout_ms;
    enum ccid_usb_result result;

    if (fails_before(self, fault, &timeout_ms, &result))
        return result;
    if (fault != NULL && fault->kind == FAULT_LOSE)
        return CCID_USB_OK; /* the host believes that it has gone out */
    if (fault != NULL && fault->kind == FAULT_SHORT && fault->len < out_len) {
        result = self->inner.ops->bulk_out(self->inner.usb, out, fault->len, timeout_ms);
        result = result == CCID_USB_OK ? CCID_USB_IO : result;
    } else {
        result = self->inner.ops->bulk_out(self->inner.usb, out, out_len, timeout_ms);
    }
    return after(self, fault, deadline_ms, result);
}

/* What the host gets of an answer that has come. */
static enum ccid_usb_result falsify(struct fault_usb *self, const struct fault *fault,
                                    uint64_t deadline_ms, uint8_t *in, size_t room,
                                    size_t *len)
{
    size_t longer = fault->len < room ? fault->len : room;

    self->truth.len = *len;
    switch (fault->kind) {
    case FAULT_LOSE:
        *len = 0;
        self->clock->now_ms = deadline_ms;
        return CCID_USB_TIMEOUT;
    case FAULT_SHORT:
        if (*len > fault->len)
            *len = fault->len;
        break;
    case FAULT_LONG:
        if (*len < longer) {
            memset(in + *len, 0xA5, longer - *len);
            *len = longer;
        }
        return fault->len > room ? CCID_USB_OVERFLOW : CCID_USB_OK;
    case FAULT_MUTATE:
        if (*len > fault->offset)
            in[fault->offset] = fault->value;
        break;
    case FAULT_FLIP:
        if (*len > fault->offset)
            in[fault->offset] ^= fault->value;
        break;
    case FAULT_SEQ:
        if (*len > 6)
            in[6] ^= 0x55;
        break;
    case FAULT_RESULT:
    case FAULT_FAIL:
    case FAULT_DELAY:
        break;
    }
    return CCID_USB_OK;
}

static enum ccid_usb_result bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                    size_t *in_len, uint32_t timeout_ms)
{
    struct fault_usb *self = from_usb(usb);
    const struct fault *fault = next_fault(self, FAULT_ON_IN);
    uint64_t deadline_ms = self->clock->now_ms + timeout_ms;
    enum ccid_usb_result result;

    *in_len = 0;
    if (fails_before(self, fault, &timeout_ms, &result))
        return result;
    result = self->inner.ops->bulk_in(self->inner.usb, in, in_size, in_len, timeout_ms);
    result = after(self, fault, deadline_ms, result);
    if (fault != NULL && fault->kind == FAULT_FAIL)
        *in_len = 0;
    if (fault == NULL || result != CCID_USB_OK)
        return result;
    self->truth.control = false;
    return falsify(self, fault, deadline_ms, in, in_size, in_len);
}

static enum ccid_usb_result exchange(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms)
{
    struct fault_usb *self = from_usb(usb);
    uint64_t begin_ms = self->clock->now_ms;
    enum ccid_usb_result result = bulk_out(usb, out, out_len, timeout_ms);
    uint64_t spent_ms = self->clock->now_ms - begin_ms;

    *in_len = 0;
    if (result != CCID_USB_OK)
        return result;
    return bulk_in(usb, in, in_size, in_len,
                   spent_ms < timeout_ms ? timeout_ms - (uint32_t)spent_ms : 0);
}

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms)
{
    struct fault_usb *self = from_usb(usb);
    const struct fault *fault = next_fault(self, FAULT_ON_CONTROL);
    uint64_t deadline_ms = self->clock->now_ms + timeout_ms;
    bool in = (request_type & 0x80) != 0;
    enum ccid_usb_result result;

    *done = 0;
    if (fails_before(self, fault, &timeout_ms, &result))
        return result;
    if (fault != NULL && fault->kind == FAULT_LOSE && !in) {
        *done = data_len; /* the host believes that it has gone out */
        return CCID_USB_OK;
    }
    result = self->inner.ops->control(self->inner.usb, request_type, request, value,
                                      index, data, data_len, done, timeout_ms);
    result = after(self, fault, deadline_ms, result);
    if (fault != NULL && fault->kind == FAULT_FAIL)
        *done = 0;
    if (fault == NULL || result != CCID_USB_OK || (!in && fault->kind != FAULT_SHORT))
        return result;
    self->truth.control = true;
    return falsify(self, fault, deadline_ms, data, data_len, done);
}

/* Neither takes any time. */
static enum ccid_usb_result repair(struct fault_usb *self,
                                   enum ccid_usb_result (*run)(struct ccid_usb *usb))
{
    const struct fault *fault = next_fault(self, FAULT_ON_REPAIR);

    if (fault != NULL && fault->kind == FAULT_RESULT)
        return fault->result;
    return after(self, fault, 0, run(self->inner.usb));
}

static enum ccid_usb_result clear_halt(struct ccid_usb *usb)
{
    return repair(from_usb(usb), from_usb(usb)->inner.ops->clear_halt);
}

static enum ccid_usb_result reset(struct ccid_usb *usb)
{
    return repair(from_usb(usb), from_usb(usb)->inner.ops->reset);
}

static void cancel(struct ccid_usb *usb, bool on)
{
    from_usb(usb)->inner.ops->cancel(from_usb(usb)->inner.usb, on);
}

static void hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    from_usb(usb)->inner.ops->hold(from_usb(usb)->inner.usb, pipe, on);
}

static void wait_until(struct ccid_usb *usb, pthread_cond_t *condition,
                       pthread_mutex_t *lock, uint64_t deadline_ms)
{
    from_usb(usb)->inner.ops->wait(from_usb(usb)->inner.usb, condition, lock,
                                   deadline_ms);
}

static void enter(struct ccid_usb *usb)
{
    from_usb(usb)->inner.ops->enter(from_usb(usb)->inner.usb);
}

static void leave(struct ccid_usb *usb)
{
    from_usb(usb)->inner.ops->leave(from_usb(usb)->inner.usb);
}

static void on_interrupt(void *context, const uint8_t *message, size_t len)
{
    struct fault_usb *self = context;
    const struct fault *fault;

    if (self->halted)
        return;
    fault = next_fault(self, FAULT_ON_INTERRUPT);
    if (fault == NULL) {
        self->notify(self->notify_context, message, len);
    } else {
        self->halted = true;
        self->notify(self->notify_context, NULL, 0);
    }
}

static enum ccid_usb_result start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                  void *context)
{
    struct fault_usb *self = from_usb(usb);

    self->notify = notify;
    self->notify_context = context;
    self->halted = false;
    self->starts++;
    if (self->start_result != CCID_USB_OK)
        return self->start_result;
    return self->inner.ops->start(self->inner.usb, on_interrupt, self);
}

static void stop(struct ccid_usb *usb)
{
    from_usb(usb)->stops++;
    from_usb(usb)->inner.ops->stop(from_usb(usb)->inner.usb);
}

static uint64_t now_ms(struct ccid_usb *usb)
{
    return from_usb(usb)->inner.ops->now_ms(from_usb(usb)->inner.usb);
}

static enum ccid_usb_result sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    return from_usb(usb)->inner.ops->sleep_ms(from_usb(usb)->inner.usb, ms);
}

static const struct ccid_usb_ops fault_ops = {
    .exchange = exchange,
    .bulk_out = bulk_out,
    .bulk_in = bulk_in,
    .control = control,
    .clear_halt = clear_halt,
    .reset = reset,
    .cancel = cancel,
    .hold = hold,
    .wait = wait_until,
    .enter = enter,
    .leave = leave,
    .start = start,
    .stop = stop,
    .now_ms = now_ms,
    .sleep_ms = sleep_ms,
};

void fault_usb_init(struct fault_usb *self, struct ccid_usb_port inner,
                    struct virtual_clock *clock)
{
    *self = (struct fault_usb){.inner = inner, .clock = clock};
}

struct ccid_usb_port fault_usb_port(struct fault_usb *self)
{
    return (struct ccid_usb_port){&fault_ops, (struct ccid_usb *)(void *)self};
}

void fault_usb_arm(struct fault_usb *self, struct fault fault)
{
    if (self->armed_count == FAULTS_MAX)
        abort();
    self->armed[self->armed_count].fault = fault;
    self->armed[self->armed_count].seen = 0;
    self->armed_count++;
}

void fault_usb_notify(struct fault_usb *self, const uint8_t *message, size_t len)
{
    self->notify(self->notify_context, message, len);
}

void fault_usb_disarm(struct fault_usb *self)
{
    self->armed_count = 0;
}
