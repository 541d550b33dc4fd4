/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-constants.c - the numbers and layouts in include/ are the published ones.
 *
 * The values are written out a second time here, from the Windows Driver Kit's
 * documentation and MS-ERREF, so that a slip of the pen in a header shows. check-docs.py
 * sees to it that no constant of a header is missing from this table.
 */
#include "smclib.h"
#include "scard_ioctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct constant {
    const char *name;
    uint32_t actual;
    uint32_t published;
};

#define IS(name, value)                                                                  \
    {                                                                                    \
#name, (uint32_t)(name), (uint32_t)(value)                                       \
    }

static const struct constant control_codes[] = {
    IS(IOCTL_SMARTCARD_POWER, 0x00310004),
    IS(IOCTL_SMARTCARD_GET_ATTRIBUTE, 0x00310008),
    IS(IOCTL_SMARTCARD_SET_ATTRIBUTE, 0x0031000C),
    IS(IOCTL_SMARTCARD_CONFISCATE, 0x00310010),
    IS(IOCTL_SMARTCARD_TRANSMIT, 0x00310014),
    IS(IOCTL_SMARTCARD_EJECT, 0x00310018),
    IS(IOCTL_SMARTCARD_SWALLOW, 0x0031001C),
    IS(IOCTL_SMARTCARD_IS_PRESENT, 0x00310028),
    IS(IOCTL_SMARTCARD_IS_ABSENT, 0x0031002C),
    IS(IOCTL_SMARTCARD_SET_PROTOCOL, 0x00310030),
    IS(IOCTL_SMARTCARD_GET_STATE, 0x00310038),
    IS(IOCTL_SMARTCARD_GET_LAST_ERROR, 0x0031003C),
    IS(IOCTL_SMARTCARD_GET_PERF_CNTR, 0x00310040),
    IS(SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, 0x00310044),
    IS(SCFS_IOCTL_SMARTCARD_RESET_EVENTS, 0x00310048),
    IS(SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, 0x0031004C),
    IS(IOCTL_SMARTCARD_GET_FEATURE_REQUEST, 0x00313520),
    IS(CM_IOCTL_GET_FEATURE_REQUEST, 0x00313520),
    IS(IOCTL_CCID_ESCAPE, 0x003136B0),
    IS(SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, 0x00313538),
    IS(SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT, 0x0031353C),
    IS(SCFS_IOCTL_CCID_MCT_READER_DIRECT, 0x00313540),
    IS(SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES, 0x00313548),
    IS(SCFS_IOCTL_CCID_GET_TLV_PROPERTIES, 0x00313568),
    IS(SCFS_IOCTL_CCID_ICC_CLOCK, 0x003136B4),
    IS(FILE_DEVICE_SMARTCARD, 0x31),
    IS(METHOD_BUFFERED, 0),
    IS(FILE_ANY_ACCESS, 0),
    IS(CTL_CODE(FILE_DEVICE_SMARTCARD, 2048, METHOD_BUFFERED, FILE_ANY_ACCESS),
       0x00312000),
    IS(SCARD_CTL_CODE(4095), 0x00313FFC),
};

