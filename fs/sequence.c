/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sequence.c - what a resource manager does with a reader, request by request. Every
 * sequence is bounded: the card's state is asked after each step, and a card that does
 * not get further within CONNECT_ROUNDS is given up.
 */
#include "fs/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "fs/apdu.h"

#define CONNECT_ROUNDS 5
#define ATR_ROOM       64

/* The library answers it alone. */
static uint32_t current_protocol(struct scfs_task *task)
{
    const struct scfs_reader *reader = task->reader;
    ULONG value = SCARD_ATTR_CURRENT_PROTOCOL_TYPE, len = 0;
    NTSTATUS status =
        smc_irp_ioctl(reader->device, &task->reader->file, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                      &value, sizeof value, sizeof value, &len);

    return NT_SUCCESS(status) && len == sizeof value ? value : SCARD_PROTOCOL_UNDEFINED;
}

static NTSTATUS select_protocol(struct scfs_task *task, uint32_t protocols)
{
    uint32_t mask = protocols;

    return scfs_task_send(task, IOCTL_SMARTCARD_SET_PROTOCOL, &mask, sizeof mask,
                          sizeof mask, NULL);
}

static NTSTATUS swallow(struct scfs_task *task)
{
    NTSTATUS status = scfs_task_send(task, IOCTL_SMARTCARD_SWALLOW, NULL, 0, 0, NULL);

    /* Most readers have nothing to swallow with. */
    return status == STATUS_NOT_SUPPORTED ? scfs_sequence_power(task, SCARD_COLD_RESET)
                                          : status;
}

NTSTATUS scfs_sequence_power(struct scfs_task *task, uint32_t minor)
{
    uint8_t buffer[ATR_ROOM];

    memcpy(buffer, &minor, sizeof minor);
    return scfs_task_send(task, IOCTL_SMARTCARD_POWER, buffer, sizeof minor,
                          sizeof buffer, NULL);
}

NTSTATUS scfs_sequence_connect(struct scfs_task *task, uint32_t protocols,
                               uint32_t *protocol)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (int i = 0; i < CONNECT_ROUNDS && NT_SUCCESS(status); i++) {
        switch (scfs_reader_state(task->reader)) {
        case SCARD_PRESENT:
            status = swallow(task);
            break;
        case SCARD_SWALLOWED:
            status = scfs_sequence_power(task, SCARD_COLD_RESET);
            break;
        case SCARD_POWERED:
            status = scfs_sequence_power(task, SCARD_WARM_RESET);
            break;
        case SCARD_NEGOTIABLE:
            status = select_protocol(task, protocols);
            break;
        case SCARD_SPECIFIC: {
            uint32_t current = current_protocol(task);

            if (current == SCARD_PROTOCOL_UNDEFINED)
                break; /* the card has gone since its state was asked */
            if ((current & protocols) == 0)
                return STATUS_NOT_SUPPORTED;
            if (protocol != NULL)
                *protocol = current;
            return STATUS_SUCCESS;
        }
        default:
            return STATUS_NO_MEDIA;
        }
    }
    return NT_SUCCESS(status) ? STATUS_IO_DEVICE_ERROR : status;
}

NTSTATUS scfs_sequence_dispose(struct scfs_task *task, uint32_t disposition)
{
    const bool powered = scfs_reader_state(task->reader) > SCARD_SWALLOWED;

    switch (disposition) {
    case SCARD_DISPOSITION_RESET:
        return powered ? scfs_sequence_power(task, SCARD_COLD_RESET) : STATUS_SUCCESS;
    case SCARD_DISPOSITION_UNPOWER:
        return powered ? scfs_sequence_power(task, SCARD_POWER_DOWN) : STATUS_SUCCESS;
    case SCARD_DISPOSITION_EJECT: {
        NTSTATUS status = scfs_task_send(task, IOCTL_SMARTCARD_EJECT, NULL, 0, 0, NULL);

        /* What cannot eject at least takes the power away. */
        return status == STATUS_NOT_SUPPORTED
                   ? scfs_sequence_dispose(task, SCARD_DISPOSITION_UNPOWER)
                   : status;
    }
    default:
        return STATUS_SUCCESS;
    }
}

/* ---- exchange -------------------------------------------------------------------- */

/* One TRANSMIT of len bytes behind the header in area; the length of the answer there. */
static NTSTATUS transmit(struct scfs_task *task, uint32_t protocol, uint8_t *area,
                         size_t len, size_t room, size_t *answer_len)
{
    const SCARD_IO_REQUEST header = {.dwProtocol = protocol,
                                     .cbPciLength = sizeof header};
    ULONG got = 0;
    NTSTATUS status;

    memcpy(area, &header, sizeof header);
    status = scfs_task_send(task, IOCTL_SMARTCARD_TRANSMIT, area,
                            (ULONG)(sizeof header + len), (ULONG)room, &got);
    if (NT_SUCCESS(status) && got < sizeof header)
        return STATUS_DEVICE_PROTOCOL_ERROR;
    *answer_len = NT_SUCCESS(status) ? got - sizeof header : 0;
    return status;
}

/* T=0 moves data one way per exchange: fs/apdu.c says which exchanges there are. */
static NTSTATUS exchange_t0(struct scfs_task *task, uint8_t *area, size_t len,
                            size_t *answer_len)
{
    uint8_t tpdu[SCFS_EXCHANGE_OFFSET + SCFS_TPDU_MAX];
    uint8_t *answer = malloc(SCFS_ANSWER_MAX);
    struct scfs_apdu apdu;
    NTSTATUS status = STATUS_SUCCESS;
    int more = 1;

    if (answer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    apdu.answer_len = 0;
    if (scfs_apdu_begin(&apdu, area + SCFS_EXCHANGE_OFFSET, len, answer) != 0) {
        free(answer);
        return STATUS_INVALID_PARAMETER;
    }
    while (more > 0) {
        size_t got, sending = scfs_apdu_next(&apdu, tpdu + SCFS_EXCHANGE_OFFSET);

        status = transmit(task, SCARD_PROTOCOL_T0, tpdu, sending, sizeof tpdu, &got);
        if (!NT_SUCCESS(status))
            break;
        more = scfs_apdu_take(&apdu, tpdu + SCFS_EXCHANGE_OFFSET, got);
        if (more < 0)
            status = STATUS_DEVICE_PROTOCOL_ERROR;
    }
    if (NT_SUCCESS(status)) {
        memcpy(area + SCFS_EXCHANGE_OFFSET, answer, apdu.answer_len);
        *answer_len = apdu.answer_len;
    }
    RtlSecureZeroMemory(tpdu, sizeof tpdu);
    RtlSecureZeroMemory(answer, apdu.answer_len);
    free(answer);
    return status;
}

NTSTATUS scfs_sequence_exchange(struct scfs_task *task, uint8_t area[SCFS_EXCHANGE_ROOM],
                                size_t len, size_t *answer_len)
{
    uint32_t protocol = SCARD_PROTOCOL_UNDEFINED;
    NTSTATUS status = scfs_sequence_connect(task, SCFS_PROTOCOLS_ANY, &protocol);

    *answer_len = 0;
    if (!NT_SUCCESS(status))
        return status;
    return protocol == SCARD_PROTOCOL_T0
               ? exchange_t0(task, area, len, answer_len)
               : transmit(task, protocol, area, len, SCFS_EXCHANGE_ROOM, answer_len);
}
