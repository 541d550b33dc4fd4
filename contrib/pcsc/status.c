/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c - SCardStatus. */
#include "contrib/pcsc/library.h"

#include <errno.h>
#include <string.h>

#include "contrib/pcsc/change.h"
#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/reader.h"

/* The states of the mount (winsmcrd.h) are numbers, those of PC/SC here a mask. */
static DWORD state_of(const struct scard_info *info)
{
    enum { UNKNOWN, ABSENT, PRESENT, SWALLOWED, POWERED, NEGOTIABLE, SPECIFIC };
    DWORD state;

    switch (info->state) {
    case ABSENT:
        state = SCARD_ABSENT;
        break;
    case PRESENT:
        state = SCARD_PRESENT;
        break;
    case SWALLOWED:
        state = SCARD_PRESENT | SCARD_SWALLOWED;
        break;
    case POWERED:
        state = SCARD_PRESENT | SCARD_POWERED;
        break;
    case NEGOTIABLE:
    case SPECIFIC:
        state = SCARD_PRESENT | SCARD_POWERED | SCARD_NEGOTIABLE;
        break;
    default:
        state = SCARD_UNKNOWN;
        break;
    }
    return state | change_counter(info->counter);
}

static int ask(const struct card *card, struct scard_info *info)
{
    int error = mount_info(card->fd, info);

    if (error == 0)
        reader_count(card->reader, info);
    if (error == 0 && (info->flags & SCARD_INFO_LOST) != 0)
        error = ENXIO;
    if (error == 0 && (info->flags & SCARD_INFO_RESET) != 0)
        error = ECONNRESET;
    return error;
}

/* Everything is 0 when it fails. */
static DWORD take(DWORD *value)
{
    const DWORD had = value != NULL ? *value : 0;

    if (value != NULL)
        *value = 0;
    return had;
}

static DWORD *put_back(DWORD *value, DWORD had)
{
    if (value != NULL)
        *value = had;
    return value;
}

LONG SCardStatus(SCARDHANDLE hCard, char *szReaderName, DWORD *pcchReaderLen,
                 DWORD *pdwState, DWORD *pdwProtocol, BYTE *pbAtr, DWORD *pcbAtrLen)
{
    struct card *card = card_get(hCard);
    DWORD name_room = take(pcchReaderLen), atr_room = take(pcbAtrLen);
    struct scard_info info;
    LONG result;

    (void)take(pdwState);
    (void)take(pdwProtocol);
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = convert_error(ask(card, &info));
    if (result == SCARD_S_SUCCESS) {
        LONG name = give_bytes(card->name, strlen(card->name) + 1, szReaderName,
                               put_back(pcchReaderLen, name_room));
        LONG atr =
            give_bytes(info.atr, info.atr_len, pbAtr, put_back(pcbAtrLen, atr_room));

        if (pdwState != NULL)
            *pdwState = state_of(&info);
        if (pdwProtocol != NULL)
            *pdwProtocol = convert_protocol(info.protocol);
        result = name != SCARD_S_SUCCESS ? name : atr;
    }
    card_put(card);
    return result;
}
