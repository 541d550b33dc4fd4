/* SPDX-License-Identifier: BSD-2-Clause */
/* mount_case.h - what the cases of the mount tests share: one mount per case. */
#ifndef MOUNT_CASE_H
#define MOUNT_CASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "scard_ioctl.h"
#include "wdm.h"
#include "winsmcrd.h"

#include "fake_driver.h"
#include "mounted.h"

#define FOREVER SCARD_TIMEOUT_INFINITE

extern struct mounted m; /* the mount of the running case */

int setup(void **state);      /* power=on, and the power-up of the card behind us */
int setup_lazy(void **state); /* power=lazy */
int teardown(void **state);

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Skips the program where nothing can be mounted; otherwise arms a deadline for all. */
int mount_cases_unavailable(const char *program);
void mount_cases_deadline(void);

/* A child that reads the file and exits with 0 when it got what was expected. */
pid_t reader_process(const char *name, const char *expected);
/* Its exit status, or 1000 + signal. */
int exit_of(pid_t child);
/* What mounted_read says of a file that cannot be read. */
const char *errno_text(int error);

/* `control` of reader0 with a reset card and a protocol. */
int connected(void);
/* TRANSMIT: 0 or errno. answer: the first byte of it. */
int transmit(int fd, const uint8_t *apdu, size_t apdu_len, uint32_t timeout_ms,
             int32_t *status, uint8_t *answer);
#define COUNT_APDU_SIZE 13
extern const uint8_t count_apdu[COUNT_APDU_SIZE];
/* A child with that APDU, which is under way when this returns; expects that errno. */
pid_t busy_with(int fd, const uint8_t *apdu, size_t apdu_len, int expected);
/* The same with an APDU of 30 s. */
pid_t busy_child(int fd, int expected);

#endif
