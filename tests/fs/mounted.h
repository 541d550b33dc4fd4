/* SPDX-License-Identifier: BSD-2-Clause */
/* mounted.h - a real mount of fs over the fake driver, in a process of its own. */
#ifndef MOUNTED_H
#define MOUNTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One mount at a time, on a temporary directory. */
struct mounted {
    char dir[64];
    pid_t daemon;
    int alive;              /* end of file once the daemon has ended */
    unsigned stop_limit_ms; /* of the daemon; 0: the usual one */
};

/* Why nothing can be mounted here, or NULL. */
const char *mounted_unavailable(void);

/* Makes the directory. */
void mounted_prepare(struct mounted *mounted);
/* Starts the daemon in the background with that many readers; its exit status: 0 and the
 * mount is live. */
int mounted_start(struct mounted *mounted, unsigned readers, bool power_on);
/* Sends the signal and waits for the end. */
void mounted_kill(struct mounted *mounted, int signal_number);
void mounted_remove(struct mounted *mounted);

/* "DIR/name", in a buffer that the next call but three uses again. */
const char *mounted_path(const struct mounted *mounted, const char *name);
int mounted_open(const struct mounted *mounted, const char *name, int flags);
/* A line to `virtual`: 0 or errno. */
int mounted_say(const struct mounted *mounted, const char *line);
/* The whole file as a string; "errno N" when it cannot be read. */
const char *mounted_read(const struct mounted *mounted, const char *name);

/* An ioctl of `control`: 0 or errno. in and out may be NULL. */
int mounted_call(int fd, uint32_t code, const void *in, uint32_t in_len, void *out,
                 uint32_t *out_len, uint32_t timeout_ms, int32_t *status);

#endif
