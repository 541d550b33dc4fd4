/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content.c - what text files say. Everything comes from the reader's record or from what
 * the driver library answers alone: no card is touched, no running APDU waited for.
 */
#include "fs/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/attributes.h"

static NTSTATUS get_attribute(struct scfs_reader *reader, ULONG tag,
                              uint8_t value[SCFS_ATTRIBUTE_MAX], ULONG *len)
{
    *len = 0;
    memcpy(value, &tag, sizeof tag);
    return smc_irp_ioctl(reader->device, &reader->file, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                         value, sizeof tag, SCFS_ATTRIBUTE_MAX, len);
}

static const struct scfs_attribute *attribute_of(enum scfs_kind kind)
{
    return &scfs_attributes[kind - SCFS_ATTRIBUTE];
}

bool scfs_attribute_exists(struct scfs_reader *reader, enum scfs_kind kind)
{
    uint8_t value[SCFS_ATTRIBUTE_MAX];
    NTSTATUS status = STATUS_NOT_SUPPORTED;
    ULONG len;

    if (scfs_reader_enter(reader)) {
        status = get_attribute(reader, attribute_of(kind)->tag, value, &len);
        scfs_reader_leave(reader);
    }
    return status != STATUS_NOT_SUPPORTED;
}

/* STATUS_INVALID_DEVICE_STATE: there is no card, or it is not yet that far. */
static int no_value(struct scfs_reader *reader, NTSTATUS status)
{
    if (status != STATUS_INVALID_DEVICE_STATE)
        return -smc_status_errno(status);
    return scfs_reader_state(reader) > SCARD_ABSENT ? -ENODATA : -ENOMEDIUM;
}

static int attribute_text(struct scfs_reader *reader, enum scfs_kind kind, char *out,
                          size_t size)
{
    uint8_t value[SCFS_ATTRIBUTE_MAX];
    ULONG len;
    NTSTATUS status = get_attribute(reader, attribute_of(kind)->tag, value, &len);

    if (!NT_SUCCESS(status))
        return no_value(reader, status);
    return scfs_attribute_text(out, size, attribute_of(kind), value, len);
}

static int atr_text(struct scfs_reader *reader, char *out, size_t size)
{
    uint8_t atr[SCFS_ATTRIBUTE_MAX];
    char hex[2 * SCFS_ATTRIBUTE_MAX + 1];
    ULONG len;
    NTSTATUS status = get_attribute(reader, SCARD_ATTR_ATR_STRING, atr, &len);
    NTSTATUS reset;

    if (NT_SUCCESS(status)) {
        scfs_text_hex(hex, sizeof hex, atr, len);
        return snprintf(out, size, "%s\n", hex);
    }
    if (status != STATUS_INVALID_DEVICE_STATE)
        return -smc_status_errno(status);
    if (scfs_reader_state(reader) <= SCARD_ABSENT)
        return -ENOMEDIUM;
    pthread_mutex_lock(&reader->lock);
    reset = reader->reset_status;
    pthread_mutex_unlock(&reader->lock);
    return NT_SUCCESS(reset) ? -ENODATA : -smc_status_errno(reset);
}

int scfs_content(struct scfs_handle *handle, char *out, size_t size)
{
    struct scfs_reader *reader = handle->reader;
    int result;

    if (handle->kind == SCFS_VERSION)
        return snprintf(out, size, "%d\n", SCARD_IOC_VERSION);
    if (reader == NULL)
        return 0;
    if (!scfs_reader_enter(reader))
        return -ENODEV;
    switch (handle->kind) {
    case SCFS_STATE: {
        uint32_t state = scfs_reader_state(reader);

        pthread_mutex_lock(handle->lock);
        scfs_poll_seen_locked(handle, state, false);
        pthread_mutex_unlock(handle->lock);
        result = snprintf(out, size, "%s\n", scfs_text_state(state));
        break;
    }
    case SCFS_POWER:
        result = snprintf(out, size, "%s\n",
                          scfs_reader_state(reader) >= SCARD_POWERED ? "on" : "off");
        break;
    case SCFS_ATR:
        result = atr_text(reader, out, size);
        break;
    case SCFS_NAME:
        result = snprintf(out, size, "%s", reader->name);
        break;
    case SCFS_OWNER:
        result = scfs_session_owner_text(reader, out, size);
        break;
    case SCFS_RESETS:
        pthread_mutex_lock(&reader->lock);
        result = snprintf(out, size, "%u\n", reader->card.resets);
        pthread_mutex_unlock(&reader->lock);
        break;
    case SCFS_LAST_ERROR:
        pthread_mutex_lock(&reader->lock);
        result = snprintf(out, size, "%s\n", reader->last_error);
        pthread_mutex_unlock(&reader->lock);
        break;
    default:
        result = attribute_text(reader, handle->kind, out, size);
        break;
    }
    scfs_reader_leave(reader);
    return result;
}

void scfs_content_read(fuse_req_t req, struct scfs_handle *handle, size_t size, off_t off)
{
    char text[SCFS_TEXT_MAX];
    size_t len, from;

    if (off < 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    pthread_mutex_lock(handle->lock);
    len = handle->text_len;
    memcpy(text, handle->text, len);
    pthread_mutex_unlock(handle->lock);

    if (off == 0 || len == 0) {
        int result = scfs_content(handle, text, sizeof text);

        if (result < 0) {
            fuse_reply_err(req, -result);
            return;
        }
        len = (size_t)result < sizeof text ? (size_t)result : sizeof text - 1;
        pthread_mutex_lock(handle->lock);
        memcpy(handle->text, text, len);
        handle->text_len = len;
        pthread_mutex_unlock(handle->lock);
    }
    from = (uint64_t)off < len ? (size_t)off : len;
    fuse_reply_buf(req, text + from, len - from < size ? len - from : size);
}
