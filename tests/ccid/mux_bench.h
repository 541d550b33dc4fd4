/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux_bench.h - the CCID driver on a virtual reader whose slots are busy at once, each
 * with a card in it, and driven by a thread of its own.
 */
#ifndef TESTS_CCID_MUX_BENCH_H
#define TESTS_CCID_MUX_BENCH_H

#include "ccid/slot.h"
#include "ccid/virtual_internal.h"
#include "hand_clock.h"
#include "smclib/io.h"

#define MUX_REPLY_MAX 4096

struct mux_bench {
    struct hand_clock clock;
    struct ccid_virtual_reader *reader;
    struct ccid_usb_port inner;
    struct ccid_desc desc;
    DRIVER_OBJECT driver;
    struct ccid_device *device;
    PDEVICE_OBJECT slots[CCID_VIRTUAL_SLOTS_MAX];
    int log_lines; /* atomic */

    /* The bus: what the next read that ends well ends with instead, once, its bytes lost.
     * Atomic. */
    int in_fault;
    int resets, clear_halts; /* atomic */
};

/* A command of one slot, in a thread. */
struct mux_call {
    struct mux_bench *bench;
    unsigned slot;
    pthread_t thread;
    IRP irp;
    uint8_t buffer[MUX_REPLY_MAX];
    ULONG information;
    NTSTATUS status;
    int done; /* atomic */
};

/* All cards powered, at T=1. real: by the real clock. */
void mux_bench_begin(struct mux_bench *b, unsigned slots, unsigned busy, bool real);
void mux_bench_end(struct mux_bench *b, bool surprise);

/* Powers the card of a slot and selects its protocol. */
NTSTATUS mux_bench_connect(struct mux_bench *b, unsigned slot);
/* ECHO of some bytes, which depend on salt; STATUS_SUCCESS only if they come back. */
NTSTATUS mux_bench_echo(struct mux_bench *b, unsigned slot, size_t len, unsigned salt);
/* How many APDUs the card has received since it was powered. */
unsigned mux_bench_count(struct mux_bench *b, unsigned slot);

/* A command that takes the card so long, in a thread; mux_call_end returns its status. */
void mux_call_start(struct mux_call *call, struct mux_bench *b, unsigned slot,
                    uint16_t ms);
bool mux_call_done(struct mux_call *call);
NTSTATUS mux_call_end(struct mux_call *call);

#endif
