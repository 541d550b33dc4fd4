/* SPDX-License-Identifier: BSD-2-Clause */
/* convert.c - errors and protocols of the mount as PC/SC has them. */
#include "contrib/pcsc/library.h"

#include <errno.h>

/* SCARD_PROTOCOL_RAW of winsmcrd.h, which the API numbers differently. */
#define MOUNT_PROTOCOL_RAW 0x00010000u

LONG convert_error(int error)
{
    switch (error) {
    case 0:
        return SCARD_S_SUCCESS;
    case ENOENT:
        return SCARD_E_UNKNOWN_READER;
    case ENODEV:
    case EBADF: /* could not be opened again */
        return SCARD_E_READER_UNAVAILABLE;
    case ENOMEDIUM:
        return SCARD_E_NO_SMARTCARD;
    case ENXIO:
        return SCARD_W_REMOVED_CARD;
    case ECONNRESET:
    case ECANCELED: /* a transaction was taken away after idle_limit, with a reset */
        return SCARD_W_RESET_CARD;
    case EBUSY:
        return SCARD_E_SHARING_VIOLATION;
    case EHOSTDOWN:
        return SCARD_W_UNPOWERED_CARD;
    case EACCES:
    case EPERM:
    case EROFS:
        return SCARD_W_SECURITY_VIOLATION;
    case ENOMEM:
        return SCARD_E_NO_MEMORY;
    case EMFILE:
    case ENFILE:
    case EDQUOT:
        return SCARD_E_SERVER_TOO_BUSY;
    case EMSGSIZE:
    case ENOBUFS:
        return SCARD_E_INSUFFICIENT_BUFFER;
    case EINVAL:
        return SCARD_E_INVALID_PARAMETER;
    case ENOSYS:
    case ENOTTY:
    case EOPNOTSUPP:
        return SCARD_E_UNEXPECTED;
    case ENOTCONN:
    case ECONNABORTED:
        return SCARD_E_NO_SERVICE;
    default:
        return SCARD_F_COMM_ERROR;
    }
}

DWORD convert_protocol(uint32_t protocol)
{
    return protocol == MOUNT_PROTOCOL_RAW
               ? SCARD_PROTOCOL_RAW
               : protocol & (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1);
}

uint32_t convert_to_protocols(DWORD protocols)
{
    return (uint32_t)(protocols & (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)) |
           ((protocols & SCARD_PROTOCOL_RAW) != 0 ? MOUNT_PROTOCOL_RAW : 0);
}
