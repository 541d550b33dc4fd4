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
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql); /* as it was decoded */
    memcpy(ext->IoRequest.ReplyBuffer, ext->CardCapabilities.ATR.Buffer,
           ext->CardCapabilities.ATR.Length);
    *ext->IoRequest.Information = ext->CardCapabilities.ATR.Length;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
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

/* ---- dispatch routines ----------------------------------------------------------- */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS dispatch_file(PDEVICE_OBJECT device, PIRP irp)
{
    struct fake_reader *reader = device->DeviceExtension;
    bool was_open = reader->open;

    switch (irp->Stack.MajorFunction) {
    case IRP_MJ_CREATE:
        reader->open = true;
        return complete(irp, was_open ? STATUS_DEVICE_BUSY : STATUS_SUCCESS);
    case IRP_MJ_CLEANUP:
        SmcCleanupFile(&reader->ext, irp->Stack.FileObject);
        return complete(irp, STATUS_SUCCESS);
    default: /* IRP_MJ_CLOSE */
        reader->open = false;
        return complete(irp, STATUS_SUCCESS);
    }
}

static NTSTATUS dispatch_control(PDEVICE_OBJECT device, PIRP irp)
{
    struct fake_reader *reader = device->DeviceExtension;

    return SmartcardDeviceControl(&reader->ext, irp);
}

static NTSTATUS dispatch_power(PDEVICE_OBJECT device, PIRP irp)
{
    struct fake_reader *reader = device->DeviceExtension;
    bool was_in = reader->ext.ReaderCapabilities.CurrentState > SCARD_ABSENT;

    if (irp->Stack.Parameters.Power.State.DeviceState != PowerDeviceD0) {
        reader->card_in = was_in;
        if (was_in)
            fake_reader_set_state(reader, SCARD_SWALLOWED);
    } else if (was_in || reader->card_in) { /* nobody has watched it */
        fake_reader_set_state(reader, reader->card_in ? SCARD_SWALLOWED : SCARD_ABSENT);
        SmartcardCompleteCardTracking(&reader->ext);
    }
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS dispatch_pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct fake_reader *reader = device->DeviceExtension;

    if (irp->Stack.MinorFunction == IRP_MN_SURPRISE_REMOVAL) {
        SmcEndCardTracking(&reader->ext, STATUS_DEVICE_REMOVED);
        if (reader->ext.OsData->CallbackPending)
            SmartcardCompleteRequest(&reader->ext, STATUS_DEVICE_REMOVED, 0);
        fake_reader_set_state(reader, SCARD_ABSENT);
    } else if (irp->Stack.MinorFunction == IRP_MN_REMOVE_DEVICE) {
        SmartcardAcquireRemoveLock(&reader->ext);
        SmartcardReleaseRemoveLockAndWait(&reader->ext);
    }
    return complete(irp, STATUS_SUCCESS);
}

NTSTATUS fake_reader_call(struct fake_reader *reader, UCHAR major, UCHAR minor)
{
    return smc_irp_send(&reader->device, &reader->file, major, minor);
}

static VOID ignore(PIRP irp, PVOID context)
{
    (void)irp;
    (void)context;
}

void fake_reader_set_power(struct fake_reader *reader, DEVICE_POWER_STATE power)
{
    IRP irp;

    smc_irp_init(&irp, &reader->device, NULL, IRP_MJ_POWER, IRP_MN_SET_POWER, ignore,
                 NULL);
    irp.Stack.Parameters.Power.Type = DevicePowerState;
    irp.Stack.Parameters.Power.State.DeviceState = power;
    assert_status(IoCallDriver(&reader->device, &irp), STATUS_SUCCESS);
}

void fake_reader_setup(struct fake_reader *reader)
{
    PSMARTCARD_EXTENSION ext = &reader->ext;

    memset(reader, 0, sizeof *reader);
    reader->driver.MajorFunction[IRP_MJ_CREATE] = dispatch_file;
    reader->driver.MajorFunction[IRP_MJ_CLEANUP] = dispatch_file;
    reader->driver.MajorFunction[IRP_MJ_CLOSE] = dispatch_file;
    reader->driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = dispatch_control;
    reader->driver.MajorFunction[IRP_MJ_POWER] = dispatch_power;
    reader->driver.MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
    reader->device.DriverObject = &reader->driver;
    reader->device.DeviceExtension = reader;
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
