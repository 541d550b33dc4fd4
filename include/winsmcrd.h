/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * winsmcrd.h - control codes, states, protocols and attributes of smart card readers.
 *
 * Names and values are those of the Windows header of the same name. The control codes
 * are carried by `control` (scard_ioctl.h) and by IRP_MJ_DEVICE_CONTROL.
 */
#ifndef WINSMCRD_H
#define WINSMCRD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- control codes --------------------------------------------------------------- */

/* CTL_CODE(FILE_DEVICE_SMARTCARD, code, METHOD_BUFFERED, FILE_ANY_ACCESS) */
#define SCARD_CTL_CODE(code) (UINT32_C(0x00310000) | ((uint32_t)(code) << 2))

/* in: uint32 SCARD_POWER_DOWN, _COLD_RESET or _WARM_RESET; out: ATR, room for 33 bytes
 * (resets only). */
#define IOCTL_SMARTCARD_POWER SCARD_CTL_CODE(1)
/* in: uint32 tag; out: the value. */
#define IOCTL_SMARTCARD_GET_ATTRIBUTE SCARD_CTL_CODE(2)
/* in: uint32 tag, value. */
#define IOCTL_SMARTCARD_SET_ATTRIBUTE SCARD_CTL_CODE(3)
#define IOCTL_SMARTCARD_CONFISCATE    SCARD_CTL_CODE(4)
/* in: SCARD_IO_REQUEST, command; out: SCARD_IO_REQUEST, answer. */
#define IOCTL_SMARTCARD_TRANSMIT SCARD_CTL_CODE(5)
#define IOCTL_SMARTCARD_EJECT    SCARD_CTL_CODE(6)
#define IOCTL_SMARTCARD_SWALLOW  SCARD_CTL_CODE(7)
/* Wait until a card is in, or none is. */
#define IOCTL_SMARTCARD_IS_PRESENT SCARD_CTL_CODE(10)
#define IOCTL_SMARTCARD_IS_ABSENT  SCARD_CTL_CODE(11)
/* in: uint32 mask of SCARD_PROTOCOL_*; out: uint32, the one chosen. */
#define IOCTL_SMARTCARD_SET_PROTOCOL SCARD_CTL_CODE(12)
/* out: uint32 SCARD_UNKNOWN ... SCARD_SPECIFIC. */
#define IOCTL_SMARTCARD_GET_STATE SCARD_CTL_CODE(14)
/* out: uint32, NTSTATUS of the last driver callback. */
#define IOCTL_SMARTCARD_GET_LAST_ERROR SCARD_CTL_CODE(15)
/* out: PERF_INFO; STATUS_NOT_SUPPORTED where it is not compiled in. */
#define IOCTL_SMARTCARD_GET_PERF_CNTR SCARD_CTL_CODE(16)
/* PC/SC part 10: list of features; out: TLV with big-endian control codes. */
#define IOCTL_SMARTCARD_GET_FEATURE_REQUEST SCARD_CTL_CODE(3400)
#define CM_IOCTL_GET_FEATURE_REQUEST        IOCTL_SMARTCARD_GET_FEATURE_REQUEST
/* CCID escape. */
#define IOCTL_CCID_ESCAPE SCARD_CTL_CODE(3500)
/* The features of part 10 that the CCID driver has. Programs learn these codes from
 * GET_FEATURE_REQUEST; the structures are in scard_ioctl.h. */
#define SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT  SCARD_CTL_CODE(3400 + 0x06)
#define SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT  SCARD_CTL_CODE(3400 + 0x07)
#define SCFS_IOCTL_CCID_MCT_READER_DIRECT  SCARD_CTL_CODE(3400 + 0x08)
#define SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES SCARD_CTL_CODE(3400 + 0x0a)
#define SCFS_IOCTL_CCID_GET_TLV_PROPERTIES SCARD_CTL_CODE(3400 + 0x12)
/* in: uint32 0 starts the card's clock again, 1 stops it. */
#define SCFS_IOCTL_CCID_ICC_CLOCK SCARD_CTL_CODE(3501)
/* The two calls of Windows CE. Microsoft has not published their numbers: these are
 * ours. CANCEL_BLOCKING ends the caller's waits with STATUS_CANCELLED. */
