/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part10.c - the lists of PC/SC part 10: features and their codes, properties.
 *
 * Not offered: ABORT, because a request to a reader that is busy with one waits for it -
 * who wants to end a PIN entry cancels the request (a signal to its caller does);
 * IFD_DISPLAY_PROPERTIES, whose numbers are among the properties; and PPDU.
 */
#include "ccid/part10.h"

#include <stdio.h>
#include <string.h>

#include "ccid/pin.h"
#include "ccid/quirks.h"
#include "scard_ioctl.h"
#include "winsmcrd.h"

#define PIN_SUPPORT_VERIFY 0x01
#define PIN_SUPPORT_MODIFY 0x02

#define CONDITION_OK_KEY 0x02 /* the PIN ends with a key, */
#define CONDITION_ALL    0x07 /* or with its last digit, or with the time */

/* dwMaxAPDUDataSize: more than 255 says that extended APDUs go through. */
#define APDU_DATA_SHORT    255
#define APDU_DATA_EXTENDED 65536

size_t ccid_part10_features(const struct ccid_desc *desc, bool escape,
                            uint8_t out[CCID_PART10_FEATURES_MAX])
{
    const struct {
        bool offered;
        uint8_t tag;
        uint32_t code;
    } features[] = {
        {(desc->pin_support & PIN_SUPPORT_VERIFY) != 0, SCARD_FEATURE_VERIFY_PIN_DIRECT,
         SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT},
        {(desc->pin_support & PIN_SUPPORT_MODIFY) != 0, SCARD_FEATURE_MODIFY_PIN_DIRECT,
         SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT},
        {(desc->quirks & CCID_QUIRK_SECODER) != 0, SCARD_FEATURE_MCT_READER_DIRECT,
         SCFS_IOCTL_CCID_MCT_READER_DIRECT},
        {desc->pin_support != 0, SCARD_FEATURE_IFD_PIN_PROPERTIES,
         SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES},
        {true, SCARD_FEATURE_GET_TLV_PROPERTIES, SCFS_IOCTL_CCID_GET_TLV_PROPERTIES},
        {escape, SCARD_FEATURE_CCID_ESC_COMMAND, IOCTL_CCID_ESCAPE},
    };
    size_t length = 0;

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        uint32_t code = features[i].code;

        if (!features[i].offered)
            continue;
        out[length++] = features[i].tag;
        out[length++] = sizeof(code);
        for (int shift = 24; shift >= 0; shift -= 8) /* big endian, §2.2 */
            out[length++] = (uint8_t)(code >> shift);
    }
    return length;
}

struct scard_pin_properties ccid_part10_pin(const struct ccid_desc *desc)
{
    bool ok_key_only = (desc->quirks & CCID_QUIRK_PIN_ONE_MESSAGE) != 0;

    return (struct scard_pin_properties){
        .wLcdLayout = desc->lcd_layout,
        .bEntryValidationCondition = ok_key_only ? CONDITION_OK_KEY : CONDITION_ALL,
    };
}

/* ---- properties ------------------------------------------------------------------ */

struct list {
    uint8_t *bytes;
    size_t length;
};

static void add_number(struct list *list, uint8_t tag, uint8_t size, uint32_t value)
{
    list->bytes[list->length++] = tag;
    list->bytes[list->length++] = size;
    for (; size > 0; size--, value >>= 8)
        list->bytes[list->length++] = (uint8_t)value;
}

static void add_text(struct list *list, uint8_t tag, const char *text)
{
    size_t length = strlen(text);

    list->bytes[list->length++] = tag;
    list->bytes[list->length++] = (uint8_t)length;
    memcpy(list->bytes + list->length, text, length);
    list->length += length;
}

static void add_pin_pad(struct list *list, const struct ccid_desc *desc)
{
    const uint32_t known =
        CCID_QUIRK_PIN_0_TO_25 | CCID_QUIRK_PIN_1_TO_31 | CCID_QUIRK_PIN_0_TO_32;
    struct scard_pin_properties pin = ccid_part10_pin(desc);
    uint8_t min, max;

    add_number(list, SCARD_PROPERTY_ENTRY_VALIDATION_CONDITION, 1,
               pin.bEntryValidationCondition);
    add_number(list, SCARD_PROPERTY_TIMEOUT2, 1, pin.bTimeOut2);
    if ((desc->quirks & known) == 0)
        return; /* no reader tells */
    ccid_pin_digits(desc->quirks, &min, &max);
    add_number(list, SCARD_PROPERTY_MIN_PIN_SIZE, 1, min);
    add_number(list, SCARD_PROPERTY_MAX_PIN_SIZE, 1, max);
}

size_t ccid_part10_properties(const struct ccid_desc *desc,
                              const struct smc_device_identity *identity,
                              uint8_t out[CCID_PART10_PROPERTIES_MAX])
{
    struct list list = {out, 0};
    char firmware[8];

    if (desc->lcd_layout != 0) {
        add_number(&list, SCARD_PROPERTY_LCD_LAYOUT, 2, desc->lcd_layout);
        add_number(&list, SCARD_PROPERTY_LCD_MAX_CHARACTERS, 2, desc->lcd_layout & 0xFF);
        add_number(&list, SCARD_PROPERTY_LCD_MAX_LINES, 2, desc->lcd_layout >> 8);
    }
    if (desc->pin_support != 0)
        add_pin_pad(&list, desc);
    /* bcdDevice, which the makers of readers raise with their firmware. */
    snprintf(firmware, sizeof(firmware), "%X.%02X", identity->bcd_device >> 8,
             identity->bcd_device & 0xFFu);
    add_text(&list, SCARD_PROPERTY_FIRMWARE_ID, firmware);
    add_number(&list, SCARD_PROPERTY_PPDU_SUPPORT, 1, 0);
    add_number(&list, SCARD_PROPERTY_MAX_APDU_DATA_SIZE, 4,
               desc->level == CCID_LEVEL_SHORT_APDU ? APDU_DATA_SHORT
                                                    : APDU_DATA_EXTENDED);
    add_number(&list, SCARD_PROPERTY_ID_VENDOR, 2, identity->vid);
    add_number(&list, SCARD_PROPERTY_ID_PRODUCT, 2, identity->pid);
    return list.length;
}
