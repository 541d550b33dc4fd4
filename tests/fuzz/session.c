/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - a reader with bulk endpoints, from its arrival to its end: what
 * session_reader_read takes, then requests and, where the driver asks it, what the device
 * says.
 */
#include "driver_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct session_reader reader;

    session_reader_read(&reader, &in);
    driver_session(&reader, &in);
    return 0;
}
