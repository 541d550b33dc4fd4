/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - what goes over USB, for who traces it: nothing of a PIN.
 *
 * One packet for each message, not for each transfer: where a message is split is the
 * driver's affair. What is secret is decided here, so that it never leaves the driver.
 * The data of Secure and Escape, both ways, is; so is that of XfrBlock while a command
 * runs whose instruction may bring a PIN, from behind the header where that is known to
 * be, or as a whole (chained parts, single characters). An answer to something else may
 * be that of any command.
 *
 * Not traced: the start of a device, which is over before anybody can ask for a trace.
 */
#include "ccid/trace.h"

#include <errno.h>

#define APDU_HEADER      4
#define BLOCK_HEADER     3 /* T=1: NAD, PCB, LEN */
#define CONFIG_LENGTH    9
#define INTERFACE_LENGTH 9
#define ENDPOINT_LENGTH  7

/* ---- the descriptor -------------------------------------------------------------- */

struct writer {
    uint8_t *out;
    size_t len;
};

static void put(struct writer *w, unsigned bytes, uint32_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        w->out[w->len++] = (uint8_t)(value >> (8 * i));
}

static void put_class(struct writer *w, const struct ccid_desc *d)
{
    put(w, 1, CCID_DESC_LENGTH);
    put(w, 1, 0x21);
    put(w, 2, d->bcd_ccid);
    put(w, 1, d->max_slot_index);
    put(w, 1, d->voltage_support);
    put(w, 4, d->protocols);
    put(w, 4, d->default_clock_khz);
    put(w, 4, d->maximum_clock_khz);
    put(w, 1, d->clock_count);
    put(w, 4, d->data_rate_bps);
    put(w, 4, d->maximum_data_rate_bps);
    put(w, 1, d->data_rate_count);
    put(w, 4, d->max_ifsd);
    put(w, 4, d->synch_protocols);
    put(w, 4, d->mechanical);
    put(w, 4, d->features);
    put(w, 4, d->max_message_length);
    put(w, 1, d->class_get_response);
    put(w, 1, d->class_envelope);
    put(w, 2, d->lcd_layout);
    put(w, 1, d->pin_support);
    put(w, 1, d->max_busy_slots);
}

static void put_endpoint(struct writer *w, const struct ccid_endpoint *e, uint8_t kind)
{
    if (e->address == 0)
        return;
    put(w, 1, ENDPOINT_LENGTH);
    put(w, 1, 5);
    put(w, 1, e->address);
    put(w, 1, kind);
    put(w, 2, e->packet_size);
    put(w, 1, e->interval);
}

size_t ccid_trace_descriptor(uint8_t out[SMC_DESCRIPTOR_MAX],
                             const struct ccid_desc *desc)
{
    unsigned endpoints = 0u + (desc->bulk_in.address != 0) +
                         (desc->bulk_out.address != 0) +
                         (desc->interrupt_in.address != 0);
    struct writer w = {.out = out};

    put(&w, 1, CONFIG_LENGTH);
    put(&w, 1, 2);
    put(&w, 2,
        CONFIG_LENGTH + INTERFACE_LENGTH + CCID_DESC_LENGTH +
            endpoints * ENDPOINT_LENGTH);
    put(&w, 1, 1); /* bNumInterfaces: the one that is traced */
    put(&w, 1, desc->configuration);
    put(&w, 1, 0);
    put(&w, 1, 0x80);
    put(&w, 1, 0);
    put(&w, 1, INTERFACE_LENGTH);
    put(&w, 1, 4);
    put(&w, 1, desc->interface_number);
    put(&w, 1, 0); /* bAlternateSetting: nobody selects another one */
    put(&w, 1, endpoints);
    put(&w, 1, 0x0B); /* early readers say FFh and mean this */
    put(&w, 1, 0);
    put(&w, 1, desc->interface_protocol);
    put(&w, 1, desc->interface_string);
    put_class(&w, desc);
    put_endpoint(&w, &desc->bulk_out, 2);
    put_endpoint(&w, &desc->bulk_in, 2);
    put_endpoint(&w, &desc->interrupt_in, 3);
    return w.len;
}

/* ---- what may be seen ------------------------------------------------------------ */

/* ISO/IEC 7816-4 §11.5: VERIFY, CHANGE REFERENCE DATA, the verification requirement on
 * and off, RESET RETRY COUNTER; and ENVELOPE, in which any of them may be. */
bool ccid_trace_is_secret(const uint8_t *apdu, size_t len)
{
    uint8_t ins;

    if (len < 2)
        return true;      /* not a command: nobody knows */
    ins = apdu[1] & 0xFE; /* odd: the same with its data in BER-TLV */
    return ins == 0x20 || (ins >= 0x24 && ins <= 0x28) || ins == 0x2C || ins == 0xC2;
}

bool ccid_trace_request_is_secret(const UCHAR *request, ULONG len)
{
    SCARD_IO_REQUEST header;

    if (len < sizeof(header))
        return true;
    memcpy(&header, request, sizeof(header));
    if (header.cbPciLength > len)
        return true;
    return ccid_trace_is_secret(request + header.cbPciLength, len - header.cbPciLength);
}

