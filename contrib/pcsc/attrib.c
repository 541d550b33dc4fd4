/* SPDX-License-Identifier: BSD-2-Clause */
/* attrib.c - SCardGetAttrib, SCardSetAttrib. Tags are the same everywhere. */
#include "contrib/pcsc/library.h"

#include <errno.h>
#include <string.h>

#include "contrib/pcsc/mount.h"

#define FRIENDLY_NAME_A 0x7FFF0003u
#define SYSTEM_NAME_A   0x7FFF0004u
#define VALUE_MAX       1024

/* What the resource manager knows, not the reader. */
static bool is_name(DWORD tag)
{
    return tag == FRIENDLY_NAME_A || tag == SYSTEM_NAME_A;
}

static LONG get_attribute(struct card *card, DWORD tag, BYTE *out, DWORD *room)
{
    uint8_t value[VALUE_MAX];
    size_t len = sizeof value;
    LONG result;
    int error;

    if (is_name(tag))
        return give_bytes(card->name, strlen(card->name) + 1, out, room);
    error = card_hears(card, mount_attribute(card->fd, (uint32_t)tag, value, &len));
    if (error == EBADFD) /* of a card that has no power, or is not there */
        error = ENOMEDIUM;
    result = convert_error(error);
    return result != SCARD_S_SUCCESS ? result : give_bytes(value, len, out, room);
}

LONG SCardGetAttrib(SCARDHANDLE hCard, DWORD dwAttrId, BYTE *pbAttr, DWORD *pcbAttrLen)
{
    struct card *card;
    LONG result;

    if (pcbAttrLen == NULL)
        return SCARD_E_INVALID_PARAMETER;
    card = card_get(hCard);
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = get_attribute(card, dwAttrId, pbAttr, pcbAttrLen);
    card_put(card);
    return result;
}

LONG SCardSetAttrib(SCARDHANDLE hCard, DWORD dwAttrId, const BYTE *pbAttr,
                    DWORD cbAttrLen)
{
    struct card *card;
    LONG result;

    if (pbAttr == NULL || cbAttrLen == 0)
        return SCARD_E_INVALID_PARAMETER;
    card = card_get(hCard);
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = convert_error(card_hears(
        card, mount_set_attribute(card->fd, (uint32_t)dwAttrId, pbAttr, cbAttrLen)));
    card_put(card);
    return result;
}
