/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_log.c - what a failed command is called in the log, and a failed transfer too. */
#include "ccid/slot.h"

static const char *command_name(uint8_t type)
{
    switch (type) {
    case CCID_SET_PARAMETERS:
        return "SetParameters";
    case CCID_ICC_POWER_ON:
        return "IccPowerOn";
    case CCID_ICC_POWER_OFF:
        return "IccPowerOff";
    case CCID_GET_SLOT_STATUS:
        return "GetSlotStatus";
    case CCID_GET_PARAMETERS:
        return "GetParameters";
    case CCID_XFR_BLOCK:
        return "XfrBlock";
    case CCID_SECURE:
        return "Secure";
    case CCID_ESCAPE_OUT:
        return "Escape";
    case CCID_ICC_CLOCK:
        return "IccClock";
    case CCID_MECHANICAL:
        return "Mechanical";
    default:
        return "command";
    }
}

void ccid_cmd_log(struct ccid_slot *slot, const struct ccid_command *command,
                  NTSTATUS status, const char *problem)
{
    if (command->answered)
        SmcLog(slot->object, status, "%s: %s (bmICCStatus %d, bError %02x)",
               command_name(command->type), problem, (int)command->answer.icc,
               command->answer.error);
    else
        SmcLog(slot->object, status, "%s: %s", command_name(command->type), problem);
}

NTSTATUS ccid_cmd_transfer(const struct ccid_slot *slot, enum ccid_usb_result result,
                           const char **problem)
{
    switch (result) {
    case CCID_USB_OK:
        return STATUS_SUCCESS;
    case CCID_USB_TIMEOUT:
        *problem = "no answer in time";
        return STATUS_IO_TIMEOUT;
    case CCID_USB_STALL:
        *problem = "endpoint stalled";
        return STATUS_IO_DEVICE_ERROR;
    case CCID_USB_OVERFLOW:
        *problem = "more data than the reader was asked for";
        return STATUS_IO_DEVICE_ERROR;
    case CCID_USB_GONE:
        *problem = "the reader is gone";
        return STATUS_DEVICE_REMOVED;
    case CCID_USB_CANCELLED:
        *problem = "cancelled";
        return ccid_device_is_gone(slot->device) ? STATUS_DEVICE_REMOVED
                                                 : STATUS_CANCELLED;
    case CCID_USB_NO_MEMORY:
        *problem = "no memory for a transfer";
        return STATUS_INSUFFICIENT_RESOURCES;
    case CCID_USB_IO:
        break;
    }
    *problem = "transfer error";
    return STATUS_IO_DEVICE_ERROR;
}

NTSTATUS ccid_cmd_sleep(struct ccid_slot *slot, uint32_t ms)
{
    const struct ccid_usb_port *port = &slot->port;
    const char *problem;
    NTSTATUS status =
        ccid_cmd_transfer(slot, port->ops->sleep_ms(port->usb, ms), &problem);

    if (status == STATUS_DEVICE_REMOVED)
        ccid_cancel_for_ever(slot->device); /* the bus will say so in its own time */
    return status;
}
