/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pin.c - from the structures of PC/SC part 10 to the data of PC_to_RDR_Secure.
 *
 * Everything is looked at before the reader hears of it, because firmware trusts these
 * numbers: a PIN that is put outside the command overwrites something, and some readers
 * crash on a bEntryValidationCondition that is none. The byte order is the little endian
 * of part 10 alone: in the other one ulDataLength is not the length of what follows.
 */
#include "ccid/pin.h"

#include <string.h>

#include "ccid/quirks.h"

#define DIGITS_MAX 16 /* of pads that nothing else is known of */

/* bmFormatString */
#define FORMAT_BYTES     0x80 /* the position is in bytes, else in bits */
#define FORMAT_TYPE      0x03
#define FORMAT_ASCII     0x02
#define FORMAT_TYPE_NONE 0x03

/* bEntryValidationCondition */
#define CONDITION_OK_KEY 0x02
#define CONDITION_ALL    0x07

/* bNumberMessage */
#define MESSAGES_NONE  0x00
#define MESSAGES_THREE 0x03
#define MESSAGES_TEXT  0xFF /* the reader's own */

#define CONFIRM_ASK_CURRENT 0x02
#define CONFIRM_KNOWN       0x03

/* What both structures say, whatever the order in which they do. */
struct fields {
    uint8_t format, block, length_format;
    uint8_t offset_old, offset_new; /* of the PINs behind Lc */
    uint8_t digits_max, digits_min;
    uint8_t confirm;
    uint8_t condition;
    uint8_t messages;
    const uint8_t *language; /* 2 bytes */
    const uint8_t *indexes;  /* 1 or 3 */
    const uint8_t *apdu;
    uint32_t apdu_length;
};

static uint32_t le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

void ccid_pin_digits(uint32_t quirks, uint8_t *min, uint8_t *max)
{
    *min = (quirks & CCID_QUIRK_PIN_1_TO_31) != 0 ? 1 : 0;
    *max = DIGITS_MAX;
    if ((quirks & CCID_QUIRK_PIN_0_TO_25) != 0)
        *max = 25;
    else if ((quirks & CCID_QUIRK_PIN_1_TO_31) != 0)
        *max = 31;
    else if ((quirks & CCID_QUIRK_PIN_0_TO_32) != 0)
        *max = 32;
}

/* ---- reading --------------------------------------------------------------------- */

static const char *read_fields(enum ccid_pin_operation operation, const uint8_t *in,
                               size_t len, struct fields *out)
{
    bool modify = operation == CCID_PIN_MODIFY;
    size_t fixed =
        modify ? sizeof(struct scard_pin_modify) : sizeof(struct scard_pin_verify);
    const uint8_t *rest = in + (modify ? 7 : 5); /* behind what both begin with */

    if (len < fixed)
        return "the structure is too short";
    if (le32(in + fixed - 4) != len - fixed)
        return "ulDataLength is not the length of the data";
    *out = (struct fields){
        .format = in[2],
        .block = in[3],
        .length_format = in[4],
        .digits_max = rest[0],
        .digits_min = rest[1],
        .apdu = in + fixed,
        .apdu_length = (uint32_t)(len - fixed),
    };
    rest += 2;
    if (modify) {
        out->offset_old = in[5];
        out->offset_new = in[6];
        out->confirm = *rest++;
    }
    out->condition = rest[0];
    out->messages = rest[1];
    out->language = rest + 2;
    out->indexes = rest + 4;
    return NULL;
}

/* ---- judging --------------------------------------------------------------------- */

/* Whether a PIN block that begins offset bytes behind Lc, and the field for its length,
 * lie within the command. A block of no size is as long as what is typed: the reader
 * makes the command longer by itself. */
static bool fits(const struct fields *fields, uint32_t offset)
{
    uint32_t room = fields->apdu_length > 5 ? 8 * (fields->apdu_length - 5) : 0;
    uint32_t unit = (fields->format & FORMAT_BYTES) != 0 ? 8 : 1;
    uint32_t length_unit = (fields->length_format & 0x10) != 0 ? 8 : 1;
    uint32_t size = 8u * (fields->block & 0x0F);
    uint32_t begin = 8 * offset + unit * (fields->format >> 3 & 0x0F);
    uint32_t length_end =
        8 * offset + length_unit * (fields->length_format & 0x0F) + (fields->block >> 4);

    if (begin + size > room)
        return false;
    return size == 0 || fields->block >> 4 == 0 || length_end <= room;
}

