/* SPDX-License-Identifier: BSD-2-Clause */
/* hexline.h - a command or an answer as one line of hexadecimal. Pure. */
#ifndef SCFS_HEXLINE_H
#define SCFS_HEXLINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads one line, with or without its newline. Digits in either case, two a byte; blanks
 * and tabs between bytes. Returns the number of bytes, 0 for an empty line; -EINVAL for
 * anything else, more than one line included; -EMSGSIZE for more than room bytes. out may
 * have been written to in any case.
 */
ssize_t scfs_hexline_read(const char *text, size_t len, uint8_t *out, size_t room);

/* Lower case without blanks, and a newline. */
#define SCFS_HEXLINE_LEN(bytes) (2 * (size_t)(bytes) + 1)
/* The part of that line from off on that fits size; returns its length. */
size_t scfs_hexline_write(char *out, size_t size, size_t off, const uint8_t *bytes,
                          size_t len);

#endif
