/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attr.c - the attributes of reader and card, all answered from the extension. The table
 * says for each tag where its value lies and what must be true for it to exist.
 */
#include "internal.h"

enum kind {
    TEXT,     /* a USHORT length and its characters; missing when empty */
    FROM_U8,  /* a UCHAR, answered as a DWORD */
    FROM_U32, /* an ULONG, answered as a DWORD */
    DWORD_OF, /* computed */
    BYTE_OF,  /* computed, answered as one byte */
    ATR,
};

enum need {
    NOTHING,
    CARD,     /* without: STATUS_INVALID_DEVICE_STATE */
    PROTOCOL, /* selected; without: STATUS_INVALID_DEVICE_STATE */
    T0,       /* selected; another one: STATUS_NOT_SUPPORTED */
    T1,
};

typedef ULONG attr_getter(const SMARTCARD_EXTENSION *ext);

struct attribute {
    ULONG tag;
    enum kind kind;
    enum need need;
    size_t offset; /* in the extension */
    attr_getter *get;
};

/* ---- computed values ------------------------------------------------------------- */

static ULONG get_version(const SMARTCARD_EXTENSION *ext)
{
    return (ULONG)ext->VendorAttr.IfdVersion.VersionMajor << 24 |
           (ULONG)ext->VendorAttr.IfdVersion.VersionMinor << 16 |
           ext->VendorAttr.IfdVersion.BuildNumber;
}

static ULONG get_channel(const SMARTCARD_EXTENSION *ext)
{
    return ext->ReaderCapabilities.ReaderType << 16 |
           (ext->ReaderCapabilities.Channel & 0xFFFF);
}

static ULONG get_f(const SMARTCARD_EXTENSION *ext)
{
    return smc_clock_rates[ext->CardCapabilities.PtsData.Fl & 0xF].F;
}

static ULONG get_d(const SMARTCARD_EXTENSION *ext)
{
    return smc_bit_rates[ext->CardCapabilities.PtsData.Dl & 0xF].DNumerator;
}

static const struct smc_private *private_of(const SMARTCARD_EXTENSION *ext)
{
    return CONTAINING_RECORD(ext->OsData, struct smc_private, os);
}

static ULONG get_ifsd(const SMARTCARD_EXTENSION *ext)
{
    return private_of(ext)->t1_ifsd;
}

static ULONG get_wtx(const SMARTCARD_EXTENSION *ext)
{
    return private_of(ext)->t1_wtx;
}

static ULONG get_presence(const SMARTCARD_EXTENSION *ext)
{
    if (ext->ReaderCapabilities.CardConfiscated)
        return 4;
    if (ext->ReaderCapabilities.CurrentState <= SCARD_ABSENT)
        return 0;
    return ext->ReaderCapabilities.CurrentState == SCARD_PRESENT ? 1 : 2;
}

static ULONG get_contacts_active(const SMARTCARD_EXTENSION *ext)
{
    return ext->ReaderCapabilities.CurrentState > SCARD_SWALLOWED;
}

static ULONG get_card_type(const SMARTCARD_EXTENSION *ext)
{
    return ext->CardCapabilities.Protocol.Supported != 0; /* 1: ISO 7816 asynchronous */
}

/* ---- the table ------------------------------------------------------------------- */

#define AT(member)  offsetof(SMARTCARD_EXTENSION, member), NULL
#define READER(m)   AT(ReaderCapabilities.m)
#define THE_CARD(m) AT(CardCapabilities.m)

static const struct attribute attributes[] = {
    {SCARD_ATTR_VENDOR_NAME, TEXT, NOTHING, AT(VendorAttr.VendorName)},
    {SCARD_ATTR_VENDOR_IFD_TYPE, TEXT, NOTHING, AT(VendorAttr.IfdType)},
    {SCARD_ATTR_VENDOR_IFD_VERSION, DWORD_OF, NOTHING, 0, get_version},
    {SCARD_ATTR_VENDOR_IFD_SERIAL_NO, TEXT, NOTHING, AT(VendorAttr.IfdSerialNo)},
    {SCARD_ATTR_CHANNEL_ID, DWORD_OF, NOTHING, 0, get_channel},
    {SCARD_ATTR_PROTOCOL_TYPES, FROM_U32, NOTHING, READER(SupportedProtocols)},
    {SCARD_ATTR_DEFAULT_CLK, FROM_U32, NOTHING, READER(CLKFrequency.Default)},
    {SCARD_ATTR_MAX_CLK, FROM_U32, NOTHING, READER(CLKFrequency.Max)},
    {SCARD_ATTR_DEFAULT_DATA_RATE, FROM_U32, NOTHING, READER(DataRate.Default)},
    {SCARD_ATTR_MAX_DATA_RATE, FROM_U32, NOTHING, READER(DataRate.Max)},
    {SCARD_ATTR_MAX_IFSD, FROM_U32, NOTHING, READER(MaxIFSD)},
    {SCARD_ATTR_POWER_MGMT_SUPPORT, FROM_U32, NOTHING, READER(PowerMgmtSupport)},
    {SCARD_ATTR_CHARACTERISTICS, FROM_U32, NOTHING, READER(MechProperties)},
    {SCARD_ATTR_CURRENT_PROTOCOL_TYPE, FROM_U32, PROTOCOL, THE_CARD(Protocol.Selected)},
    {SCARD_ATTR_CURRENT_CLK, FROM_U32, PROTOCOL, THE_CARD(PtsData.CLKFrequency)},
    {SCARD_ATTR_CURRENT_F, DWORD_OF, PROTOCOL, 0, get_f},
    {SCARD_ATTR_CURRENT_D, DWORD_OF, PROTOCOL, 0, get_d},
    {SCARD_ATTR_CURRENT_N, FROM_U8, PROTOCOL, THE_CARD(N)},
    {SCARD_ATTR_CURRENT_W, FROM_U8, T0, THE_CARD(T0.WI)},
    {SCARD_ATTR_CURRENT_IFSC, FROM_U8, T1, THE_CARD(T1.IFSC)},
    {SCARD_ATTR_CURRENT_IFSD, DWORD_OF, T1, 0, get_ifsd},
    {SCARD_ATTR_CURRENT_BWT, FROM_U32, T1, THE_CARD(T1.BWT)},
    {SCARD_ATTR_CURRENT_CWT, FROM_U32, T1, THE_CARD(T1.CWT)},
    {SCARD_ATTR_CURRENT_EBC_ENCODING, FROM_U8, T1, THE_CARD(T1.EDC)},
    {SCARD_ATTR_EXTENDED_BWT, DWORD_OF, T1, 0, get_wtx},
    {SCARD_ATTR_ICC_PRESENCE, BYTE_OF, NOTHING, 0, get_presence},
    {SCARD_ATTR_ICC_INTERFACE_STATUS, BYTE_OF, NOTHING, 0, get_contacts_active},
    {SCARD_ATTR_ATR_STRING, ATR, CARD, 0, NULL},
    {SCARD_ATTR_ICC_TYPE_PER_ATR, BYTE_OF, CARD, 0, get_card_type},
    {SCARD_ATTR_DEVICE_UNIT, FROM_U32, NOTHING, AT(VendorAttr.UnitNo)},
};

