/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smclib.h - the Smart Card Driver Library.
 *
 * A reader driver allocates a SMARTCARD_EXTENSION per slot, sets Version, VendorAttr,
 * ReaderCapabilities and ReaderFunction[], calls SmartcardInitialize, sets
 * OsData->DeviceObject, and from then on hands every IRP_MJ_DEVICE_CONTROL to
 * SmartcardDeviceControl, which answers it or calls one of the ReaderFunctions.
 * Names, fields and meanings are those of the Windows library.
 *
 * Card characters: ISO/IEC 7816-3. All times are in microseconds unless named otherwise.
 */
#ifndef SMCLIB_H
#define SMCLIB_H

#include "wdm.h"
#include "winsmcrd.h"
#include "smcnt.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SMCLIB_VERSION          0x150
#define SMCLIB_VERSION_REQUIRED 0x100

#define MIN_BUFFER_SIZE    288
#define MAXIMUM_ATR_CODES  4
#define MAXIMUM_ATR_LENGTH SCARD_ATR_LENGTH
#define ATR_BUFFER_SIZE    64

/* ---- ReaderFunction indices ------------------------------------------------------ */

/*
 * A callback may sleep. There is never more than one at a time on a reader, except for
 * RDF_CARD_TRACKING, which must not block and may run beside another. A callback returns
 * the request's status; the library then completes the request with it and with
 * *IoRequest.Information. STATUS_PENDING: the driver completes it later through
 * SmartcardCompleteRequest, and until then the library answers STATUS_DEVICE_BUSY.
 *
 * OsData->NotificationIrp stays what it is until RDF_CARD_TRACKING returns. The library
 * has set a cancel routine. A driver that exchanges it for its own releases the cancel
 * spin lock there and then calls SmartcardCompleteCardTracking.
 */
#define RDF_CARD_POWER      0 /* mandatory */
#define RDF_TRANSMIT        1 /* mandatory */
#define RDF_CARD_EJECT      2
#define RDF_READER_SWALLOW  3
#define RDF_CARD_TRACKING   4 /* mandatory */
#define RDF_SET_PROTOCOL    5 /* mandatory */
#define RDF_DEBUG_LEVEL     6 /* MinorIoControlCode is the new mask */
#define RDF_CARD_CONFISCATE 7
#define RDF_IOCTL_VENDOR    8
#define RDF_ATR_PARSE       9
#define RDF_COUNT           16

/* ---- attributes of the reader ---------------------------------------------------- */

typedef struct _VENDOR_ATTR {
    struct {
        USHORT Length; /* bytes, no NUL */
        UCHAR Buffer[MAXIMUM_ATTR_STRING_LENGTH];
    } VendorName;
    struct {
        USHORT Length;
        UCHAR Buffer[MAXIMUM_ATTR_STRING_LENGTH];
    } IfdType;
    ULONG UnitNo; /* from 0; tells readers of one type apart */
    struct {
        USHORT BuildNumber;
        UCHAR VersionMinor;
        UCHAR VersionMajor;
    } IfdVersion;
    struct {
        USHORT Length; /* 0: unknown */
        UCHAR Buffer[MAXIMUM_ATTR_STRING_LENGTH];
    } IfdSerialNo;
    ULONG Reserved[25];
} VENDOR_ATTR, *PVENDOR_ATTR;

/* ISO/IEC 7816-3 §8.3, tables 7 and 8. */
typedef struct _CLOCK_RATE_CONVERSION {
    ULONG F;
    ULONG fs; /* highest clock, Hz; 0 with F = 0: reserved */
} CLOCK_RATE_CONVERSION, *PCLOCK_RATE_CONVERSION;

typedef struct _BIT_RATE_ADJUSTMENT {
    ULONG DNumerator; /* 0: reserved */
    ULONG DDivisor;
} BIT_RATE_ADJUSTMENT, *PBIT_RATE_ADJUSTMENT;

typedef struct _CLK_FREQUENCY {
    ULONG Default; /* kHz */
    ULONG Max;
} CLK_FREQUENCY;

typedef struct _DATA_RATE {
    ULONG Default; /* bit/s */
    ULONG Max;
} DATA_RATE;

