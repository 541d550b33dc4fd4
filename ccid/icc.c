/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * icc.c - the commands to the card slot: status, power, parameters (CCID 1.1 §6.1.1 to
 * §6.1.7).
 */
#include "ccid/slot.h"

#include "ccid/quirks.h"
#include "ccid/timing.h"

#define STATUS_MS       1000
#define POWER_OFF_MS    5000
#define PARAMETERS_MS   5000
#define SETTLE_MS       10    /* ISO/IEC 7816-3 §6.2.4, with room for the reader */
#define POWER_ON_MS     30000 /* the longest legal ATR takes 29.5 s at 4 MHz */
#define POWER_ON_ALL_MS 60000

#define ERROR_EMV_MODE 0xBB /* bError of one vendor */

NTSTATUS ccid_icc_status(struct ccid_slot *slot, uint32_t timeout_ms, enum ccid_icc *icc)
{
    struct ccid_command command = {
        .type = CCID_GET_SLOT_STATUS,
        .answer_type = CCID_SLOT_STATUS,
        .timeout_ms = timeout_ms == 0 ? STATUS_MS : timeout_ms,
    };
    NTSTATUS status = ccid_cmd(slot, &command);

    if (!command.answered)
        return status;
    /* A failure is an answer too: mute and empty slots give one. */
    *icc = command.answer.icc;
    return STATUS_SUCCESS;
}

NTSTATUS ccid_icc_power_off(struct ccid_slot *slot)
{
    struct ccid_command command = {
        .type = CCID_ICC_POWER_OFF,
        .answer_type = CCID_SLOT_STATUS,
        .timeout_ms = POWER_OFF_MS,
    };
    NTSTATUS status = ccid_cmd(slot, &command);

    if (command.answered && command.answer.icc != CCID_ICC_ACTIVE)
        slot->may_be_powered = false;
    if (status == STATUS_SUCCESS && command.answer.icc == CCID_ICC_ABSENT)
        return STATUS_NO_MEDIA;
    if (status != STATUS_SUCCESS && status != STATUS_NO_MEDIA && command.answered)
        ccid_cmd_log(slot, &command, status, "refused");
    return status;
}

/* Power off and time for the contacts to settle. */
static NTSTATUS discharge(struct ccid_slot *slot)
{
    NTSTATUS status = ccid_icc_power_off(slot);

    return status == STATUS_SUCCESS ? ccid_cmd_sleep(slot, SETTLE_MS) : status;
}

/* A failure that another voltage may cure. */
static bool is_about_voltage(const struct ccid_command *command)
{
    if (!command->answered || command->answer.icc == CCID_ICC_ABSENT)
        return false;
    switch (command->answer.error) {
    case CCID_ERROR_MUTE:
    case CCID_ERROR_CLASS:
    case CCID_ERROR_ATR_TS:
    case CCID_ERROR_ATR_TCK:
    case 7: /* bPowerSelect itself */
        return true;
    default:
        return false;
    }
}

/* The bPowerSelect values to try: the lowest class first, as ISO/IEC 7816-3 §6.2.1
 * wants it, so that a 1.8 V card never sees 5 V. */
static int voltages(const struct ccid_slot *slot, bool warm, uint8_t select[3])
{
    const struct ccid_desc *desc = &slot->device->desc;
    int count = 0;

    if ((desc->features & (CCID_FEATURE_AUTO_VOLTAGE | CCID_FEATURE_AUTO_ACTIVATION)) !=
            0 ||
        (desc->voltage_support & 7) == 0) {
        select[0] = 0;
        return 1;
    }
    if (warm && slot->voltage != 0) {
        select[0] = slot->voltage;
        return 1;
    }
    if ((desc->voltage_support & CCID_VOLTAGE_18V) != 0)
        select[count++] = 3;
    if ((desc->voltage_support & CCID_VOLTAGE_3V) != 0)
        select[count++] = 2;
    if ((desc->voltage_support & CCID_VOLTAGE_5V) != 0)
        select[count++] = 1;
    return count;
}

/* RDF_CARD_POWER knows three failures of a card; which voltage index the reader did not
 * like is of no use to a caller. */
static NTSTATUS power_status(NTSTATUS status)
{
    if (status == STATUS_INVALID_PARAMETER || status == STATUS_NOT_SUPPORTED ||
        status == STATUS_DEVICE_PROTOCOL_ERROR)
        return STATUS_UNRECOGNIZED_MEDIA;
    return status;
}

