/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-usb_watch.c - the driver on emulated USB (usbemu, preloaded): readers come and go,
 * cards come and go, requests are cancelled; through smclib, with this program in the
 * place of fs. The driver is loaded once, since libusb's discovery starts once a process.
 *
 * Waits are for events that come, with a limit that only a failure reaches.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "ccid/ccid.h"
#include "ccid/usb.h"
#include "smclib/io.h"

#define READERS_MAX 32
#define LIMIT_S     20

struct reader {
    PDEVICE_OBJECT device; /* NULL: gone */
    char path[64];
    char name[104];
    int surprise;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct reader readers[READERS_MAX];
    unsigned count; /* ever arrived */
    unsigned log_count;
    char log[256];             /* the last line */
    PDEVICE_OBJECT wants_turn; /* NULL: none does */
    struct timespec turn_at;
} client = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static DRIVER_OBJECT driver;
static FILE_OBJECT file;
static char control_path[108];

/* ---- in the place of fs ---------------------------------------------------------- */

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    const struct smc_device_identity *identity = smc_io_identity(device);
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    (void)context;
    if (status == STATUS_SUCCESS)
        status = smc_irp_send(device, &file, IRP_MJ_CREATE, 0);
    if (status != STATUS_SUCCESS)
        return status;
    pthread_mutex_lock(&client.lock);
    if (client.count < READERS_MAX) {
        struct reader *reader = &client.readers[client.count++];

        reader->device = device;
        snprintf(reader->path, sizeof(reader->path), "%s", identity->path);
        snprintf(reader->name, sizeof(reader->name), "%s", identity->product);
    }
    pthread_cond_broadcast(&client.changed);
    pthread_mutex_unlock(&client.lock);
    return status;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, &file, IRP_MJ_CLEANUP, 0);
    smc_irp_send(device, &file, IRP_MJ_CLOSE, 0);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
    pthread_mutex_lock(&client.lock);
    if (client.wants_turn == device)
        client.wants_turn = NULL;
    for (unsigned i = 0; i < client.count; i++) {
        if (client.readers[i].device == device) {
            client.readers[i].device = NULL;
            client.readers[i].surprise = surprise;
        }
    }
    pthread_cond_broadcast(&client.changed);
    pthread_mutex_unlock(&client.lock);
}

static void log_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                     const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    pthread_mutex_lock(&client.lock);
    snprintf(client.log, sizeof(client.log), "%s", text);
    client.log_count++;
    pthread_cond_broadcast(&client.changed);
    pthread_mutex_unlock(&client.lock);
}

/* News that come too fast for a person are held back until the driver's turn. */
static void service(void *context, PDEVICE_OBJECT device, ULONG delay_ms)
{
    (void)context;
    pthread_mutex_lock(&client.lock);
    client.wants_turn = device;
    clock_gettime(CLOCK_REALTIME, &client.turn_at);
    client.turn_at.tv_sec += delay_ms / 1000 + 1; /* rounded up */
    pthread_cond_broadcast(&client.changed);
    pthread_mutex_unlock(&client.lock);
}

/* ---- waiting --------------------------------------------------------------------- */

static struct timespec limit(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_S;
    return until;
}

/* The reader at a path that is there now, or NULL. */
static struct reader *find_locked(const char *path)
{
    for (unsigned i = 0; i < client.count; i++) {
        if (client.readers[i].device != NULL && strcmp(client.readers[i].path, path) == 0)
            return &client.readers[i];
    }
    return NULL;
}

static PDEVICE_OBJECT wait_reader(const char *path)
{
    struct timespec until = limit();
    struct reader *reader;
    PDEVICE_OBJECT device;
    int error = 0;

    pthread_mutex_lock(&client.lock);
    while ((reader = find_locked(path)) == NULL && error == 0)
        error = pthread_cond_timedwait(&client.changed, &client.lock, &until);
    device = reader == NULL ? NULL : reader->device;
    pthread_mutex_unlock(&client.lock);
    assert_non_null(device);
    return device;
}

static void wait_gone(const char *path)
{
    struct timespec until = limit();
    int error = 0;

    pthread_mutex_lock(&client.lock);
    while (find_locked(path) != NULL && error == 0)
        error = pthread_cond_timedwait(&client.changed, &client.lock, &until);
    pthread_mutex_unlock(&client.lock);
    assert_int_equal(error, 0);
}

static unsigned log_count(void)
{
    unsigned count;

    pthread_mutex_lock(&client.lock);
    count = client.log_count;
    pthread_mutex_unlock(&client.lock);
    return count;
}