static const struct constant states_and_protocols[] = {
    IS(SCARD_POWER_DOWN, 0),
    IS(SCARD_COLD_RESET, 1),
    IS(SCARD_WARM_RESET, 2),
    IS(SCARD_UNKNOWN, 0),
    IS(SCARD_ABSENT, 1),
    IS(SCARD_PRESENT, 2),
    IS(SCARD_SWALLOWED, 3),
    IS(SCARD_POWERED, 4),
    IS(SCARD_NEGOTIABLE, 5),
    IS(SCARD_SPECIFIC, 6),
    IS(SCARD_PROTOCOL_UNDEFINED, 0),
    IS(SCARD_PROTOCOL_T0, 1),
    IS(SCARD_PROTOCOL_T1, 2),
    IS(SCARD_PROTOCOL_RAW, 0x10000),
    IS(SCARD_PROTOCOL_Tx, 3),
    IS(SCARD_PROTOCOL_DEFAULT, 0x80000000),
    IS(SCARD_PROTOCOL_OPTIMAL, 0),
    IS(SCARD_READER_TYPE_SERIAL, 0x01),
    IS(SCARD_READER_TYPE_PARALELL, 0x02),
    IS(SCARD_READER_TYPE_KEYBOARD, 0x04),
    IS(SCARD_READER_TYPE_SCSI, 0x08),
    IS(SCARD_READER_TYPE_IDE, 0x10),
    IS(SCARD_READER_TYPE_USB, 0x20),
    IS(SCARD_READER_TYPE_PCMCIA, 0x40),
    IS(SCARD_READER_TYPE_TPM, 0x80),
    IS(SCARD_READER_TYPE_VENDOR, 0xF0),
    IS(SCARD_READER_TYPE_NFC, 0x100),
    IS(SCARD_READER_TYPE_UICC, 0x200),
    IS(SCARD_READER_TYPE_NGC, 0x400),
    IS(SCARD_READER_TYPE_EMBEDDEDSE, 0x800),
    IS(SCARD_READER_SWALLOWS, 1),
    IS(SCARD_READER_EJECTS, 2),
    IS(SCARD_READER_CONFISCATES, 4),
    IS(SCARD_READER_CONTACTLESS, 8),
    IS(SCARD_ATR_LENGTH, 33),
    IS(MAXIMUM_ATTR_STRING_LENGTH, 32),
    IS(MAXIMUM_SMARTCARD_READERS, 10),
    IS(SCARD_T0_HEADER_LENGTH, 7),
    IS(SCARD_T0_CMD_LENGTH, 5),
    IS(SCARD_T1_PROLOGUE_LENGTH, 3),
    IS(SCARD_T1_EPILOGUE_LENGTH, 2),
    IS(SCARD_T1_EPILOGUE_LENGTH_LRC, 1),
    IS(SCARD_T1_MAX_IFS, 254),
};

