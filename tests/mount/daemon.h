/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.h - the daemon as a child process of a test, on a mount point of its own. */
#ifndef TESTS_MOUNT_DAEMON_H
#define TESTS_MOUNT_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "scard_ioctl.h"

struct daemon {
    pid_t pid;
    char mount[64];
};

/* False, with "SKIP <program>: <reason>" printed, where the kernel has no FUSE for us. */
bool daemon_possible(const char *program);

/* Starts $SCARDFS -f with these options (NULL ends them); returns once reader0 is there.
 */
void daemon_start(struct daemon *d, const char *const *options);
/* On the mount point that another one had. */
void daemon_start_again(struct daemon *d, const char *const *options);
/* SIGTERM; returns the exit status, -1 after a signal. Removes the mount point. */
int daemon_stop(struct daemon *d);

/* "MOUNT/NAME", in a buffer that the next call uses again. */
const char *daemon_path(const struct daemon *d, const char *name);
/* A line to the file `virtual`; 0 or an errno. */
int daemon_command(const struct daemon *d, const char *line);
/* A text file without its newline; "errno NAME" when it cannot be read. */
const char *daemon_text(const struct daemon *d, const char *name);
/* Threads of the daemon. */
int daemon_threads(const struct daemon *d);

/* One control code; returns 0 or the errno. in may be NULL. On success *out_len is
 * Information. *status stays as it was when the request was refused before smclib. */
int daemon_call(int fd, uint32_t code, const void *in, size_t in_len, void *out,
                size_t *out_len, uint32_t timeout_ms, int32_t *status);

int64_t now_ms(void); /* CLOCK_MONOTONIC */

#endif
