/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scard_ioctl.h - what programs may do with the `control` file of a reader: ABI 1.
 *
 * scardfs(5) and scard_ioctl(4) describe the same contract. All fields have fixed widths
 * and natural alignment, there are no pointers: 32-bit and 64-bit callers agree.
 */
#ifndef SCARD_IOCTL_H
#define SCARD_IOCTL_H

#include <stdint.h>
#include <sys/ioctl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCARD_IOC_VERSION 1
#define SCARD_IOC_MAGIC   'S'

/* ---- Windows control codes (winsmcrd.h) ------------------------------------------ */

#define SCARD_CALL_HEADER_SIZE 32
#define SCARD_CALL_SIZE_MAX    16383 /* _IOC_SIZE has 14 bits */
#define SCARD_CALL_DATA_MAX    (SCARD_CALL_SIZE_MAX - SCARD_CALL_HEADER_SIZE)

/*
 * One Windows control code with its input and output.
 *
 * size is the whole length including data and must equal the size in the ioctl number;
 * data is one area for input and output (METHOD_BUFFERED) of size - 32 >= max(in_len,
 * out_len) bytes. timeout_ms bounds the waiting for an event or for one's turn, never a
 * running APDU: 0 does not wait, SCARD_TIMEOUT_INFINITE waits without limit; when it
 * expires: STATUS_IO_TIMEOUT, ETIMEDOUT. A field out of rule: EINVAL.
 *
 * When the request reached the driver library, status is its exact NTSTATUS, errno the
 * mapping of scardfs(5), and out_len the number of bytes returned (0 on failure). When
 * it was refused before (EINVAL, ENOTTY, EBADF, EINTR, EFAULT), status stays as it was.
 */
struct scard_call {
    uint32_t size;
    uint32_t version; /* SCARD_IOC_VERSION */
    uint32_t code;    /* IOCTL_SMARTCARD_* */
    uint32_t in_len;  /* bytes of data that are input */
    uint32_t out_len; /* in: room for output; out: bytes returned */
    int32_t status;   /* out: NTSTATUS */
    uint32_t timeout_ms;
    uint32_t flags; /* SCARD_CALL_* */
    uint8_t data[];
};

/*
 * A signal does not end a call that is running already: EINTR, and its outcome is what
 * the next read of the handle delivers, without the SCARD_IO_REQUEST of a TRANSMIT. That
 * read is ENODATA when nothing had been sent: the call may be made again.
 */
#define SCARD_CALL_KEEP 1

#define SCARD_TIMEOUT_INFINITE UINT32_C(0xFFFFFFFF)

/* total = SCARD_CALL_HEADER_SIZE + room for data, 32 ... SCARD_CALL_SIZE_MAX */
#define SCARD_IOC_CALL(total) _IOC(_IOC_READ | _IOC_WRITE, SCARD_IOC_MAGIC, 1, (total))

/* ---- session calls --------------------------------------------------------------- */

/* Each begins with {size, version} and ends in reserved words that must be 0. */

#define SCARD_SHARE_MODE_EXCLUSIVE 1
#define SCARD_SHARE_MODE_SHARED    2
#define SCARD_SHARE_MODE_DIRECT    3

#define SCARD_DISPOSITION_LEAVE   0
#define SCARD_DISPOSITION_RESET   1
#define SCARD_DISPOSITION_UNPOWER 2
#define SCARD_DISPOSITION_EJECT   3

#define SCARD_LABEL_MAX 32
#define SCARD_ATR_ROOM  36

/*
 * When the card is reset other than by its own POWER, the handle is told: until the next
 * CONNECT its calls that touch the card (but DISCONNECT, END and POWER) are ECONNRESET,
 * STATUS_CONNECTION_RESET. Not for direct.
 */
#define SCARD_CONNECT_TELL_RESETS 1
/*
 * A signal does not end the power-up that has begun: EINTR, nothing is connected, and the
 * next CONNECT comes behind it and finds the card ready. Without it each interrupted one
 * begins anew, which under a timer of the program may have no end.
 */
#define SCARD_CONNECT_KEEP 2

/* Powers the card and selects a protocol (not for direct). Another handle's share mode
 * in conflict: EBUSY, at once. */
struct scard_connect {
    uint32_t size, version;
    uint32_t share;     /* SCARD_SHARE_MODE_* */
    uint32_t protocols; /* SCARD_PROTOCOL_* mask */
    uint32_t timeout_ms;
    int32_t status;              /* out */
    uint32_t protocol;           /* out */
    uint32_t resets;             /* out: how often the card has lost its state */
    uint32_t atr_len;            /* out */
    uint8_t atr[SCARD_ATR_ROOM]; /* out */
    uint32_t flags;              /* SCARD_CONNECT_* */
    uint32_t reserved[1];
};

