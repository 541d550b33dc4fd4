/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naming.h - the number that tells equal readers apart, remembered by where they were
 * plugged in: a reader that comes back has the name that it had, and readers of other
 * names do not matter.
 */
#ifndef FS_NAMING_H
#define FS_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "smcnt.h"

#define SCFS_PLACES_MAX 128

struct scfs_naming { /* all zero: nothing is remembered */
    struct scfs_place {
        uint64_t hash; /* of a name and a place */
        unsigned number;
    } places[SCFS_PLACES_MAX];
    unsigned used, next; /* places are forgotten in the order in which they came */
};

/* The number for a reader that comes: the one that it had in this place, or the lowest
 * that is not taken. taken is asked with the reader's identity and a number. */
unsigned scfs_naming_number(struct scfs_naming *naming,
                            const struct smc_device_identity *identity,
                            bool (*taken)(void *context,
                                          const struct smc_device_identity *identity,
                                          unsigned number),
                            void *context);

#endif