static size_t at_most(size_t shown, size_t len)
{
    return shown < len ? shown : len;
}

size_t ccid_trace_shown_command(const uint8_t *message, size_t len, bool secret,
                                enum ccid_level level, ULONG protocol)
{
    size_t header = 0;

    if (len < CCID_HEADER_LENGTH)
        return len;
    switch (message[0]) {
    case CCID_SECURE:
    case CCID_ESCAPE_OUT:
        return CCID_HEADER_LENGTH;
    case CCID_XFR_BLOCK:
        break;
    default:
        return len;
    }
    if (!secret)
        return len;
    if (level >= CCID_LEVEL_SHORT_APDU)
        header = message[8] <= 1 && message[9] == 0 ? APDU_HEADER : 0; /* its beginning */
    else if (level == CCID_LEVEL_TPDU)
        header = protocol == SCARD_PROTOCOL_T0 ? APDU_HEADER : BLOCK_HEADER;
    return at_most(CCID_HEADER_LENGTH + header, len);
}

size_t ccid_trace_shown_answer(const uint8_t *message, size_t len, uint8_t type,
                               bool ours)
{
    if (ours && type != CCID_SECURE && type != CCID_ESCAPE_OUT &&
        (len == 0 || message[0] != CCID_ESCAPE_IN))
        return len;
    return at_most(CCID_HEADER_LENGTH, len);
}

/* ---- packets --------------------------------------------------------------------- */

void ccid_trace_out(struct ccid_slot *slot, const uint8_t *message, size_t len)
{
    const struct ccid_desc *desc = &slot->device->desc;
    struct smc_trace_packet packet = {
        .event = SMC_TRACE_SUBMITTED,
        .transfer = SMC_TRACE_BULK,
        .endpoint = desc->bulk_out.address,
        .data = message,
        .length = (ULONG)len,
        .shown = (ULONG)ccid_trace_shown_command(message, len, slot->secret, desc->level,
                                                 ccid_state_card(slot).Protocol.Selected),
    };

    SmcTrace(slot->object, &packet);
}

void ccid_trace_in(struct ccid_slot *slot, const uint8_t *message, size_t len,
                   uint8_t type, bool ours)
{
    struct smc_trace_packet packet = {
        .event = SMC_TRACE_COMPLETED,
        .transfer = SMC_TRACE_BULK,
        .endpoint = slot->device->desc.bulk_in.address,
        .data = message,
        .length = (ULONG)len,
        .shown = (ULONG)ccid_trace_shown_answer(message, len, type, ours),
    };

    SmcTrace(slot->object, &packet);
}

static LONG error_of(enum ccid_usb_result result)
{
    switch (result) {
    case CCID_USB_OK:
        return 0;
    case CCID_USB_TIMEOUT:
    case CCID_USB_CANCELLED:
        return -ECONNRESET; /* the request was taken back */
    case CCID_USB_STALL:
        return -EPIPE;
    case CCID_USB_OVERFLOW:
        return -EOVERFLOW;
    case CCID_USB_GONE:
        return -ENODEV;
    case CCID_USB_NO_MEMORY:
        return -ENOMEM;
    case CCID_USB_IO:
        break;
    }
    return -EPROTO;
}

void ccid_trace_control(struct ccid_slot *slot, uint8_t request_type, uint8_t request,
                        uint16_t value, const uint8_t *data, uint16_t length, size_t done,
                        enum ccid_usb_result result)
{
    bool in = (request_type & 0x80) != 0;
    uint8_t interface = slot->device->desc.interface_number;
    const UCHAR setup[8] = {
        request_type, request, (uint8_t)value,  (uint8_t)(value >> 8),
        interface,    0,       (uint8_t)length, (uint8_t)(length >> 8)};
    struct smc_trace_packet submitted = {
        .event = SMC_TRACE_SUBMITTED,
        .transfer = SMC_TRACE_CONTROL,
        .endpoint = in ? 0x80 : 0,
        .setup = setup,
        .data = in ? NULL : data,
        .length = in ? 0 : length,
        .shown = in || slot->secret ? 0 : length,
    };
    struct smc_trace_packet completed = {
        .event = SMC_TRACE_COMPLETED,
        .transfer = SMC_TRACE_CONTROL,
        .endpoint = in ? 0x80 : 0,
        .status = error_of(result),
        .data = in ? data : NULL,
        .length = in ? (ULONG)done : 0,
        .shown = in ? (ULONG)done : 0,
    };

    SmcTrace(slot->object, &submitted);
    SmcTrace(slot->object, &completed);
}

void ccid_trace_notice(struct ccid_device *device, const uint8_t *message, size_t len)
{
    struct smc_trace_packet packet = {
        .event = SMC_TRACE_COMPLETED,
        .transfer = SMC_TRACE_INTERRUPT,
        .endpoint = device->desc.interrupt_in.address,
        .data = message,
        .length = (ULONG)len,
        .shown = (ULONG)len,
    };

    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        if (ccid_traced(slot))
            SmcTrace(slot->object, &packet);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
}
