/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-usb_refused.c - ccid/usb_watch.c, usb_device.c, usb_open.c and usb_events.c where
 * libusb or the system refuses something: it is said, what was taken is given back, and
 * the next reader works.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smclib/io.h"

#include "ccid/ccid.h"
#include "fake_bus.h"
#include "refuse.h"

static struct {
    pthread_mutex_t lock;
    NTSTATUS refuses;
    unsigned arrived, gone, surprises;
    unsigned lines;
    char log[256];
} client = {.lock = PTHREAD_MUTEX_INITIALIZER};

static DRIVER_OBJECT driver;
static struct fake_device reader;

/* ---- in the place of fs ------------------------------------------------------------ */

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    NTSTATUS status;

    (void)context;
    (void)device;
    pthread_mutex_lock(&client.lock);
    status = client.refuses;
    client.arrived += status == STATUS_SUCCESS;
    pthread_mutex_unlock(&client.lock);
    return status;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
    pthread_mutex_lock(&client.lock);
    client.gone++;
    client.surprises += surprise != 0;
    pthread_mutex_unlock(&client.lock);
}

static void on_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                   const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    pthread_mutex_lock(&client.lock);
    client.lines++;
    strncpy(client.log, text, sizeof(client.log) - 1);
    pthread_mutex_unlock(&client.lock);
}

static int begin(void **state)
{
    static const struct smc_io_client io = {
        .arrived = arrived, .gone = gone, .log = on_log};

    (void)state;
    client.refuses = STATUS_SUCCESS;
    client.arrived = client.gone = client.surprises = client.lines = 0;
    memset(client.log, 0, sizeof(client.log));
    reader = fake_reader;
    config_reader(&reader.config, config_class_descriptor, 64);
    smc_io_register(&io);
    assert_int_equal(smc_io_load(&driver, ccid_driver_entry), STATUS_SUCCESS);
    fake_bus_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_bus_let_run();
    ccid_usb_unwatch();
    fake_bus_end();
    smc_io_unload(&driver);
    smc_io_register(NULL);
    assert_int_equal(client.gone, client.arrived);
    return 0;
}

static void watch(void)
{
    assert_int_equal(ccid_usb_watch(&driver), STATUS_SUCCESS);
}

static void plug(void)
{
    fake_bus_plug(&reader);
    fake_bus_run();
}

static void unplug(void)
{
    fake_bus_unplug(&reader);
    assert_true(fake_bus_run());
}

/* It is nobody's reader, and the next one is. */
static void is_refused_with(const char *text)
{
    assert_int_equal(client.arrived, 0);
    assert_int_equal(client.lines, 1);
    assert_string_equal(client.log, text);
    refuse(NULL, 0, 0);
    plug();
    assert_int_equal(client.arrived, 1);
    unplug();
    assert_int_equal(client.gone, 1);
}

/* ---- watching ---------------------------------------------------------------------- */

