/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors.c - what functions return, in words.
 *
 * Programs print the text and some compare codes only; the words are the project's own.
 */
#include "contrib/pcsc/winscard.h"

#include <stdio.h>

static const struct {
    LONG code;
    const char *text;
} texts[] = {
    {SCARD_S_SUCCESS, "Success."},
    {SCARD_F_INTERNAL_ERROR, "Internal error."},
    {SCARD_E_CANCELLED, "Cancelled by the program."},
    {SCARD_E_INVALID_HANDLE, "Invalid handle."},
    {SCARD_E_INVALID_PARAMETER, "Invalid parameter."},
    {SCARD_E_INVALID_TARGET, "Invalid target."},
    {SCARD_E_NO_MEMORY, "Out of memory."},
    {SCARD_F_WAITED_TOO_LONG, "Waited too long."},
    {SCARD_E_INSUFFICIENT_BUFFER, "The buffer is too small."},
    {SCARD_E_UNKNOWN_READER, "There is no reader of that name."},
    {SCARD_E_TIMEOUT, "The time is over."},
    {SCARD_E_SHARING_VIOLATION, "Another connection is in the way."},
    {SCARD_E_NO_SMARTCARD, "There is no card in the reader."},
    {SCARD_E_UNKNOWN_CARD, "Unknown card."},
    {SCARD_E_CANT_DISPOSE, "The card cannot be left in that way."},
    {SCARD_E_PROTO_MISMATCH, "The card does not use that protocol."},
    {SCARD_E_NOT_READY, "The reader or the card is not ready."},
    {SCARD_E_INVALID_VALUE, "Invalid value."},
    {SCARD_E_SYSTEM_CANCELLED, "Cancelled by the system."},
    {SCARD_F_COMM_ERROR, "Communication inside the computer failed."},
    {SCARD_F_UNKNOWN_ERROR, "Unknown internal error."},
    {SCARD_E_INVALID_ATR, "Invalid ATR."},
    {SCARD_E_NOT_TRANSACTED, "The transaction failed, or there is none."},
    {SCARD_E_READER_UNAVAILABLE, "The reader is not available."},
    {SCARD_P_SHUTDOWN, "The service is being shut down."},
    {SCARD_E_PCI_TOO_SMALL, "The protocol header is too small."},
    {SCARD_E_READER_UNSUPPORTED, "The reader is not supported."},
    {SCARD_E_DUPLICATE_READER, "There is a reader of that name already."},
    {SCARD_E_CARD_UNSUPPORTED, "The card is not supported."},
    {SCARD_E_NO_SERVICE, "The smart card service is not running."},
    {SCARD_E_SERVICE_STOPPED, "The smart card service has been stopped."},
    {SCARD_E_UNEXPECTED, "Unexpected error."},
    {SCARD_E_ICC_INSTALLATION, "The card has no provider."},
    {SCARD_E_ICC_CREATEORDER, "Objects cannot be made in that order."},
    {SCARD_E_UNSUPPORTED_FEATURE, "The feature is not supported."},
    {SCARD_E_DIR_NOT_FOUND, "The card has no such directory."},
    {SCARD_E_FILE_NOT_FOUND, "The card has no such file."},
    {SCARD_E_NO_DIR, "Not a directory of the card."},
    {SCARD_E_NO_FILE, "Not a file of the card."},
    {SCARD_E_NO_ACCESS, "No access to the file."},
    {SCARD_E_WRITE_TOO_MANY, "The card is full."},
    {SCARD_E_BAD_SEEK, "No such place in the file."},
    {SCARD_E_INVALID_CHV, "Invalid PIN."},
    {SCARD_E_UNKNOWN_RES_MNG, "Unknown error of the resource manager."},
    {SCARD_E_NO_SUCH_CERTIFICATE, "There is no such certificate."},
    {SCARD_E_CERTIFICATE_UNAVAILABLE, "The certificate cannot be had."},
    {SCARD_E_NO_READERS_AVAILABLE, "There is no reader."},
    {SCARD_E_COMM_DATA_LOST, "Data was lost on the way to the card."},
    {SCARD_E_NO_KEY_CONTAINER, "There is no such key container."},
    {SCARD_E_SERVER_TOO_BUSY, "The smart card service is too busy."},
    {SCARD_W_UNSUPPORTED_CARD, "The card's ATR is not understood."},
    {SCARD_W_UNRESPONSIVE_CARD, "The card does not answer to reset."},
    {SCARD_W_UNPOWERED_CARD, "The card has no power."},
    {SCARD_W_RESET_CARD, "The card has been reset."},
    {SCARD_W_REMOVED_CARD, "The card has been removed."},
    {SCARD_W_SECURITY_VIOLATION, "Access was denied."},
    {SCARD_W_WRONG_CHV, "Wrong PIN."},
    {SCARD_W_CHV_BLOCKED, "The PIN is blocked."},
    {SCARD_W_EOF, "End of the file."},
    {SCARD_W_CANCELLED_BY_USER, "Cancelled by the user."},
    {SCARD_W_CARD_NOT_AUTHENTICATED, "No PIN has been given."},
};

const char *pcsc_stringify_error(LONG code)
{
    static _Thread_local char unknown[32];

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (((unsigned long)(texts[i].code ^ code) & 0xFFFFFFFFul) == 0)
            return texts[i].text;
    }
    snprintf(unknown, sizeof unknown, "Unknown error: 0x%08lX",
             (unsigned long)code & 0xFFFFFFFFul);
    return unknown;
}