static NTSTATUS check_atr(struct ccid_slot *slot, const struct ccid_answer *answer)
{
    const char *problem = NULL;

    if (answer->length < 2)
        problem = "the ATR is empty";
    else if (answer->length > SCARD_ATR_LENGTH)
        problem = "the ATR is longer than 33 bytes";
    else if (answer->data[0] != 0x3B && answer->data[0] != 0x3F &&
             answer->data[0] != 0x03)
        problem = "the ATR begins with no TS";
    if (problem == NULL)
        return STATUS_SUCCESS;
    SmcLog(slot->object, STATUS_UNRECOGNIZED_MEDIA, "IccPowerOn: %s", problem);
    return STATUS_UNRECOGNIZED_MEDIA;
}

/* Some readers wake up in EMV mode, which refuses ordinary cards, and leave it when they
 * are told to. */
static bool leave_emv_mode(struct ccid_slot *slot, const struct ccid_command *failed)
{
    struct ccid_command command = {
        .type = CCID_ESCAPE_OUT,
        .answer_type = CCID_ESCAPE_IN,
        .length = 2,
        .timeout_ms = PARAMETERS_MS,
    };
    uint8_t *data = ccid_slot_data(slot);

    if ((slot->device->desc.quirks & CCID_QUIRK_EMV_ESCAPE) == 0 || !failed->answered ||
        failed->answer.error != ERROR_EMV_MODE)
        return false;
    data[0] = 0x1F;
    data[1] = 0x01;
    return ccid_cmd(slot, &command) == STATUS_SUCCESS;
}

/* One attempt at one voltage. */
static NTSTATUS power_on(struct ccid_slot *slot, uint8_t select, uint32_t timeout_ms,
                         struct ccid_command *command)
{
    NTSTATUS status = STATUS_UNSUCCESSFUL;

    for (int attempt = 0; attempt < 2 && status != STATUS_SUCCESS; attempt++) {
        *command = (struct ccid_command){
            .type = CCID_ICC_POWER_ON,
            .p1 = select,
            .answer_type = CCID_DATA_BLOCK,
            .timeout_ms = timeout_ms,
        };
        status = ccid_cmd(slot, command);
        if (status != STATUS_SUCCESS && (attempt != 0 || !leave_emv_mode(slot, command)))
            break;
    }
    if (status == STATUS_SUCCESS) {
        slot->voltage = select;
        status = check_atr(slot, &command->answer);
    }
    return status;
}

static bool powered_on(const struct ccid_command *command)
{
    return command->answered && command->answer.outcome == CCID_DONE;
}

/* Whether the card is to be switched off first. */
static bool begins_without_power(const struct ccid_slot *slot, enum ccid_reset kind)
{
    const struct ccid_desc *desc = &slot->device->desc;

    if (desc->transport == CCID_TRANSPORT_ICCD_A)
        return false; /* its power on begins so, always (iccd_a.c) */
    return kind == CCID_RESET_COLD || slot->may_be_powered ||
           (kind == CCID_RESET_FIRST && (desc->quirks & CCID_QUIRK_POWER_OFF_FIRST) != 0);
}

NTSTATUS ccid_icc_power_on(struct ccid_slot *slot, enum ccid_reset kind,
                           const uint8_t **atr, uint32_t *atr_length)
{
    const struct ccid_usb_port *port = &slot->port;
    uint64_t end_ms = port->ops->now_ms(port->usb) + POWER_ON_ALL_MS;
    struct ccid_command command = {0};
    NTSTATUS status = STATUS_SUCCESS;
    uint8_t select[3];
    int count = voltages(slot, kind == CCID_RESET_WARM, select);

    if (begins_without_power(slot, kind))
        status = discharge(slot);
    for (int i = 0; i < count && status == STATUS_SUCCESS; i++) {
        uint64_t now = port->ops->now_ms(port->usb);

        status =
            power_on(slot, select[i],
                     now + POWER_ON_MS <= end_ms ? POWER_ON_MS : POWER_OFF_MS, &command);
        if (powered_on(&command)) {
            *atr = command.answer.data;
            *atr_length = command.answer.length;
            return status;
        }
        if (i + 1 < count && is_about_voltage(&command) &&
            port->ops->now_ms(port->usb) < end_ms)
            status = discharge(slot);
    }
    if (command.answered && status != STATUS_NO_MEDIA)
        ccid_cmd_log(slot, &command, power_status(status), "the card did not answer");
    return power_status(status);
}

NTSTATUS ccid_icc_power_at(struct ccid_slot *slot, uint8_t select, const uint8_t **atr,
                           uint32_t *atr_length)
{
    struct ccid_command command = {0};
    NTSTATUS status = discharge(slot);

    if (status == STATUS_SUCCESS)
        status = power_on(slot, select, POWER_ON_MS, &command);
    if (status == STATUS_SUCCESS) {
        *atr = command.answer.data;
        *atr_length = command.answer.length;
    } else if (command.answered && !powered_on(&command) && status != STATUS_NO_MEDIA) {
        ccid_cmd_log(slot, &command, power_status(status), "the card did not answer");
    }
    return power_status(status);
}

