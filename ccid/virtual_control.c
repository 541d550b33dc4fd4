/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_control.c - the class requests of the virtual reader (CCID 1.1 §5.3). A list
 * that its shape does not have is refused, which says that there is nothing to choose
 * from; a host that asks for less than there is gets the beginning.
 */
#include "ccid/virtual_internal.h"

#define TO_INTERFACE   0x21
#define FROM_INTERFACE 0xA1

#define ABORT                 0x01
#define GET_CLOCK_FREQUENCIES 0x02
#define GET_DATA_RATES        0x03

static bool give_list(const uint32_t *list, size_t length, uint8_t *data, size_t room,
                      size_t *done)
{
    if (length == 0)
        return false;
    for (size_t at = 0; at < length * 4 && at < room; at++)
        data[(*done)++] = (uint8_t)(list[at / 4] >> (at % 4 * 8));
    return true;
}

bool virtual_control_locked(struct ccid_virtual_reader *reader, uint8_t request_type,
                            uint8_t request, uint16_t value, uint16_t index,
                            uint8_t *data, uint16_t data_len, size_t *done)
{
    const struct ccid_virtual_shape *shape = &reader->shape;

    *done = 0;
    if (index != shape->interface_number)
        return false;
    if (shape->transport != CCID_TRANSPORT_BULK)
        return virtual_iccd_locked(reader, request_type, request, value, data, data_len,
                                   done);
    if (request_type == TO_INTERFACE && request == ABORT && data_len == 0)
        return virtual_abort_locked(reader, (uint8_t)value, (uint8_t)(value >> 8));
    if (request_type != FROM_INTERFACE || value != 0)
        return false;
    if (request == GET_CLOCK_FREQUENCIES)
        return give_list(shape->clocks_khz, shape->clock_list_length, data, data_len,
                         done);
    if (request == GET_DATA_RATES)
        return give_list(shape->rates_bps, shape->rate_list_length, data, data_len, done);
    return false;
}
