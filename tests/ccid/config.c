/* SPDX-License-Identifier: BSD-2-Clause */
/* config.c - USB configuration descriptors for tests. */
#include "config.h"

const uint8_t config_class_descriptor[54] = {
    0x36, 0x21, 0x10, 0x01,       /* bcdCCID 1.10 */
    0x00, 0x07,                   /* one slot, 5 V, 3 V, 1.8 V */
    0x03, 0x00, 0x00, 0x00,       /* T=0, T=1 */
    0xA0, 0x0F, 0x00, 0x00,       /* 4000 kHz */
    0x20, 0x4E, 0x00, 0x00, 0x00, /* 20000 kHz */
    0x00, 0x2A, 0x00, 0x00,       /* 10752 bit/s */
    0x00, 0x40, 0x05, 0x00, 0x00, /* 344064 bit/s */
    0xFE, 0x00, 0x00, 0x00,       /* IFSD 254 */
    0x00, 0x00, 0x00, 0x00,       /* dwSynchProtocols */
    0x00, 0x00, 0x00, 0x00,       /* dwMechanical */
    0x42, 0x00, 0x04, 0x00,       /* negotiates alone, extended APDU level */
    0x0F, 0x01, 0x00, 0x00,       /* 271 */
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x01,
};

void config_append(struct config *config, const void *bytes, size_t length)
{
    memcpy(config->bytes + config->length, bytes, length);
    config->length += length;
    config->bytes[2] = (uint8_t)config->length;
    config->bytes[3] = (uint8_t)(config->length >> 8);
}

void config_begin(struct config *config, uint8_t interface_count)
{
    const uint8_t bytes[9] = {9, 0x02, 9, 0, interface_count, 1, 0, 0x80, 50};

    memset(config, 0, sizeof(*config));
    config_append(config, bytes, sizeof(bytes));
}

void config_interface(struct config *config, uint8_t number, uint8_t class_,
                      uint8_t protocol, uint8_t endpoint_count)
{
    const uint8_t bytes[9] = {9, 0x04, number, 0, endpoint_count, class_, 0, protocol, 5};

    config_append(config, bytes, sizeof(bytes));
}

void config_endpoint(struct config *config, uint8_t address, uint8_t type,
                     uint16_t packet_size)
{
    const uint8_t bytes[7] = {
        7, 0x05, address, type, (uint8_t)packet_size, (uint8_t)(packet_size >> 8), 16};

    config_append(config, bytes, sizeof(bytes));
}

void config_reader(struct config *config, const uint8_t class_descriptor[54],
                   uint16_t packet_size)
{
    config_begin(config, 1);
    config_interface(config, 0, 0x0B, 0, 3);
    config_append(config, class_descriptor, 54);
    config_endpoint(config, 0x81, 2, packet_size);
    config_endpoint(config, 0x02, 2, packet_size);
    config_endpoint(config, 0x83, 3, 8);
}