static void test_watch_that_cannot_start_leaves_nothing(void **state)
{
    static const struct {
        const char *call;
        unsigned at;
        int error;
        const char *text;
    } rows[] = {
        {"libusb_init", 1, LIBUSB_ERROR_ACCESS, NULL},
        {"epoll_create1", 1, EMFILE, "usb: no event thread: Too many open files"},
        {"timerfd_create", 1, EMFILE, "usb: no event thread: Too many open files"},
        {"eventfd", 1, ENFILE, "usb: no event thread: Too many open files in system"},
        {"epoll_ctl", 1, ENOSPC, "usb: no event thread: No space left on device"},
        {"epoll_ctl", 2, ENOSPC, "usb: no event thread: No space left on device"},
        {"epoll_ctl", 3, ENOSPC, "usb: no event thread: No space left on device"},
        {"libusb_get_pollfds", 1, 0, "usb: no event thread: Cannot allocate memory"},
        {"usb_thread_start", 1, 0,
         "usb: no event thread: Resource temporarily unavailable"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse(rows[i].call, rows[i].at, rows[i].error);
        assert_int_equal(ccid_usb_watch(&driver), STATUS_UNSUCCESSFUL);
        assert_int_equal(refuse_calls(), rows[i].at);
        assert_int_equal(client.lines, i + 1);
        if (rows[i].text != NULL)
            assert_string_equal(client.log, rows[i].text);
        ccid_usb_unwatch(); /* there is nothing to end */
        fake_bus_end();
    }
    refuse(NULL, 0, 0);
    watch();
    plug();
    assert_int_equal(client.arrived, 1);
}

static void test_without_hot_plug_the_readers_that_are_there_are_used(void **state)
{
    (void)state;
    fake_bus_no_hotplug(&reader);
    watch();
    assert_string_equal(client.log,
                        "usb: no hot-plug here; only readers plugged in now are used");
    assert_true(fake_bus_run());
    assert_int_equal(client.arrived, 1);
}

static void test_hot_plug_that_is_refused_is_none(void **state)
{
    (void)state;
    refuse("libusb_hotplug_register_callback", 1, LIBUSB_ERROR_NO_MEM);
    watch();
    assert_string_equal(client.log,
                        "usb: no hot-plug here; only readers plugged in now are used");
    assert_false(fake_bus_run());
    fake_bus_let_run();
    ccid_usb_unwatch();
    fake_bus_begin();
    fake_bus_no_hotplug(&reader);
    refuse("libusb_get_device_list", 1, LIBUSB_ERROR_NO_MEM);
    watch();
    assert_false(fake_bus_run());
}

/* ---- who may be a reader ----------------------------------------------------------- */

static void test_device_is_looked_at_if_its_descriptors_may_be_of_a_reader(void **state)
{
    static const struct {
        uint8_t class_code;
        int extra, endpoint_extra;
        bool looked_at;
    } rows[] = {
        {LIBUSB_CLASS_SMART_CARD, 0, 0, true},
        {LIBUSB_CLASS_HID, 54, 0, false},
        {LIBUSB_CLASS_VENDOR_SPEC, 0, 0, false},
        {LIBUSB_CLASS_VENDOR_SPEC, 53, 53, false},
        {LIBUSB_CLASS_VENDOR_SPEC, 54, 0, true},
        {LIBUSB_CLASS_VENDOR_SPEC, 0, 54, true},
    };

    (void)state;
    watch();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reader.class_code = rows[i].class_code;
        reader.extra = rows[i].extra;
        reader.endpoint_extra = rows[i].endpoint_extra;
        fake_bus_plug(&reader);
        assert_int_equal(fake_bus_run(), rows[i].looked_at);
        fake_bus_unplug(&reader);
        assert_int_equal(fake_bus_run(), rows[i].looked_at);
    }
    assert_int_equal(client.arrived, 3); /* and the bytes say that it is one */
    assert_int_equal(client.lines, 0);
}

static void test_departure_of_another_device_is_not_ours(void **state)
{
    struct fake_device other = reader;

    (void)state;
    watch();
    plug();
    other.address++;
    fake_bus_unplug(&other);
    assert_false(fake_bus_run());
    other.address--;
    other.bus++;
    fake_bus_unplug(&other);
    assert_false(fake_bus_run());
    assert_int_equal(client.gone, 0);
    unplug();
    fake_bus_unplug(&reader); /* it has left */
    assert_false(fake_bus_run());
    assert_int_equal(client.gone, 1);
}

static void test_device_without_readable_descriptors_is_not_used(void **state)
{
    static const char *const calls[] = {"libusb_get_active_config_descriptor",
                                        "libusb_get_device_descriptor"};

    (void)state;
    watch();
    for (size_t i = 0; i < 2; i++) {
        client.lines = client.arrived = client.gone = 0;
        refuse(calls[i], 1, LIBUSB_ERROR_IO);
        plug();
        is_refused_with("usb 3-1.2 is not used: Input/Output Error");
    }
    client.lines = client.arrived = client.gone = 0;
    reader.unconfigured = true;
    refuse("libusb_get_config_descriptor", 1, LIBUSB_ERROR_IO);
    plug();
    is_refused_with("usb 3-1.2 is not used: Input/Output Error");
}

static void test_device_for_which_there_is_no_memory_is_not_used(void **state)
{
    (void)state;
    watch();
    refuse("calloc", 1, ENOMEM);
    plug();
    is_refused_with("usb 3-1.2 is not used: Insufficient memory");
}

static void test_root_hub_port_is_named_without_ports(void **state)
{
    (void)state;
    watch();
    reader.port_count = 0;
    refuse("libusb_get_device_descriptor", 1, LIBUSB_ERROR_IO);
    plug();
    assert_string_equal(client.log, "usb 3 is not used: Input/Output Error");
}

/* ---- threads ----------------------------------------------------------------------- */

static void test_device_without_a_thread_to_bring_it_in_is_not_used(void **state)
{
    (void)state;
    watch();
    refuse("usb_thread_start", 1, 0);
    plug();
    is_refused_with("usb 3-1.2 (1234:5678) is not used: no thread");
}

