/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.h - secrets that are looked for where they should not be. */
#ifndef TESTS_MOUNT_MEMORY_H
#define TESTS_MOUNT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SECRET_LEN 8 /* a PIN of the built-in card, printable ASCII */

struct secrets;

/* So many, at random, each different, of so many symbols: "0" and those that follow it.
 */
struct secrets *secrets_new(unsigned count, unsigned symbols);
void secrets_free(struct secrets *secrets);
const uint8_t *secret(const struct secrets *secrets, unsigned number);

#define PLACES_MAX 16

struct found {
    unsigned count; /* places */
    uint64_t bytes; /* looked through */
    struct place {  /* the first of them */
        uint64_t at;
        int number;   /* of the secret */
        bool in_hex;  /* written in hexadecimal */
        char map[64]; /* name of the mapping */
    } places[PLACES_MAX];
};

/* In bytes, and as hexadecimal digits of either case. */
void secrets_look(const struct secrets *secrets, const uint8_t *bytes, size_t len,
                  uint64_t at, struct found *found);
/* In all that a process may read of its own memory. False: it may not be read. */
bool secrets_look_in_process(const struct secrets *secrets, pid_t pid,
                             struct found *found);
bool secrets_look_in_file(const struct secrets *secrets, const char *path,
                          struct found *found);

#endif