static const struct constant attributes[] = {
    IS(SCARD_CLASS_VENDOR_INFO, 1),
    IS(SCARD_CLASS_COMMUNICATIONS, 2),
    IS(SCARD_CLASS_PROTOCOL, 3),
    IS(SCARD_CLASS_POWER_MGMT, 4),
    IS(SCARD_CLASS_SECURITY, 5),
    IS(SCARD_CLASS_MECHANICAL, 6),
    IS(SCARD_CLASS_VENDOR_DEFINED, 7),
    IS(SCARD_CLASS_IFD_PROTOCOL, 8),
    IS(SCARD_CLASS_ICC_STATE, 9),
    IS(SCARD_CLASS_PERF, 0x7FFE),
    IS(SCARD_CLASS_SYSTEM, 0x7FFF),
    IS(SCARD_ATTR_VALUE(1, 2), 0x00010002),
    IS(SCARD_ATTR_VENDOR_NAME, 0x00010100),
    IS(SCARD_ATTR_VENDOR_IFD_TYPE, 0x00010101),
    IS(SCARD_ATTR_VENDOR_IFD_VERSION, 0x00010102),
    IS(SCARD_ATTR_VENDOR_IFD_SERIAL_NO, 0x00010103),
    IS(SCARD_ATTR_CHANNEL_ID, 0x00020110),
    IS(SCARD_ATTR_PROTOCOL_TYPES, 0x00030120),
    IS(SCARD_ATTR_ASYNC_PROTOCOL_TYPES, 0x00030120),
    IS(SCARD_ATTR_DEFAULT_CLK, 0x00030121),
    IS(SCARD_ATTR_MAX_CLK, 0x00030122),
    IS(SCARD_ATTR_DEFAULT_DATA_RATE, 0x00030123),
    IS(SCARD_ATTR_MAX_DATA_RATE, 0x00030124),
    IS(SCARD_ATTR_MAX_IFSD, 0x00030125),
    IS(SCARD_ATTR_SYNC_PROTOCOL_TYPES, 0x00030126),
    IS(SCARD_ATTR_POWER_MGMT_SUPPORT, 0x00040131),
    IS(SCARD_ATTR_USER_TO_CARD_AUTH_DEVICE, 0x00050140),
    IS(SCARD_ATTR_USER_AUTH_INPUT_DEVICE, 0x00050142),
    IS(SCARD_ATTR_CHARACTERISTICS, 0x00060150),
    IS(SCARD_ATTR_CURRENT_PROTOCOL_TYPE, 0x00080201),
    IS(SCARD_ATTR_CURRENT_CLK, 0x00080202),
    IS(SCARD_ATTR_CURRENT_F, 0x00080203),
    IS(SCARD_ATTR_CURRENT_D, 0x00080204),
    IS(SCARD_ATTR_CURRENT_N, 0x00080205),
    IS(SCARD_ATTR_CURRENT_W, 0x00080206),
    IS(SCARD_ATTR_CURRENT_IFSC, 0x00080207),
    IS(SCARD_ATTR_CURRENT_IFSD, 0x00080208),
    IS(SCARD_ATTR_CURRENT_BWT, 0x00080209),
    IS(SCARD_ATTR_CURRENT_CWT, 0x0008020A),
    IS(SCARD_ATTR_CURRENT_EBC_ENCODING, 0x0008020B),
    IS(SCARD_ATTR_EXTENDED_BWT, 0x0008020C),
    IS(SCARD_ATTR_ICC_PRESENCE, 0x00090300),
    IS(SCARD_ATTR_ICC_INTERFACE_STATUS, 0x00090301),
    IS(SCARD_ATTR_CURRENT_IO_STATE, 0x00090302),
    IS(SCARD_ATTR_ATR_STRING, 0x00090303),
    IS(SCARD_ATTR_ICC_TYPE_PER_ATR, 0x00090304),
    IS(SCARD_ATTR_ESC_RESET, 0x0007A000),
    IS(SCARD_ATTR_ESC_CANCEL, 0x0007A003),
    IS(SCARD_ATTR_ESC_AUTHREQUEST, 0x0007A005),
    IS(SCARD_ATTR_MAXINPUT, 0x0007A007),
    IS(SCARD_ATTR_VENDOR_SPECIFIC_INFO, 0x0007A008),
    IS(SCARD_ATTR_DEVICE_UNIT, 0x7FFF0001),
    IS(SCARD_ATTR_DEVICE_IN_USE, 0x7FFF0002),
    IS(SCARD_ATTR_DEVICE_FRIENDLY_NAME_A, 0x7FFF0003),
    IS(SCARD_ATTR_DEVICE_SYSTEM_NAME_A, 0x7FFF0004),
    IS(SCARD_ATTR_DEVICE_FRIENDLY_NAME_W, 0x7FFF0005),
    IS(SCARD_ATTR_DEVICE_SYSTEM_NAME_W, 0x7FFF0006),
    IS(SCARD_ATTR_SUPRESS_T1_IFS_REQUEST, 0x7FFF0007),
    IS(SCARD_PERF_NUM_TRANSMISSIONS, 0x7FFE0001),
    IS(SCARD_PERF_BYTES_TRANSMITTED, 0x7FFE0002),
    IS(SCARD_PERF_TRANSMISSION_TIME, 0x7FFE0003),
};