#define SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING SCARD_CTL_CODE(17)
#define SCFS_IOCTL_SMARTCARD_RESET_EVENTS    SCARD_CTL_CODE(18)
/* in: uint32 mask of DEBUG_* (smcnt.h); for the library, and for the driver where it has
 * RDF_DEBUG_LEVEL. Of the mount: root only. */
#define SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL SCARD_CTL_CODE(19)

/* ---- power ----------------------------------------------------------------------- */

#define SCARD_POWER_DOWN 0u
#define SCARD_COLD_RESET 1u
#define SCARD_WARM_RESET 2u

/* ---- reader states; the order counts --------------------------------------------- */

#define SCARD_UNKNOWN    0u /* the driver knows nothing */
#define SCARD_ABSENT     1u /* no card */
#define SCARD_PRESENT    2u /* a card, not in position */
#define SCARD_SWALLOWED  3u /* in position, unpowered */
#define SCARD_POWERED    4u /* powered, mode unknown */
#define SCARD_NEGOTIABLE 5u /* reset done, protocol to be selected */
#define SCARD_SPECIFIC   6u /* protocol established */

/* ---- protocols ------------------------------------------------------------------- */

#define SCARD_PROTOCOL_UNDEFINED 0x00000000u
#define SCARD_PROTOCOL_T0        0x00000001u
#define SCARD_PROTOCOL_T1        0x00000002u
#define SCARD_PROTOCOL_RAW       0x00010000u
#define SCARD_PROTOCOL_Tx        (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
/* Modifier: implicit protocol and standard parameters, no PPS for a better rate. */
#define SCARD_PROTOCOL_DEFAULT 0x80000000u
/* Modifier: the best parameters; DEFAULT not set. */
#define SCARD_PROTOCOL_OPTIMAL 0x00000000u

/* Leads every command and answer of IOCTL_SMARTCARD_TRANSMIT. */
typedef struct _SCARD_IO_REQUEST {
    uint32_t dwProtocol;  /* the selected SCARD_PROTOCOL_* */
    uint32_t cbPciLength; /* length of this header in bytes: 8 */
} SCARD_IO_REQUEST, *PSCARD_IO_REQUEST, *LPSCARD_IO_REQUEST;

/* T=0 header and T=1 header as Windows has them. */
typedef struct _SCARD_T0_COMMAND {
    uint8_t bCla, bIns, bP1, bP2, bP3;
} SCARD_T0_COMMAND, *LPSCARD_T0_COMMAND;

typedef struct _SCARD_T0_REQUEST {
    SCARD_IO_REQUEST ioRequest;
    uint8_t bSw1, bSw2;
    SCARD_T0_COMMAND CmdBytes;
} SCARD_T0_REQUEST, *PSCARD_T0_REQUEST, *LPSCARD_T0_REQUEST;

typedef struct _SCARD_T1_REQUEST {
    SCARD_IO_REQUEST ioRequest;
} SCARD_T1_REQUEST, *PSCARD_T1_REQUEST, *LPSCARD_T1_REQUEST;

/* ---- limits ---------------------------------------------------------------------- */

#define SCARD_ATR_LENGTH             33 /* ISO/IEC 7816-3: TS and at most 32 characters */
#define MAXIMUM_ATTR_STRING_LENGTH   32
#define MAXIMUM_SMARTCARD_READERS    10
#define SCARD_T0_HEADER_LENGTH       7
#define SCARD_T0_CMD_LENGTH          5
#define SCARD_T1_PROLOGUE_LENGTH     3
#define SCARD_T1_EPILOGUE_LENGTH     2
#define SCARD_T1_EPILOGUE_LENGTH_LRC 1
#define SCARD_T1_MAX_IFS             254

