/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-shortage.c - what is built piece by piece - a virtual reader, a mux, a device, a
 * socket for cards - while the system refuses one piece: it is not built, nothing of it
 * is left, and the next one works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ccid/ccid.h"
#include "ccid/mux.h"
#include "ccid/usb.h"
#include "ccid/virtual_reader.h"
#include "live.h"
#include "refuse.h"
#include "smclib/io.h"

/* ---- what can be refused ----------------------------------------------------------- */

REFUSABLE(void *, calloc, NULL, (size_t n, size_t size), (n, size))
REFUSABLE(void *, malloc, NULL, (size_t size), (size))
REFUSABLE(int, pthread_mutex_init, refuse_error(),
          (pthread_mutex_t * lock, const pthread_mutexattr_t *attributes),
          (lock, attributes))
REFUSABLE(int, pthread_cond_init, refuse_error(),
          (pthread_cond_t * condition, const pthread_condattr_t *attributes),
          (condition, attributes))
REFUSABLE(int, pthread_condattr_init, refuse_error(), (pthread_condattr_t * attributes),
          (attributes))
REFUSABLE(int, usb_thread_start, refuse_error(),
          (pthread_t * thread, void *(*run)(void *), void *context),
          (thread, run, context))
REFUSABLE(int, eventfd, REFUSE_ERRNO, (unsigned value, int flags), (value, flags))
REFUSABLE(int, socket, REFUSE_ERRNO, (int family, int type, int protocol),
          (family, type, protocol))
REFUSABLE(int, bind, REFUSE_ERRNO, (int fd, const struct sockaddr *name, socklen_t len),
          (fd, name, len))
REFUSABLE(int, listen, REFUSE_ERRNO, (int fd, int backlog), (fd, backlog))
REFUSABLE(int, getsockname, REFUSE_ERRNO, (int fd, struct sockaddr *name, socklen_t *len),
          (fd, name, len))
REFUSABLE(int, lstat64, REFUSE_ERRNO, (const char *path, struct stat *status),
          (path, status))
REFUSABLE(NTSTATUS, SmartcardInitialize, STATUS_INSUFFICIENT_RESOURCES,
          (PSMARTCARD_EXTENSION ext), (ext))
REFUSABLE(NTSTATUS, IoCreateDevice, STATUS_INSUFFICIENT_RESOURCES,
          (PDRIVER_OBJECT driver, ULONG size, PUNICODE_STRING name, ULONG type,
           ULONG characteristics, BOOLEAN exclusive, PDEVICE_OBJECT *device),
          (driver, size, name, type, characteristics, exclusive, device))

/* ---- readers ----------------------------------------------------------------------- */

static void *new_reader(void)
{
    return ccid_virtual_reader_new(ccid_clock_real(), &ccid_virtual_default_shape);
}

static void free_reader(void *reader)
{
    ccid_virtual_reader_free(reader);
}

static void *new_mux(void)
{
    static const struct ccid_usb_port port;
    static const struct ccid_desc desc = {
        .bulk_in = {0x81, 0, 64}, .slot_count = 2, .busy_slot_count = 2};

    return ccid_mux_new(&port, &desc);
}

static void free_mux(void *mux)
{
    ccid_mux_free(mux);
}

/* Each of those calls fails once; returns how many there were. */
static unsigned refuse_each(const char *call, void *(*make)(void), void (*undo)(void *))
{
    long live = live_count();

    for (unsigned at = 1;; at++) {
        void *made;

        refuse(call, at, ENOMEM);
        made = make();
        if (refuse_calls() < at) {
            refuse(NULL, 0, 0);
            assert_non_null(made);
            undo(made);
            assert_int_equal(live_count(), live);
            return at - 1;
        }
        refuse(NULL, 0, 0);
        assert_null(made);
        assert_int_equal(live_count(), live);
    }
}

static void test_virtual_reader_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(refuse_each("calloc", new_reader, free_reader), 2);
    assert_int_equal(refuse_each("malloc", new_reader, free_reader), 2);
    assert_int_equal(refuse_each("pthread_mutex_init", new_reader, free_reader), 1);
    assert_int_equal(refuse_each("pthread_cond_init", new_reader, free_reader), 1);
    assert_int_equal(refuse_each("pthread_condattr_init", new_reader, free_reader), 1);
}

static void test_mux_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(refuse_each("calloc", new_mux, free_mux), 2);
    assert_int_equal(refuse_each("pthread_mutex_init", new_mux, free_mux), 1);
    assert_int_equal(refuse_each("pthread_cond_init", new_mux, free_mux), 1);
    ccid_mux_free(NULL);
}

/* ---- devices ----------------------------------------------------------------------- */

static DRIVER_OBJECT driver;
static PDEVICE_OBJECT devices[2];
static unsigned arrivals;
static char log_line[256];

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    (void)context;
    if (status == STATUS_SUCCESS)
        devices[arrivals++] = device;
    return status;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
    arrivals--;
}

static void on_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                   const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    strncpy(log_line, text, sizeof(log_line) - 1);
}

/* A reader with two slots that are busy at once. */
static const char row[] =
    "{\"vid\": \"1209\", \"pid\": \"00FE\", \"bcdDevice\": \"0123\", "
    "\"iManufacturer\": \"Maker\", \"iProduct\": \"Two Slots\", \"iInterface\": null, "
    "\"bInterfaceNumber\": 1, \"bInterfaceClass\": 11, \"bInterfaceSubClass\": 0, "
    "\"bInterfaceProtocol\": 0, \"bNumEndpoints\": 3, \"class_descriptor\": "
    "\"36210001010702000000A00F0000A00F000000002A00000040050000FE000000000000000000000030"
    "0201000F010000000000000002\"}\n";

