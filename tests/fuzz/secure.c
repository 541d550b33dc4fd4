/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secure.c - as session.c, of a reader with a PIN pad, at extended APDU level in messages
 * so short that commands and answers are chained; without bit 40h of its dwFeatures, at
 * TPDU level.
 */
#include "driver_session.h"

#define FEATURES_AT       40
#define MESSAGE_LENGTH_AT 44
#define PIN_SUPPORT_AT    52

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct session_reader reader;
    uint8_t *class_descriptor = reader.class_descriptor;

    session_reader_read(&reader, &in);
    class_descriptor[FEATURES_AT + 2] = class_descriptor[FEATURES_AT] & 0x40 ? 4 : 1;
    class_descriptor[MESSAGE_LENGTH_AT] |= 64;
    class_descriptor[MESSAGE_LENGTH_AT + 1] &= 1;
    class_descriptor[MESSAGE_LENGTH_AT + 2] = class_descriptor[MESSAGE_LENGTH_AT + 3] = 0;
    class_descriptor[PIN_SUPPORT_AT] |= 1;
    driver_session(&reader, &in);
    return 0;
}