static void test_departure_without_a_thread_is_tried_again(void **state)
{
    (void)state;
    watch();
    plug();
    refuse("usb_thread_start", 1, 0);
    fake_bus_unplug(&reader);
    fake_bus_wait_and_run(); /* which the event thread has started */
    assert_int_equal(client.gone, 1);
    assert_int_equal(client.surprises, 1);
    assert_int_equal(client.lines, 0);
}

static void test_departure_that_never_gets_a_thread_is_done_at_the_end(void **state)
{
    (void)state;
    watch();
    plug();
    refuse("usb_thread_start", 0, 0);
    fake_bus_unplug(&reader);
    ccid_usb_unwatch();
    assert_true(refuse_calls() >= 1);
    assert_int_equal(client.gone, 1);
}

static void test_device_that_left_before_it_was_brought_in_is_not_brought_in(void **state)
{
    (void)state;
    watch();
    fake_bus_plug(&reader);
    fake_bus_unplug(&reader);
    assert_true(fake_bus_run());
    assert_false(fake_bus_run());
    assert_int_equal(client.arrived, 0);
    assert_int_equal(client.lines, 0);
}

static void test_node_that_reports_an_error_is_a_departure(void **state)
{
    (void)state;
    watch();
    plug();
    fake_bus_hang_up();
    fake_bus_wait_and_run();
    assert_int_equal(client.gone, 1);
    assert_int_equal(client.surprises, 1);
    fake_bus_unplug(&reader); /* hot-plug says so, too */
    assert_false(fake_bus_run());
}

/* ---- the node ---------------------------------------------------------------------- */

static void test_node_that_cannot_be_read_is_said_with_the_reason(void **state)
{
    (void)state;
    watch();
    refuse("open to read", 1, EACCES);
    plug();
    is_refused_with("usb 3-1.2 (1234:5678): /dev/bus/usb/003/007: Permission denied");
    client.lines = client.arrived = client.gone = 0;
    refuse("malloc", 1, ENOMEM);
    plug();
    is_refused_with(
        "usb 3-1.2 (1234:5678): /dev/bus/usb/003/007: Cannot allocate memory");
    client.lines = client.arrived = client.gone = 0;
    refuse("read", 1, EIO);
    plug();
    is_refused_with("usb 3-1.2 (1234:5678): /dev/bus/usb/003/007: Input/output error");
}

static void test_node_too_short_for_a_device_is_said(void **state)
{
    (void)state;
    watch();
    reader.node_len = 17;
    plug();
    reader.node_len = 0;
    is_refused_with("usb 3-1.2 (1234:5678): /dev/bus/usb/003/007: No data available");
}

static void test_interrupted_read_of_the_node_goes_on(void **state)
{
    (void)state;
    watch();
    refuse("read", 1, EINTR);
    plug();
    assert_int_equal(client.arrived, 1);
    assert_true(refuse_calls() >= 3); /* interrupted, the bytes, the end */
}

static void test_configuration_that_is_not_in_the_node_is_no_reader(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {
        {1, 4}, /* something else in its place */
        {2, 8}, /* shorter than itself */
        {5, 2}, /* of another number, and none behind it */
    };

    (void)state;
    watch();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_reader(&reader.config, config_class_descriptor, 64);
        reader.config.bytes[rows[i].at] = rows[i].byte;
        reader.config.bytes[3] = 0;
        plug();
        assert_int_equal(client.arrived, 0);
        assert_false(fake_bus_run()); /* nothing is left of it */
    }
    reader.node_len = 18 + 8; /* not even its header */
    plug();
    assert_int_equal(client.arrived, 0);
}

/* ---- opening ----------------------------------------------------------------------- */