static char folder[] = "/tmp/test-shortage-XXXXXX", rows_path[64], unix_name[80];

static int setup(void **state)
{
    static const struct smc_io_client client = {
        .arrived = arrived, .gone = gone, .log = on_log};
    FILE *rows;

    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(rows_path, sizeof(rows_path), "%s/ccid-readers.jsonl", folder);
    snprintf(unix_name, sizeof(unix_name), "vpcd=unix:%s/card", folder);
    rows = fopen(rows_path, "w");
    fputs(row, rows);
    fclose(rows);
    setenv("SCARDFS_TEST_DATA", folder, 1);
    arrivals = 0;
    smc_io_register(&client);
    assert_int_equal(smc_io_load(&driver, ccid_driver_entry), STATUS_SUCCESS);
    return ccid_virtual_start(&driver);
}

static int teardown(void **state)
{
    (void)state;
    refuse(NULL, 0, 0);
    smc_io_unload(&driver);
    smc_io_register(NULL);
    unlink(rows_path);
    return rmdir(folder); /* nothing else is left in it */
}

static void plugged_and_unplugged(const char *name, unsigned slots)
{
    assert_int_equal(ccid_virtual_plug(name), STATUS_SUCCESS);
    assert_int_equal(arrivals, slots);
    assert_int_equal(ccid_virtual_unplug(devices[0]), 0);
    assert_int_equal(arrivals, 0);
}

/* Each of those calls fails once while a reader is plugged in. */
static unsigned refuse_plug(const char *call, const char *name, unsigned slots,
                            NTSTATUS expected)
{
    long live;

    plugged_and_unplugged(name, slots); /* what is made once and kept is made */
    live = live_count();
    for (unsigned at = 1;; at++) {
        NTSTATUS status;

        refuse(call, at, EMFILE);
        status = ccid_virtual_plug(name);
        if (refuse_calls() < at) {
            refuse(NULL, 0, 0);
            assert_int_equal(status, STATUS_SUCCESS);
            assert_int_equal(ccid_virtual_unplug(devices[0]), 0);
            assert_int_equal(live_count(), live);
            return at - 1;
        }
        refuse(NULL, 0, 0);
        assert_int_equal(status, expected);
        assert_int_equal(arrivals, 0);
        assert_int_equal(live_count(), live);
    }
}

static void test_reader_is_plugged_in_whole_or_not_at_all(void **state)
{
    const NTSTATUS no = STATUS_INSUFFICIENT_RESOURCES;

    (void)state;
    /* The reader of the bus, its row, the virtual one and its contacts; the device, its
     * mux and the box. */
    assert_int_equal(refuse_plug("calloc", "1209:00fe", 2, no), 8);
    assert_int_equal(refuse_plug("malloc", "1209:00fe", 2, no), 5);
    assert_int_equal(refuse_plug("IoCreateDevice", "1209:00fe", 2, no), 2);
    assert_int_equal(refuse_plug("SmartcardInitialize", "1209:00fe", 2, no), 2);
}

/* ---- sockets ----------------------------------------------------------------------- */

static void test_socket_that_cannot_be_had_is_no_reader(void **state)
{
    static const struct {
        const char *call;
        NTSTATUS status;
        unsigned calls;
    } rows[] = {
        {"calloc", STATUS_INSUFFICIENT_RESOURCES, 5},
        {"eventfd", STATUS_INSUFFICIENT_RESOURCES, 1},
        {"usb_thread_start", STATUS_INSUFFICIENT_RESOURCES, 1},
        {"socket", STATUS_ACCESS_DENIED, 1},
        {"bind", STATUS_ACCESS_DENIED, 1},
        {"listen", STATUS_ACCESS_DENIED, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(refuse_plug(rows[i].call, "vpcd=0", 1, rows[i].status),
                         rows[i].calls);
    refuse("bind", 1, EACCES);
    assert_int_equal(ccid_virtual_plug("vpcd"), STATUS_ACCESS_DENIED);
    assert_string_equal(log_line, "vpcd: cannot listen on port 35963: Permission denied");
}

static void test_port_that_nobody_knows_is_said_as_it_was_asked_for(void **state)
{
    (void)state;
    refuse("getsockname", 1, ENOBUFS);
    plugged_and_unplugged("vpcd=0", 1);
    assert_string_equal(log_line, "vpcd: cards may connect to port 0");
}

static void test_stale_socket_that_cannot_be_asked_stays(void **state)
{
    const char *path = unix_name + strlen("vpcd=unix:");
    struct stat status;

    (void)state;
    plugged_and_unplugged(unix_name, 1);
    assert_int_not_equal(__real_lstat64(path, &status), 0);
    /* Left behind by one that was killed: it cannot say whether the file is its own. */
    refuse("lstat64", 2, EIO);
    plugged_and_unplugged(unix_name, 1);
    assert_int_equal(__real_lstat64(path, &status), 0);
    refuse("socket", 1, EMFILE); /* to ask who listens */
    assert_int_equal(ccid_virtual_plug(unix_name), STATUS_ACCESS_DENIED);
    assert_int_equal(__real_lstat64(path, &status), 0);
    refuse(NULL, 0, 0);
    plugged_and_unplugged(unix_name, 1);
    assert_int_not_equal(__real_lstat64(path, &status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual_reader_is_made_whole_or_not_at_all),
        cmocka_unit_test(test_mux_is_made_whole_or_not_at_all),
        TEST(reader_is_plugged_in_whole_or_not_at_all),
        TEST(socket_that_cannot_be_had_is_no_reader),
        TEST(port_that_nobody_knows_is_said_as_it_was_asked_for),
        TEST(stale_socket_that_cannot_be_asked_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
