/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_bench.h - the bench with the virtual reader on it, its card in, on a virtual
 * clock and behind a bus that can go wrong.
 */
#ifndef TEST_VIRTUAL_BENCH_H
#define TEST_VIRTUAL_BENCH_H

#include "bench.h"
#include "ccid/virtual_internal.h"
#include "fault_usb.h"

struct virtual_bench {
    struct bench bench;
    struct virtual_clock clock;
    struct fault_usb faults;
    struct ccid_virtual_reader *reader;
};

/* shape: a name of ccid_virtual_shape; atr: hexadecimal, or NULL for the shape's card. */
void virtual_bench_begin(struct virtual_bench *v, const char *shape, const char *atr);
/* The same with a shape of the test's own. */
void virtual_bench_begin_shape(struct virtual_bench *v,
                               const struct ccid_virtual_shape *shape, const char *atr);
void virtual_bench_end(struct virtual_bench *v);
/* Cold reset and the protocol, where they are still to be done. */
NTSTATUS virtual_bench_connect(struct virtual_bench *v);
/* The card behind the contacts of slot 0, at TPDU level. */
struct ccid_virtual_contact *virtual_bench_contact(struct virtual_bench *v);

/* Takes the card out and puts another in. */
void virtual_bench_remove(struct virtual_bench *v);
void virtual_bench_insert(struct virtual_bench *v, const char *atr);
/* A call with hexadecimal input and expected output; information is its length. */
void virtual_bench_expect(struct virtual_bench *v, ULONG code, const char *in, ULONG room,
                          NTSTATUS status, const char *out);
/* IRP_MN_SET_POWER of the system: asleep, or awake again. */
NTSTATUS virtual_bench_sleep(struct virtual_bench *v);
NTSTATUS virtual_bench_wake(struct virtual_bench *v);

/* A wait for a card, or for none, of one open file. */
struct virtual_tracker {
    IRP irp;
    FILE_OBJECT file;
    unsigned completed;
    NTSTATUS status;
    ULONG_PTR information;
};
/* Returns STATUS_PENDING, or what it ended with at once. */
NTSTATUS virtual_bench_track(struct virtual_bench *v, struct virtual_tracker *tracker,
                             ULONG code);

#endif
