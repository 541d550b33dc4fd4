/* SPDX-License-Identifier: BSD-2-Clause */
/* misuse_case.h - a reader for programs that misuse it, and what must be true after. */
#ifndef TESTS_MOUNT_MISUSE_CASE_H
#define TESTS_MOUNT_MISUSE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"

extern struct daemon scardfs;
extern int control, transmit; /* of its reader0; opened for each test */

/* Fixtures of a group, and of a test, which begins with a reset of the card. */
int misuse_begin(void **state);
int misuse_end(void **state);
int misuse_setup(void **state);
int misuse_teardown(void **state);

#define MISUSE(test) cmocka_unit_test_setup_teardown(test, misuse_setup, misuse_teardown)

void is(const char *what, int expected, int error);
/* 0 or the errno of a system call that has returned this. */
int failed(long result);
int open_reader(const char *name, int flags);
#define AT(name) daemon_path(&scardfs, name)

/* Asks the card: it has had so many commands since its reset, this one included. */
void assert_card_has_counted(int expected);

#endif