/* ---- reader type and mechanics --------------------------------------------------- */

#define SCARD_READER_TYPE_SERIAL     0x01u
#define SCARD_READER_TYPE_PARALELL   0x02u /* sic */
#define SCARD_READER_TYPE_KEYBOARD   0x04u
#define SCARD_READER_TYPE_SCSI       0x08u
#define SCARD_READER_TYPE_IDE        0x10u
#define SCARD_READER_TYPE_USB        0x20u
#define SCARD_READER_TYPE_PCMCIA     0x40u
#define SCARD_READER_TYPE_TPM        0x80u
#define SCARD_READER_TYPE_VENDOR     0xF0u
#define SCARD_READER_TYPE_NFC        0x100u
#define SCARD_READER_TYPE_UICC       0x200u
#define SCARD_READER_TYPE_NGC        0x400u
#define SCARD_READER_TYPE_EMBEDDEDSE 0x800u

#define SCARD_READER_SWALLOWS    0x1u
#define SCARD_READER_EJECTS      0x2u
#define SCARD_READER_CONFISCATES 0x4u
#define SCARD_READER_CONTACTLESS 0x8u

/* ---- attributes ------------------------------------------------------------------ */

#define SCARD_CLASS_VENDOR_INFO    1u
#define SCARD_CLASS_COMMUNICATIONS 2u
#define SCARD_CLASS_PROTOCOL       3u
#define SCARD_CLASS_POWER_MGMT     4u
#define SCARD_CLASS_SECURITY       5u
#define SCARD_CLASS_MECHANICAL     6u
#define SCARD_CLASS_VENDOR_DEFINED 7u
#define SCARD_CLASS_IFD_PROTOCOL   8u
#define SCARD_CLASS_ICC_STATE      9u
#define SCARD_CLASS_PERF           0x7ffeu
#define SCARD_CLASS_SYSTEM         0x7fffu

#define SCARD_ATTR_VALUE(class_, id) (((uint32_t)(class_) << 16) | (uint32_t)(id))

#define SCARD_ATTR_VENDOR_NAME              SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_INFO, 0x0100)
#define SCARD_ATTR_VENDOR_IFD_TYPE          SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_INFO, 0x0101)
#define SCARD_ATTR_VENDOR_IFD_VERSION       SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_INFO, 0x0102)
#define SCARD_ATTR_VENDOR_IFD_SERIAL_NO     SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_INFO, 0x0103)
#define SCARD_ATTR_CHANNEL_ID               SCARD_ATTR_VALUE(SCARD_CLASS_COMMUNICATIONS, 0x0110)
#define SCARD_ATTR_PROTOCOL_TYPES           SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0120)
#define SCARD_ATTR_ASYNC_PROTOCOL_TYPES     SCARD_ATTR_PROTOCOL_TYPES
#define SCARD_ATTR_DEFAULT_CLK              SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0121)
#define SCARD_ATTR_MAX_CLK                  SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0122)
#define SCARD_ATTR_DEFAULT_DATA_RATE        SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0123)
#define SCARD_ATTR_MAX_DATA_RATE            SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0124)
#define SCARD_ATTR_MAX_IFSD                 SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0125)
#define SCARD_ATTR_SYNC_PROTOCOL_TYPES      SCARD_ATTR_VALUE(SCARD_CLASS_PROTOCOL, 0x0126)
#define SCARD_ATTR_POWER_MGMT_SUPPORT       SCARD_ATTR_VALUE(SCARD_CLASS_POWER_MGMT, 0x0131)
#define SCARD_ATTR_USER_TO_CARD_AUTH_DEVICE SCARD_ATTR_VALUE(SCARD_CLASS_SECURITY, 0x0140)
#define SCARD_ATTR_USER_AUTH_INPUT_DEVICE   SCARD_ATTR_VALUE(SCARD_CLASS_SECURITY, 0x0142)
#define SCARD_ATTR_CHARACTERISTICS          SCARD_ATTR_VALUE(SCARD_CLASS_MECHANICAL, 0x0150)