typedef struct _SCARD_READER_CAPABILITIES {
    ULONG SupportedProtocols; /* SCARD_PROTOCOL_* */
    ULONG Reserved;
    ULONG ReaderType;     /* SCARD_READER_TYPE_* */
    ULONG MechProperties; /* SCARD_READER_SWALLOWS ... */
    ULONG CurrentState;   /* SCARD_UNKNOWN ...; under OsData->SpinLock */
    ULONG Channel;
    CLK_FREQUENCY CLKFrequency;
    DATA_RATE DataRate;
    ULONG MaxIFSD; /* largest T=1 INF the reader can receive */
    ULONG PowerMgmtSupport;
    ULONG CardConfiscated;
    struct {
        PULONG List; /* bit/s; the driver's */
        UCHAR Entries;
    } DataRatesSupported;
    struct {
        PULONG List; /* kHz; the driver's */
        UCHAR Entries;
    } CLKFrequenciesSupported;
    UCHAR Reserved1[64];
} SCARD_READER_CAPABILITIES, *PSCARD_READER_CAPABILITIES;

/* ---- what is known about the card ------------------------------------------------ */

#define PTS_TYPE_DEFAULT 0x00 /* standard parameters: 372/1, default clock and rate */
#define PTS_TYPE_OPTIMAL 0x01 /* the best that card and reader can do */
#define PTS_TYPE_USER    0x02 /* set by the driver; the library leaves them alone */

typedef struct _PTS_DATA {
    UCHAR Type;
    UCHAR Fl, Dl;       /* for PPS1 */
    ULONG CLKFrequency; /* kHz to program */
    ULONG DataRate;     /* bit/s to program */
    UCHAR StopBits;
} PTS_DATA, *PPTS_DATA;

#define T1_CRC_CHECK 1 /* bit of T1.EDC */

typedef struct _SCARD_CARD_CAPABILITIES {
    BOOLEAN InversConvention; /* sic */
    ULONG etu;                /* rounded up */
    struct {
        UCHAR Buffer[ATR_BUFFER_SIZE];
        UCHAR Length; /* 0: none; at most SCARD_ATR_LENGTH */
    } ATR;            /* the only part a driver writes; under OsData->SpinLock */
    struct {
        UCHAR Buffer[16];
        UCHAR Length;
    } HistoricalChars;
    const CLOCK_RATE_CONVERSION *ClockRateConversion; /* 16 entries, by Fl */
    const BIT_RATE_ADJUSTMENT *BitRateAdjustment;     /* 16 entries, by Dl */
    /* Fl, Dl: TA1. */
    UCHAR Fl, Dl;
    UCHAR II; /* TB1: maximum programming current */
    UCHAR P;  /* programming voltage, 0.1 V */
    UCHAR N;  /* TC1: extra guard time, etu; 255 special */
    ULONG GT; /* guard time */
    struct {
        ULONG Supported;
        ULONG Selected;
    } Protocol;
    struct {
        UCHAR WI;
        ULONG WT;
    } T0;
    struct {
        UCHAR IFSC;
        UCHAR CWI, BWI;
        UCHAR EDC;
        ULONG CWT, BWT, BGT;
    } T1;
    PTS_DATA PtsData;
    /* This port: what reference parsers also tell. */
    BOOLEAN SpecificMode;       /* TA2 present */
    BOOLEAN ImplicitParameters; /* TA2 bit 5 */
    UCHAR FirstProtocol;        /* T of TD1 or TA2, 0 without */
    UCHAR ClassAndStop;         /* first TA after T=15, 0 without */
    BOOLEAN GlobalBytes;        /* T=15 present: guard time follows TA1 */
    UCHAR Reserved[63];
} SCARD_CARD_CAPABILITIES, *PSCARD_CARD_CAPABILITIES;

#define T1_CWI_DEFAULT 13
#define T1_BWI_DEFAULT 4

/* ---- protocol data --------------------------------------------------------------- */

typedef struct _T0_DATA {
    ULONG Lc; /* data bytes in the request */
    ULONG Le; /* data bytes expected from the card */
} T0_DATA, *PT0_DATA;

/* T1_DATA.State: these, and the PCBs of S-blocks. */
#define T1_INIT    0
#define T1_START   1
#define T1_I_BLOCK 2
#define T1_R_BLOCK 3
#define T1_RESTART 4

#define T1_RESYNCH_REQUEST  0xC0
#define T1_RESYNCH_RESPONSE 0xE0
#define T1_IFS_REQUEST      0xC1
#define T1_IFS_RESPONSE     0xE1
#define T1_ABORT_REQUEST    0xC2
#define T1_ABORT_RESPONSE   0xE2
#define T1_WTX_REQUEST      0xC3
#define T1_WTX_RESPONSE     0xE3
#define T1_VPP_ERROR        0xE4

#define T1_MORE_DATA    0x20
#define T1_IFSD         254
#define T1_IFSD_DEFAULT 32
#define T1_MAX_RETRIES  2

#define T1_ERROR_CHKSUM 0x01
#define T1_ERROR_OTHER  0x02

