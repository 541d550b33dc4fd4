/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * winscard.h - the PC/SC API as programs on Linux are compiled against it: the functions,
 * structures and numbers of libpcsclite.so.1. DWORD and LONG are as wide as a pointer;
 * tests/pcsc/abi.c holds this against the header of Debian's libpcsclite-dev.
 *
 * Strings are UTF-8. A multi-string is a row of strings, each ended by a zero byte, and
 * one more zero byte. Lengths of strings count the ends, all lengths are bytes.
 */
#ifndef PCSC_WINSCARD_H
#define PCSC_WINSCARD_H

typedef unsigned char BYTE;
typedef unsigned long DWORD;
typedef long LONG;
typedef LONG SCARDCONTEXT;
typedef LONG SCARDHANDLE;

#define MAX_ATR_SIZE             33
#define MAX_READERNAME           128
#define MAX_BUFFER_SIZE          264
#define MAX_BUFFER_SIZE_EXTENDED 65548

#define SCARD_AUTOALLOCATE ((DWORD)-1)
#define INFINITE           0xFFFFFFFFu

/* Every field is the caller's but dwEventState, cbAtr and rgbAtr. */
typedef struct {
    const char *szReader;
    void *pvUserData;
    DWORD dwCurrentState; /* SCARD_STATE_*; the counter of events in the high word */
    DWORD dwEventState;
    DWORD cbAtr;
    unsigned char rgbAtr[MAX_ATR_SIZE];
} SCARD_READERSTATE;

typedef struct {
    unsigned long dwProtocol;
    unsigned long cbPciLength;
} SCARD_IO_REQUEST;

#define PCSC_API __attribute__((visibility("default")))

PCSC_API extern const SCARD_IO_REQUEST g_rgSCardT0Pci, g_rgSCardT1Pci, g_rgSCardRawPci;

/* ---- numbers --------------------------------------------------------------------- */

#define SCARD_SCOPE_USER     0x0000
#define SCARD_SCOPE_TERMINAL 0x0001
#define SCARD_SCOPE_SYSTEM   0x0002
#define SCARD_SCOPE_GLOBAL   0x0003

#define SCARD_PROTOCOL_UNDEFINED 0x0000u
#define SCARD_PROTOCOL_T0        0x0001u
#define SCARD_PROTOCOL_T1        0x0002u
#define SCARD_PROTOCOL_RAW       0x0004u
#define SCARD_PROTOCOL_T15       0x0008u

#define SCARD_SHARE_EXCLUSIVE 1u
#define SCARD_SHARE_SHARED    2u
#define SCARD_SHARE_DIRECT    3u

#define SCARD_LEAVE_CARD   0u
#define SCARD_RESET_CARD   1u
#define SCARD_UNPOWER_CARD 2u
#define SCARD_EJECT_CARD   3u

/* SCardStatus: a mask, and the counter of events in the high word. */
#define SCARD_UNKNOWN    0x0001u
#define SCARD_ABSENT     0x0002u
#define SCARD_PRESENT    0x0004u
#define SCARD_SWALLOWED  0x0008u
#define SCARD_POWERED    0x0010u
#define SCARD_NEGOTIABLE 0x0020u
#define SCARD_SPECIFIC   0x0040u

/* SCardGetStatusChange. */
#define SCARD_STATE_UNAWARE     0x0000u
#define SCARD_STATE_IGNORE      0x0001u
#define SCARD_STATE_CHANGED     0x0002u
#define SCARD_STATE_UNKNOWN     0x0004u
#define SCARD_STATE_UNAVAILABLE 0x0008u
#define SCARD_STATE_EMPTY       0x0010u
#define SCARD_STATE_PRESENT     0x0020u
#define SCARD_STATE_ATRMATCH    0x0040u
#define SCARD_STATE_EXCLUSIVE   0x0080u
#define SCARD_STATE_INUSE       0x0100u
#define SCARD_STATE_MUTE        0x0200u
#define SCARD_STATE_UNPOWERED   0x0400u

/* ---- what functions return ------------------------------------------------------- */

