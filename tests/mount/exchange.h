/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange.h - requests on `control` and what must come of them; threads that wait. */
#ifndef TESTS_MOUNT_EXCHANGE_H
#define TESTS_MOUNT_EXCHANGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define UNTOUCHED ((NTSTATUS)0x7fffffff) /* a status that no request has */

extern struct daemon scardfs;
extern int control; /* of its reader0 */

/* Fixtures of a group: one virtual reader with power=lazy, its card taken out. */
int exchange_begin(void **state);
int exchange_end(void **state);

/* One request and what must come of it; output NULL: of no interest. */
struct exchange {
    const char *what;
    uint32_t code;
    const char *input;
    size_t room;
    NTSTATUS status;
    const char *output;
};

#define GET_ATTRIBUTE IOCTL_SMARTCARD_GET_ATTRIBUTE
#define SET_ATTRIBUTE IOCTL_SMARTCARD_SET_ATTRIBUTE
#define SET_PROTOCOL  IOCTL_SMARTCARD_SET_PROTOCOL
#define GET_STATE     IOCTL_SMARTCARD_GET_STATE
#define POWER         IOCTL_SMARTCARD_POWER
#define TRANSMIT      IOCTL_SMARTCARD_TRANSMIT

void check(const struct exchange *x);

#define CHECK_ALL(table)                                                                 \
    for (size_t i_ = 0; i_ < sizeof(table) / sizeof *(table); i_++)                      \
    check(&(table)[i_])

/* Returns the number of bytes. */
size_t unhex(const char *hex, uint8_t *out);

/* A thread that waits in IS_PRESENT or IS_ABSENT on `control`. */
struct waiter {
    pthread_t thread;
    int fd;
    uint32_t code;
    pid_t tid; /* atomic; 0: not yet running */
    NTSTATUS status;
    int error;
    size_t information;
};

void waiter_begin(struct waiter *w, uint32_t code);
/* Waits until that thread, of whatever process, sleeps in an ioctl. */
void until_in_ioctl(const pid_t *tid);
bool waiter_has_ended(struct waiter *w, unsigned within_ms);
/* Both end it. */
void assert_ends_with_success(struct waiter *w);
void assert_can_be_cancelled(struct waiter *w);

#endif
