/* SPDX-License-Identifier: BSD-2-Clause */
/* matrix_leftovers.h - what a user who is gone must not leave behind. Failures end the
 * test. */
#ifndef TESTS_MOUNT_MATRIX_LEFTOVERS_H
#define TESTS_MOUNT_MATRIX_LEFTOVERS_H

#include "daemon.h"

/* Starts a daemon, counts what one has that nobody uses, and stops it. */
int leftovers_learn(struct daemon *d, const char *const *options);

/* No open file that the daemon knows of. Puts the one virtual reader in anew: it is
 * reader0 again only if nobody has a file of the last one open. */
void assert_no_handle_is_left(const struct daemon *d);
/* No descriptor, no thread, no transaction. */
void assert_nothing_is_left(const struct daemon *d);
void assert_next_user_works(const struct daemon *d);

#endif
