/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transaction.c - SCardBeginTransaction, SCardEndTransaction.
 *
 * Transactions of one handle may be nested: the library counts, and the mount sees the
 * outermost one. The disposition of an inner one applies at once, as any reset would.
 */
#include "contrib/pcsc/library.h"
#include "contrib/pcsc/mount.h"

LONG SCardBeginTransaction(SCARDHANDLE hCard)
{
    struct card *card = card_get(hCard);
    LONG result = SCARD_S_SUCCESS;

    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (card->begun == 0)
        result = convert_error(card_hears(card, mount_begin(card->fd)));
    if (result == SCARD_S_SUCCESS)
        card->begun++;
    card_put(card);
    return result;
}

LONG SCardEndTransaction(SCARDHANDLE hCard, DWORD dwDisposition)
{
    struct card *card = card_get(hCard);
    LONG result = SCARD_S_SUCCESS;

    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (dwDisposition > SCARD_EJECT_CARD)
        result = SCARD_E_INVALID_VALUE;
    else if (card->begun == 0)
        result = SCARD_E_NOT_TRANSACTED;
    else if (--card->begun == 0)
        result =
            convert_error(card_hears(card, mount_end(card->fd, (uint32_t)dwDisposition)));
    else if (dwDisposition == SCARD_RESET_CARD || dwDisposition == SCARD_UNPOWER_CARD)
        result = convert_error(card_hears(card, card_power(card, dwDisposition)));
    card_put(card);
    return result;
}
