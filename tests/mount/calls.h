/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.h - what a program does with `control`, each as one function; 0 or an errno. */
#ifndef TESTS_MOUNT_CALLS_H
#define TESTS_MOUNT_CALLS_H

#include <stddef.h>
#include <stdint.h>

/* One control code, without limit; what comes of it is of no interest. */
int call_device(int fd, uint32_t code, const void *in, size_t in_len, size_t room);
/* Resets the card and selects T=0 or T=1. */
int call_select_protocol(int fd);
/* TRANSMIT of a command that takes so long. */
int call_transmit(int fd, unsigned delay_ms);
/* The same command by write(2). */
int call_write(int fd, unsigned delay_ms);
/* Writes one that takes no time, and waits until its answer is there. */
int call_write_and_wait(int fd);
int call_read(int fd);

int call_connect(int fd); /* shared */
int call_begin(int fd, const char *label);
int call_end(int fd, uint32_t disposition);
int call_lock(int fd); /* flock */

#endif