/* The handle is no user of the card any more, as if it had just been opened: a command
 * that was written and not read is ended like by close(2). */
#define SCARD_DISCONNECT_FORGET 1

/* Ends CONNECT; the disposition applies unless another handle is connected. */
struct scard_disconnect {
    uint32_t size, version;
    uint32_t disposition;
    int32_t status; /* out */
    uint32_t flags; /* SCARD_DISCONNECT_* */
    uint32_t reserved[1];
};

/* Begins a transaction, first come first served. Already mine: EALREADY. */
struct scard_begin {
    uint32_t size, version;
    uint32_t timeout_ms;
    int32_t status;              /* out */
    char label[SCARD_LABEL_MAX]; /* shown in `owner` */
    uint32_t reserved[2];
};

/* Ends a transaction. Not mine: EPERM. */
struct scard_end {
    uint32_t size, version;
    uint32_t disposition;
    int32_t status; /* out */
    uint32_t reserved[2];
};

/* Bytes that the next read of this handle would return. */
struct scard_reply_size {
    uint32_t size, version;
    uint32_t bytes; /* out */
    int32_t status; /* out */
    uint32_t reserved[2];
};

#define SCARD_INFO_EXCLUSIVE 0x01 /* a connection is exclusive, perhaps this one */
#define SCARD_INFO_LOST      0x02 /* this handle is due ENXIO: its card has gone */
#define SCARD_INFO_RESET     0x04 /* this handle is due ECONNRESET */
#define SCARD_INFO_RESETTING 0x08 /* the reset of a card that has come is running */
#define SCARD_INFO_MUTE      0x10 /* the card did not answer to reset, or not sensibly */
#define SCARD_INFO_PRESENT   0x20 /* a card is in, as counter has it */
/* In: POLLPRI of this handle tells of a card that comes when its first reset has ended,
 * and not before. */
#define SCARD_INFO_SETTLED 0x40

/* One consistent snapshot. */
struct scard_info {
    uint32_t size, version;
    int32_t status;
    uint32_t state;   /* SCARD_UNKNOWN ... */
    uint32_t counter; /* changes of presence */
    uint32_t resets;
    uint32_t protocol; /* selected */
    uint32_t share;    /* of this handle, 0 without CONNECT */
    uint32_t users;
    uint32_t owner_pid, owner_uid; /* of the transaction; 0xFFFFFFFF without */
    uint32_t waiting;
    char owner_label[SCARD_LABEL_MAX];
    int32_t last_status; /* NTSTATUS of the last driver callback */
    uint32_t apdu_max;   /* longest command, bytes */
    uint32_t reply_max;  /* longest answer, bytes */
    uint32_t atr_len;
    uint8_t atr[SCARD_ATR_ROOM];
    uint32_t connections; /* handles that are connected */
    uint32_t flags;       /* SCARD_INFO_*; in: 0 or SCARD_INFO_SETTLED */
    uint32_t reserved[2];
};

#define SCARD_IOC_CONNECT    _IOWR(SCARD_IOC_MAGIC, 2, struct scard_connect)
#define SCARD_IOC_DISCONNECT _IOWR(SCARD_IOC_MAGIC, 3, struct scard_disconnect)
#define SCARD_IOC_BEGIN      _IOWR(SCARD_IOC_MAGIC, 4, struct scard_begin)
#define SCARD_IOC_END        _IOWR(SCARD_IOC_MAGIC, 5, struct scard_end)
#define SCARD_IOC_REPLY_SIZE _IOWR(SCARD_IOC_MAGIC, 6, struct scard_reply_size)
#define SCARD_IOC_INFO       _IOWR(SCARD_IOC_MAGIC, 7, struct scard_info)

/* ---- PIN pads and other features of readers (PC/SC part 10) ----------------------- */

/* Tags of the list that IOCTL_SMARTCARD_GET_FEATURE_REQUEST gives: each entry is a tag, a
 * length of 4 and a control code, most significant byte first. */
#define SCARD_FEATURE_VERIFY_PIN_DIRECT  0x06
#define SCARD_FEATURE_MODIFY_PIN_DIRECT  0x07
#define SCARD_FEATURE_MCT_READER_DIRECT  0x08
#define SCARD_FEATURE_IFD_PIN_PROPERTIES 0x0a
#define SCARD_FEATURE_GET_TLV_PROPERTIES 0x12
#define SCARD_FEATURE_CCID_ESC_COMMAND   0x13