/* ---- parameters ------------------------------------------------------------------ */

NTSTATUS ccid_icc_get_protocol(struct ccid_slot *slot, uint8_t *protocol, uint8_t *fidi)
{
    struct ccid_command command = {
        .type = CCID_GET_PARAMETERS,
        .answer_type = CCID_PARAMETERS,
        .timeout_ms = PARAMETERS_MS,
    };
    NTSTATUS status = ccid_cmd(slot, &command);

    if (status != STATUS_SUCCESS)
        return status;
    *protocol = command.answer.extra;
    if (fidi != NULL && command.answer.length != 0)
        *fidi = command.answer.data[0];
    return STATUS_SUCCESS;
}

/* Readers that have set them from the ATR, and readers at APDU level that should have
 * said so. */
static bool sets_parameters_itself(const struct ccid_desc *desc)
{
    return (desc->features & CCID_FEATURE_AUTO_PARAMETERS) != 0 ||
           desc->level == CCID_LEVEL_SHORT_APDU ||
           desc->level == CCID_LEVEL_EXTENDED_APDU;
}

NTSTATUS ccid_icc_set_parameters(struct ccid_slot *slot, uint8_t protocol, uint8_t *fidi)
{
    const SCARD_CARD_CAPABILITIES now = ccid_state_card(slot), *card = &now;
    uint8_t convention = card->InversConvention ? 0x02 : 0x00;
    uint8_t clock_stop = (uint8_t)(card->ClassAndStop >> 6);
    uint8_t *data = ccid_slot_data(slot);
    struct ccid_command command = {
        .type = CCID_SET_PARAMETERS,
        .p1 = protocol,
        .answer_type = CCID_PARAMETERS,
        .timeout_ms = PARAMETERS_MS,
    };
    NTSTATUS status;
    uint8_t in_use;

    data[0] = *fidi;
    data[2] = card->N;
    data[4] = clock_stop;
    if (protocol == 0) { /* CCID 1.1 §6.1.7, abProtocolDataStructure for T=0 */
        data[1] = convention;
        data[3] = card->T0.WI;
        command.length = 5;
    } else { /* for T=1 */
        data[1] = (uint8_t)(0x10 | convention | (card->T1.EDC & T1_CRC_CHECK));
        data[3] = (uint8_t)(ccid_timeout_bwi(card) << 4 | (card->T1.CWI & 0x0F));
        data[5] = card->T1.IFSC;
        data[6] = 0;
        command.length = 7;
    }
    status = ccid_cmd(slot, &command);
    if (!command.answered || status == STATUS_SUCCESS)
        return status;
    if (status == STATUS_NOT_SUPPORTED && sets_parameters_itself(&slot->device->desc))
        return STATUS_SUCCESS;
    if (status == STATUS_INVALID_PARAMETER) {
        /* "That value cannot be changed": the reader goes on with its own. */
        ccid_cmd_log(slot, &command, status, "the reader keeps a value of its own");
        status = ccid_icc_get_protocol(slot, &in_use, fidi);
        if (status == STATUS_SUCCESS && in_use != protocol)
            status = STATUS_NOT_SUPPORTED;
        return status;
    }
    ccid_cmd_log(slot, &command, status, "refused");
    return status;
}

NTSTATUS ccid_icc_set_rate(struct ccid_slot *slot, uint32_t clock_khz, uint32_t bps)
{
    struct ccid_command command = {
        .type = CCID_SET_RATE,
        .answer_type = CCID_RATE_AND_CLOCK,
        .length = 8,
        .timeout_ms = PARAMETERS_MS,
    };
    uint8_t *data = ccid_slot_data(slot);
    NTSTATUS status;
    uint32_t in_use;

    /* CCID 1.1 §6.1.14 */
    for (int i = 0; i < 4; i++) {
        data[i] = (uint8_t)(clock_khz >> (8 * i));
        data[4 + i] = (uint8_t)(bps >> (8 * i));
    }
    status = ccid_cmd(slot, &command);
    if (status != STATUS_SUCCESS) {
        if (command.answered)
            ccid_cmd_log(slot, &command, status, "refused");
        return status;
    }
    if (command.answer.length < 8)
        return STATUS_SUCCESS;
    data = (uint8_t *)command.answer.data;
    in_use = (uint32_t)data[4] | (uint32_t)data[5] << 8 | (uint32_t)data[6] << 16 |
             (uint32_t)data[7] << 24;
    /* What it cannot do exactly is done with what is nearest; a card takes 2 % or so. */
    if ((in_use > bps ? in_use - bps : bps - in_use) > bps / 50) {
        ccid_cmd_log(slot, &command, STATUS_IO_DEVICE_ERROR, "another rate is in force");
        return STATUS_IO_DEVICE_ERROR;
    }
    return STATUS_SUCCESS;
}
