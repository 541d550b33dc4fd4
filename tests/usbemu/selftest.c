/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selftest.c - every command of the emulation, seen through an unmodified libusb. Runs
 * with the module preloaded; each test plugs a reader of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define POWER_ON    0x62
#define SLOT_STATUS 0x65
#define XFR_BLOCK   0x6f
#define ABORT       0x72
#define TIMEOUT_MS  2000

static libusb_context *context;
static libusb_device_handle *reader;
static char control_path[64];
static char name[16];
static uint8_t sequence;
static int arrived, left;
static uint8_t answer[70000];
static int answer_len;
static char reply[16384]; /* to the last command */

static const uint8_t challenge[] = {0x00, 0xca, 0x00, 0x00, 0x08};

/* ---- helpers --------------------------------------------------------------------- */

static int command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 1: the emulation answered ok. */
static int command(const char *format, ...)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[512];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), len;
    ssize_t got;
    va_list ap;

    va_start(ap, format);
    len = vsnprintf(line, sizeof line - 1, format, ap);
    va_end(ap);
    assert_in_range(len, 1, sizeof line - 2);
    line[len] = '\n';
    strcpy(address.sun_path, control_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, line, (size_t)len + 1), len + 1);
    got = read(fd, reply, sizeof reply - 1);
    close(fd);
    assert_true(got > 0);
    reply[got] = 0;
    return strstr(reply, "ok") != NULL;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Handles events until *value is at least wanted, at most two seconds. */
static void wait_for(const int *value, int wanted)
{
    int64_t end = now_us() + TIMEOUT_MS * 1000;

    while (*value < wanted && now_us() < end) {
        struct timeval tv = {.tv_usec = 100000};

        libusb_handle_events_timeout(context, &tv);
    }
}

static int bulk_out(uint8_t type, const uint8_t *data, size_t len)
{
    uint8_t *message = calloc(1, 10 + len);
    int moved, rc;

    message[0] = type;
    for (unsigned i = 0; i < 4; i++)
        message[1 + i] = (uint8_t)(len >> (8 * i));
    message[6] = ++sequence;
    if (len)
        memcpy(message + 10, data, len);
    rc = libusb_bulk_transfer(reader, 0x02, message, (int)(10 + len), &moved, TIMEOUT_MS);
    free(message);
    return rc;
}

static int bulk_in(unsigned timeout_ms)
{
    answer_len = 0;
    return libusb_bulk_transfer(reader, 0x81, answer, sizeof answer, &answer_len,
                                timeout_ms);
}

static void exchange(uint8_t type, const uint8_t *data, size_t len)
{
    assert_int_equal(bulk_out(type, data, len), 0);
    assert_int_equal(bulk_in(TIMEOUT_MS), 0);
}

/* The answer's bytes are these and its status is well. */
static void assert_block(const void *bytes, size_t len)
{
    assert_int_equal(answer[7], 0);
    assert_int_equal(answer_len, 10 + len);
    assert_memory_equal(answer + 10, bytes, len);
}

static int LIBUSB_CALL on_hotplug(libusb_context *c, libusb_device *d,
                                  libusb_hotplug_event event, void *user)
{
    (void)c;
    (void)d;
    (void)user;
    if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED)
        arrived++;
    else
        left++;
    return 0;
}

static libusb_device_handle *open_reader(unsigned address_index)
{
    libusb_device **list;
    libusb_device_handle *handle = NULL;
    ssize_t n = libusb_get_device_list(context, &list);

    assert_true(n > (ssize_t)address_index);
    assert_int_equal(libusb_open(list[address_index], &handle), 0);
    libusb_free_device_list(list, 1);
    return handle;
}

/* Plugs, opens and claims; the previous test has unplugged its own. */
static void plug(const char *options)
{
    static int number;

    snprintf(name, sizeof name, "9-%d", ++number);
    arrived = left = 0;
    assert_true(command("plug %s %s", name, options));
    wait_for(&arrived, 1);
    assert_int_equal(arrived, 1);
    reader = open_reader(0);
    assert_int_equal(libusb_claim_interface(reader, 0), 0);
}

