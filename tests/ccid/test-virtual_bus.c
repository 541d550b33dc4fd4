/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_bus.c - virtual readers from plug to unplug, through the driver and smclib
 * with this program in the place of fs.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "smclib/io.h"

#define READERS_MAX 4

static DRIVER_OBJECT driver;
static FILE_OBJECT file;
static PDEVICE_OBJECT devices[READERS_MAX];
static unsigned arrivals, departures, surprises;
static NTSTATUS start_status; /* what START is made to give */

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    (void)context;
    assert_int_equal(status, STATUS_SUCCESS);
    if (start_status != STATUS_SUCCESS)
        return start_status;
    assert_int_equal(smc_irp_send(device, &file, IRP_MJ_CREATE, 0), STATUS_SUCCESS);
    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (devices[i] == NULL) {
            devices[i] = device;
            break;
        }
    }
    arrivals++;
    return STATUS_SUCCESS;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (devices[i] == device)
            devices[i] = NULL;
    }
    departures++;
    if (surprise) {
        surprises++;
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    }
    smc_irp_send(device, &file, IRP_MJ_CLEANUP, 0);
    smc_irp_send(device, &file, IRP_MJ_CLOSE, 0);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

static int setup(void **state)
{
    static const struct smc_io_client client = {.arrived = arrived, .gone = gone};

    (void)state;
    memset(devices, 0, sizeof(devices));
    arrivals = departures = surprises = 0;
    start_status = STATUS_SUCCESS;
    smc_io_register(&client);
    assert_int_equal(smc_io_load(&driver, ccid_driver_entry), STATUS_SUCCESS);
    assert_int_equal(ccid_virtual_start(&driver), STATUS_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smc_io_unload(&driver);
    smc_io_register(NULL);
    assert_int_equal(arrivals, departures);
    assert_null(driver.DeviceObject);
    return 0;
}

static uint32_t card_state(PDEVICE_OBJECT device)
{
    uint32_t state = 99;

    assert_int_equal(smc_irp_ioctl(device, &file, IOCTL_SMARTCARD_GET_STATE, &state, 0,
                                   sizeof(state), NULL),
                     STATUS_SUCCESS);
    return state;
}

static void test_bus_plug_makes_a_reader_with_its_card_in(void **state)
{
    const struct smc_device_identity *identity;

    (void)state;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_int_equal(arrivals, 1);
    identity = smc_io_identity(devices[0]);
    assert_string_equal(identity->vendor, "scardfs");
    assert_string_equal(identity->product, "Virtual Reader");
    assert_string_equal(identity->serial, "0000");
    assert_string_equal(identity->path, "virtual-0");
    assert_int_equal(card_state(devices[0]), SCARD_SWALLOWED);
}

static void test_bus_numbers_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_string_equal(smc_io_identity(devices[1])->serial, "0001");
    assert_int_equal(ccid_virtual_unplug(devices[1]), 0);
    assert_int_equal(surprises, 1);
    assert_null(devices[1]);
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_string_equal(smc_io_identity(devices[1])->serial, "0001");
}

static void test_bus_insert_and_remove_change_the_state(void **state)
{
    static const uint8_t atr[] = {0x3b, 0x00};

    (void)state;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_int_equal(ccid_virtual_insert(devices[0], NULL, 0), -EEXIST);
    assert_int_equal(ccid_virtual_remove(devices[0]), 0);
    assert_int_equal(card_state(devices[0]), SCARD_ABSENT);
    assert_int_equal(ccid_virtual_remove(devices[0]), -ENOENT);
    assert_int_equal(ccid_virtual_insert(devices[0], atr, 1), -EINVAL);
    assert_int_equal(ccid_virtual_insert(devices[0], atr, sizeof(atr)), 0);
    assert_int_equal(card_state(devices[0]), SCARD_SWALLOWED);
}