static const struct constant library[] = {
    IS(SMCLIB_VERSION, 0x150),
    IS(SMC_DESCRIPTOR_MAX, 96),
    IS(SMC_TRACE_SUBMITTED, 'S'),
    IS(SMC_TRACE_COMPLETED, 'C'),
    IS(SMC_TRACE_INTERRUPT, 1),
    IS(SMC_TRACE_CONTROL, 2),
    IS(SMC_TRACE_BULK, 3),
    IS(SMCLIB_VERSION_REQUIRED, 0x100),
    IS(MIN_BUFFER_SIZE, 288),
    IS(MAXIMUM_ATR_CODES, 4),
    IS(MAXIMUM_ATR_LENGTH, 33),
    IS(ATR_BUFFER_SIZE, 64),
    IS(RDF_CARD_POWER, 0),
    IS(RDF_TRANSMIT, 1),
    IS(RDF_CARD_EJECT, 2),
    IS(RDF_READER_SWALLOW, 3),
    IS(RDF_CARD_TRACKING, 4),
    IS(RDF_SET_PROTOCOL, 5),
    IS(RDF_DEBUG_LEVEL, 6),
    IS(RDF_CARD_CONFISCATE, 7),
    IS(RDF_IOCTL_VENDOR, 8),
    IS(RDF_ATR_PARSE, 9),
    IS(RDF_COUNT, 16),
    IS(PTS_TYPE_DEFAULT, 0),
    IS(PTS_TYPE_OPTIMAL, 1),
    IS(PTS_TYPE_USER, 2),
    IS(T1_CRC_CHECK, 1),
    IS(T1_CWI_DEFAULT, 13), /* ISO/IEC 7816-3:2006 §11.4.3 */
    IS(T1_BWI_DEFAULT, 4),
    IS(T1_INIT, 0),
    IS(T1_START, 1),
    IS(T1_I_BLOCK, 2),
    IS(T1_R_BLOCK, 3),
    IS(T1_RESTART, 4),
    IS(T1_RESYNCH_REQUEST, 0xC0),
    IS(T1_RESYNCH_RESPONSE, 0xE0),
    IS(T1_IFS_REQUEST, 0xC1),
    IS(T1_IFS_RESPONSE, 0xE1),
    IS(T1_ABORT_REQUEST, 0xC2),
    IS(T1_ABORT_RESPONSE, 0xE2),
    IS(T1_WTX_REQUEST, 0xC3),
    IS(T1_WTX_RESPONSE, 0xE3),
    IS(T1_VPP_ERROR, 0xE4),
    IS(T1_MORE_DATA, 0x20),
    IS(T1_IFSD, 254),
    IS(T1_IFSD_DEFAULT, 32),
    IS(T1_MAX_RETRIES, 2),
    IS(T1_ERROR_CHKSUM, 1),
    IS(T1_ERROR_OTHER, 2),
    IS(DEBUG_IOCTL, 0x1),
    IS(DEBUG_ATR, 0x2),
    IS(DEBUG_PROTOCOL, 0x4),
    IS(DEBUG_DRIVER, 0x8),
    IS(DEBUG_TRACE, 0x10),
    IS(DEBUG_ERROR, 0x20),
    IS(DEBUG_INFO, 0x20),
    IS(DEBUG_PERF, 0x10000000),
    IS(DEBUG_T1_TEST, 0x40000000),
    IS(DEBUG_BREAK, 0x80000000),
    IS(DEBUG_ALL, 0xFFFF),
};

static const struct constant statuses[] = {
    IS(STATUS_SUCCESS, 0x00000000),
    IS(STATUS_TIMEOUT, 0x00000102),
    IS(STATUS_PENDING, 0x00000103),
    IS(STATUS_BUFFER_OVERFLOW, 0x80000005),
    IS(STATUS_DEVICE_POWERED_OFF, 0x8000000F),
    IS(STATUS_DEVICE_BUSY, 0x80000011),
    IS(STATUS_UNSUCCESSFUL, 0xC0000001),
    IS(STATUS_NOT_IMPLEMENTED, 0xC0000002),
    IS(STATUS_INVALID_PARAMETER, 0xC000000D),
    IS(STATUS_NO_SUCH_DEVICE, 0xC000000E),
    IS(STATUS_INVALID_DEVICE_REQUEST, 0xC0000010),
    IS(STATUS_UNRECOGNIZED_MEDIA, 0xC0000014),
    IS(STATUS_MORE_PROCESSING_REQUIRED, 0xC0000016),
    IS(STATUS_ACCESS_DENIED, 0xC0000022),
    IS(STATUS_BUFFER_TOO_SMALL, 0xC0000023),
    IS(STATUS_CRC_ERROR, 0xC000003F),
    IS(STATUS_DELETE_PENDING, 0xC0000056),
    IS(STATUS_INSUFFICIENT_RESOURCES, 0xC000009A),
    IS(STATUS_DEVICE_NOT_CONNECTED, 0xC000009D),
    IS(STATUS_DEVICE_NOT_READY, 0xC00000A3),
    IS(STATUS_IO_TIMEOUT, 0xC00000B5),
    IS(STATUS_NOT_SUPPORTED, 0xC00000BB),
    IS(STATUS_INTERNAL_ERROR, 0xC00000E5),
    IS(STATUS_INVALID_PARAMETER_1, 0xC00000EF),
    IS(STATUS_INVALID_PARAMETER_2, 0xC00000F0),
    IS(STATUS_CANCELLED, 0xC0000120),
    IS(STATUS_NO_MEDIA, 0xC0000178),
    IS(STATUS_INVALID_DEVICE_STATE, 0xC0000184),
    IS(STATUS_IO_DEVICE_ERROR, 0xC0000185),
    IS(STATUS_DEVICE_PROTOCOL_ERROR, 0xC0000186),
    IS(STATUS_CONNECTION_RESET, 0xC000020D),
    IS(STATUS_DEVICE_REMOVED, 0xC00002B6),
};

