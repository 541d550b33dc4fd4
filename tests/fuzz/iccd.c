/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd.c - as session.c, of a token without bulk endpoints; in front stands its version
 * (0: A, else B), one byte. All that it says are data stages of control requests.
 */
#include "driver_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint8_t version_b = fuzz_u8(&in);
    struct session_reader reader;

    session_reader_read(&reader, &in);
    reader.protocol = version_b != 0 ? 2 : 1;
    driver_session(&reader, &in);
    return 0;
}
