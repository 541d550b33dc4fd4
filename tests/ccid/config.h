/* SPDX-License-Identifier: BSD-2-Clause */
/* config.h - builds USB configuration descriptors, good and bad, piece by piece. */
#ifndef TEST_CONFIG_H
#define TEST_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct config {
    uint8_t bytes[512];
    size_t length;
};

/* The 54 bytes of an honest short and extended APDU reader with one slot. */
extern const uint8_t config_class_descriptor[54];

void config_begin(struct config *config, uint8_t interface_count);
void config_interface(struct config *config, uint8_t number, uint8_t class_,
                      uint8_t protocol, uint8_t endpoint_count);
void config_endpoint(struct config *config, uint8_t address, uint8_t type,
                     uint16_t packet_size);
void config_append(struct config *config, const void *bytes, size_t length);

/* Configuration, interface 0 of class 0Bh, class descriptor, endpoints 81h, 02h, 83h. */
void config_reader(struct config *config, const uint8_t class_descriptor[54],
                   uint16_t packet_size);

#endif
