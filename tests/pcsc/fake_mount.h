/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_mount.h - a directory in the place of a mount, with one reader, whose files say
 * what a test wants. What the library asks of the system goes through here (the linker
 * wraps it), where it may be told to fail; ioctls are answered here, since files of a
 * directory have none.
 */
#ifndef TESTS_PCSC_FAKE_MOUNT_H
#define TESTS_PCSC_FAKE_MOUNT_H

#include <poll.h>
#include <scard_ioctl.h>
#include <stdbool.h>
#include <stdint.h>

#include "contrib/pcsc/winscard.h"

#define FAKE_READER "Reader" /* reader0, with a card */

/* Of cmocka: a new one before each test. In the end no file of it is open, and all that
 * was to fail has failed. */
int fake_mount_setup(void **state);
int fake_mount_teardown(void **state);

/* What a file of the mount says from now on; NULL: it is not there. */
void fake_file(const char *path, const char *text);
/* All of reader0 but what everybody may read: the library goes by the text files. */
void fake_no_control(void);

enum fake_call {
    FAKE_OPEN,
    FAKE_READ,
    FAKE_WRITE,
    FAKE_STATX,
    FAKE_IOCTL,   /* by name: "call", "connect", "disconnect", "begin", "end", "info" */
    FAKE_POLL,    /* no name */
    FAKE_EVENTFD, /* no name */
    FAKE_MEMORY   /* no name */
};

/* After so many that go well, so many fail in that way. name: the last part of a file's
 * path, "eventfd", or NULL for any. */
void fake_fails(enum fake_call call, const char *name, unsigned after, unsigned times,
                int error);

extern struct scard_info fake_info; /* what INFO says, but for size and version */
extern uint32_t fake_protocol;      /* what CONNECT says */
extern int64_t fake_out_len;        /* of control codes; -1: what came in comes back */
extern uint32_t fake_code;          /* the last control code */
extern unsigned fake_ioctls;        /* how many have gone well */
/* In the place of poll(2), if it is set; the first descriptor is the context's own. */
extern int (*fake_poll)(struct pollfd *polls, nfds_t count, int timeout_ms);
extern uint64_t fake_now_ms; /* of CLOCK_MONOTONIC; 0: the time it is */
/* Called before a file is opened or read, if it is set; for others than the mount's with
 * the name "". */
extern void (*fake_before)(enum fake_call call, const char *name);
extern char fake_path[4200]; /* that was opened last */
extern bool fake_endless;    /* the mount's directory has no end */

unsigned fake_open_files(void);
/* With assertions that it goes well. */
SCARDCONTEXT fake_context(void);
SCARDHANDLE fake_card(SCARDCONTEXT context, DWORD share);

#endif
