/* SPDX-License-Identifier: BSD-2-Clause */
/* attributes.c - the files of `attributes/`. */
#include "fs/attributes.h"

#include <errno.h>
#include <stdio.h>

#include "winsmcrd.h"

#include "fs/text.h"

/*
 * Every attribute a driver library may answer. Which of them a reader has is asked of the
 * library each time: a file exists if the answer is not STATUS_NOT_SUPPORTED.
 */
const struct scfs_attribute scfs_attributes[] = {
    {"vendor_name", SCARD_ATTR_VENDOR_NAME, SCFS_STRING},
    {"vendor_ifd_type", SCARD_ATTR_VENDOR_IFD_TYPE, SCFS_STRING},
    {"vendor_ifd_version", SCARD_ATTR_VENDOR_IFD_VERSION, SCFS_MASK},
    {"vendor_ifd_serial_no", SCARD_ATTR_VENDOR_IFD_SERIAL_NO, SCFS_STRING},
    {"channel_id", SCARD_ATTR_CHANNEL_ID, SCFS_MASK},
    {"protocol_types", SCARD_ATTR_PROTOCOL_TYPES, SCFS_MASK},
    {"default_clk", SCARD_ATTR_DEFAULT_CLK, SCFS_NUMBER},
    {"max_clk", SCARD_ATTR_MAX_CLK, SCFS_NUMBER},
    {"default_data_rate", SCARD_ATTR_DEFAULT_DATA_RATE, SCFS_NUMBER},
    {"max_data_rate", SCARD_ATTR_MAX_DATA_RATE, SCFS_NUMBER},
    {"max_ifsd", SCARD_ATTR_MAX_IFSD, SCFS_NUMBER},
    {"power_mgmt_support", SCARD_ATTR_POWER_MGMT_SUPPORT, SCFS_NUMBER},
    {"user_to_card_auth_device", SCARD_ATTR_USER_TO_CARD_AUTH_DEVICE, SCFS_MASK},
    {"user_auth_input_device", SCARD_ATTR_USER_AUTH_INPUT_DEVICE, SCFS_MASK},
    {"characteristics", SCARD_ATTR_CHARACTERISTICS, SCFS_MASK},
    {"current_protocol_type", SCARD_ATTR_CURRENT_PROTOCOL_TYPE, SCFS_MASK},
    {"current_clk", SCARD_ATTR_CURRENT_CLK, SCFS_NUMBER},
    {"current_f", SCARD_ATTR_CURRENT_F, SCFS_NUMBER},
    {"current_d", SCARD_ATTR_CURRENT_D, SCFS_NUMBER},
    {"current_n", SCARD_ATTR_CURRENT_N, SCFS_NUMBER},
    {"current_w", SCARD_ATTR_CURRENT_W, SCFS_NUMBER},
    {"current_ifsc", SCARD_ATTR_CURRENT_IFSC, SCFS_NUMBER},
    {"current_ifsd", SCARD_ATTR_CURRENT_IFSD, SCFS_NUMBER},
    {"current_bwt", SCARD_ATTR_CURRENT_BWT, SCFS_NUMBER},
    {"current_cwt", SCARD_ATTR_CURRENT_CWT, SCFS_NUMBER},
    {"current_ebc_encoding", SCARD_ATTR_CURRENT_EBC_ENCODING, SCFS_NUMBER},
    {"extended_bwt", SCARD_ATTR_EXTENDED_BWT, SCFS_NUMBER},
    {"icc_presence", SCARD_ATTR_ICC_PRESENCE, SCFS_NUMBER},
    {"icc_interface_status", SCARD_ATTR_ICC_INTERFACE_STATUS, SCFS_NUMBER},
    {"current_io_state", SCARD_ATTR_CURRENT_IO_STATE, SCFS_NUMBER},
    {"atr_string", SCARD_ATTR_ATR_STRING, SCFS_BYTES},
    {"icc_type_per_atr", SCARD_ATTR_ICC_TYPE_PER_ATR, SCFS_NUMBER},
    {"device_unit", SCARD_ATTR_DEVICE_UNIT, SCFS_NUMBER},
    {"device_friendly_name_a", SCARD_ATTR_DEVICE_FRIENDLY_NAME_A, SCFS_STRING},
    {"device_system_name_a", SCARD_ATTR_DEVICE_SYSTEM_NAME_A, SCFS_STRING},
};

const size_t scfs_attribute_count = sizeof scfs_attributes / sizeof scfs_attributes[0];

static int number(uint32_t *out, const uint8_t *value, size_t len)
{
    if (len == 1)
        *out = value[0];
    else if (len == 4)
        *out = (uint32_t)value[0] | (uint32_t)value[1] << 8 | (uint32_t)value[2] << 16 |
               (uint32_t)value[3] << 24;
    else
        return -EIO;
    return 0;
}

int scfs_attribute_text(char *out, size_t size, const struct scfs_attribute *attribute,
                        const uint8_t *value, size_t len)
{
    char text[4 * SCFS_ATTRIBUTE_MAX + 1];
    uint32_t n;

    if (len > SCFS_ATTRIBUTE_MAX)
        return -EIO;
    switch (attribute->type) {
    case SCFS_STRING:
        scfs_text_printable(text, sizeof text, value, len);
        return snprintf(out, size, "%s\n", text);
    case SCFS_BYTES:
        scfs_text_hex(text, sizeof text, value, len);
        return snprintf(out, size, "%s\n", text);
    case SCFS_NUMBER:
    case SCFS_MASK:
        if (number(&n, value, len) != 0)
            return -EIO;
        return attribute->type == SCFS_NUMBER ? snprintf(out, size, "%u\n", n)
                                              : snprintf(out, size, "0x%08x\n", n);
    }
    return -EIO;
}