/* A request that is on its way. */
struct request {
    IRP irp;
    uint8_t buffer[300];
    NTSTATUS status;
    ULONG_PTR information;
    bool done;
};

static void completed(PIRP irp, PVOID context)
{
    struct request *request = context;

    pthread_mutex_lock(&client.lock);
    request->status = irp->IoStatus.Status;
    request->information = irp->IoStatus.Information;
    request->done = true;
    pthread_cond_broadcast(&client.changed);
    pthread_mutex_unlock(&client.lock);
}

static void begin(struct request *request, PDEVICE_OBJECT device, ULONG code,
                  ULONG in_len)
{
    request->done = false;
    smc_irp_init_ioctl(&request->irp, device, &file, code, request->buffer, in_len,
                       sizeof(request->buffer), completed, request);
    IoCallDriver(device, &request->irp);
}

static NTSTATUS finish(struct request *request)
{
    struct timespec until = limit();
    bool done;
    int error = 0;

    pthread_mutex_lock(&client.lock);
    while (!request->done && error == 0) {
        PDEVICE_OBJECT device = client.wants_turn;

        error = pthread_cond_timedwait(&client.changed, &client.lock,
                                       device != NULL ? &client.turn_at : &until);
        if (error == 0 || device == NULL)
            continue;
        client.wants_turn = NULL;
        pthread_mutex_unlock(&client.lock);
        error = smc_irp_send(device, &file, IRP_MJ_INTERNAL_DEVICE_CONTROL, 0);
        pthread_mutex_lock(&client.lock);
    }
    done = request->done;
    pthread_mutex_unlock(&client.lock);
    assert_true(done);
    return request->status;
}

/* Until the driver is at work on it: then it can be cancelled. */
static void wait_begun(struct request *request)
{
    while (__atomic_load_n(&request->irp.CancelRoutine, __ATOMIC_SEQ_CST) == NULL)
        sched_yield();
}

static void *begin_thread(void *context)
{
    struct request *request = context;

    IoCallDriver(request->irp.Stack.DeviceObject, &request->irp);
    return NULL;
}

/* ---- the emulation --------------------------------------------------------------- */

static void emulate(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void emulate(const char *format, ...)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char line[256] = "", answer[256] = "";
    va_list arguments;
    size_t len;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    len = strlen(line);
    line[len++] = '\n';
    memcpy(address.sun_path, control_path, sizeof(address.sun_path));
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, line, len), (ssize_t)len);
    assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
    close(fd);
    assert_memory_equal(answer, "ok", 2);
}

static NTSTATUS power_on(PDEVICE_OBJECT device)
{
    uint8_t buffer[64] = {SCARD_COLD_RESET};

    return smc_irp_ioctl(device, &file, IOCTL_SMARTCARD_POWER, buffer, 4, sizeof(buffer),
                         NULL);
}

static NTSTATUS connect_card(PDEVICE_OBJECT device)
{
    uint8_t buffer[64] = {SCARD_PROTOCOL_T1};
    NTSTATUS status = power_on(device);

    if (status != STATUS_SUCCESS)
        return status;
    return smc_irp_ioctl(device, &file, IOCTL_SMARTCARD_SET_PROTOCOL, buffer, 4,
                         sizeof(buffer), NULL);
}

static void put_apdu(struct request *request, const uint8_t *apdu, size_t len)
{
    SCARD_IO_REQUEST header = {.dwProtocol = SCARD_PROTOCOL_T1, .cbPciLength = 8};

    memcpy(request->buffer, &header, sizeof(header));
    memcpy(request->buffer + sizeof(header), apdu, len);
}

static void expect_challenge(PDEVICE_OBJECT device)
{
    static const uint8_t apdu[] = {0x00, 0xca, 0x00, 0x00, 0x04};
    struct request request;

    put_apdu(&request, apdu, sizeof(apdu));
    begin(&request, device, IOCTL_SMARTCARD_TRANSMIT, 8 + sizeof(apdu));
    assert_int_equal(finish(&request), STATUS_SUCCESS);
    assert_int_equal(request.information, 8 + 6);
    assert_memory_equal(request.buffer + 8 + 4, "\x90\x00", 2);
}

/* ---- tests ----------------------------------------------------------------------- */

static void test_watch_finds_the_reader_that_is_there_and_runs_an_apdu(void **state)
{
    PDEVICE_OBJECT device = wait_reader("1-1");

    (void)state;
    assert_string_equal(smc_io_identity(device)->serial, "S/\\x0aN1");
    assert_int_equal(smc_io_identity(device)->vid, 0x04e6);
    assert_int_equal(connect_card(device), STATUS_SUCCESS);
    expect_challenge(device);
}

