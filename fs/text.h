/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - how values are written in text files. Pure. */
#ifndef SCFS_TEXT_H
#define SCFS_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct smc_device_identity;

/* Longest text file, bytes. */
#define SCFS_TEXT_MAX 768

/* Both end the text with NUL and cut it to whole characters of the output. */
void scfs_text_hex(char *out, size_t size, const uint8_t *bytes, size_t len);
/* Printable ASCII as it is, other bytes as \xNN. */
void scfs_text_printable(char *out, size_t size, const uint8_t *bytes, size_t len);

/* The word of `state`. */
const char *scfs_text_state(uint32_t state);

/*
 * The name PC/SC programs show: <vendor> <product> [<interface>] (<serial>) <nn> <ss>
 * and a newline; parts that are empty are left out. device tells physical readers
 * apart whose names are equal (naming.h). Returns the length.
 */
int scfs_text_name(char *out, size_t size, const struct smc_device_identity *identity,
                   unsigned device, unsigned slot);

#endif
