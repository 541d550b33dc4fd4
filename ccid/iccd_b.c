/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd_b.c - ICCD of version B: what a command has to answer is fetched with DATA_BLOCK,
 * as often as the token says that it is not ready yet. Its first byte, bResponseType, is
 * what bChainParameter is on the bulk endpoints, and more: 40h a failure, 80h "ask again
 * later".
 */
#include "ccid/iccd.h"

#define TYPE_CHAIN_MAX 0x03 /* 00h to 03h: data, as in CCID 1.1 §6.2.1 */
#define TYPE_NEXT_PART 0x10
#define TYPE_FAILED    0x40
#define TYPE_POLL      0x80

#define POWER_SELECT 1 /* the token's own supply */

/* bmICCStatus. A token is its own card: one that says that there is none is believed only
 * if it has a way to say that it is back. Otherwise a reset may find it. */
static enum ccid_icc icc_status(const struct iccd *x, uint8_t status)
{
    bool tells = x->slot->device->desc.interrupt_in.address != 0;

    switch (status & 0x03) {
    case 0:
        return CCID_ICC_ACTIVE;
    case 1:
        return CCID_ICC_INACTIVE;
    default:
        return tells ? CCID_ICC_ABSENT : CCID_ICC_INACTIVE;
    }
}

/* Judges one DATA_BLOCK. STATUS_MORE_PROCESSING_REQUIRED: not the answer yet. */
static NTSTATUS take_block(struct iccd *x, const uint8_t *block, uint32_t length)
{
    uint8_t type = block[0];
    NTSTATUS status;

    if (type <= TYPE_CHAIN_MAX || (type == TYPE_NEXT_PART && length == 1)) {
        iccd_done(x, CCID_ICC_ACTIVE, type, length - 1);
        return STATUS_SUCCESS;
    }
    if (type != TYPE_FAILED && type != TYPE_POLL)
        return iccd_violation(x, "a bResponseType that there is not");
    if (length < 3)
        return iccd_violation(x, "a DataBlock without its parameters");
    if (type == TYPE_FAILED) {
        iccd_failed(x, icc_status(x, block[1]), block[2]);
        return STATUS_SUCCESS;
    }
    status = iccd_wait(x, (uint32_t)(block[1] | block[2] << 8) * 10); /* wDelayTime */
    return status == STATUS_SUCCESS ? STATUS_MORE_PROCESSING_REQUIRED : status;
}

/* The type goes where the header has bChainParameter: in front of the data. */
static NTSTATUS fetch(struct iccd *x)
{
    uint8_t *block = iccd_data(x) - 1;
    uint32_t got = 0;
    NTSTATUS status;

    do {
        status = iccd_in(x, ICCD_DATA_BLOCK, block, CCID_CONTROL_MAX, &got);
        if (status == STATUS_SUCCESS)
            status = take_block(x, block, got);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);
    return status;
}

NTSTATUS iccd_b_status(struct iccd *x)
{
    uint8_t bytes[3] = {0};
    uint32_t got = 0;
    NTSTATUS status = iccd_in(x, ICCD_SLOT_STATUS, bytes, sizeof(bytes), &got);

    if (status != STATUS_SUCCESS)
        return status;
    if (got < 2)
        return iccd_violation(x, "a slot status without bStatus");
    iccd_done(x, icc_status(x, bytes[1]), 0, 0);
    return STATUS_SUCCESS;
}

NTSTATUS iccd_b_power_on(struct iccd *x)
{
    uint8_t select = x->command->p1 != 0 ? x->command->p1 : POWER_SELECT;
    NTSTATUS status = iccd_out(x, ICCD_ICC_POWER_ON, select, NULL, 0);

    return status == STATUS_SUCCESS ? fetch(x) : status;
}

NTSTATUS iccd_b_power_off(struct iccd *x)
{
    NTSTATUS status = iccd_out(x, ICCD_ICC_POWER_OFF, 0, NULL, 0);

    return status == STATUS_SUCCESS ? iccd_b_status(x) : status;
}

NTSTATUS iccd_b_block(struct iccd *x)
{
    const struct ccid_command *command = x->command;
    /* bLevelParameter is a byte: what wLevelParameter says beyond it cannot be said. */
    uint8_t level = command->p3 != 0 ? 0xFF : command->p2;
    NTSTATUS status = iccd_out(x, ICCD_XFR_BLOCK, (uint16_t)(level << 8),
                               ccid_slot_data(x->slot), command->length);

    return status == STATUS_SUCCESS ? fetch(x) : status;
}
