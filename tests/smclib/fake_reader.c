/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

#include <ctype.h>

static struct fake_reader *reader_of(PSMARTCARD_EXTENSION ext)
{
    return (struct fake_reader *)(void *)ext->ReaderExtension;
}

static struct fake_reader *called(PSMARTCARD_EXTENSION ext, unsigned index)
{
    struct fake_reader *reader = reader_of(ext);

    reader->calls[index]++;
    reader->major = ext->MajorIoControlCode;
    reader->minor = ext->MinorIoControlCode;
    if (reader->in_callback != NULL)
        reader->in_callback(reader);
    return reader;
}

static NTSTATUS card_power(PSMARTCARD_EXTENSION ext)
{
    struct fake_reader *reader = called(ext, RDF_CARD_POWER);
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    if (reader->power_status != STATUS_SUCCESS)
        return reader->power_status;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (ext->ReaderCapabilities.CurrentState <= SCARD_ABSENT) { /* gone meanwhile */
        status = STATUS_NO_MEDIA;
    } else if (ext->MinorIoControlCode == SCARD_POWER_DOWN) {
        ext->ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
    } else {
        memcpy(ext->CardCapabilities.ATR.Buffer, reader->atr, reader->atr_len);
        ext->CardCapabilities.ATR.Length = reader->atr_len;
    }
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (ext->MinorIoControlCode == SCARD_POWER_DOWN || !NT_SUCCESS(status))
        return status;
    status = SmartcardUpdateCardCapabilities(ext);
    if (!NT_SUCCESS(status))
        return status;
    memcpy(ext->IoRequest.ReplyBuffer, reader->atr, reader->atr_len);
    *ext->IoRequest.Information = reader->atr_len;
    return STATUS_SUCCESS;
}

static NTSTATUS transmit(PSMARTCARD_EXTENSION ext)
{
    struct fake_reader *reader = called(ext, RDF_TRANSMIT);
    NTSTATUS status;

    if (reader->transmit_status != STATUS_SUCCESS)
        return reader->transmit_status;
    ext->SmartcardRequest.BufferLength = 0;
    if (ext->CardCapabilities.Protocol.Selected == SCARD_PROTOCOL_T0)
        status = SmartcardT0Request(ext);
    else
        status = SmartcardRawRequest(ext);
    if (!NT_SUCCESS(status))
        return status;
    reader->sent_len = ext->SmartcardRequest.BufferLength;
    memcpy(reader->sent, ext->SmartcardRequest.Buffer,
           reader->sent_len < sizeof reader->sent ? reader->sent_len
                                                  : sizeof reader->sent);
    memcpy(ext->SmartcardReply.Buffer, reader->answer, reader->answer_len);
    ext->SmartcardReply.BufferLength = reader->answer_len;
    return SmartcardRawReply(ext);
}

static NTSTATUS set_protocol(PSMARTCARD_EXTENSION ext)
{
    struct fake_reader *reader = called(ext, RDF_SET_PROTOCOL);
    ULONG chosen = SCARD_PROTOCOL_RAW;
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    if (reader->protocol_status != STATUS_SUCCESS)
        return reader->protocol_status;
    if (ext->MinorIoControlCode & SCARD_PROTOCOL_T0)
        chosen = SCARD_PROTOCOL_T0;
    if (ext->MinorIoControlCode & SCARD_PROTOCOL_T1)
        chosen = SCARD_PROTOCOL_T1;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (ext->ReaderCapabilities.CurrentState != SCARD_NEGOTIABLE) { /* gone meanwhile */
        status = STATUS_NO_MEDIA;
    } else {
        ext->CardCapabilities.Protocol.Selected = chosen;
        ext->ReaderCapabilities.CurrentState = SCARD_SPECIFIC;
    }
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (!NT_SUCCESS(status))
        return status;
    memcpy(ext->IoRequest.ReplyBuffer, &chosen, sizeof chosen);
    *ext->IoRequest.Information = sizeof chosen;
    return STATUS_SUCCESS;
}

static NTSTATUS card_tracking(PSMARTCARD_EXTENSION ext)
{
    struct fake_reader *reader = reader_of(ext);

    __atomic_add_fetch(&reader->calls[RDF_CARD_TRACKING], 1, __ATOMIC_RELAXED);
    return reader->tracking_status;
}