static void test_reader_that_cannot_be_opened_is_given_back_with_the_step(void **state)
{
    static const struct {
        const char *call;
        unsigned at;
        int error;
        const char *text;
    } rows[] = {
        {"open", 1, EBUSY,
         "usb 3-1.2: open /dev/bus/usb/003/007: Device or resource busy"},
        {"libusb_init", 1, LIBUSB_ERROR_NO_MEM, "usb 3-1.2: open: Insufficient memory"},
        {"libusb_wrap_sys_device", 1, LIBUSB_ERROR_ACCESS,
         "usb 3-1.2: wrap: Access denied (insufficient permissions)"},
        {"libusb_set_configuration", 1, LIBUSB_ERROR_BUSY,
         "usb 3-1.2: claim (does another program use the reader?): Resource busy"},
        {"libusb_detach_kernel_driver", 1, LIBUSB_ERROR_BUSY,
         "usb 3-1.2: claim (does another program use the reader?): Resource busy"},
        {"libusb_claim_interface", 1, LIBUSB_ERROR_BUSY,
         "usb 3-1.2: claim (does another program use the reader?): Resource busy"},
        {"libusb_alloc_transfer", 1, 0, "usb 3-1.2: allocate: Insufficient memory"},
        {"libusb_alloc_transfer", 2, 0, "usb 3-1.2: allocate: Insufficient memory"},
        {"libusb_alloc_transfer", 3, 0, "usb 3-1.2: allocate: Insufficient memory"},
        {"libusb_alloc_transfer", 4, 0, "usb 3-1.2: allocate: Insufficient memory"},
        {"libusb_get_pollfds", 1, 0, "usb 3-1.2: epoll: Cannot allocate memory"},
        {"epoll_ctl", 1, ENOSPC, "usb 3-1.2: epoll: No space left on device"},
        {"epoll_ctl", 2, ENOSPC, "usb 3-1.2: epoll: No space left on device"},
    };

    (void)state;
    reader.unconfigured = reader.kernel_driver = true;
    watch();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        client.lines = client.arrived = client.gone = 0;
        refuse(rows[i].call, rows[i].at, rows[i].error);
        plug();
        is_refused_with(rows[i].text);
    }
}

static void test_no_memory_for_an_interface_is_no_reader(void **state)
{
    (void)state;
    watch();
    for (unsigned at = 2; at <= 3; at++) { /* 1 is the device: the port, the reader */
        refuse("calloc", at, ENOMEM);
        plug();
        assert_int_equal(refuse_calls(), at);
        assert_int_equal(client.arrived, 0);
    }
    refuse(NULL, 0, 0);
    plug();
    assert_int_equal(client.arrived, 1);
}

static void test_reader_that_nobody_wants_is_given_back(void **state)
{
    (void)state;
    watch();
    client.refuses = STATUS_INSUFFICIENT_RESOURCES;
    plug();
    assert_int_equal(client.arrived, 0);
    client.refuses = STATUS_SUCCESS;
    plug();
    assert_int_equal(client.arrived, 1);
}

static void test_kernel_driver_gets_its_interface_back(void **state)
{
    (void)state;
    watch();
    plug();
    assert_false(fake_bus_done().detached);
    unplug();
    assert_false(fake_bus_done().attached);
    reader.kernel_driver = true;
    plug();
    assert_true(fake_bus_done().detached);
    assert_false(fake_bus_done().attached);
    unplug();
    assert_true(fake_bus_done().attached);
}

static void test_only_a_device_without_a_configuration_is_configured(void **state)
{
    (void)state;
    watch();
    plug();
    assert_int_equal(fake_bus_done().configuration, -1);
    unplug();
    reader.unconfigured = true;
    plug();
    assert_int_equal(fake_bus_done().configuration, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(watch_that_cannot_start_leaves_nothing),
        TEST(without_hot_plug_the_readers_that_are_there_are_used),
        TEST(hot_plug_that_is_refused_is_none),
        TEST(device_is_looked_at_if_its_descriptors_may_be_of_a_reader),
        TEST(departure_of_another_device_is_not_ours),
        TEST(device_without_readable_descriptors_is_not_used),
        TEST(device_for_which_there_is_no_memory_is_not_used),
        TEST(root_hub_port_is_named_without_ports),
        TEST(device_without_a_thread_to_bring_it_in_is_not_used),
        TEST(departure_without_a_thread_is_tried_again),
        TEST(departure_that_never_gets_a_thread_is_done_at_the_end),
        TEST(device_that_left_before_it_was_brought_in_is_not_brought_in),
        TEST(node_that_reports_an_error_is_a_departure),
        TEST(node_that_cannot_be_read_is_said_with_the_reason),
        TEST(node_too_short_for_a_device_is_said),
        TEST(interrupted_read_of_the_node_goes_on),
        TEST(configuration_that_is_not_in_the_node_is_no_reader),
        TEST(reader_that_cannot_be_opened_is_given_back_with_the_step),
        TEST(no_memory_for_an_interface_is_no_reader),
        TEST(reader_that_nobody_wants_is_given_back),
        TEST(kernel_driver_gets_its_interface_back),
        TEST(only_a_device_without_a_configuration_is_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
