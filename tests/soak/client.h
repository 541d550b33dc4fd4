/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h - a process that uses cards, at random, and finds out whether it is alone. */
#ifndef TESTS_SOAK_CLIENT_H
#define TESTS_SOAK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* Works until the soak stops; then exits. With uids each client takes the one that is
 * its. */
_Noreturn void client_run(int number, const char *mount, uint32_t seed, bool uids);

/* "client 3 (ioctl)" */
const char *client_name(int number);

#endif
