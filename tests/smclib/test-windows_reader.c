/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver written as for Windows (windows_reader.c, windows_callbacks.c), run by the I/O
 * manager, with a reader and card whose every exchange stands in the test.
 */
#include "fake_reader.h"
#include "windows_reader.h"

struct exchange {
    const char *request; /* with the reader's header */
    const char *reply;
    NTSTATUS status;
};

static struct {
    const char *atr;
    ULONG minor; /* the last one */
    const struct exchange *next;
    const struct exchange *end;
} card;

static NTSTATUS power(PVOID context, ULONG minor, PUCHAR atr, PULONG atr_len)
{
    assert_ptr_equal(context, &card);
    card.minor = minor;
    *atr_len = (ULONG)fake_hex(card.atr, atr, *atr_len);
    return STATUS_SUCCESS;
}

static NTSTATUS exchange(PVOID context, const UCHAR *request, ULONG request_len,
                         PUCHAR reply, PULONG reply_len)
{
    const struct exchange *now = card.next++;
    UCHAR expected[300];

    assert_ptr_equal(context, &card);
    assert_true(now < card.end);
    assert_int_equal(request_len, fake_hex(now->request, expected, sizeof expected));
    assert_memory_equal(request, expected, request_len);
    *reply_len = (ULONG)fake_hex(now->reply, reply, *reply_len);
    return now->status;
}

static READER_HARDWARE hardware = {power, exchange, FALSE, &card};
static DRIVER_OBJECT driver;
static PDEVICE_OBJECT physical, reader;
static FILE_OBJECT file;
static bool started;
static struct fake_request request, tracker;

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    (void)context;
    reader = device;
    started = NT_SUCCESS(status);
    return started ? smc_irp_send(device, &file, IRP_MJ_CREATE, 0) : status;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    assert_ptr_equal(device, reader);
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, &file, IRP_MJ_CLEANUP, 0);
    smc_irp_send(device, &file, IRP_MJ_CLOSE, 0);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
    reader = NULL;
}

static int setup(void **state)
{
    static const struct smc_io_client client = {.arrived = arrived, .gone = gone};
    static const struct smc_device_identity identity = {.slot_count = 1,
                                                        .busy_slot_count = 1};

    (void)state;
    smc_io_register(&client);
    card.atr = ATR_T0;
    card.next = card.end = NULL;
    hardware.CardPresent = FALSE;
    assert_status(smc_io_load(&driver, DriverEntry), STATUS_SUCCESS);
    assert_status(SmcReportDeviceArrival(&driver, &identity, &hardware, &physical),
                  STATUS_SUCCESS);
    assert_non_null(reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (reader != NULL)
        SmcReportDeviceDeparture(physical, FALSE);
    smc_io_unload(&driver);
    smc_io_register(NULL);
    assert_null(driver.DeviceObject);
    assert_null(reader);
    return 0;
}

static VOID completed(PIRP irp, PVOID context)
{
    struct fake_request *ended = context;

    ended->status = irp->IoStatus.Status;
    ended->information = (ULONG)irp->IoStatus.Information;
    ended->completions++;
}

static NTSTATUS send(struct fake_request *to_send, ULONG code, const char *in_hex,
                     ULONG out_len)
{
    size_t in_len = fake_hex(in_hex, to_send->buffer, sizeof to_send->buffer);

    to_send->completions = 0;
    smc_irp_init_ioctl(&to_send->irp, reader, &file, code, to_send->buffer, (ULONG)in_len,
                       out_len, completed, to_send);
    return IoCallDriver(reader, &to_send->irp);
}

static void expect(ULONG code, const char *in_hex, ULONG out_len, NTSTATUS status,
                   const char *out_hex)
{
    UCHAR expected[300];

    assert_status(send(&request, code, in_hex, out_len), status);
    assert_int_equal(request.completions, 1);
    assert_int_equal(request.information, fake_hex(out_hex, expected, sizeof expected));
    assert_memory_equal(request.buffer, expected, request.information);
}

static void insert(BOOLEAN present)
{
    hardware.CardPresent = present;
    ReaderInterrupt(reader);
}

static void play(const struct exchange *script, size_t count)
{
    card.next = script;
    card.end = script + count;
}

#define PLAY(script) play(script, sizeof script / sizeof script[0])

static void connect_card(const char *atr, const char *protocol)
{
    insert(TRUE);
    card.atr = atr;
    expect(IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, atr);
    assert_int_equal(card.minor, SCARD_COLD_RESET);
    expect(IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, protocol);
    expect(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "06000000");
}

static void test_windows_reader_is_started_and_opened_once(void **state)
{
    (void)state;
    assert_true(started);
    assert_status(smc_irp_send(reader, &file, IRP_MJ_CREATE, 0), STATUS_DEVICE_BUSY);
    expect(IOCTL_SMARTCARD_GET_ATTRIBUTE, "00010100", 32, STATUS_SUCCESS,
           "4578616D706C65"); /* Example */
    expect(IOCTL_SMARTCARD_GET_ATTRIBUTE, "01010100", 32, STATUS_SUCCESS,
           "57444D20526561646572"); /* WDM Reader */
    expect(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "01000000");
    expect(SCARD_CTL_CODE(2048), "", 2, STATUS_SUCCESS, "0107");
    expect(SCARD_CTL_CODE(2048), "", 1, STATUS_BUFFER_TOO_SMALL, "");
    expect(SCARD_CTL_CODE(2049), "", 2, STATUS_NOT_SUPPORTED, "");
    assert_status(smc_irp_send(reader, NULL, IRP_MJ_SYSTEM_CONTROL, 0),
                  STATUS_INVALID_DEVICE_REQUEST); /* nobody below serves it */
}

static void test_windows_reader_tracks_its_card(void **state)
{
    (void)state;
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0), STATUS_PENDING);
    insert(TRUE);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_ABSENT, "", 0), STATUS_PENDING);
    assert_true(IoCancelIrp(&tracker.irp)); /* by the driver's own routine */
    fake_assert_ended(&tracker, STATUS_CANCELLED);
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_ABSENT, "", 0), STATUS_PENDING);
    insert(FALSE);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0), STATUS_PENDING);
    smc_irp_send(reader, &file, IRP_MJ_CLEANUP, 0);
    fake_assert_ended(&tracker, STATUS_CANCELLED);
}