static int unplug(void **state)
{
    (void)state;
    if (!reader)
        return 0;
    libusb_close(reader);
    reader = NULL;
    if (command("unplug %s", name))
        wait_for(&left, 1);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------- */

static void test_claim_by_a_second_handle_is_busy(void **state)
{
    libusb_device_handle *second;

    (void)state;
    plug("level=ext,card=1");
    second = open_reader(0);
    assert_int_equal(libusb_claim_interface(second, 0), LIBUSB_ERROR_BUSY);
    libusb_close(second);
}

static void test_xfr_before_power_on_is_refused(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer[7], 0x41);
    assert_int_equal(answer[8], 0xfe);
}

static void test_power_on_gives_the_built_in_atr(void **state)
{
    static const uint8_t atr[] = {0x3b, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                                  0x54, 0x42, 0x45, 0x44, 0x01, 0x5d};

    (void)state;
    plug("level=short,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_block(atr, sizeof atr);
}

static void test_extended_echo_of_65000_bytes_comes_back(void **state)
{
    static uint8_t apdu[7 + 65000], expected[65002];

    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    memset(apdu, 0x5a, sizeof apdu);
    memcpy(apdu, (const uint8_t[]){0x80, 0xe0, 0, 0, 0, 65000 >> 8, 65000 & 0xff}, 7);
    memset(expected, 0x5a, sizeof expected);
    memcpy(expected + 65000, "\x90\x00", 2);
    exchange(XFR_BLOCK, apdu, sizeof apdu);
    assert_block(expected, sizeof expected);
}

static void test_message_beyond_its_maximum_is_refused(void **state)
{
    static uint8_t apdu[400] = {0x80, 0xe0};

    (void)state;
    plug("level=short,card=1");
    exchange(POWER_ON, NULL, 0);
    exchange(XFR_BLOCK, apdu, sizeof apdu);
    assert_int_equal(answer[7], 0x40);
    assert_int_equal(answer[8], 1);
}

static void test_t1_block_is_answered_by_a_block(void **state)
{
    static const uint8_t block[] = {0x00, 0x00, 0x05, 0x00, 0xca, 0x00, 0x00, 0x02, 0xcd};
    static const uint8_t expected[] = {0x00, 0x00, 0x04, 0x00, 0x01, 0x90, 0x00, 0x95};

    (void)state;
    plug("level=tpdu,card=1,atr=3b84015445535493");
    exchange(POWER_ON, NULL, 0);
    exchange(XFR_BLOCK, block, sizeof block);
    assert_block(expected, sizeof expected);
}

static void test_t0_echo_is_fetched_by_get_response(void **state)
{
    static const uint8_t echo[] = {0x80, 0xe0, 0, 0, 3, 1, 2, 3};
    static const uint8_t get_response[] = {0x00, 0xc0, 0, 0, 3};
    static const uint8_t wrong_length[] = {0x80, 0xe2, 0, 2, 9};

    (void)state;
    plug("level=tpdu,card=1");
    exchange(POWER_ON, NULL, 0);
    exchange(XFR_BLOCK, echo, sizeof echo);
    assert_block("\x61\x03", 2);
    exchange(XFR_BLOCK, get_response, sizeof get_response);
    assert_block("\x01\x02\x03\x90\x00", 5);
    exchange(XFR_BLOCK, wrong_length, sizeof wrong_length);
    assert_block("\x6c\x02", 2);
}

static void test_timeext_sends_one_extension_before_the_answer(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_true(command("timeext %s 1", name));
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer[7] >> 6, 2);
    assert_int_equal(bulk_in(TIMEOUT_MS), 0);
    assert_block("\x00\x01\x02\x03\x04\x05\x06\x07\x90\x00", 10);
}

static void test_drop_swallows_one_command(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_true(command("drop %s 1", name));
    assert_int_equal(bulk_out(XFR_BLOCK, challenge, sizeof challenge), 0);
    assert_int_equal(bulk_in(50), LIBUSB_ERROR_TIMEOUT);
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer_len, 20);
}

