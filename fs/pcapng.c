/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng.c - a trace as Wireshark and tshark read it: the blocks of pcapng 1.0, with
 * packets as the kernel's usbmon writes them (LINKTYPE_USB_LINUX_MMAPPED, 64 bytes in
 * front of the data). Everything is little-endian, and says so.
 */
#include "fs/pcapng.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECTION_HEADER   0x0A0D0D0Au
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du
#define INTERFACE        1u
#define ENHANCED_PACKET  6u
#define LINK_TYPE        220u
#define LONGEST          262144u /* more than any message */

#define OPTION_COMMENT 1u
#define USBMON_HEADER  64u
#define SUBMITTED      (-115) /* -EINPROGRESS */

struct writer {
    uint8_t *out;
    size_t len;
};

static void put(struct writer *w, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        w->out[w->len++] = (uint8_t)(value >> (8 * i));
}

static void put_signed(struct writer *w, int32_t value)
{
    put(w, 4, (uint32_t)value);
}

static size_t padding(size_t len)
{
    return (4 - len % 4) % 4;
}

void scfs_pcapng_begin(uint8_t out[SCFS_PCAPNG_BEGIN])
{
    struct writer w = {.out = out};

    put(&w, 4, SECTION_HEADER);
    put(&w, 4, 28);
    put(&w, 4, BYTE_ORDER_MAGIC);
    put(&w, 2, 1);
    put(&w, 2, 0);
    put(&w, 8, UINT64_MAX); /* the section's length is not known */
    put(&w, 4, 28);

    put(&w, 4, INTERFACE);
    put(&w, 4, 20);
    put(&w, 2, LINK_TYPE);
    put(&w, 2, 0);
    put(&w, 4, LONGEST);
    put(&w, 4, 20);
}

/* "7 packets lost": NULL-terminated; its length, 0 for none. */
static size_t comment(char text[32], uint32_t lost)
{
    return lost == 0 ? 0 : (size_t)snprintf(text, 32, "%u packets lost", lost);
}

static size_t options_size(uint32_t lost)
{
    char text[32];
    size_t len = comment(text, lost);

    return len == 0 ? 0 : 4 + len + padding(len) + 4;
}

size_t scfs_pcapng_size(const struct smc_trace_packet *packet, uint32_t lost)
{
    return SCFS_PCAPNG_HEAD + (size_t)packet->length + padding(packet->length) +
           options_size(lost) + 4;
}

static void usbmon_header(struct writer *w, const struct smc_trace_packet *packet,
                          const struct scfs_pcapng_place *place)
{
    bool submitted = packet->event == SMC_TRACE_SUBMITTED;

    put(w, 8, place->id);
    put(w, 1, packet->event);
    put(w, 1, packet->transfer);
    put(w, 1, packet->endpoint);
    put(w, 1, place->device);
    put(w, 2, place->bus);
    put(w, 1, packet->setup != NULL ? 0 : '-');
    put(w, 1, packet->length > 0 ? 0 : submitted ? '<' : '>');
    put(w, 8, place->time_us / 1000000);
    put(w, 4, place->time_us % 1000000);
    put_signed(w, submitted ? SUBMITTED : packet->status);
    put(w, 4, packet->length);
    put(w, 4, packet->length);
    for (unsigned i = 0; i < 8; i++)
        put(w, 1, packet->setup != NULL ? packet->setup[i] : 0);
    put(w, 8, 0); /* interval, start frame */
    put(w, 8, 0); /* flags of the transfer, descriptors */
}

void scfs_pcapng_head(uint8_t out[SCFS_PCAPNG_HEAD],
                      const struct smc_trace_packet *packet,
                      const struct scfs_pcapng_place *place, uint32_t lost)
{
    uint32_t captured = USBMON_HEADER + packet->length;
    struct writer w = {.out = out};

    put(&w, 4, ENHANCED_PACKET);
    put(&w, 4, scfs_pcapng_size(packet, lost));
    put(&w, 4, 0);
    put(&w, 4, place->time_us >> 32);
    put(&w, 4, place->time_us & UINT32_MAX);
    put(&w, 4, captured);
    put(&w, 4, captured);
    usbmon_header(&w, packet, place);
}

size_t scfs_pcapng_tail(uint8_t out[SCFS_PCAPNG_TAIL_MAX],
                        const struct smc_trace_packet *packet, uint32_t lost)
{
    char text[32];
    size_t len = comment(text, lost);
    struct writer w = {.out = out};

    put(&w, (unsigned)padding(packet->length), 0);
    if (len > 0) {
        put(&w, 2, OPTION_COMMENT);
        put(&w, 2, len);
        memcpy(out + w.len, text, len);
        w.len += len;
        put(&w, (unsigned)padding(len), 0);
        put(&w, 4, 0); /* end of options */
    }
    put(&w, 4, scfs_pcapng_size(packet, lost));
    return w.len;
}
