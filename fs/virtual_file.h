/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_file.h - the lines of the file `virtual`. Pure. */
#ifndef SCFS_VIRTUAL_FILE_H
#define SCFS_VIRTUAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCFS_VIRTUAL_ATR_MAX   33
#define SCFS_VIRTUAL_SHAPE_MAX 16
#define SCFS_VIRTUAL_KEYS_MAX  48

enum scfs_virtual_verb {
    SCFS_VIRTUAL_INSERT, /* insert READER [ATRHEX] */
    SCFS_VIRTUAL_REMOVE, /* remove READER */
    SCFS_VIRTUAL_PLUG,   /* plug [SHAPE] */
    SCFS_VIRTUAL_UNPLUG, /* unplug READER */
    SCFS_VIRTUAL_TYPE,   /* type READER KEYS */
};

struct scfs_virtual_line {
    enum scfs_virtual_verb verb;
    unsigned number; /* of the reader */
    uint8_t atr[SCFS_VIRTUAL_ATR_MAX];
    size_t atr_len;                     /* 0: none given */
    char shape[SCFS_VIRTUAL_SHAPE_MAX]; /* "": none given */
    char keys[SCFS_VIRTUAL_KEYS_MAX];
};

/* Whether the text may be the name of a shape: VID:PID, four hexadecimal digits each,
 * with or without a colon and an interface number behind; or a word of small letters,
 * digits and hyphens. The driver knows which there are. */
bool scfs_virtual_is_shape(const char *text);

/* One line without its newline. 0; -EINVAL for what is not a command; -ENODEV for a name
 * that no reader can have. */
int scfs_virtual_parse(const char *text, size_t len, struct scfs_virtual_line *line);

#endif
