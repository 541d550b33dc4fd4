/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets share: the input, read from its front, and checks.
 *
 * A target is a file with LLVMFuzzerTestOneInput (libFuzzer's name, which AFL++ knows,
 * too); replay.c calls it for files. Where it has an input of several parts, they come in
 * the order in which they are used, so that a recording of a session is a seed. The end
 * of the input reads as zeros: every loop over it has to look at fuzz_left.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline size_t fuzz_left(const struct fuzz_input *in)
{
    return in->left;
}

uint8_t fuzz_u8(struct fuzz_input *in);
uint16_t fuzz_u16(struct fuzz_input *in); /* least significant byte first */
uint32_t fuzz_u32(struct fuzz_input *in);
/* The next len bytes, as far as there are any; the rest of out is zero. Returns how many
 * there were. */
size_t fuzz_read(struct fuzz_input *in, void *out, size_t len);
/* The next bytes, at most max; *got is how many. They are copied to memory of just that
 * length, to be freed. */
uint8_t *fuzz_piece(struct fuzz_input *in, size_t max, size_t *got);

/* Ends the process with a report when the condition does not hold. */
#define FUZZ_CHECK(condition)                                                            \
    ((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

#endif