typedef struct _T1_DATA {
    UCHAR IFSC; /* what we may send */
    UCHAR IFSD; /* what we can receive */
    ULONG BytesReceived;
    ULONG BytesSent;
    ULONG BytesToSend;
    UCHAR LastError;     /* T1_ERROR_* */
    BOOLEAN MoreData;    /* we have to send more */
    UCHAR NAD;           /* the driver may write it */
    ULONG OriginalState; /* before an error or an S-block */
    UCHAR Resend;
    UCHAR Resynch;
    UCHAR RSN; /* number of the I-block expected from the card: 0 or 1 */
    UCHAR SSN; /* number of the I-block to send: 0 or 1 */
    ULONG State;
    UCHAR Wtx;            /* multiplier of BWT for the next block; 0: none */
    PUCHAR ReplyData;     /* where the answer is put together */
    BOOLEAN WaitForReply; /* our last I-block is out and not acknowledged */
    UCHAR InfBytesSent;
    /* This port. */
    UCHAR LastPcb;      /* of the block sent last */
    UCHAR LastInf;      /* its INF, if it was an S-block with one */
    UCHAR IfsdAsked;    /* INF of our S(IFS request) */
    BOOLEAN Executable; /* the card may have the whole command */
    BOOLEAN Heard;      /* anything at all has come from the card */
    BOOLEAN Restart;    /* begin the command again after RESYNCH */
    BOOLEAN OutOfStep;  /* the next command begins with RESYNCH */
    BOOLEAN Aborted;    /* the card has asked for ABORT */
    USHORT SBlockCount; /* S-block requests of the card in this command */
    UCHAR Pad[31];
} T1_DATA, *PT1_DATA;

typedef struct _T1_BLOCK_FRAME {
    UCHAR Nad;
    UCHAR Pcb;
    UCHAR Len;
    PUCHAR Inf;
} T1_BLOCK_FRAME, *PT1_BLOCK_FRAME;

typedef struct _SMARTCARD_REPLY {
    PUCHAR Buffer;
    ULONG BufferSize;   /* allocated */
    ULONG BufferLength; /* used: bytes from the card, no transport header */
} SMARTCARD_REPLY, *PSMARTCARD_REPLY;

typedef struct _SMARTCARD_REQUEST {
    PUCHAR Buffer;
    ULONG BufferSize;
    /* Used. A driver sets it to the size of its own header before SmartcardXxRequest,
     * which appends. */
    ULONG BufferLength;
} SMARTCARD_REQUEST, *PSMARTCARD_REQUEST;

typedef union _LENGTH {
    struct {
        ULONG l0;
    } l;
    struct {
        UCHAR b0, b1, b2, b3;
    } b;
} LENGTH, *PLENGTH;

typedef struct _PERF_INFO {
    ULONG NumTransmissions;
    ULONG BytesSent;
    ULONG BytesReceived;
    LARGE_INTEGER IoTickCount;
    LARGE_INTEGER TickStart;
    LARGE_INTEGER TickEnd;
} PERF_INFO, *PPERF_INFO;

/* ---- the extension --------------------------------------------------------------- */

struct _READER_EXTENSION; /* the driver's own */

typedef struct _SMARTCARD_EXTENSION {
    ULONG Version; /* SMCLIB_VERSION, before SmartcardInitialize */
    VENDOR_ATTR VendorAttr;
    NTSTATUS (*ReaderFunction[RDF_COUNT])(struct _SMARTCARD_EXTENSION *);
    SCARD_CARD_CAPABILITIES CardCapabilities;
    ULONG LastError; /* NTSTATUS of the last driver callback */
    struct {
        PULONG Information;   /* bytes returned */
        PUCHAR RequestBuffer; /* the same memory as ReplyBuffer */
        ULONG RequestBufferLength;
        PUCHAR ReplyBuffer;
        ULONG ReplyBufferLength;
    } IoRequest;
    ULONG MajorIoControlCode;
    ULONG MinorIoControlCode; /* power minor, protocol mask or tag */
    POS_DEP_DATA OsData;
    SCARD_READER_CAPABILITIES ReaderCapabilities;
    struct _READER_EXTENSION *ReaderExtension;
    SMARTCARD_REPLY SmartcardReply;
    SMARTCARD_REQUEST SmartcardRequest;
    T0_DATA T0;
    T1_DATA T1;
    PPERF_INFO PerfInfo; /* NULL where it is not compiled in */
    ULONG Reserved[23];
} SMARTCARD_EXTENSION, *PSMARTCARD_EXTENSION;

/* ---- routines -------------------------------------------------------------------- */