/* No string, blanks, nothing that can be seen: VID:PID is the name, as it is for
 * programs that ask for the type. */
static void test_watch_reader_without_a_usable_name_is_named_by_vid_and_pid(void **state)
{
    static const char *const products[] = {"product=", "producthex=202020",
                                           "producthex=0200007f"};

    (void)state;
    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
        const struct smc_device_identity *identity;

        emulate("plug 1-8 vid=24a2,pid=0102,%s", products[i]);
        identity = smc_io_identity(wait_reader("1-8"));
        assert_string_equal(identity->product, "USB 24a2:0102");
        assert_string_equal(identity->vendor, "Emulated");
        assert_int_equal(identity->bcd_device, 0x0100);
        assert_int_equal(identity->one_at_a_time, 0);
        emulate("unplug 1-8");
        wait_gone("1-8");
    }
}

/* What is known of single readers is known by what USB says of them. */
static void test_watch_interfaces_that_take_turns_are_known_by_vid_and_pid(void **state)
{
    (void)state;
    emulate("plug 1-8 vid=08e6,pid=5503");
    assert_int_equal(smc_io_identity(wait_reader("1-8"))->one_at_a_time, 1);
    emulate("unplug 1-8");
    wait_gone("1-8");
}

#define ECHO_LEN 60000

/* 80 E0 by an extended APDU: in one message of 64 KiB, or in parts of 271 bytes. */
static void echo_through(const char *options)
{
    static uint8_t buffer[8 + 9 + ECHO_LEN + 2];
    const SCARD_IO_REQUEST header = {.dwProtocol = SCARD_PROTOCOL_T1, .cbPciLength = 8};
    const uint8_t apdu[] = {0x80, 0xe0, 0, 0, 0, ECHO_LEN >> 8, ECHO_LEN & 0xff};
    PDEVICE_OBJECT device;
    ULONG information = 0;

    emulate("plug 1-2 %s", options);
    device = wait_reader("1-2");
    assert_int_equal(connect_card(device), STATUS_SUCCESS);
    memset(buffer, 0, sizeof(buffer)); /* Le is 0000: as much as there is */
    memcpy(buffer, &header, 8);
    memcpy(buffer + 8, apdu, sizeof(apdu));
    for (size_t i = 0; i < ECHO_LEN; i++)
        buffer[8 + sizeof(apdu) + i] = (uint8_t)(i * 7);
    assert_int_equal(smc_irp_ioctl(device, &file, IOCTL_SMARTCARD_TRANSMIT, buffer,
                                   8 + sizeof(apdu) + ECHO_LEN + 2, sizeof(buffer),
                                   &information),
                     STATUS_SUCCESS);
    assert_int_equal(information, 8 + ECHO_LEN + 2);
    for (size_t i = 0; i < ECHO_LEN; i++)
        assert_int_equal(buffer[8 + i], (uint8_t)(i * 7));
    assert_memory_equal(buffer + 8 + ECHO_LEN, "\x90\x00", 2);
    emulate("unplug 1-2");
    wait_gone("1-2");
}

static void test_watch_60000_bytes_are_echoed_in_one_message_and_in_parts(void **state)
{
    (void)state;
    echo_through("level=ext,card=1");
    echo_through("level=ext,card=1,maxmsg=271");
    echo_through("level=ext,card=1,maxmsg=522,hs=0");
}

static void test_watch_card_changes_complete_trackers(void **state)
{
    PDEVICE_OBJECT device = wait_reader("1-1");
    struct request request;

    (void)state;
    for (int i = 0; i < 20; i++) {
        begin(&request, device, IOCTL_SMARTCARD_IS_ABSENT, 0);
        assert_false(request.done);
        emulate("remove 1-1");
        assert_int_equal(finish(&request), STATUS_SUCCESS);
        begin(&request, device, IOCTL_SMARTCARD_IS_PRESENT, 0);
        assert_false(request.done);
        emulate("insert 1-1");
        assert_int_equal(finish(&request), STATUS_SUCCESS);
    }
}

static void test_watch_halted_interrupt_endpoint_is_cleared_and_heard_again(void **state)
{
    PDEVICE_OBJECT device = wait_reader("1-1");
    struct request request;

    (void)state;
    begin(&request, device, IOCTL_SMARTCARD_IS_ABSENT, 0);
    emulate("halt 1-1 1");
    emulate("remove 1-1"); /* nothing says so before the endpoint is started again */
    assert_int_equal(finish(&request), STATUS_SUCCESS);
    begin(&request, device, IOCTL_SMARTCARD_IS_PRESENT, 0);
    emulate("insert 1-1");
    assert_int_equal(finish(&request), STATUS_SUCCESS);
}