/* Tags of the list that GET_TLV_PROPERTIES gives: tag, length, value with its least
 * significant byte first. A value that is not known is not in the list. */
#define SCARD_PROPERTY_LCD_LAYOUT                 1
#define SCARD_PROPERTY_ENTRY_VALIDATION_CONDITION 2
#define SCARD_PROPERTY_TIMEOUT2                   3
#define SCARD_PROPERTY_LCD_MAX_CHARACTERS         4
#define SCARD_PROPERTY_LCD_MAX_LINES              5
#define SCARD_PROPERTY_MIN_PIN_SIZE               6
#define SCARD_PROPERTY_MAX_PIN_SIZE               7
#define SCARD_PROPERTY_FIRMWARE_ID                8
#define SCARD_PROPERTY_PPDU_SUPPORT               9
#define SCARD_PROPERTY_MAX_APDU_DATA_SIZE         10
#define SCARD_PROPERTY_ID_VENDOR                  11
#define SCARD_PROPERTY_ID_PRODUCT                 12

/* The longest command that a PIN is put into. */
#define SCARD_PIN_APDU_MAX 260

/*
 * in of VERIFY_PIN_DIRECT; out: SW1 SW2 (with the answer's data, if any). Numbers have
 * their least significant byte first and there is no padding. ulDataLength must be the
 * length of abData, 4 ... SCARD_PIN_APDU_MAX: the command with a place for the PIN.
 */
#pragma pack(push, 1)
struct scard_pin_verify {
    uint8_t bTimerOut;  /* s; 0: the reader's own */
    uint8_t bTimerOut2; /* after the first key: no CCID reader knows it */
    uint8_t bmFormatString;
    uint8_t bmPINBlockString;
    uint8_t bmPINLengthFormat;
    uint16_t
        wPINMaxExtraDigit; /* shortest PIN in the high byte, longest in the low one */
    uint8_t bEntryValidationCondition;
    uint8_t bNumberMessage;
    uint16_t wLangId;
    uint8_t bMsgIndex;
    uint8_t bTeoPrologue[3]; /* filled in by the driver */
    uint32_t ulDataLength;
    uint8_t abData[];
};

/* in of MODIFY_PIN_DIRECT, likewise. */
struct scard_pin_modify {
    uint8_t bTimerOut;
    uint8_t bTimerOut2;
    uint8_t bmFormatString;
    uint8_t bmPINBlockString;
    uint8_t bmPINLengthFormat;
    uint8_t bInsertionOffsetOld;
    uint8_t bInsertionOffsetNew;
    uint16_t wPINMaxExtraDigit;
    uint8_t bConfirmPIN;
    uint8_t bEntryValidationCondition;
    uint8_t bNumberMessage;
    uint16_t wLangId;
    uint8_t bMsgIndex1, bMsgIndex2, bMsgIndex3;
    uint8_t bTeoPrologue[3];
    uint32_t ulDataLength;
    uint8_t abData[];
};

/* out of IFD_PIN_PROPERTIES. */
struct scard_pin_properties {
    uint16_t wLcdLayout; /* lines in the high byte, characters in the low one */
    uint8_t bEntryValidationCondition;
    uint8_t bTimeOut2;
};
#pragma pack(pop)

/* ---- limits ---------------------------------------------------------------------- */

#define SCARD_APDU_MIN  4
#define SCARD_APDU_MAX  65544 /* header 4, Lc 3, data 65 535, Le 2 */
#define SCARD_REPLY_MAX 65538 /* data 65 536, SW1 SW2 */

#define SCARD_ASSERT_SIZE(type, bytes)                                                   \
    typedef char scard_assert_##type[sizeof(struct type) == (bytes) ? 1 : -1]
SCARD_ASSERT_SIZE(scard_call, 32);
SCARD_ASSERT_SIZE(scard_connect, 80);
SCARD_ASSERT_SIZE(scard_disconnect, 24);
SCARD_ASSERT_SIZE(scard_begin, 56);
SCARD_ASSERT_SIZE(scard_end, 24);
SCARD_ASSERT_SIZE(scard_reply_size, 24);
SCARD_ASSERT_SIZE(scard_info, 148);
SCARD_ASSERT_SIZE(scard_pin_verify, 19);
SCARD_ASSERT_SIZE(scard_pin_modify, 24);
SCARD_ASSERT_SIZE(scard_pin_properties, 4);

#ifdef __cplusplus
}
#endif

#endif