static void test_stall_halts_until_clear_halt(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_true(command("stall %s 1", name));
    assert_int_equal(bulk_out(XFR_BLOCK, challenge, sizeof challenge), LIBUSB_ERROR_PIPE);
    assert_int_equal(bulk_out(XFR_BLOCK, challenge, sizeof challenge), LIBUSB_ERROR_PIPE);
    assert_int_equal(libusb_clear_halt(reader, 0x02), 0);
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer_len, 20);
}

static void test_short_and_badseq_spoil_one_answer_each(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_true(command("short %s 1", name));
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer_len, 7);
    assert_true(command("badseq %s 1", name));
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer[6], (uint8_t)(sequence + 1));
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer[6], sequence);
}

static void test_mute_card_fails_to_power_on(void **state)
{
    (void)state;
    plug("level=ext,card=1");
    assert_true(command("mute %s 1", name));
    exchange(POWER_ON, NULL, 0);
    assert_int_equal(answer[7], 0x41);
    assert_int_equal(answer[8], 0xfe);
}

static void test_latency_delays_the_answer(void **state)
{
    int64_t begin;

    (void)state;
    plug("level=ext,card=1,latency=20000");
    begin = now_us();
    exchange(POWER_ON, NULL, 0);
    assert_true(now_us() - begin >= 20000);
}

static void test_chance_spoils_as_many_messages_as_it_says(void **state)
{
    const int64_t begun_us = now_us();
    long long at_ns;
    unsigned of_reader;

    (void)state;
    plug("level=ext,card=1,chance=100000,seed=7");
    for (unsigned i = 1; i <= 5; i++) {
        (void)bulk_out(SLOT_STATUS, NULL, 0); /* a stall of the one before may end it */
        (void)libusb_clear_halt(reader, 0x02);
        assert_true(command("faults %s", name));
        assert_int_equal(sscanf(reply, "ok %u %lld", &of_reader, &at_ns), 2);
        assert_in_range(at_ns / 1000, begun_us, now_us());
        assert_in_range(of_reader, 1, i);
    }
    assert_true(of_reader > 1);
    assert_true(command("chance %s 0", name));
    (void)bulk_out(SLOT_STATUS, NULL, 0);
    assert_true(command("faults %s", name));
    assert_int_equal(strtoul(reply + 3, NULL, 10), of_reader);
    assert_true(command("faults"));
    assert_non_null(strstr(reply, "drop"));
    assert_false(command("plug 8-1 chance=100001"));
}

static void test_ledger_tells_of_a_number_that_comes_twice(void **state)
{
    uint8_t numbered[] = {0x80, 0xe0, 0, 0, 8, 0x4e, 0x6f, 0, 200, 0, 0, 0, 7};
    unsigned long executed, repeated, now;
    unsigned client, count;

    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_true(command("ledger"));
    assert_int_equal(sscanf(reply, "ok %lu %lu", &executed, &repeated), 2);
    assert_int_equal(repeated, 0);
    exchange(XFR_BLOCK, numbered, sizeof numbered);
    numbered[12] = 8;
    exchange(XFR_BLOCK, numbered, sizeof numbered);
    assert_true(command("ledger"));
    assert_int_equal(sscanf(reply, "ok %lu %lu", &now, &repeated), 2);
    assert_int_equal(now, executed + 2);
    assert_int_equal(repeated, 0);
    exchange(XFR_BLOCK, numbered, sizeof numbered);
    assert_true(command("ledger"));
    assert_int_equal(sscanf(reply, "ok %lu %lu %u %u", &now, &repeated, &client, &count),
                     4);
    assert_int_equal(repeated, 1);
    assert_int_equal(client, 200);
    assert_int_equal(count, 8);
}