static void test_bus_shape_brings_its_own_card(void **state)
{
    static const struct {
        const char *shape;
        uint32_t state;
        uint8_t atr_at_3; /* tells the cards apart */
    } rows[] = {
        {"tpdu", SCARD_SWALLOWED, 0x40},
        {"tpdu-t1", SCARD_SWALLOWED, 0x81},
        {"mechanical", SCARD_PRESENT, 0x01},
        {NULL, SCARD_SWALLOWED, 0x01},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t buffer[33] = {SCARD_COLD_RESET};

        assert_int_equal(ccid_virtual_plug(rows[i].shape), STATUS_SUCCESS);
        assert_int_equal(card_state(devices[i]), rows[i].state);
        for (int again = 0; again < 2; again++) {
            memset(buffer, 0, sizeof(buffer));
            buffer[0] = SCARD_COLD_RESET;
            assert_int_equal(smc_irp_ioctl(devices[i], &file, IOCTL_SMARTCARD_POWER,
                                           buffer, 4, sizeof(buffer), NULL),
                             STATUS_SUCCESS);
            assert_int_equal(buffer[3], rows[i].atr_at_3);
            assert_int_equal(ccid_virtual_remove(devices[i]), 0);
            assert_int_equal(ccid_virtual_insert(devices[i], NULL, 0), 0);
        }
    }
}

static void test_bus_shape_that_nobody_knows_is_not_supported(void **state)
{
    (void)state;
    assert_int_equal(ccid_virtual_plug("1209:00fe:9"), STATUS_NOT_SUPPORTED);
    assert_int_equal(ccid_virtual_plug("cube"), STATUS_NOT_SUPPORTED);
    assert_int_equal(arrivals, 0);
}

/* A reader with two slots, for T=1 alone, at interface 1. */
static const char row[] =
    "{\"vid\": \"1209\", \"pid\": \"00FE\", \"bcdDevice\": \"0123\", "
    "\"iManufacturer\": \"Maker\", \"iProduct\": \"Two Slots\", \"iInterface\": null, "
    "\"bInterfaceNumber\": 1, \"bInterfaceClass\": 11, \"bInterfaceSubClass\": 0, "
    "\"bInterfaceProtocol\": 0, \"bNumEndpoints\": 3, \"class_descriptor\": "
    "\"36210001010702000000A00F0000A00F000000002A00000040050000FE000000000000000000000030"
    "0201000F010000000000000001\"}\n";

static void test_bus_reader_of_a_row_has_its_identity_slots_and_cards(void **state)
{
    char folder[] = "/tmp/test-virtual_bus-XXXXXX", path[64];
    const char *before = getenv("SCARDFS_TEST_DATA");
    const struct smc_device_identity *identity;
    char *kept = before == NULL ? NULL : strdup(before);
    NTSTATUS status;
    FILE *rows;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/ccid-readers.jsonl", folder);
    rows = fopen(path, "we");
    assert_non_null(rows);
    fputs(row, rows);
    fclose(rows);
    setenv("SCARDFS_TEST_DATA", folder, 1);
    status = ccid_virtual_plug("1209:00fe");
    unlink(path);
    rmdir(folder);
    if (kept == NULL)
        unsetenv("SCARDFS_TEST_DATA");
    else
        setenv("SCARDFS_TEST_DATA", kept, 1);
    free(kept);

    assert_int_equal(status, STATUS_SUCCESS);
    assert_int_equal(arrivals, 2);
    identity = smc_io_identity(devices[1]);
    assert_string_equal(identity->vendor, "Maker");
    assert_string_equal(identity->product, "Two Slots");
    assert_string_equal(identity->interface_name, "");
    assert_int_equal(identity->vid, 0x1209);
    assert_int_equal(identity->pid, 0x00FE);
    assert_int_equal(identity->bcd_device, 0x0123);
    assert_int_equal(identity->interface_number, 1);
    assert_int_equal(identity->slot_count, 2);
    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t buffer[33] = {SCARD_COLD_RESET};

        assert_int_equal(smc_irp_ioctl(devices[slot], &file, IOCTL_SMARTCARD_POWER,
                                       buffer, 4, sizeof(buffer), NULL),
                         STATUS_SUCCESS);
        assert_int_equal(buffer[3], 0x81); /* the T=1 card */
    }
    assert_int_equal(ccid_virtual_remove(devices[1]), 0);
    assert_int_equal(card_state(devices[1]), SCARD_ABSENT);
    assert_int_not_equal(card_state(devices[0]), SCARD_ABSENT);
    assert_int_equal(ccid_virtual_unplug(devices[0]), 0);
    assert_int_equal(departures, 2);
}