#define SCARD_ATTR_CURRENT_PROTOCOL_TYPE                                                 \
    SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0201)
#define SCARD_ATTR_CURRENT_CLK          SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0202)
#define SCARD_ATTR_CURRENT_F            SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0203)
#define SCARD_ATTR_CURRENT_D            SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0204)
#define SCARD_ATTR_CURRENT_N            SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0205)
#define SCARD_ATTR_CURRENT_W            SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0206)
#define SCARD_ATTR_CURRENT_IFSC         SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0207)
#define SCARD_ATTR_CURRENT_IFSD         SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0208)
#define SCARD_ATTR_CURRENT_BWT          SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x0209)
#define SCARD_ATTR_CURRENT_CWT          SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x020a)
#define SCARD_ATTR_CURRENT_EBC_ENCODING SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x020b)
#define SCARD_ATTR_EXTENDED_BWT         SCARD_ATTR_VALUE(SCARD_CLASS_IFD_PROTOCOL, 0x020c)

#define SCARD_ATTR_ICC_PRESENCE         SCARD_ATTR_VALUE(SCARD_CLASS_ICC_STATE, 0x0300)
#define SCARD_ATTR_ICC_INTERFACE_STATUS SCARD_ATTR_VALUE(SCARD_CLASS_ICC_STATE, 0x0301)
#define SCARD_ATTR_CURRENT_IO_STATE     SCARD_ATTR_VALUE(SCARD_CLASS_ICC_STATE, 0x0302)
#define SCARD_ATTR_ATR_STRING           SCARD_ATTR_VALUE(SCARD_CLASS_ICC_STATE, 0x0303)
#define SCARD_ATTR_ICC_TYPE_PER_ATR     SCARD_ATTR_VALUE(SCARD_CLASS_ICC_STATE, 0x0304)

#define SCARD_ATTR_ESC_RESET       SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_DEFINED, 0xa000)
#define SCARD_ATTR_ESC_CANCEL      SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_DEFINED, 0xa003)
#define SCARD_ATTR_ESC_AUTHREQUEST SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_DEFINED, 0xa005)
#define SCARD_ATTR_MAXINPUT        SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_DEFINED, 0xa007)
#define SCARD_ATTR_VENDOR_SPECIFIC_INFO                                                  \
    SCARD_ATTR_VALUE(SCARD_CLASS_VENDOR_DEFINED, 0xa008)

#define SCARD_ATTR_DEVICE_UNIT            SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0001)
#define SCARD_ATTR_DEVICE_IN_USE          SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0002)
#define SCARD_ATTR_DEVICE_FRIENDLY_NAME_A SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0003)
#define SCARD_ATTR_DEVICE_SYSTEM_NAME_A   SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0004)
#define SCARD_ATTR_DEVICE_FRIENDLY_NAME_W SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0005)
#define SCARD_ATTR_DEVICE_SYSTEM_NAME_W   SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0006)
#define SCARD_ATTR_SUPRESS_T1_IFS_REQUEST SCARD_ATTR_VALUE(SCARD_CLASS_SYSTEM, 0x0007)

#define SCARD_PERF_NUM_TRANSMISSIONS SCARD_ATTR_VALUE(SCARD_CLASS_PERF, 0x0001)
#define SCARD_PERF_BYTES_TRANSMITTED SCARD_ATTR_VALUE(SCARD_CLASS_PERF, 0x0002)
#define SCARD_PERF_TRANSMISSION_TIME SCARD_ATTR_VALUE(SCARD_CLASS_PERF, 0x0003)

#ifdef __cplusplus
}
#endif

#endif
