/* SPDX-License-Identifier: BSD-2-Clause */
/* tap.c - see tap.h. The carrier's other functions are called as they are. */
#include "tap.h"

#include <stdio.h>
#include <string.h>

static struct ccid_usb_ops tapped_ops;
static const struct ccid_usb_ops *inner_ops;
static struct tap *listener;

static void add_word(const char *word)
{
    size_t used = strlen(listener->note);

    snprintf(listener->note + used, sizeof(listener->note) - used, "%s%s",
             used != 0 ? " " : "", word);
}

static void note_message(const uint8_t *out, size_t out_len)
{
    char word[8] = "?";

    listener->outs++;
    if (out_len != 0)
        snprintf(word, sizeof(word), "%02X", out[0]);
    add_word(word);
}

static enum ccid_usb_result exchange(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms)
{
    note_message(out, out_len);
    listener->ins++;
    return inner_ops->exchange(usb, out, out_len, in, in_size, in_len, timeout_ms);
}

static enum ccid_usb_result bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint32_t timeout_ms)
{
    note_message(out, out_len);
    return inner_ops->bulk_out(usb, out, out_len, timeout_ms);
}

static enum ccid_usb_result bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                    size_t *in_len, uint32_t timeout_ms)
{
    listener->ins++;
    return inner_ops->bulk_in(usb, in, in_size, in_len, timeout_ms);
}

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms)
{
    char word[8];

    listener->controls++;
    snprintf(word, sizeof(word), "%02X:%02X", request_type, request);
    add_word(word);
    return inner_ops->control(usb, request_type, request, value, index, data, data_len,
                              done, timeout_ms);
}

struct ccid_usb_port tap_port(struct tap *tap, struct ccid_usb_port inner)
{
    listener = tap;
    inner_ops = inner.ops;
    tapped_ops = *inner.ops;
    tapped_ops.exchange = exchange;
    tapped_ops.bulk_out = bulk_out;
    tapped_ops.bulk_in = bulk_in;
    tapped_ops.control = control;
    tap_clear(tap);
    return (struct ccid_usb_port){&tapped_ops, inner.usb};
}

void tap_clear(struct tap *tap)
{
    *tap = (struct tap){0};
}