static const char *judge(enum ccid_pin_operation operation, const struct fields *fields,
                         uint32_t quirks)
{
    uint32_t digit_bits = (fields->format & FORMAT_TYPE) == FORMAT_ASCII ? 8 : 4;
    uint32_t block_bits = 8u * (fields->block & 0x0F);
    bool modify = operation == CCID_PIN_MODIFY;
    uint8_t most = modify ? MESSAGES_THREE : 1;
    uint8_t min, max;

    ccid_pin_digits(quirks, &min, &max);
    if (fields->apdu_length < 4)
        return "the command has no header";
    if (fields->apdu_length > SCARD_PIN_APDU_MAX)
        return "the command is too long";
    if ((fields->format & FORMAT_TYPE) == FORMAT_TYPE_NONE)
        return "bmFormatString has no such type";
    if (fields->digits_min > fields->digits_max)
        return "the shortest PIN is longer than the longest";
    if (fields->digits_max > max)
        return "a PIN longer than the pad takes";
    if (block_bits != 0 && digit_bits * fields->digits_min > block_bits)
        return "the shortest PIN does not fit its block";
    if (fields->confirm > CONFIRM_KNOWN)
        return "bConfirmPIN has no such bits";
    if (fields->messages > most && fields->messages != MESSAGES_TEXT)
        return "bNumberMessage has no such value";
    if (!fits(fields, fields->offset_new))
        return "the PIN is outside the command";
    if ((fields->confirm & CONFIRM_ASK_CURRENT) != 0 && !fits(fields, fields->offset_old))
        return "the present PIN is outside the command";
    return NULL;
}

/* ---- what readers want instead ---------------------------------------------------- */

static void correct(enum ccid_pin_operation operation, struct fields *fields,
                    uint32_t quirks)
{
    bool modify = operation == CCID_PIN_MODIFY;

    if (fields->condition == 0 || fields->condition > CONDITION_ALL)
        fields->condition = CONDITION_OK_KEY;
    if ((quirks & CCID_QUIRK_PIN_ONE_MESSAGE) != 0) {
        fields->condition = CONDITION_OK_KEY;
        fields->messages = 1;
    }
    if ((quirks & CCID_QUIRK_PIN_NO_MESSAGE) != 0)
        fields->messages = MESSAGES_NONE;
    if (modify && (quirks & CCID_QUIRK_PIN_THREE_MESSAGES) != 0)
        fields->messages = MESSAGES_THREE;
    if (modify && (quirks & CCID_QUIRK_PIN_TEXT) != 0 &&
        fields->messages == MESSAGES_NONE)
        fields->messages = MESSAGES_TEXT;
    if ((quirks & CCID_QUIRK_PIN_DIGITS_SWAPPED) != 0) {
        uint8_t min = fields->digits_min;

        fields->digits_min = fields->digits_max;
        fields->digits_max = min;
    }
}

/* bMsgIndex2 and bMsgIndex3 are there as bNumberMessage says (CCID 1.1 §6.1.11.7). */
static size_t index_count(enum ccid_pin_operation operation, const struct fields *fields,
                          uint32_t quirks)
{
    if (operation == CCID_PIN_VERIFY)
        return 1;
    if (fields->messages == MESSAGES_THREE ||
        (quirks & CCID_QUIRK_PIN_THREE_INDEXES) != 0)
        return 3;
    return fields->messages == MESSAGES_NONE ? 1 : 2;
}

/* ---- writing --------------------------------------------------------------------- */

static void put(struct ccid_pin *out, const void *bytes, size_t count)
{
    memcpy(out->data + out->length, bytes, count);
    out->length += (uint32_t)count;
}

static void put_byte(struct ccid_pin *out, uint8_t byte)
{
    put(out, &byte, 1);
}

const char *ccid_pin_build(enum ccid_pin_operation operation, const uint8_t *in,
                           size_t len, uint32_t quirks, struct ccid_pin *out)
{
    static const uint8_t no_prologue[3];
    struct fields fields;
    const char *problem = read_fields(operation, in, len, &fields);

    if (problem == NULL)
        problem = judge(operation, &fields, quirks);
    if (problem != NULL)
        return problem;
    correct(operation, &fields, quirks);

    out->timeout_s = in[0]; /* bTimerOut; bTimerOut2 has no place in CCID */
    out->apdu_length = fields.apdu_length;
    out->length = 0;
    put_byte(out, (uint8_t)operation);
    put_byte(out, out->timeout_s);
    put_byte(out, fields.format);
    put_byte(out, fields.block);
    put_byte(out, fields.length_format);
    if (operation == CCID_PIN_MODIFY) {
        put_byte(out, fields.offset_old);
        put_byte(out, fields.offset_new);
    }
    put_byte(out, fields.digits_max);
    put_byte(out, fields.digits_min);
    if (operation == CCID_PIN_MODIFY)
        put_byte(out, fields.confirm);
    put_byte(out, fields.condition);
    put_byte(out, fields.messages);
    put(out, fields.language, 2);
    put(out, fields.indexes, index_count(operation, &fields, quirks));
    out->prologue = out->length;
    put(out, no_prologue, sizeof(no_prologue));
    put(out, fields.apdu, fields.apdu_length);
    return NULL;
}