/* The executor handles the events while it runs, and the watcher again afterwards. */
static void test_watch_card_change_after_a_burst_of_apdus_is_seen(void **state)
{
    PDEVICE_OBJECT device = wait_reader("1-1");
    struct request request;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(connect_card(device), STATUS_SUCCESS);
        for (int j = 0; j < 50; j++)
            expect_challenge(device);
        begin(&request, device, IOCTL_SMARTCARD_IS_ABSENT, 0);
        emulate("remove 1-1");
        assert_int_equal(finish(&request), STATUS_SUCCESS);
        begin(&request, device, IOCTL_SMARTCARD_IS_PRESENT, 0);
        emulate("insert 1-1");
        assert_int_equal(finish(&request), STATUS_SUCCESS);
    }
}

static void test_watch_plug_and_unplug_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        PDEVICE_OBJECT device;

        emulate("plug 1-2 level=short,card=1");
        device = wait_reader("1-2");
        assert_int_equal(connect_card(device), STATUS_SUCCESS);
        emulate("unplug 1-2");
        wait_gone("1-2");
        wait_reader("1-1"); /* the other one is not touched */
    }
}

static void test_watch_unplug_ends_a_running_request(void **state)
{
    static const uint8_t apdu[] = {0x00, 0xca, 0x00, 0x00, 0x04};
    struct request request;
    PDEVICE_OBJECT device;
    pthread_t thread;

    (void)state;
    emulate("plug 1-3 level=short,card=1");
    device = wait_reader("1-3");
    assert_int_equal(connect_card(device), STATUS_SUCCESS);
    emulate("drop 1-3 1"); /* the next command is never answered */
    put_apdu(&request, apdu, sizeof(apdu));
    request.done = false;
    smc_irp_init_ioctl(&request.irp, device, &file, IOCTL_SMARTCARD_TRANSMIT,
                       request.buffer, 8 + sizeof(apdu), sizeof(request.buffer),
                       completed, &request);
    assert_int_equal(pthread_create(&thread, NULL, begin_thread, &request), 0);
    wait_begun(&request);
    emulate("unplug 1-3");
    assert_int_equal(finish(&request), STATUS_DEVICE_REMOVED);
    pthread_join(thread, NULL);
    wait_gone("1-3");
}

static void test_watch_cancel_ends_a_running_request_and_the_reader_works_on(void **state)
{
    static const uint8_t apdu[] = {0x00, 0xca, 0x00, 0x00, 0x04};
    PDEVICE_OBJECT device = wait_reader("1-1");
    struct request request;
    pthread_t thread;

    (void)state;
    assert_int_equal(connect_card(device), STATUS_SUCCESS);
    emulate("drop 1-1 1");
    put_apdu(&request, apdu, sizeof(apdu));
    request.done = false;
    smc_irp_init_ioctl(&request.irp, device, &file, IOCTL_SMARTCARD_TRANSMIT,
                       request.buffer, 8 + sizeof(apdu), sizeof(request.buffer),
                       completed, &request);
    assert_int_equal(pthread_create(&thread, NULL, begin_thread, &request), 0);
    wait_begun(&request);
    IoCancelIrp(&request.irp);
    assert_int_equal(finish(&request), STATUS_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(connect_card(device), STATUS_SUCCESS);
    expect_challenge(device);
}

/* With none, and with one for the node and none for libusb. */
static void test_watch_without_descriptors_left_the_reader_is_refused_in_words(
    void **state)
{
    static const struct ccid_desc desc = {.bulk_out.address = 1, .bulk_in.address = 0x81};
    struct rlimit before, low;
    int probe = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(probe >= 0);
    close(probe);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned left = 0; left < 2; left++) {
        unsigned count = log_count();
        struct ccid_usb *usb;
        int again;

        low = before;
        low.rlim_cur = (rlim_t)probe + left;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        usb = usb_open("/dev/null", "1-4", &desc, false, false);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_null(usb);
        assert_int_equal(log_count(), count + 1);
        assert_non_null(strstr(client.log, "usb 1-4: "));
        again = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(again, probe); /* nothing is left open */
        close(again);
    }
}

