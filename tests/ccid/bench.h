/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - the CCID driver on a scripted device, driven like fs drives it: by IRPs,
 * through SmartcardDeviceControl. Nothing of fs is linked.
 */
#ifndef TEST_BENCH_H
#define TEST_BENCH_H

#include "smclib/io.h"

#include "ccid/internal.h"

#include "scripted_usb.h"

#define BENCH_SLOTS_MAX 8

/* dwFeatures of the readers on the bench: the first two negotiate by themselves. */
#define BENCH_EXTENDED  0x00040042u
#define BENCH_SHORT     0x00020042u
#define BENCH_TPDU      0x00010020u
#define BENCH_CHARACTER 0x00000020u

struct bench {
    struct ccid_usb usb;
    DRIVER_OBJECT driver;
    struct ccid_desc desc;         /* may be changed before bench_add, */
    struct ccid_usb_port port;     /* likewise: the scripted device, */
    uint16_t vid, pid, bcd_device; /* and who it is; 0: nobody known */
    struct ccid_device *device;
    PDEVICE_OBJECT slots[BENCH_SLOTS_MAX];
    ULONG protocol;   /* of bench_transmit; T=1 unless changed */
    NTSTATUS refuses; /* what the client answers to an arrival */
    int arrived, gone;
    uint64_t service_ms[BENCH_SLOTS_MAX]; /* the turn that a slot wants; 0: none */
    int log_lines;
    char log[512]; /* the last line */
    uint8_t reply[70000];
    ULONG reply_length;
};

/* A reader with the given dwFeatures and one slot, not added yet. */
void bench_begin(struct bench *bench, uint32_t features);
/* Adds it; the script says that there is a card, unpowered, or none. */
void bench_add(struct bench *bench, bool card);
/* Adds it with what the script holds already; returns what the bus sees. */
NTSTATUS bench_try_add(struct bench *bench);
/* Removes it and checks that the script was played to its end. */
void bench_end(struct bench *bench);

/* A reader with a powered card at protocol T=1, ready for commands. */
void bench_ready(struct bench *bench, uint32_t features);

/* Gives the slot a turn, as if its time had come. */
void bench_service(struct bench *bench, unsigned slot);
/* How long until the turn that the slot wants; -1: it wants none. */
int64_t bench_service_wait(struct bench *bench, unsigned slot);

ULONG bench_state(struct bench *bench);
/* The reply is in bench->reply afterwards, without the SCARD_IO_REQUEST. */
NTSTATUS bench_ioctl(struct bench *bench, ULONG code, const void *in, ULONG in_length,
                     ULONG room);
NTSTATUS bench_power(struct bench *bench, ULONG minor);
NTSTATUS bench_set_protocol(struct bench *bench, ULONG mask);
NTSTATUS bench_transmit(struct bench *bench, const char *hex);
/* The same with room for so many bytes of answer. */
NTSTATUS bench_transmit_room(struct bench *bench, const char *hex, ULONG room);
/* Hexadecimal to bytes; returns how many. */
size_t bench_bytes(const char *hex, uint8_t *bytes, size_t size);
void bench_reply_is(const struct bench *bench, const char *hex);

/* The rest of an exchange in which SELECT of the master file succeeds. */
#define BENCH_SELECT     "00 A4 00 00 02 3F 00"
#define BENCH_SELECT_OUT "6F 07000000 00 SS 000000 00 A4 00 00 02 3F 00"
#define BENCH_9000_IN    "80 02000000 00 SS 00 00 00 90 00"
#define BENCH_STATUS_OUT "65 00000000 00 SS 000000"
#define BENCH_ON_OUT     "62 00000000 00 SS 000000"
#define BENCH_OFF_OUT    "63 00000000 00 SS 000000"
#define BENCH_OFF_IN     "81 00000000 00 SS 01 00 00"
/* T=1 only, TA1 = 11h. */
#define BENCH_ATR    "3B 80 01 81"
#define BENCH_ATR_IN "80 04000000 00 SS 00 00 00 " BENCH_ATR

#endif