static const struct constant io_manager[] = {
    IS(TRUE, 1),
    IS(FALSE, 0),
    IS(PASSIVE_LEVEL, 0),
    IS(DISPATCH_LEVEL, 2),
    IS(IRP_MJ_CREATE, 0x00),
    IS(IRP_MJ_CLOSE, 0x02),
    IS(IRP_MJ_DEVICE_CONTROL, 0x0E),
    IS(IRP_MJ_INTERNAL_DEVICE_CONTROL, 0x0F),
    IS(IRP_MJ_CLEANUP, 0x12),
    IS(IRP_MJ_POWER, 0x16),
    IS(IRP_MJ_SYSTEM_CONTROL, 0x17),
    IS(IRP_MJ_PNP, 0x1B),
    IS(IRP_MJ_MAXIMUM_FUNCTION, 0x1B),
    IS(IRP_MN_START_DEVICE, 0x00),
    IS(IRP_MN_QUERY_REMOVE_DEVICE, 0x01),
    IS(IRP_MN_REMOVE_DEVICE, 0x02),
    IS(IRP_MN_CANCEL_REMOVE_DEVICE, 0x03),
    IS(IRP_MN_STOP_DEVICE, 0x04),
    IS(IRP_MN_QUERY_STOP_DEVICE, 0x05),
    IS(IRP_MN_CANCEL_STOP_DEVICE, 0x06),
    IS(IRP_MN_SURPRISE_REMOVAL, 0x17),
    IS(IRP_MN_SET_POWER, 0x02),
    IS(IRP_MN_QUERY_POWER, 0x03),
    IS(PowerSystemUnspecified, 0),
    IS(PowerSystemWorking, 1),
    IS(PowerSystemSleeping1, 2),
    IS(PowerSystemSleeping2, 3),
    IS(PowerSystemSleeping3, 4),
    IS(PowerSystemHibernate, 5),
    IS(PowerSystemShutdown, 6),
    IS(PowerDeviceUnspecified, 0),
    IS(PowerDeviceD0, 1),
    IS(PowerDeviceD1, 2),
    IS(PowerDeviceD2, 3),
    IS(PowerDeviceD3, 4),
    IS(SystemPowerState, 0),
    IS(DevicePowerState, 1),
    IS(SL_PENDING_RETURNED, 0x01),
    IS(DO_BUFFERED_IO, 0x00000004),
    IS(DO_DEVICE_INITIALIZING, 0x00000080),
    IS(DO_POWER_PAGABLE, 0x00002000),
    IS(IO_NO_INCREMENT, 0),
    IS(IO_SMARTCARD_INCREMENT, 0), /* no priorities here */
};

/* The mount's own ABI: sizes are those of Linux' _IOC on every architecture but for the
 * direction bits, so the calls are checked by their parts. */
