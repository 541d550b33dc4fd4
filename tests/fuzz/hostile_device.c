/* SPDX-License-Identifier: BSD-2-Clause */
/* hostile_device.c - see hostile_device.h. One thread uses it. */
#include "hostile_device.h"

#include <string.h>

#include "ccid/msg.h"
#include "faults.h"

static struct hostile_device *self(struct ccid_usb *usb)
{
    return (struct hostile_device *)(void *)usb;
}

/* Whether a transfer cannot be made at all; counts it. */
static bool refused(struct hostile_device *device, enum ccid_usb_result *result)
{
    device->transfers++;
    *result = CCID_USB_OK;
    if (device->gone)
        *result = CCID_USB_GONE;
    else if (device->cancelled)
        *result = CCID_USB_CANCELLED;
    else if (fuzz_fault())
        *result = device->transfers & 1 ? CCID_USB_IO : CCID_USB_NO_MEMORY;
    return *result != CCID_USB_OK;
}

static enum ccid_usb_result silence(struct hostile_device *device, uint32_t timeout_ms)
{
    device->now_ms += timeout_ms;
    return CCID_USB_TIMEOUT;
}

/* CANCELLED and NO_MEMORY are not the device's to say. */
static enum ccid_usb_result result_of_input(struct hostile_device *device)
{
    static const enum ccid_usb_result results[] = {
        CCID_USB_OK,       CCID_USB_TIMEOUT, CCID_USB_STALL,
        CCID_USB_OVERFLOW, CCID_USB_IO,      CCID_USB_GONE,
    };
    enum ccid_usb_result result =
        results[fuzz_u8(device->in) % (sizeof results / sizeof results[0])];

    device->gone = device->gone || result == CCID_USB_GONE;
    return result;
}

void hostile_device_notify(struct hostile_device *device)
{
    uint8_t bytes[64];
    const uint8_t len = fuzz_u8(device->in);

    if (len != UINT8_MAX)
        fuzz_read(device->in, bytes, len % sizeof bytes);
    if (!device->started)
        return;
    if (len == UINT8_MAX)
        device->notify(device->notify_context, NULL, 0);
    else
        device->notify(device->notify_context, bytes, len % sizeof bytes);
}

/* ---- reads ------------------------------------------------------------------------- */

/* What happens before the device says something; false: nothing does. */
static bool happens(struct hostile_device *device, uint8_t says, uint32_t *timeout_ms)
{
    uint32_t ms;

    if (says == DEVICE_AGAIN) {
        device->again = fuzz_u8(device->in);
        return true;
    }

    switch (says) {
    case DEVICE_LATER:
        ms = fuzz_u16(device->in);
        if (ms > *timeout_ms)
            ms = *timeout_ms;
        device->now_ms += ms;
        *timeout_ms -= ms;
        return true;
    case DEVICE_NOTIFY:
        hostile_device_notify(device);
        return true;
    case DEVICE_CANCEL:
        if (device->running != NULL)
            (void)IoCancelIrp(device->running);
        return true;
    default:
        return false;
    }
}

static uint8_t next_says(struct hostile_device *device)
{
    const uint8_t says = fuzz_u8(device->in); /* DEVICE_SILENT at its end */

    return says == DEVICE_AGAIN ? says : says % DEVICE_SAYS;
}

static enum ccid_usb_result deliver(struct hostile_device *device, uint8_t *in,
                                    size_t in_size, size_t *in_len)
{
    size_t part = device->message_len - device->message_at;

    if (part > in_size)
        part = in_size;
    if (part > 0)
        memcpy(in, device->message + device->message_at, part);
    device->message_at += part;
    device->unanswered = false;
    device->received += part;
    *in_len = part;
    return CCID_USB_OK;
}

static enum ccid_usb_result receive(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                    size_t *in_len, uint32_t timeout_ms)
{
    struct hostile_device *device = self(usb);
    enum ccid_usb_result result;
    uint8_t says;

    *in_len = 0;
    if (refused(device, &result))
        return result;
    if (device->message_at < device->message_len)
        return deliver(device, in, in_size, in_len);
    if (device->again > 0 && device->message_len > 0) {
        hostile_message_again(device);
        return deliver(device, in, in_size, in_len);
    }
    if (fuzz_left(device->in) == 0 && device->honest && device->unanswered) {
        hostile_message_honest(device);
        return deliver(device, in, in_size, in_len);
    }
    do
        says = next_says(device);
    while (happens(device, says, &timeout_ms));
    if (device->cancelled)
        return CCID_USB_CANCELLED;
    if (timeout_ms == 0 || says == DEVICE_SILENT)
        return silence(device, timeout_ms);
    if (hostile_message_next(device, says))
        return deliver(device, in, in_size, in_len);
    result = result_of_input(device);
    device->message_at = device->message_len = 0;
    hostile_message_append(device, fuzz_u8(device->in));
    (void)deliver(device, in, in_size, in_len);
    device->message_at = device->message_len;
    return result == CCID_USB_TIMEOUT ? silence(device, timeout_ms) : result;
}

/* ---- operations -------------------------------------------------------------------- */