void fake_reader_setup(struct fake_reader *reader)
{
    PSMARTCARD_EXTENSION ext = &reader->ext;

    memset(reader, 0, sizeof *reader);
    reader->device.DriverObject = &reader->driver;
    reader->file.DeviceObject = &reader->device;
    reader->tracking_status = STATUS_PENDING;
    ext->ReaderExtension = (struct _READER_EXTENSION *)(void *)reader;
    ext->Version = SMCLIB_VERSION;
    ext->VendorAttr.VendorName.Length = 4;
    memcpy(ext->VendorAttr.VendorName.Buffer, "ACME", 4);
    ext->VendorAttr.IfdType.Length = 6;
    memcpy(ext->VendorAttr.IfdType.Buffer, "CCID 1", 6);
    ext->ReaderFunction[RDF_CARD_POWER] = card_power;
    ext->ReaderFunction[RDF_TRANSMIT] = transmit;
    ext->ReaderFunction[RDF_SET_PROTOCOL] = set_protocol;
    ext->ReaderFunction[RDF_CARD_TRACKING] = card_tracking;
    ext->ReaderCapabilities.SupportedProtocols = SCARD_PROTOCOL_Tx;
    ext->ReaderCapabilities.ReaderType = SCARD_READER_TYPE_USB;
    ext->ReaderCapabilities.CurrentState = SCARD_ABSENT;
    ext->ReaderCapabilities.CLKFrequency.Default = 3580;
    ext->ReaderCapabilities.CLKFrequency.Max = 4000;
    ext->ReaderCapabilities.DataRate.Default = 9623;
    ext->ReaderCapabilities.DataRate.Max = 344086;
    ext->ReaderCapabilities.MaxIFSD = 254;
    fake_reader_set_atr(reader, ATR_T0);
    reader->answer_len = (ULONG)fake_hex("90 00", reader->answer, sizeof reader->answer);
    assert_int_equal(SmartcardInitialize(ext), STATUS_SUCCESS);
    ext->OsData->DeviceObject = &reader->device;
}

void fake_reader_teardown(struct fake_reader *reader)
{
    SmartcardExit(&reader->ext);
}

void fake_reader_set_state(struct fake_reader *reader, ULONG state)
{
    PSMARTCARD_EXTENSION ext = &reader->ext;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->ReaderCapabilities.CurrentState = state;
    if (state <= SCARD_ABSENT) {
        ext->CardCapabilities.ATR.Length = 0;
        ext->CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    }
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
}

void fake_reader_insert(struct fake_reader *reader)
{
    fake_reader_set_state(reader, SCARD_SWALLOWED);
    SmartcardCompleteCardTracking(&reader->ext);
}

void fake_reader_remove(struct fake_reader *reader)
{
    fake_reader_set_state(reader, SCARD_ABSENT);
    SmartcardCompleteCardTracking(&reader->ext);
}

void fake_reader_set_atr(struct fake_reader *reader, const char *hex)
{
    reader->atr_len = (UCHAR)fake_hex(hex, reader->atr, sizeof reader->atr);
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, tolower((unsigned char)c));

    return (int)(at - digits);
}

size_t fake_hex(const char *hex, UCHAR *bytes, size_t room)
{
    size_t len = 0;

    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_true(len < room);
        bytes[len++] = (UCHAR)(digit(hex[0]) << 4 | digit(hex[1]));
        hex += 2;
    }
    return len;
}

static VOID completed(PIRP irp, PVOID context)
{
    struct fake_request *request = context;

    request->status = irp->IoStatus.Status;
    request->information = (ULONG)irp->IoStatus.Information;
    __atomic_add_fetch(&request->completions, 1, __ATOMIC_SEQ_CST);
}

void fake_prepare(struct fake_reader *reader, struct fake_request *request, ULONG code,
                  const char *in_hex, ULONG out_len)
{
    size_t in_len = fake_hex(in_hex, request->buffer, sizeof request->buffer);

    request->completions = 0;
    assert_true(out_len <= sizeof request->buffer);
    smc_irp_init_ioctl(&request->irp, &reader->device, &reader->file, code,
                       request->buffer, (ULONG)in_len, out_len, completed, request);
}

NTSTATUS fake_send(struct fake_reader *reader, struct fake_request *request, ULONG code,
                   const char *in_hex, ULONG out_len)
{
    fake_prepare(reader, request, code, in_hex, out_len);
    return SmartcardDeviceControl(&reader->ext, &request->irp);
}

void fake_expect_at(struct fake_reader *reader, ULONG code, const char *in_hex,
                    ULONG out_len, NTSTATUS status, const char *out_hex, const char *file,
                    int line)
{
    static struct fake_request request;
    UCHAR expected[600];
    size_t expected_len = fake_hex(out_hex, expected, sizeof expected);
    NTSTATUS returned = fake_send(reader, &request, code, in_hex, out_len);

    _assert_int_equal(request.completions, 1, file, line);
    _assert_string_equal(smc_status_name(request.status), smc_status_name(status), file,
                         line);
    _assert_int_equal((unsigned)returned, (unsigned)request.status, file, line);
    _assert_int_equal(request.information, expected_len, file, line);
    _assert_memory_equal(request.buffer, expected, expected_len, file, line);
}