static const struct constant mount_abi[] = {
    IS(SCARD_IOC_VERSION, 1),
    IS(SCARD_IOC_MAGIC, 'S'),
    IS(SCARD_CALL_HEADER_SIZE, 32),
    IS(SCARD_CALL_SIZE_MAX, 16383),
    IS(SCARD_CALL_DATA_MAX, 16351),
    IS(SCARD_TIMEOUT_INFINITE, 0xFFFFFFFF),
    IS(_IOC_DIR(SCARD_IOC_CALL(32)), _IOC_READ | _IOC_WRITE),
    IS(_IOC_TYPE(SCARD_IOC_CALL(32)), 'S'),
    IS(_IOC_NR(SCARD_IOC_CALL(32)), 1),
    IS(_IOC_SIZE(SCARD_IOC_CALL(16383)), 16383),
    IS(_IOC_NR(SCARD_IOC_CONNECT), 2),
    IS(_IOC_NR(SCARD_IOC_DISCONNECT), 3),
    IS(_IOC_NR(SCARD_IOC_BEGIN), 4),
    IS(_IOC_NR(SCARD_IOC_END), 5),
    IS(_IOC_NR(SCARD_IOC_REPLY_SIZE), 6),
    IS(_IOC_NR(SCARD_IOC_INFO), 7),
    IS(_IOC_SIZE(SCARD_IOC_CONNECT), 80),
    IS(_IOC_SIZE(SCARD_IOC_DISCONNECT), 24),
    IS(_IOC_SIZE(SCARD_IOC_BEGIN), 56),
    IS(_IOC_SIZE(SCARD_IOC_END), 24),
    IS(_IOC_SIZE(SCARD_IOC_REPLY_SIZE), 24),
    IS(_IOC_SIZE(SCARD_IOC_INFO), 148),
    IS(SCARD_SHARE_MODE_EXCLUSIVE, 1),
    IS(SCARD_SHARE_MODE_SHARED, 2),
    IS(SCARD_SHARE_MODE_DIRECT, 3),
    IS(SCARD_DISPOSITION_LEAVE, 0),
    IS(SCARD_DISPOSITION_RESET, 1),
    IS(SCARD_DISPOSITION_UNPOWER, 2),
    IS(SCARD_DISPOSITION_EJECT, 3),
    IS(SCARD_CALL_KEEP, 1),
    IS(SCARD_CONNECT_TELL_RESETS, 1),
    IS(SCARD_CONNECT_KEEP, 2),
    IS(SCARD_DISCONNECT_FORGET, 1),
    IS(SCARD_INFO_EXCLUSIVE, 0x01),
    IS(SCARD_INFO_LOST, 0x02),
    IS(SCARD_INFO_RESET, 0x04),
    IS(SCARD_INFO_RESETTING, 0x08),
    IS(SCARD_INFO_SETTLED, 0x40),
    IS(SCARD_INFO_MUTE, 0x10),
    IS(SCARD_INFO_PRESENT, 0x20),
    IS(SCARD_LABEL_MAX, 32),
    IS(SCARD_ATR_ROOM, 36),
    IS(SCARD_APDU_MIN, 4),
    IS(SCARD_APDU_MAX, 4 + 3 + 65535 + 2),
    IS(SCARD_REPLY_MAX, 65536 + 2),
    IS(SCARD_FEATURE_VERIFY_PIN_DIRECT, 0x06),
    IS(SCARD_FEATURE_MODIFY_PIN_DIRECT, 0x07),
    IS(SCARD_FEATURE_MCT_READER_DIRECT, 0x08),
    IS(SCARD_FEATURE_IFD_PIN_PROPERTIES, 0x0A),
    IS(SCARD_FEATURE_GET_TLV_PROPERTIES, 0x12),
    IS(SCARD_FEATURE_CCID_ESC_COMMAND, 0x13),
    IS(SCARD_PROPERTY_LCD_LAYOUT, 1),
    IS(SCARD_PROPERTY_ENTRY_VALIDATION_CONDITION, 2),
    IS(SCARD_PROPERTY_TIMEOUT2, 3),
    IS(SCARD_PROPERTY_LCD_MAX_CHARACTERS, 4),
    IS(SCARD_PROPERTY_LCD_MAX_LINES, 5),
    IS(SCARD_PROPERTY_MIN_PIN_SIZE, 6),
    IS(SCARD_PROPERTY_MAX_PIN_SIZE, 7),
    IS(SCARD_PROPERTY_FIRMWARE_ID, 8),
    IS(SCARD_PROPERTY_PPDU_SUPPORT, 9),
    IS(SCARD_PROPERTY_MAX_APDU_DATA_SIZE, 10),
    IS(SCARD_PROPERTY_ID_VENDOR, 11),
    IS(SCARD_PROPERTY_ID_PRODUCT, 12),
    IS(SCARD_PIN_APDU_MAX, 260),
    IS(offsetof(struct scard_pin_verify, wPINMaxExtraDigit), 5),
    IS(offsetof(struct scard_pin_verify, wLangId), 9),
    IS(offsetof(struct scard_pin_verify, ulDataLength), 15),
    IS(offsetof(struct scard_pin_modify, wPINMaxExtraDigit), 7),
    IS(offsetof(struct scard_pin_modify, wLangId), 12),
    IS(offsetof(struct scard_pin_modify, bTeoPrologue), 17),
    IS(offsetof(struct scard_pin_modify, ulDataLength), 20),
};