/* Most messages go out; what is in the way comes with the answer. */
static enum ccid_usb_result send(struct ccid_usb *usb, const uint8_t *out, size_t len,
                                 uint32_t timeout_ms)
{
    struct hostile_device *device = self(usb);
    enum ccid_usb_result result;

    (void)timeout_ms;
    if (refused(device, &result)) {
        device->owed = 0;
        return result;
    }
    device->message_at = device->message_len; /* what is left of an answer is lost */
    device->unanswered = true;
    if (device->owed > 0 && len == device->owed) {
        device->owed = 0; /* the rest of one, for a reader that loses some lengths */
        return CCID_USB_OK;
    }
    FUZZ_CHECK(len >= CCID_HEADER_LENGTH);
    FUZZ_CHECK(ccid_msg_length(out) >= len - CCID_HEADER_LENGTH);
    device->owed = CCID_HEADER_LENGTH + ccid_msg_length(out) - len;
    FUZZ_CHECK(device->owed <= 1);
    device->type = out[0];
    device->slot = out[5];
    device->seq = out[6];
    return CCID_USB_OK;
}

static enum ccid_usb_result exchange(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms)
{
    enum ccid_usb_result result = send(usb, out, out_len, timeout_ms);

    *in_len = 0;
    return result == CCID_USB_OK ? receive(usb, in, in_size, in_len, timeout_ms) : result;
}

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms)
{
    struct hostile_device *device = self(usb);
    enum ccid_usb_result result;
    uint16_t len;
    uint8_t says;

    (void)request, (void)value, (void)index;
    *done = 0;
    FUZZ_CHECK(data_len <= CCID_CONTROL_MAX);
    if (refused(device, &result))
        return result;
    do
        says = next_says(device);
    while (happens(device, says, &timeout_ms));
    if (device->cancelled)
        return CCID_USB_CANCELLED;
    if (says == DEVICE_SILENT && device->honest && fuzz_left(device->in) == 0)
        says = DEVICE_RAW; /* done, without data */
    if (timeout_ms == 0 || says == DEVICE_SILENT)
        return silence(device, timeout_ms);
    result = says == DEVICE_RESULT ? result_of_input(device) : CCID_USB_OK;
    if ((request_type & 0x80) == 0) {
        *done = result == CCID_USB_OK ? data_len : 0;
    } else {
        len = says == DEVICE_RESULT ? fuzz_u8(device->in) : fuzz_u16(device->in);
        if (len > data_len)
            len = data_len;
        fuzz_read(device->in, data, len);
        device->received += len;
        *done = len;
    }
    return result == CCID_USB_TIMEOUT ? silence(device, timeout_ms) : result;
}

static enum ccid_usb_result repair(struct ccid_usb *usb)
{
    enum ccid_usb_result result;

    if (refused(self(usb), &result))
        return result;
    return result_of_input(self(usb));
}

static void cancel(struct ccid_usb *usb, bool on)
{
    self(usb)->cancelled = on;
}

/* One thread: nobody is there to be held up, or to end a wait. */
static void hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    (void)usb, (void)pipe, (void)on;
}

static void wait(struct ccid_usb *usb, pthread_cond_t *condition, pthread_mutex_t *lock,
                 uint64_t deadline_ms)
{
    (void)condition, (void)lock;
    FUZZ_CHECK(deadline_ms != UINT64_MAX);
    if (self(usb)->now_ms < deadline_ms)
        self(usb)->now_ms = deadline_ms;
}

static void enter(struct ccid_usb *usb)
{
    self(usb)->entered++;
}

static void leave(struct ccid_usb *usb)
{
    self(usb)->entered--;
}

static enum ccid_usb_result start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                  void *context)
{
    struct hostile_device *device = self(usb);
    enum ccid_usb_result result;

    FUZZ_CHECK(!device->started);
    if (refused(device, &result))
        return result;
    device->notify = notify;
    device->notify_context = context;
    device->started = true;
    return CCID_USB_OK;
}

static void stop(struct ccid_usb *usb)
{
    self(usb)->started = false;
}

static uint64_t now_ms(struct ccid_usb *usb)
{
    return self(usb)->now_ms;
}

static enum ccid_usb_result sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    if (self(usb)->cancelled)
        return CCID_USB_CANCELLED;
    self(usb)->now_ms += ms;
    return CCID_USB_OK;
}

static const struct ccid_usb_ops hostile_ops = {
    .exchange = exchange,
    .bulk_out = send,
    .bulk_in = receive,
    .control = control,
    .clear_halt = repair,
    .reset = repair,
    .cancel = cancel,
    .hold = hold,
    .wait = wait,
    .enter = enter,
    .leave = leave,
    .start = start,
    .stop = stop,
    .now_ms = now_ms,
    .sleep_ms = sleep_ms,
};

void hostile_device_init(struct hostile_device *device, struct fuzz_input *in)
{
    memset(device, 0, offsetof(struct hostile_device, message));
    device->message_len = device->message_at = 0;
    device->in = in;
    device->now_ms = 1000000;
}

struct ccid_usb_port hostile_device_port(struct hostile_device *device)
{
    return (struct ccid_usb_port){&hostile_ops, (struct ccid_usb *)(void *)device};
}
