/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - SCardControl.
 *
 * Control codes of Windows are taken as they are. Programs for Linux are compiled with
 * another SCARD_CTL_CODE, of which those of PC/SC part 10 are translated; that of
 * libccid's escape command means the one of Windows' CCID driver. Programs learn the
 * codes of features from GET_FEATURE_REQUEST, which gives the mount's own.
 */
#include "contrib/pcsc/library.h"

#include <errno.h>

#include "contrib/pcsc/mount.h"

#define LINUX_CODE(function)   (0x42000000u + (function))
#define WINDOWS_CODE(function) (0x00310000u | (function) << 2)
#define LINUX_ESCAPE           LINUX_CODE(1u)
#define CCID_ESCAPE            WINDOWS_CODE(3500u)
#define IS_PRESENT             WINDOWS_CODE(10u)
#define IS_ABSENT              WINDOWS_CODE(11u)
#define FUNCTION_MAX           0xFFFu

static uint32_t translate(DWORD code)
{
    const uint32_t function = (uint32_t)code - LINUX_CODE(0);

    if (code == LINUX_ESCAPE)
        return CCID_ESCAPE;
    return function <= FUNCTION_MAX ? WINDOWS_CODE(function) : (uint32_t)code;
}

/* Codes that wait for a card: for that there is SCardGetStatusChange, which can be
 * cancelled. */
static bool waits(uint32_t code)
{
    return code == IS_PRESENT || code == IS_ABSENT;
}

LONG SCardControl(SCARDHANDLE hCard, DWORD dwControlCode, const void *pbSendBuffer,
                  DWORD cbSendLength, void *pbRecvBuffer, DWORD cbRecvLength,
                  DWORD *lpBytesReturned)
{
    struct card *card = card_get(hCard);
    size_t len = pbRecvBuffer == NULL ? 0 : cbRecvLength;
    LONG result;

    if (lpBytesReturned != NULL)
        *lpBytesReturned = 0;
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (pbSendBuffer == NULL)
        cbSendLength = 0;
    if (len > MOUNT_CALL_MAX) /* no more can come */
        len = MOUNT_CALL_MAX;
    if (waits(translate(dwControlCode)))
        result = convert_error(EOPNOTSUPP);
    else if (cbSendLength > MOUNT_CALL_MAX)
        result = SCARD_E_INSUFFICIENT_BUFFER;
    else
        result = convert_error(card_hears(
            card, mount_control(card->fd, translate(dwControlCode), pbSendBuffer,
                                cbSendLength, pbRecvBuffer, &len)));
    if (result == SCARD_S_SUCCESS && lpBytesReturned != NULL)
        *lpBytesReturned = len;
    card_put(card);
    return result;
}