/* What travels between programs and daemon, or is laid out by the Windows headers. */
static const struct constant layouts[] = {
    IS(sizeof(ULONG), 4),
    IS(sizeof(NTSTATUS), 4),
    IS(sizeof(GUID), 16),
    IS(sizeof(LARGE_INTEGER), 8),
    IS(sizeof(WCHAR), 2),
    IS(sizeof(SCARD_IO_REQUEST), 8),
    IS(offsetof(SCARD_IO_REQUEST, cbPciLength), 4),
    IS(sizeof(SCARD_T0_COMMAND), 5),
    IS(offsetof(SCARD_T0_REQUEST, bSw1), 8),
    IS(offsetof(SCARD_T0_REQUEST, CmdBytes), 10),
    IS(sizeof(SCARD_T1_REQUEST), 8),
    IS(offsetof(VENDOR_ATTR, UnitNo), 68),
    IS(offsetof(VENDOR_ATTR, IfdVersion), 72),
    IS(offsetof(VENDOR_ATTR, IfdSerialNo), 76),
    IS(sizeof(PTS_DATA), 16),
    IS(sizeof(struct scard_call), 32),
    IS(offsetof(struct scard_call, code), 8),
    IS(offsetof(struct scard_call, in_len), 12),
    IS(offsetof(struct scard_call, out_len), 16),
    IS(offsetof(struct scard_call, status), 20),
    IS(offsetof(struct scard_call, timeout_ms), 24),
    IS(offsetof(struct scard_call, flags), 28),
    IS(offsetof(struct scard_call, data), 32),
    IS(offsetof(struct scard_connect, status), 20),
    IS(offsetof(struct scard_connect, atr), 36),
    IS(offsetof(struct scard_connect, flags), 72),
    IS(offsetof(struct scard_begin, label), 16),
    IS(offsetof(struct scard_info, state), 12),
    IS(offsetof(struct scard_info, owner_label), 48),
    IS(offsetof(struct scard_info, atr), 96),
    IS(offsetof(struct scard_info, connections), 132),
    IS(offsetof(struct scard_info, flags), 136),
};

static void check(const struct constant *table, size_t count)
{
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        if (table[i].actual == table[i].published)
            continue;
        print_error("%s is 0x%08x, published 0x%08x\n", table[i].name, table[i].actual,
                    table[i].published);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

#define CHECK(table) check((table), sizeof(table) / sizeof((table)[0]))

static void test_control_codes_have_published_values(void **state)
{
    (void)state;
    CHECK(control_codes);
}

static void test_states_and_protocols_have_published_values(void **state)
{
    (void)state;
    CHECK(states_and_protocols);
}

static void test_attributes_have_published_tags(void **state)
{
    (void)state;
    CHECK(attributes);
}

static void test_library_constants_have_published_values(void **state)
{
    (void)state;
    CHECK(library);
}

static void test_statuses_have_published_values(void **state)
{
    (void)state;
    CHECK(statuses);
}

static void test_io_manager_constants_have_published_values(void **state)
{
    (void)state;
    CHECK(io_manager);
}

static void test_mount_abi_is_version_1(void **state)
{
    (void)state;
    CHECK(mount_abi);
}

static void test_layouts_are_fixed(void **state)
{
    (void)state;
    CHECK(layouts);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_codes_have_published_values),
        cmocka_unit_test(test_states_and_protocols_have_published_values),
        cmocka_unit_test(test_attributes_have_published_tags),
        cmocka_unit_test(test_library_constants_have_published_values),
        cmocka_unit_test(test_statuses_have_published_values),
        cmocka_unit_test(test_io_manager_constants_have_published_values),
        cmocka_unit_test(test_mount_abi_is_version_1),
        cmocka_unit_test(test_layouts_are_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
