/* SPDX-License-Identifier: BSD-2-Clause */
/* transmit.c - SCardTransmit. */
#include "contrib/pcsc/library.h"

#include <errno.h>

#include "contrib/pcsc/mount.h"

const SCARD_IO_REQUEST g_rgSCardT0Pci = {SCARD_PROTOCOL_T0, sizeof(SCARD_IO_REQUEST)};
const SCARD_IO_REQUEST g_rgSCardT1Pci = {SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST)};
const SCARD_IO_REQUEST g_rgSCardRawPci = {SCARD_PROTOCOL_RAW, sizeof(SCARD_IO_REQUEST)};

/* The command may have reached the card, or not; it has not been answered. */
static LONG transmit_error(int error)
{
    switch (error) {
    case EIO:
    case EPROTO:
    case EBADMSG:
    case ETIMEDOUT:
    case EREMOTEIO:
        return SCARD_E_NOT_TRANSACTED;
    case EBADFD: /* another protocol is selected, or none */
        return SCARD_E_PROTO_MISMATCH;
    default:
        return convert_error(error);
    }
}

/* A long command is written, and the mount is not told for which protocol; nor is it
 * refused where nothing is selected, as for a direct connection. */
static int check_long(const struct card *card, DWORD protocol)
{
    struct scard_info info;
    int error;

    if (card->share != SCARD_SHARE_DIRECT)
        return protocol == card->protocol ? 0 : EBADFD;
    error = mount_info(card->fd, &info);
    if (error == 0 && convert_protocol(info.protocol) != protocol)
        error = EBADFD;
    return error;
}

static int transmit(const struct card *card, DWORD protocol, const BYTE *command,
                    DWORD len, BYTE *answer, size_t *answer_len)
{
    int error = mount_is_long(command, len) ? check_long(card, protocol) : 0;

    return error != 0 ? error
                      : mount_transmit(card->fd, convert_to_protocols(protocol), command,
                                       len, answer, answer_len);
}

LONG SCardTransmit(SCARDHANDLE hCard, const SCARD_IO_REQUEST *pioSendPci,
                   const BYTE *pbSendBuffer, DWORD cbSendLength,
                   SCARD_IO_REQUEST *pioRecvPci, BYTE *pbRecvBuffer, DWORD *pcbRecvLength)
{
    struct card *card;
    size_t room, len;
    LONG result;

    if (pbSendBuffer == NULL || pbRecvBuffer == NULL || pcbRecvLength == NULL ||
        pioSendPci == NULL)
        return SCARD_E_INVALID_PARAMETER;
    room = len = *pcbRecvLength;
    *pcbRecvLength = 0;
    if (cbSendLength > MAX_BUFFER_SIZE_EXTENDED)
        return SCARD_E_INSUFFICIENT_BUFFER;
    card = card_get(hCard);
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = transmit_error(
        card_hears(card, transmit(card, pioSendPci->dwProtocol, pbSendBuffer,
                                  cbSendLength, pbRecvBuffer, &len)));
    if (result == SCARD_S_SUCCESS) {
        *pcbRecvLength = len;
        if (len > room)
            result = SCARD_E_INSUFFICIENT_BUFFER;
        if (pioRecvPci != NULL) {
            pioRecvPci->dwProtocol = card->protocol;
            pioRecvPci->cbPciLength = sizeof *pioRecvPci;
        }
    }
    card_put(card);
    return result;
}
