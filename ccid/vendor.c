/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vendor.c - RDF_IOCTL_VENDOR: the codes that the library leaves to its driver. It calls
 * with the bytes as they came, whatever state the card is in.
 */
#include "ccid/vendor.h"

#include <string.h>

#include "ccid/part10.h"
#include "ccid/quirks.h"

#define CLOCK_MS   1000
#define CLOCK_STOP 1

/* ---- lists ----------------------------------------------------------------------- */

static NTSTATUS answer(struct ccid_vendor_call *call, const void *bytes, size_t length)
{
    if (length > call->room)
        return STATUS_BUFFER_TOO_SMALL;
    if (length != 0)
        memcpy(call->bytes, bytes, length);
    call->got = (uint32_t)length;
    return STATUS_SUCCESS;
}

static NTSTATUS features(struct ccid_vendor_call *call)
{
    uint8_t list[CCID_PART10_FEATURES_MAX];

    return answer(
        call, list,
        ccid_part10_features(&call->slot->device->desc, ccid_escape_is_allowed(), list));
}

static NTSTATUS pin_properties(struct ccid_vendor_call *call)
{
    const struct ccid_desc *desc = &call->slot->device->desc;
    struct scard_pin_properties properties = ccid_part10_pin(desc);

    if (desc->pin_support == 0)
        return STATUS_NOT_SUPPORTED;
    return answer(call, &properties, sizeof(properties));
}

static NTSTATUS properties(struct ccid_vendor_call *call)
{
    const struct ccid_device *device = call->slot->device;
    uint8_t list[CCID_PART10_PROPERTIES_MAX];

    return answer(call, list,
                  ccid_part10_properties(&device->desc, &device->identity, list));
}

/* ---- commands -------------------------------------------------------------------- */

static NTSTATUS escape(struct ccid_vendor_call *call)
{
    return ccid_escape_is_allowed() ? ccid_escape(call) : STATUS_ACCESS_DENIED;
}

/* Secoder commands are escape commands that reach the pad and the card only. */
static NTSTATUS secoder(struct ccid_vendor_call *call)
{
    if ((call->slot->device->desc.quirks & CCID_QUIRK_SECODER) == 0)
        return STATUS_NOT_SUPPORTED;
    if (call->length < 2 || call->bytes[0] != 0x20 || call->bytes[1] < 0x70 ||
        call->bytes[1] > 0x74)
        return STATUS_INVALID_PARAMETER;
    return ccid_escape(call);
}

/* CCID 1.1 §6.1.9. */
static NTSTATUS icc_clock(struct ccid_vendor_call *call)
{
    struct ccid_slot *slot = call->slot;
    ULONG state = ccid_state_current(slot);
    struct ccid_command command;
    uint32_t stop;
    NTSTATUS status;

    if ((slot->device->desc.features & CCID_FEATURE_CLOCK_STOP) == 0)
        return STATUS_NOT_SUPPORTED;
    if (call->length != sizeof(stop))
        return STATUS_INVALID_PARAMETER;
    memcpy(&stop, call->bytes, sizeof(stop));
    if (stop > CLOCK_STOP)
        return STATUS_INVALID_PARAMETER;
    if (state < SCARD_PRESENT)
        return STATUS_NO_MEDIA;
    if (state <= SCARD_SWALLOWED)
        return STATUS_INVALID_DEVICE_STATE;
    command = (struct ccid_command){
        .type = CCID_ICC_CLOCK,
        .p1 = (uint8_t)stop,
        .answer_type = CCID_SLOT_STATUS,
        .timeout_ms = CLOCK_MS,
    };
    status = ccid_card_enter(slot);
    if (status != STATUS_SUCCESS)
        return status;
    status = ccid_cmd(slot, &command);
    if (status != STATUS_SUCCESS)
        status = ccid_card_failed(slot, &command, status);
    ccid_card_leave(slot);
    return status;
}

NTSTATUS ccid_card_vendor(PSMARTCARD_EXTENSION ext)
{
    struct ccid_vendor_call call = {
        .slot = ccid_slot_of(ext),
        .bytes = ext->IoRequest.RequestBuffer,
        .length = ext->IoRequest.RequestBufferLength,
        .room = ext->IoRequest.ReplyBufferLength,
    };
    NTSTATUS status;

    switch (ext->MajorIoControlCode) {
    case IOCTL_SMARTCARD_GET_FEATURE_REQUEST:
        status = features(&call);
        break;
    case SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT:
        status = ccid_secure(&call, CCID_PIN_VERIFY);
        break;
    case SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT:
        status = ccid_secure(&call, CCID_PIN_MODIFY);
        break;
    case SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES:
        status = pin_properties(&call);
        break;
    case SCFS_IOCTL_CCID_GET_TLV_PROPERTIES:
        status = properties(&call);
        break;
    case SCFS_IOCTL_CCID_MCT_READER_DIRECT:
        status = secoder(&call);
        break;
    case IOCTL_CCID_ESCAPE:
        status = escape(&call);
        break;
    case SCFS_IOCTL_CCID_ICC_CLOCK:
        status = icc_clock(&call);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    *ext->IoRequest.Information = call.got;
    return status;
}
