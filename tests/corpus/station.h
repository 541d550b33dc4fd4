/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * station.h - a virtual reader of any shape, a card in each of its slots, and the driver
 * on it, driven as a resource manager does: by IRPs. Nothing here fails a test; callers
 * judge the statuses. One station at a time.
 */
#ifndef TESTS_CORPUS_STATION_H
#define TESTS_CORPUS_STATION_H

#include "smclib/io.h"

#include "ccid/slot.h"
#include "ccid/virtual_internal.h"

#include "tap.h"
#include "tests/ccid/virtual_clock.h"

#define STATION_BYTES_MAX (65536 + 16) /* an APDU with its header, either way */

struct station {
    struct virtual_clock clock;
    struct ccid_virtual_reader *reader;
    struct tap tap;
    DRIVER_OBJECT driver;
    struct ccid_device *device;
    PDEVICE_OBJECT slots[CCID_VIRTUAL_SLOTS_MAX];
    char log[256]; /* the last line */
    /* Of the last call that succeeded, without SCARD_IO_REQUEST. */
    uint8_t reply[STATION_BYTES_MAX];
    ULONG reply_len;
};

/* Plugs it in. On failure it is out again, and there is nothing to end. */
NTSTATUS station_begin(struct station *station, const struct ccid_virtual_shape *shape);
void station_end(struct station *station);

/* The reply is the ATR. */
NTSTATUS station_power(struct station *station, unsigned slot, ULONG minor);
NTSTATUS station_set_protocol(struct station *station, unsigned slot, ULONG mask,
                              ULONG *chosen);
ULONG station_state(struct station *station, unsigned slot);

/* IOCTL_SMARTCARD_TRANSMIT, transparent. */
NTSTATUS station_transmit(struct station *station, unsigned slot, ULONG protocol,
                          const uint8_t *bytes, size_t len);
/* A whole APDU, at T=0 below APDU level by the TPDUs that fs/apdu.c makes of it. */
NTSTATUS station_apdu(struct station *station, unsigned slot, ULONG protocol,
                      const uint8_t *apdu, size_t len);

#endif