static const struct attribute *find(ULONG tag)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (attributes[i].tag == tag)
            return &attributes[i];
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------- */

static NTSTATUS need_met(const SMARTCARD_EXTENSION *ext, enum need need)
{
    ULONG selected = ext->CardCapabilities.Protocol.Selected;

    if (need == NOTHING)
        return STATUS_SUCCESS;
    if (ext->ReaderCapabilities.CurrentState <= SCARD_ABSENT)
        return STATUS_INVALID_DEVICE_STATE;
    if (need == CARD)
        return STATUS_SUCCESS;
    if (selected == SCARD_PROTOCOL_UNDEFINED)
        return STATUS_INVALID_DEVICE_STATE;
    if ((need == T0 && selected != SCARD_PROTOCOL_T0) ||
        (need == T1 && selected != SCARD_PROTOCOL_T1))
        return STATUS_NOT_SUPPORTED;
    return STATUS_SUCCESS;
}

static NTSTATUS put(PUCHAR value, ULONG room, ULONG *len, const void *from, ULONG size)
{
    if (room < size)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(value, from, size);
    *len = size;
    return STATUS_SUCCESS;
}

static NTSTATUS put_number(PUCHAR value, ULONG room, ULONG *len, ULONG number)
{
    return put(value, room, len, &number, sizeof number);
}

static NTSTATUS put_text(PUCHAR value, ULONG room, ULONG *len, const UCHAR *field)
{
    USHORT length;

    memcpy(&length, field, sizeof length);
    if (length == 0 || length > MAXIMUM_ATTR_STRING_LENGTH)
        return STATUS_NOT_SUPPORTED;
    return put(value, room, len, field + sizeof length, length);
}

static NTSTATUS get_locked(const SMARTCARD_EXTENSION *ext, const struct attribute *attr,
                           PUCHAR value, ULONG room, ULONG *len)
{
    const UCHAR *field = (const UCHAR *)ext + attr->offset;
    NTSTATUS status = need_met(ext, attr->need);
    ULONG number;
    UCHAR byte;

    if (!NT_SUCCESS(status))
        return status;
    switch (attr->kind) {
    case TEXT:
        return put_text(value, room, len, field);
    case FROM_U8:
        return put_number(value, room, len, *field);
    case FROM_U32:
        memcpy(&number, field, sizeof number);
        return put_number(value, room, len, number);
    case DWORD_OF:
        return put_number(value, room, len, attr->get(ext));
    case BYTE_OF:
        byte = (UCHAR)attr->get(ext);
        return put(value, room, len, &byte, sizeof byte);
    default: /* ATR */
        break;
    }
    if (ext->CardCapabilities.ATR.Length == 0 ||
        ext->CardCapabilities.ATR.Length > SCARD_ATR_LENGTH)
        return STATUS_INVALID_DEVICE_STATE;
    return put(value, room, len, ext->CardCapabilities.ATR.Buffer,
               ext->CardCapabilities.ATR.Length);
}

NTSTATUS smc_attr_get(PSMARTCARD_EXTENSION ext, ULONG tag, PUCHAR value, ULONG room,
                      ULONG *len)
{
    const struct attribute *attr = find(tag);
    NTSTATUS status;
    KIRQL irql;

    if (attr == NULL)
        return STATUS_NOT_SUPPORTED;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    status = get_locked(ext, attr, value, room, len);
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return status;
}

NTSTATUS smc_attr_set(PSMARTCARD_EXTENSION ext, ULONG tag, const UCHAR *value, ULONG len)
{
    ULONG number;
    KIRQL irql;

    if (tag != SCARD_ATTR_DEVICE_IN_USE && tag != SCARD_ATTR_SUPRESS_T1_IFS_REQUEST)
        return STATUS_NOT_SUPPORTED;
    if (len < sizeof number)
        return STATUS_INVALID_PARAMETER;
    if (tag == SCARD_ATTR_SUPRESS_T1_IFS_REQUEST) {
        memcpy(&number, value, sizeof number);
        KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
        ext->OsData->SuppressT1IfsRequest = number != 0;
        KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    }
    return STATUS_SUCCESS;
}
