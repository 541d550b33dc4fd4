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
void virtual_bench_end(struct virtual_bench *v);
/* Cold reset and the protocol, where they are still to be done. */
NTSTATUS virtual_bench_connect(struct virtual_bench *v);
/* The card behind the contacts of slot 0, at TPDU level. */
struct ccid_virtual_contact *virtual_bench_contact(struct virtual_bench *v);

#endif