static void test_windows_reader_t0_card_is_reset_and_answers(void **state)
{
    static const struct exchange script[] = {
        {"570007 00A40000023F00", "6117", STATUS_SUCCESS},
        {"570005 00C0000003", "0A0B0C9000", STATUS_SUCCESS},
        {"570005 0084000008", "", STATUS_IO_TIMEOUT},
        {"570005 0084000008", "90", STATUS_SUCCESS},
    };

    (void)state;
    connect_card(ATR_T0, "01000000");
    PLAY(script);
    expect(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000023F00", 10,
           STATUS_SUCCESS, "0100000008000000 6117");
    expect(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00C0000003", 13, STATUS_SUCCESS,
           "0100000008000000 0A0B0C9000");
    expect(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 0084000008", 18, STATUS_IO_TIMEOUT,
           "");
    expect(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 0084000008", 18,
           STATUS_DEVICE_PROTOCOL_ERROR, "");
    assert_ptr_equal(card.next, card.end);
    expect(IOCTL_SMARTCARD_POWER, "02000000", 33, STATUS_SUCCESS, ATR_T0);
    assert_int_equal(card.minor, SCARD_WARM_RESET);
    expect(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "05000000");
    expect(IOCTL_SMARTCARD_POWER, "00000000", 0, STATUS_SUCCESS, "");
    expect(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "03000000");
}

static void test_windows_reader_t1_loop_recovers_and_ends(void **state)
{
    static const struct exchange script[] = {
        {"570005 00C101FE3E", "00E101FE1E", STATUS_SUCCESS},         /* IFS */
        {"570009 000005008400000889", "00C30102C0", STATUS_SUCCESS}, /* WTX */
        {"570005 00E30102E0", "FF", STATUS_IO_TIMEOUT},              /* lost */
        {"570004 00820082", "0020040102030420", STATUS_SUCCESS},     /* more follows */
        {"570004 00900090", "00400405069000D7", STATUS_SUCCESS}, /* and this was all */
        {"570009 0040050084000008C9", "000002900092", STATUS_SUCCESS},
    };

    (void)state;
    connect_card(ATR_T1, "02000000");
    PLAY(script);
    expect(IOCTL_SMARTCARD_TRANSMIT, "0200000008000000 0084000008", 18, STATUS_SUCCESS,
           "0200000008000000 01020304 05069000");
    expect(IOCTL_SMARTCARD_TRANSMIT, "0200000008000000 0084000008", 18, STATUS_SUCCESS,
           "0200000008000000 9000");
    assert_ptr_equal(card.next, card.end);
}

static void set_power(DEVICE_POWER_STATE device_state)
{
    request.completions = 0;
    smc_irp_init(&request.irp, reader, NULL, IRP_MJ_POWER, IRP_MN_SET_POWER, completed,
                 &request);
    request.irp.Stack.Parameters.Power.Type = DevicePowerState;
    request.irp.Stack.Parameters.Power.State.DeviceState = device_state;
    assert_status(IoCallDriver(reader, &request.irp), STATUS_SUCCESS);
    assert_int_equal(request.completions, 1);
}

static void test_windows_reader_wakes_with_a_change_if_a_card_was_or_is_there(
    void **state)
{
    (void)state;
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0), STATUS_PENDING);
    set_power(PowerDeviceD3);
    set_power(PowerDeviceD0);
    assert_int_equal(tracker.completions, 0);
    insert(TRUE);
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_ABSENT, "", 0), STATUS_PENDING);
    set_power(PowerDeviceD3);
    set_power(PowerDeviceD0);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    expect(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "03000000");
}

static void test_windows_reader_unplugged_ends_its_tracker(void **state)
{
    (void)state;
    assert_status(send(&tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0), STATUS_PENDING);
    SmcReportDeviceDeparture(physical, TRUE);
    fake_assert_ended(&tracker, STATUS_DEVICE_REMOVED);
    assert_null(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_windows_reader_is_started_and_opened_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows_reader_tracks_its_card, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_windows_reader_t0_card_is_reset_and_answers,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows_reader_t1_loop_recovers_and_ends,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_windows_reader_wakes_with_a_change_if_a_card_was_or_is_there, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_windows_reader_unplugged_ends_its_tracker,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