static void test_abort_gives_up_a_slow_command(void **state)
{
    static const uint8_t slow[] = {0x80, 0xe4, 0xff, 0xff};

    (void)state;
    plug("level=ext,card=1");
    exchange(POWER_ON, NULL, 0);
    assert_int_equal(bulk_out(XFR_BLOCK, slow, sizeof slow), 0);
    exchange(SLOT_STATUS, NULL, 0);
    assert_int_equal(answer[8], 0xe0); /* still busy */
    assert_int_equal(libusb_control_transfer(reader, 0x21, 1,
                                             (uint16_t)((sequence + 1) << 8), 0, NULL, 0,
                                             TIMEOUT_MS),
                     0);
    exchange(ABORT, NULL, 0);
    assert_int_equal(answer[0], 0x81);
    assert_int_equal(answer[6], sequence);
    exchange(XFR_BLOCK, challenge, sizeof challenge);
    assert_int_equal(answer_len, 20);
}

static void test_hex_product_string_reaches_the_descriptor(void **state)
{
    unsigned char raw[64];

    (void)state;
    plug("producthex=2e2e2f0a00ff,serialhex=41");
    assert_int_equal(libusb_get_string_descriptor(reader, 2, 0x409, raw, sizeof raw), 14);
    assert_memory_equal(raw, "\x0e\x03.\0.\0/\0\n\0\0\0\xff\0", 14);
    assert_false(command("plug 8-1 producthex=2e2"));
    assert_false(command("plug 8-1 nonsense=1"));
}

/* ---- interrupt endpoint ---------------------------------------------------------- */

static uint8_t interrupt_message[8];
static int interrupts; /* completed transfers */
static enum libusb_transfer_status interrupt_status;

static void LIBUSB_CALL on_interrupt(struct libusb_transfer *transfer)
{
    interrupt_status = transfer->status;
    interrupts++;
}

static struct libusb_transfer *listen_for_interrupt(void)
{
    struct libusb_transfer *t = libusb_alloc_transfer(0);

    interrupts = 0;
    libusb_fill_interrupt_transfer(t, reader, 0x83, interrupt_message,
                                   sizeof interrupt_message, on_interrupt, NULL, 0);
    assert_int_equal(libusb_submit_transfer(t), 0);
    return t;
}

static void test_interrupt_tells_of_cards(void **state)
{
    struct libusb_transfer *t;

    (void)state;
    plug("level=ext,card=1");
    t = listen_for_interrupt();
    wait_for(&interrupts, 1); /* a card that was there is told of at once */
    assert_int_equal(interrupt_status, LIBUSB_TRANSFER_COMPLETED);
    assert_memory_equal(interrupt_message, "\x50\x03", 2);

    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_true(command("remove %s", name));
    wait_for(&interrupts, 2);
    assert_memory_equal(interrupt_message, "\x50\x02", 2);
    exchange(POWER_ON, NULL, 0);
    assert_int_equal(answer[7], 0x42);

    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_int_equal(libusb_cancel_transfer(t), 0);
    wait_for(&interrupts, 3);
    assert_int_equal(interrupt_status, LIBUSB_TRANSFER_CANCELLED);
    libusb_free_transfer(t);
}

static void test_pending_interrupt_does_not_spin(void **state)
{
    struct libusb_transfer *t;
    struct rusage before, after;
    int64_t end = now_us() + 300000;

    (void)state;
    plug("level=ext,card=0");
    t = listen_for_interrupt();
    wait_for(&interrupts, 1);
    assert_int_equal(libusb_submit_transfer(t), 0);
    getrusage(RUSAGE_SELF, &before);
    while (now_us() < end) {
        struct timeval tv = {.tv_usec = 300000};

        libusb_handle_events_timeout(context, &tv);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 10);
    libusb_cancel_transfer(t);
    wait_for(&interrupts, 2);
    libusb_free_transfer(t);
}

static void test_unplug_ends_everything_with_no_device(void **state)
{
    struct libusb_transfer *t;

    (void)state;
    plug("level=ext,card=0");
    t = listen_for_interrupt();
    wait_for(&interrupts, 1);
    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_true(command("unplug %s", name));
    wait_for(&interrupts, 2);
    wait_for(&left, 1);
    assert_int_equal(interrupt_status, LIBUSB_TRANSFER_NO_DEVICE);
    assert_int_equal(left, 1);
    assert_int_equal(bulk_out(SLOT_STATUS, NULL, 0), LIBUSB_ERROR_NO_DEVICE);
    libusb_free_transfer(t);
}