/*
 * Allocates OsData and the request and reply buffers (each the larger of BufferSize and
 * MIN_BUFFER_SIZE). Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER for a Version out of
 * range or a missing mandatory callback, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS SmartcardInitialize(PSMARTCARD_EXTENSION SmartcardExtension);

/* Wipes and frees what SmartcardInitialize allocated. */
VOID SmartcardExit(PSMARTCARD_EXTENSION SmartcardExtension);

/*
 * Serves an IRP_MJ_DEVICE_CONTROL completely: it completes the IRP, now or later. The
 * one exception are wrong arguments of the call itself (NULL, Version, no
 * OsData->DeviceObject): STATUS_INVALID_PARAMETER, and the caller completes the IRP.
 * Returns the request's status, or STATUS_PENDING.
 */
NTSTATUS SmartcardDeviceControl(PSMARTCARD_EXTENSION SmartcardExtension, PIRP Irp);

/* The synchronous form of Windows CE: blocks until the request is served. */
NTSTATUS SmartcardDeviceControlSync(PSMARTCARD_EXTENSION SmartcardExtension,
                                    ULONG IoControlCode, PVOID InBuffer,
                                    ULONG InBufferLength, PVOID OutBuffer,
                                    ULONG OutBufferLength, PULONG BytesReturned);

/* Card capabilities back to the values before an ATR (372/1, T=0 and T=1 defaults). */
VOID SmartcardInitializeCardCapabilities(PSMARTCARD_EXTENSION SmartcardExtension);

/*
 * Reads CardCapabilities.ATR (ISO/IEC 7816-3 §8.2) and fills in the rest, the derived
 * times and the state (SCARD_NEGOTIABLE, or SCARD_SPECIFIC with TA2). What it cannot
 * read is offered to RDF_ATR_PARSE: where only TA1 is reserved or TCK wrong, with all
 * values filled in (TA1 as 11h), so that the callback need only agree; otherwise with
 * the defaults and Protocol.Supported = 0. No lock held. Returns STATUS_SUCCESS or
 * STATUS_UNRECOGNIZED_MEDIA.
 */
NTSTATUS SmartcardUpdateCardCapabilities(PSMARTCARD_EXTENSION SmartcardExtension);

/*
 * T=0: from IoRequest a TPDU is appended to SmartcardRequest; T0.Lc and T0.Le are set.
 * STATUS_SUCCESS, STATUS_INVALID_PARAMETER (malformed), STATUS_BUFFER_OVERFLOW (request
 * buffer), STATUS_BUFFER_TOO_SMALL (caller's buffer).
 */
NTSTATUS SmartcardT0Request(PSMARTCARD_EXTENSION SmartcardExtension);
/* From SmartcardReply to IoRequest. STATUS_SUCCESS, STATUS_DEVICE_PROTOCOL_ERROR (no
 * status word), STATUS_BUFFER_TOO_SMALL. */
NTSTATUS SmartcardT0Reply(PSMARTCARD_EXTENSION SmartcardExtension);

/*
 * T=1: the next block to send. After SmartcardT1Reply has returned
 * STATUS_MORE_PROCESSING_REQUIRED, call SmartcardT1Request again.
 */
NTSTATUS SmartcardT1Request(PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS SmartcardT1Reply(PSMARTCARD_EXTENSION SmartcardExtension);

/* Bytes without framing; the SCARD_IO_REQUEST is taken off and put on.
 * STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW / STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL. */
NTSTATUS SmartcardRawRequest(PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS SmartcardRawReply(PSMARTCARD_EXTENSION SmartcardExtension);

/* Complements and mirrors each byte (ISO/IEC 7816-3 §8.1: 03 <-> 3F). */
VOID SmartcardInvertData(PUCHAR Buffer, ULONG Length);

/* A card came or went: takes the pending tracker and completes it with STATUS_SUCCESS
 * (STATUS_CANCELLED when it was cancelled before). No-op without one. No lock held, not
 * even the cancel spin lock. Presence in CurrentState should not change again before it
 * returns: who hears of cards in several threads lets one of them tell of all, or a
 * completion stands for two changes and the next one for none. */
VOID SmartcardCompleteCardTracking(PSMARTCARD_EXTENSION SmartcardExtension);

/* Completes the request whose callback returned STATUS_PENDING. */
VOID SmartcardCompleteRequest(PSMARTCARD_EXTENSION SmartcardExtension, NTSTATUS Status,
                              ULONG Information);

/* Windows' error number for a status; ERROR_MR_MID_NOT_FOUND (317) for unknown ones. */
ULONG MapNtStatusToWinError(NTSTATUS Status);

#ifdef __cplusplus
}
#endif

#endif