#define SCARD_S_SUCCESS             ((LONG)0)
#define SCARD_F_INTERNAL_ERROR      ((LONG)0x80100001)
#define SCARD_E_CANCELLED           ((LONG)0x80100002)
#define SCARD_E_INVALID_HANDLE      ((LONG)0x80100003)
#define SCARD_E_INVALID_PARAMETER   ((LONG)0x80100004)
#define SCARD_E_INVALID_TARGET      ((LONG)0x80100005)
#define SCARD_E_NO_MEMORY           ((LONG)0x80100006)
#define SCARD_F_WAITED_TOO_LONG     ((LONG)0x80100007)
#define SCARD_E_INSUFFICIENT_BUFFER ((LONG)0x80100008)
#define SCARD_E_UNKNOWN_READER      ((LONG)0x80100009)
#define SCARD_E_TIMEOUT             ((LONG)0x8010000A)
#define SCARD_E_SHARING_VIOLATION   ((LONG)0x8010000B)
#define SCARD_E_NO_SMARTCARD        ((LONG)0x8010000C)
#define SCARD_E_UNKNOWN_CARD        ((LONG)0x8010000D)
#define SCARD_E_CANT_DISPOSE        ((LONG)0x8010000E)
#define SCARD_E_PROTO_MISMATCH      ((LONG)0x8010000F)
#define SCARD_E_NOT_READY           ((LONG)0x80100010)
#define SCARD_E_INVALID_VALUE       ((LONG)0x80100011)
#define SCARD_E_SYSTEM_CANCELLED    ((LONG)0x80100012)
#define SCARD_F_COMM_ERROR          ((LONG)0x80100013)
#define SCARD_F_UNKNOWN_ERROR       ((LONG)0x80100014)
#define SCARD_E_INVALID_ATR         ((LONG)0x80100015)
#define SCARD_E_NOT_TRANSACTED      ((LONG)0x80100016)
#define SCARD_E_READER_UNAVAILABLE  ((LONG)0x80100017)
#define SCARD_P_SHUTDOWN            ((LONG)0x80100018)
#define SCARD_E_PCI_TOO_SMALL       ((LONG)0x80100019)
#define SCARD_E_READER_UNSUPPORTED  ((LONG)0x8010001A)
#define SCARD_E_DUPLICATE_READER    ((LONG)0x8010001B)
#define SCARD_E_CARD_UNSUPPORTED    ((LONG)0x8010001C)
#define SCARD_E_NO_SERVICE          ((LONG)0x8010001D)
#define SCARD_E_SERVICE_STOPPED     ((LONG)0x8010001E)
#define SCARD_E_UNEXPECTED          ((LONG)0x8010001F)
#define SCARD_E_ICC_INSTALLATION    ((LONG)0x80100020)
#define SCARD_E_ICC_CREATEORDER     ((LONG)0x80100021)
/* 1.9.9 says UNEXPECTED instead, and so does this library; 2.x has a number for it. */
#define SCARD_E_UNSUPPORTED_FEATURE     ((LONG)0x80100022)
#define SCARD_E_DIR_NOT_FOUND           ((LONG)0x80100023)
#define SCARD_E_FILE_NOT_FOUND          ((LONG)0x80100024)
#define SCARD_E_NO_DIR                  ((LONG)0x80100025)
#define SCARD_E_NO_FILE                 ((LONG)0x80100026)
#define SCARD_E_NO_ACCESS               ((LONG)0x80100027)
#define SCARD_E_WRITE_TOO_MANY          ((LONG)0x80100028)
#define SCARD_E_BAD_SEEK                ((LONG)0x80100029)
#define SCARD_E_INVALID_CHV             ((LONG)0x8010002A)
#define SCARD_E_UNKNOWN_RES_MNG         ((LONG)0x8010002B)
#define SCARD_E_NO_SUCH_CERTIFICATE     ((LONG)0x8010002C)
#define SCARD_E_CERTIFICATE_UNAVAILABLE ((LONG)0x8010002D)
#define SCARD_E_NO_READERS_AVAILABLE    ((LONG)0x8010002E)
#define SCARD_E_COMM_DATA_LOST          ((LONG)0x8010002F)
#define SCARD_E_NO_KEY_CONTAINER        ((LONG)0x80100030)
#define SCARD_E_SERVER_TOO_BUSY         ((LONG)0x80100031)
#define SCARD_W_UNSUPPORTED_CARD        ((LONG)0x80100065)
#define SCARD_W_UNRESPONSIVE_CARD       ((LONG)0x80100066)
#define SCARD_W_UNPOWERED_CARD          ((LONG)0x80100067)
#define SCARD_W_RESET_CARD              ((LONG)0x80100068)
#define SCARD_W_REMOVED_CARD            ((LONG)0x80100069)
#define SCARD_W_SECURITY_VIOLATION      ((LONG)0x8010006A)
#define SCARD_W_WRONG_CHV               ((LONG)0x8010006B)
#define SCARD_W_CHV_BLOCKED             ((LONG)0x8010006C)
#define SCARD_W_EOF                     ((LONG)0x8010006D)
#define SCARD_W_CANCELLED_BY_USER       ((LONG)0x8010006E)
#define SCARD_W_CARD_NOT_AUTHENTICATED  ((LONG)0x8010006F)