static void test_bus_reader_that_is_refused_leaves_nothing(void **state)
{
    (void)state;
    start_status = STATUS_INSUFFICIENT_RESOURCES;
    assert_int_not_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    start_status = STATUS_SUCCESS;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_string_equal(smc_io_identity(devices[0])->serial, "0000");
}

static void test_bus_plug_after_the_end_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    smc_io_unload(&driver);
    assert_int_equal(departures, 1);
    assert_int_equal(surprises, 0);
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_NO_SUCH_DEVICE);
    assert_int_equal(smc_io_load(&driver, ccid_driver_entry), STATUS_SUCCESS);
}

/* ---- unplugged at work ----------------------------------------------------------- */

static struct {
    IRP irp;
    uint8_t buffer[64];
    NTSTATUS status;
} request;

static void completed(PIRP irp, PVOID context)
{
    (void)context;
    request.status = irp->IoStatus.Status;
}

static void *send_request(void *device)
{
    IoCallDriver(device, &request.irp);
    return NULL;
}

static void test_bus_unplug_ends_a_running_request(void **state)
{
    static const uint8_t slow[] = {
        SCARD_PROTOCOL_T1, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe4, 0xff, 0xff}; /* 65 s */
    uint8_t buffer[64] = {SCARD_COLD_RESET};
    pthread_t thread;

    (void)state;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    assert_int_equal(smc_irp_ioctl(devices[0], &file, IOCTL_SMARTCARD_POWER, buffer, 4,
                                   sizeof(buffer), NULL),
                     STATUS_SUCCESS);
    memset(buffer, 0, sizeof(buffer));
    buffer[0] = SCARD_PROTOCOL_T1;
    assert_int_equal(smc_irp_ioctl(devices[0], &file, IOCTL_SMARTCARD_SET_PROTOCOL,
                                   buffer, 4, sizeof(buffer), NULL),
                     STATUS_SUCCESS);
    memcpy(request.buffer, slow, sizeof(slow));
    smc_irp_init_ioctl(&request.irp, devices[0], &file, IOCTL_SMARTCARD_TRANSMIT,
                       request.buffer, sizeof(slow), sizeof(request.buffer), completed,
                       NULL);
    assert_int_equal(pthread_create(&thread, NULL, send_request, devices[0]), 0);
    while (__atomic_load_n(&request.irp.CancelRoutine, __ATOMIC_SEQ_CST) == NULL)
        sched_yield(); /* the driver has not begun */
    assert_int_equal(ccid_virtual_unplug(devices[0]), 0);
    pthread_join(thread, NULL);
    assert_int_equal(request.status, STATUS_DEVICE_REMOVED);
    assert_int_equal(departures, 1);
}

/* Readers of other buses have the same driver. */
static void test_bus_reader_that_is_not_on_it_is_no_device(void **state)
{
    struct ccid_device other = {0};
    struct ccid_slot slot = {.device = &other};
    DEVICE_OBJECT object = {.DeviceExtension = &slot};

    (void)state;
    assert_int_equal(ccid_virtual_plug(NULL), STATUS_SUCCESS);
    other.port.usb = (struct ccid_usb *)(void *)&other;
    assert_int_equal(ccid_virtual_insert(&object, NULL, 0), -ENODEV);
    assert_int_equal(ccid_virtual_remove(&object), -ENODEV);
    assert_int_equal(ccid_virtual_type(&object, "1234"), -ENODEV);
    assert_int_equal(ccid_virtual_unplug(&object), -ENODEV);
    assert_int_equal(departures, 0);
}

#define BUS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUS(test_bus_plug_makes_a_reader_with_its_card_in),
        BUS(test_bus_numbers_are_used_again),
        BUS(test_bus_insert_and_remove_change_the_state),
        BUS(test_bus_shape_brings_its_own_card),
        BUS(test_bus_shape_that_nobody_knows_is_not_supported),
        BUS(test_bus_reader_of_a_row_has_its_identity_slots_and_cards),
        BUS(test_bus_reader_that_is_refused_leaves_nothing),
        BUS(test_bus_plug_after_the_end_is_refused),
        BUS(test_bus_unplug_ends_a_running_request),
        BUS(test_bus_reader_that_is_not_on_it_is_no_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
