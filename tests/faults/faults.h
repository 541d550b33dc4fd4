/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h - faults.so, which makes one chosen call of the daemon fail.
 *
 * THEORY STATEMENT
 *
 * The module is preloaded into the daemon, before usbemu.so. functions.h is the table of
 * the calls that it stands in front of. It counts those that come from the daemon itself,
 * from its driver library, from libusb or from libfuse: what the emulation, the C library
 * and the rest call is passed on, and not counted. So a function of the C library that
 * allocates memory inside fails as a whole.
 *
 * Whoever tests shares a page of memory with it (struct faults_area, in the file that
 * FAULTS_AREA names): he says which call is to fail, and from then on the n-th one does,
 * or the n-th and every later one. No restart is needed for the next fault.
 *
 * It also keeps a list of the memory that those callers have allocated and nobody has
 * freed, in the same place: who looks at it sees a leak in the running daemon.
 *
 * An answer to the kernel cannot simply get lost, the client would wait for ever. It goes
 * out as EIO, and the daemon is told ENOENT: nobody waits for that answer any more, as
 * after a signal. A notification goes out as it is, with the same word to the daemon.
 *
 * What cannot fail is not made to: to change or end what an epoll set watches, to set a
 * timer, to add to an eventfd, to take a transfer back.
 */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAULTS_LIVE_MAX (1u << 16) /* a power of two; far more than the daemon needs */
#define FAULTS_NONE     (-1)

#define FAULT(name, type, fails, code, params, args) FAULT_##name,
#define SPECIAL(name)                                FAULT_##name,
enum faults_function {
#include "functions.h"
    FAULT_COUNT
};
#undef FAULT
#undef SPECIAL

/* Whose call it was. */
enum faults_module {
    FAULTS_DAEMON,
    FAULTS_SMCLIB,
    FAULTS_LIBUSB,
    FAULTS_LIBFUSE,
    FAULTS_LIBUSB_INIT, /* what libusb does in libusb_init */
    FAULTS_MODULES
};

struct faults_block {
    uintptr_t address; /* 0: none */
    uint64_t caller;   /* module << 48 | offset in it */
};

struct faults_area {
    atomic_int target;            /* which function fails, or FAULTS_NONE */
    atomic_uint nth, seen, fired; /* seen: calls of it since it was armed */
    atomic_bool sticky, attached;
    atomic_uint fired_modules;          /* 1 << each that a fault has met */
    atomic_uint_least64_t fired_caller; /* of the last fault */
    atomic_ulong calls[FAULT_COUNT];
    atomic_flag lock; /* of what follows */
    uint32_t live_count;
    struct faults_block live[FAULTS_LIVE_MAX];
};

/* ---- inside the module ----------------------------------------------------------- */

#define FAULTS_EXPORT __attribute__((visibility("default")))

/* Whether this call is to fail; caller is its return address. */
bool faults_due(enum faults_function function, const void *caller);
/* The next definition of that name. */
void faults_next(void **next, const char *name);
/* memory.c: a block that a function has given to a caller of ours, and one that is freed.
 */
void faults_born(const void *block, const void *caller);
void faults_dies(const void *block);
/* 0: nobody who counts. */
uint64_t faults_caller(const void *address);
extern struct faults_area *faults_area;
/* In this thread. */
extern __thread bool faults_in_libusb_init;

#endif