/* ---- functions: scardfs-pcsc(1) -------------------------------------------------- */

PCSC_API LONG SCardEstablishContext(DWORD dwScope, const void *pvReserved1,
                                    const void *pvReserved2, SCARDCONTEXT *phContext);
PCSC_API LONG SCardReleaseContext(SCARDCONTEXT hContext);
PCSC_API LONG SCardIsValidContext(SCARDCONTEXT hContext);
PCSC_API LONG SCardFreeMemory(SCARDCONTEXT hContext, const void *pvMem);
PCSC_API LONG SCardListReaderGroups(SCARDCONTEXT hContext, char *mszGroups,
                                    DWORD *pcchGroups);
PCSC_API LONG SCardListReaders(SCARDCONTEXT hContext, const char *mszGroups,
                               char *mszReaders, DWORD *pcchReaders);
PCSC_API LONG SCardGetStatusChange(SCARDCONTEXT hContext, DWORD dwTimeout,
                                   SCARD_READERSTATE *rgReaderStates, DWORD cReaders);
PCSC_API LONG SCardCancel(SCARDCONTEXT hContext);
PCSC_API LONG SCardConnect(SCARDCONTEXT hContext, const char *szReader, DWORD dwShareMode,
                           DWORD dwPreferredProtocols, SCARDHANDLE *phCard,
                           DWORD *pdwActiveProtocol);
PCSC_API LONG SCardReconnect(SCARDHANDLE hCard, DWORD dwShareMode,
                             DWORD dwPreferredProtocols, DWORD dwInitialization,
                             DWORD *pdwActiveProtocol);
PCSC_API LONG SCardDisconnect(SCARDHANDLE hCard, DWORD dwDisposition);
PCSC_API LONG SCardBeginTransaction(SCARDHANDLE hCard);
PCSC_API LONG SCardEndTransaction(SCARDHANDLE hCard, DWORD dwDisposition);
PCSC_API LONG SCardStatus(SCARDHANDLE hCard, char *szReaderName, DWORD *pcchReaderLen,
                          DWORD *pdwState, DWORD *pdwProtocol, BYTE *pbAtr,
                          DWORD *pcbAtrLen);
PCSC_API LONG SCardTransmit(SCARDHANDLE hCard, const SCARD_IO_REQUEST *pioSendPci,
                            const BYTE *pbSendBuffer, DWORD cbSendLength,
                            SCARD_IO_REQUEST *pioRecvPci, BYTE *pbRecvBuffer,
                            DWORD *pcbRecvLength);
PCSC_API LONG SCardControl(SCARDHANDLE hCard, DWORD dwControlCode,
                           const void *pbSendBuffer, DWORD cbSendLength,
                           void *pbRecvBuffer, DWORD cbRecvLength,
                           DWORD *lpBytesReturned);
PCSC_API LONG SCardGetAttrib(SCARDHANDLE hCard, DWORD dwAttrId, BYTE *pbAttr,
                             DWORD *pcbAttrLen);
PCSC_API LONG SCardSetAttrib(SCARDHANDLE hCard, DWORD dwAttrId, const BYTE *pbAttr,
                             DWORD cbAttrLen);
PCSC_API const char *pcsc_stringify_error(LONG code);

#endif
