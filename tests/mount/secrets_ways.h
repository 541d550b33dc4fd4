/* SPDX-License-Identifier: BSD-2-Clause */
/* secrets_ways.h - the ways of a PIN through the daemon to a card, and back. */
#ifndef TESTS_MOUNT_SECRETS_WAYS_H
#define TESTS_MOUNT_SECRETS_WAYS_H

#include "daemon.h"
#include "memory.h"

/* Extended APDUs, TPDUs by T=0 and by T=1, and keys on a reader of its own. */
enum { EXTENDED, T0, T1, PINPAD, READERS };

extern const char *const secrets_options[]; /* of the daemon, for these */
extern struct daemon scardfs;
extern struct secrets *pins;
extern int control[READERS], text; /* open; text: transmit of the first */

struct way {
    const char *name;
    void (*send)(unsigned number);
    unsigned pins;
};

/* Gone one after the other, and the memory is looked at after each: what one leaves,
 * another might overwrite. */
#define SECRETS_WAYS 10
extern const struct way secrets_ways[SECRETS_WAYS];

#endif