static void test_thirty_two_readers_arrive_and_leave(void **state)
{
    (void)state;
    arrived = left = 0;
    for (int i = 1; i <= 32; i++)
        assert_true(command("plug 8-%d level=short,card=1,slots=2", i));
    wait_for(&arrived, 32);
    assert_int_equal(arrived, 32);
    assert_true(command("insert 8-32@1"));
    assert_false(command("insert 8-32@2"));
    for (int i = 1; i <= 32; i++)
        assert_true(command("unplug 8-%d", i));
    wait_for(&left, 32);
    assert_int_equal(left, 32);
}

static long heap(void)
{
    long bytes = -1;

    assert_true(command("heap"));
    assert_int_equal(sscanf(reply, "ok %ld", &bytes), 1);
    return bytes;
}

static void test_readers_that_have_left_leave_nothing_behind(void **state)
{
    long before = 0;

    (void)state;
    for (int i = 0; i < 250; i++) {
        if (i == 50)
            before = heap();
        plug("level=short,card=1");
        unplug(NULL);
    }
    /* the threads of the commands before may still have their buffers */
    assert_in_range(heap(), 0, before + 48 * 1024);
}

static int start(void **state)
{
    (void)state;
    snprintf(control_path, sizeof control_path, "/tmp/usbemu-selftest.%ld",
             (long)getpid());
    setenv("USBEMU_CTL", control_path, 1);
    if (libusb_init(&context))
        return -1;
    return libusb_hotplug_register_callback(
        context, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
        LIBUSB_HOTPLUG_NO_FLAGS, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
        LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, NULL, NULL);
}

static int stop(void **state)
{
    (void)state;
    libusb_exit(context);
    unlink(control_path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_claim_by_a_second_handle_is_busy, unplug),
        cmocka_unit_test_teardown(test_xfr_before_power_on_is_refused, unplug),
        cmocka_unit_test_teardown(test_power_on_gives_the_built_in_atr, unplug),
        cmocka_unit_test_teardown(test_extended_echo_of_65000_bytes_comes_back, unplug),
        cmocka_unit_test_teardown(test_message_beyond_its_maximum_is_refused, unplug),
        cmocka_unit_test_teardown(test_t1_block_is_answered_by_a_block, unplug),
        cmocka_unit_test_teardown(test_t0_echo_is_fetched_by_get_response, unplug),
        cmocka_unit_test_teardown(test_timeext_sends_one_extension_before_the_answer,
                                  unplug),
        cmocka_unit_test_teardown(test_drop_swallows_one_command, unplug),
        cmocka_unit_test_teardown(test_stall_halts_until_clear_halt, unplug),
        cmocka_unit_test_teardown(test_short_and_badseq_spoil_one_answer_each, unplug),
        cmocka_unit_test_teardown(test_mute_card_fails_to_power_on, unplug),
        cmocka_unit_test_teardown(test_latency_delays_the_answer, unplug),
        cmocka_unit_test_teardown(test_chance_spoils_as_many_messages_as_it_says, unplug),
        cmocka_unit_test_teardown(test_ledger_tells_of_a_number_that_comes_twice, unplug),
        cmocka_unit_test_teardown(test_abort_gives_up_a_slow_command, unplug),
        cmocka_unit_test_teardown(test_hex_product_string_reaches_the_descriptor, unplug),
        cmocka_unit_test_teardown(test_interrupt_tells_of_cards, unplug),
        cmocka_unit_test_teardown(test_pending_interrupt_does_not_spin, unplug),
        cmocka_unit_test_teardown(test_unplug_ends_everything_with_no_device, unplug),
        cmocka_unit_test(test_thirty_two_readers_arrive_and_leave),
        cmocka_unit_test(test_readers_that_have_left_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
