/* SPDX-License-Identifier: BSD-2-Clause */
/* way.h - the ways to a card: by ioctl, by write and read, by a line of text, by PC/SC.
 */
#ifndef TESTS_SOAK_WAY_H
#define TESTS_SOAK_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_ROOM 4096

/* An open reader. */
struct access {
    int fd;
    uint32_t protocol;  /* ioctl, PC/SC */
    long context, card; /* PC/SC */
};

/* Each call: 0 or an errno. The card has been reset by another: ECONNRESET, and again()
 * makes the access good. */
struct way {
    const char *name;
    bool follows; /* GET RESPONSE at T=0, where the command has its Le */
    /* directory: of the reader, name: its name in the mount, tag: part of its own name */
    int (*open)(struct access *a, int directory, const char *tag);
    int (*exchange)(struct access *a, const uint8_t *command, size_t len, uint8_t *answer,
                    size_t *answer_len);
    int (*begin)(struct access *a);
    int (*end)(struct access *a, uint32_t disposition);
    int (*again)(struct access *a); /* NULL: a reset makes no difference */
    int (*reset)(struct access *a);
    void (*close)(struct access *a);
};

extern const struct way way_ioctl, way_write, way_text, way_pcsc;

#endif
