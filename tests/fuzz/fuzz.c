/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz.c - the input of a fuzz target, and its checks. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t fuzz_read(struct fuzz_input *in, void *out, size_t len)
{
    size_t got = len < in->left ? len : in->left;

    if (got > 0)
        memcpy(out, in->at, got);
    if (len > got)
        memset((uint8_t *)out + got, 0, len - got);
    in->at += got;
    in->left -= got;
    return got;
}

uint8_t fuzz_u8(struct fuzz_input *in)
{
    uint8_t byte;

    fuzz_read(in, &byte, sizeof byte);
    return byte;
}

uint16_t fuzz_u16(struct fuzz_input *in)
{
    uint8_t bytes[2];

    fuzz_read(in, bytes, sizeof bytes);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t low = fuzz_u16(in);

    return low | (uint32_t)fuzz_u16(in) << 16;
}

uint8_t *fuzz_piece(struct fuzz_input *in, size_t max, size_t *got)
{
    uint8_t *piece;

    *got = max < in->left ? max : in->left;
    piece = malloc(*got > 0 ? *got : 1);
    FUZZ_CHECK(piece != NULL);
    fuzz_read(in, piece, *got);
    return piece;
}

_Noreturn void fuzz_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}
