/* SPDX-License-Identifier: BSD-2-Clause */
/* attributes.h - the files of `attributes/`: name, tag and how the value is written. */
#ifndef SCFS_ATTRIBUTES_H
#define SCFS_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

enum scfs_attribute_type {
    SCFS_STRING, /* printable ASCII, other bytes as \xNN */
    SCFS_NUMBER, /* decimal */
    SCFS_MASK,   /* 0x%08x */
    SCFS_BYTES,  /* lower-case hex */
};

struct scfs_attribute {
    const char *name; /* SCARD_ATTR_..., lower case */
    uint32_t tag;
    enum scfs_attribute_type type;
};

extern const struct scfs_attribute scfs_attributes[];
extern const size_t scfs_attribute_count;

/* Longest value asked for, bytes. */
#define SCFS_ATTRIBUTE_MAX 64

/* The line of a value, newline included, as snprintf; -EIO when the value's length is
 * not one of its type. */
int scfs_attribute_text(char *out, size_t size, const struct scfs_attribute *attribute,
                        const uint8_t *value, size_t len);

#endif