static void test_watch_node_that_is_no_device_is_refused(void **state)
{
    static const struct ccid_desc desc = {.bulk_out.address = 1, .bulk_in.address = 0x81};
    struct usb_node node;
    unsigned count = log_count();

    (void)state;
    assert_null(usb_open("/dev/null", "1-4", &desc, false, false));
    assert_null(usb_open("/dev/bus/usb/999/999", "1-4", &desc, false, false));
    assert_int_equal(log_count(), count + 2);
    assert_false(usb_node_read("/dev/null", &node));
    assert_int_equal(errno, ENODATA);
}

static void wait_log(unsigned count)
{
    struct timespec until = limit();
    int error = 0;

    pthread_mutex_lock(&client.lock);
    while (client.log_count < count && error == 0)
        error = pthread_cond_timedwait(&client.changed, &client.lock, &until);
    pthread_mutex_unlock(&client.lock);
    assert_int_equal(error, 0);
}

/* Requirements 1, 2 and 9: no class descriptor, one of 53 bytes, a bulk endpoint without
 * packets. Not published, and one line that says which device. */
static void test_watch_interface_that_breaks_the_rules_is_not_published(void **state)
{
    static const char *const options[] = {"classlen=0", "classlen=53", "packet=0"};

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        unsigned lines = log_count();
        unsigned arrivals = client.count;

        emulate("plug 1-6 vid=1234,pid=abcd,%s", options[i]);
        wait_log(lines + 1);
        /* One that is in order comes after it, and nothing else was said or published. */
        emulate("plug 1-7 level=short");
        wait_reader("1-7");
        assert_int_equal(log_count(), lines + 1);
        assert_int_equal(client.count, arrivals + 1);
        assert_non_null(strstr(client.log, "1234:abcd"));
        emulate("unplug 1-7");
        wait_gone("1-7");
        emulate("unplug 1-6");
    }
}

static int load(void **state)
{
    static const struct smc_io_client functions = {
        .arrived = arrived, .gone = gone, .log = log_line, .service = service};
    const char *path = getenv("USBEMU_CTL");

    (void)state;
    snprintf(control_path, sizeof(control_path), "%s", path);
    smc_io_register(&functions);
    assert_int_equal(smc_io_load(&driver, ccid_driver_entry), STATUS_SUCCESS);
    assert_int_equal(ccid_usb_watch(&driver), STATUS_SUCCESS);
    return 0;
}

static int unload(void **state)
{
    unsigned left = 0;

    (void)state;
    smc_io_unload(&driver); /* with a reader in it */
    for (unsigned i = 0; i < client.count; i++)
        left += client.readers[i].device != NULL ? 1 : 0;
    smc_io_register(NULL);
    unlink(control_path);
    assert_int_equal(left, 0);
    assert_null(driver.DeviceObject);
    return 0;
}

/* The emulation reads its variables when libusb first asks for devices. */
static bool prepare(void)
{
    char path[100];

    if (getenv("LD_PRELOAD") == NULL || strstr(getenv("LD_PRELOAD"), "usbemu") == NULL)
        return false;
    snprintf(path, sizeof(path), "%s/test-usb_watch-%ld.sock",
             getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"), (long)getpid());
    setenv("USBEMU_CTL", path, 1);
    setenv("USBEMU_DEVICES", "1-1:level=ext,card=1,serialhex=532F0A4E31", 1);
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_finds_the_reader_that_is_there_and_runs_an_apdu),
        cmocka_unit_test(test_watch_reader_without_a_usable_name_is_named_by_vid_and_pid),
        cmocka_unit_test(test_watch_interfaces_that_take_turns_are_known_by_vid_and_pid),
        cmocka_unit_test(test_watch_60000_bytes_are_echoed_in_one_message_and_in_parts),
        cmocka_unit_test(test_watch_card_changes_complete_trackers),
        cmocka_unit_test(test_watch_halted_interrupt_endpoint_is_cleared_and_heard_again),
        cmocka_unit_test(test_watch_card_change_after_a_burst_of_apdus_is_seen),
        cmocka_unit_test(test_watch_plug_and_unplug_come_and_go),
        cmocka_unit_test(test_watch_unplug_ends_a_running_request),
        cmocka_unit_test(
            test_watch_cancel_ends_a_running_request_and_the_reader_works_on),
        cmocka_unit_test(
            test_watch_without_descriptors_left_the_reader_is_refused_in_words),
        cmocka_unit_test(test_watch_node_that_is_no_device_is_refused),
        cmocka_unit_test(test_watch_interface_that_breaks_the_rules_is_not_published),
    };

    if (!prepare()) {
        puts("SKIP test_watch_*: usbemu is not preloaded");
        return 77;
    }
    return cmocka_run_group_tests(tests, load, unload);
}
