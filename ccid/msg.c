/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.c - encodes and decodes CCID messages (CCID 1.1 §6). Pure: no device, no state.
 *
 * A length that the device states is compared with what was received and with what the
 * type of message can carry before anything is looked at.
 */
#include "ccid/msg.h"

void ccid_msg_header(uint8_t out[CCID_HEADER_LENGTH], uint8_t type, uint32_t length,
                     uint8_t slot, uint8_t seq, uint8_t p1, uint8_t p2, uint8_t p3)
{
    out[0] = type;
    out[1] = (uint8_t)length;
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)(length >> 16);
    out[4] = (uint8_t)(length >> 24);
    out[5] = slot;
    out[6] = seq;
    out[7] = p1;
    out[8] = p2;
    out[9] = p3;
}

uint32_t ccid_msg_length(const uint8_t *message)
{
    return (uint32_t)message[1] | (uint32_t)message[2] << 8 | (uint32_t)message[3] << 16 |
           (uint32_t)message[4] << 24;
}

/* Most that a message of a type carries; parameters tolerate firmware that pads. */
static uint32_t length_limit(uint8_t type)
{
    switch (type) {
    case CCID_DATA_BLOCK:
        return 65546;
    case CCID_SLOT_STATUS:
        return 0;
    case CCID_PARAMETERS:
        return 16;
    case CCID_ESCAPE_IN:
        return 65536;
    case CCID_RATE_AND_CLOCK:
        return 8;
    default:
        return 0;
    }
}

const char *ccid_msg_decode(const uint8_t *message, size_t len,
                            struct ccid_answer *answer)
{
    uint8_t icc;
    uint8_t outcome;

    if (len < CCID_HEADER_LENGTH)
        return "answer shorter than its header";
    answer->type = message[0];
    answer->length = ccid_msg_length(message);
    answer->slot = message[5];
    answer->seq = message[6];
    answer->error = message[8];
    answer->extra = message[9];
    answer->data = message + CCID_HEADER_LENGTH;

    icc = message[7] & 0x03;
    outcome = message[7] >> 6;
    if (answer->length > len - CCID_HEADER_LENGTH)
        return "dwLength larger than what was received";
    if (answer->type < CCID_DATA_BLOCK || answer->type > CCID_RATE_AND_CLOCK)
        return "message type that is not an answer";
    if (answer->length > length_limit(answer->type))
        return "dwLength larger than the message type allows";
    if (outcome == 3)
        return "bmCommandStatus 3";
    answer->icc = icc == 0   ? CCID_ICC_ACTIVE
                  : icc == 1 ? CCID_ICC_INACTIVE
                             : CCID_ICC_ABSENT;
    answer->outcome = (enum ccid_outcome)outcome;
    return NULL;
}

bool ccid_msg_type_fits(const struct ccid_answer *answer, uint8_t expected_type)
{
    /* A command that the reader does not know is answered with a slot status. */
    return answer->type == expected_type ||
           (answer->type == CCID_SLOT_STATUS && answer->outcome == CCID_FAILED);
}

NTSTATUS ccid_msg_status(uint8_t error, enum ccid_icc icc)
{
    if (icc == CCID_ICC_ABSENT)
        return STATUS_NO_MEDIA;
    switch (error) {
    case 0xFF: /* CMD_ABORTED */
    case 0xEF: /* PIN_CANCELLED */
        return STATUS_CANCELLED;
    case 0xFE: /* ICC_MUTE */
    case 0xF0: /* PIN_TIMEOUT */
        return STATUS_IO_TIMEOUT;
    case 0xFC: /* XFR_OVERRUN */
    case 0xF4: /* PROCEDURE_BYTE_CONFLICT */
    case 0xF3: /* DEACTIVATED_PROTOCOL */
        return STATUS_DEVICE_PROTOCOL_ERROR;
    case 0xF8: /* BAD_ATR_TS */
    case 0xF7: /* BAD_ATR_TCK */
    case 0xF6: /* ICC_PROTOCOL_NOT_SUPPORTED */
    case 0xF5: /* ICC_CLASS_NOT_SUPPORTED */
        return STATUS_UNRECOGNIZED_MEDIA;
    case 0xF2: /* BUSY_WITH_AUTO_SEQUENCE */
    case 0xE0: /* CMD_SLOT_BUSY */
        return STATUS_DEVICE_BUSY;
    case 0x00: /* CMD_NOT_SUPPORTED */
        return STATUS_NOT_SUPPORTED;
    default:
        /* 01h to 7Fh: index of the message byte that the reader objects to. The rest:
         * XFR_PARITY_ERROR, HW_ERROR, the vendor's and reserved codes. */
        return error <= 0x7F ? STATUS_INVALID_PARAMETER : STATUS_IO_DEVICE_ERROR;
    }
}
