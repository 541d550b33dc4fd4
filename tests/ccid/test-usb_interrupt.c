/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-usb_interrupt.c - ccid/usb_interrupt.c: the transfer that always listens, and what
 * is said when it no longer does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smclib/io.h"

#include "scripted_libusb.h"

#define ENDS(name) LIBUSB_TRANSFER_##name

static const struct ccid_usb_ops *const ops = &ccid_usb_libusb_ops;

static struct {
    unsigned messages, halts; /* notify without a message */
    uint8_t last[USB_INTERRUPT_MAX];
    size_t last_len;
    bool stop; /* whoever is told stops it */
    unsigned log_lines;
    char log[128];
} told;

static void notify(void *context, const uint8_t *message, size_t len)
{
    assert_ptr_equal(context, &told);
    if (told.stop)
        __atomic_store_n(&lib.usb.interrupt.stopping, 1, __ATOMIC_SEQ_CST);
    if (message == NULL) {
        told.halts++;
        return;
    }
    told.messages++;
    told.last_len = len;
    memcpy(told.last, message, len);
}

static void on_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                   const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    told.log_lines++;
    strncpy(told.log, text, sizeof(told.log) - 1);
}

static int begin(void **state)
{
    static const struct smc_io_client client = {.log = on_log};

    (void)state;
    memset(&told, 0, sizeof(told));
    smc_io_register(&client);
    scripted_libusb_begin();
    strcpy(lib.usb.path, "1-1");
    return 0;
}

static int end(void **state)
{
    (void)state;
    ops->stop(&lib.usb);
    scripted_libusb_end();
    smc_io_register(NULL);
    return 0;
}

static void start(void)
{
    assert_int_equal(ops->start(&lib.usb, notify, &told), CCID_USB_OK);
}

/* What is next in the script happens. */
static void once(void)
{
    assert_int_equal(usb_handle_events(&lib.usb, 0, NULL), 0);
}

static void test_message_is_passed_on_and_the_next_is_listened_for(void **state)
{
    (void)state;
    start();
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x03", 2);
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), NULL, 0); /* says nothing */
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x02", 2);
    once();
    assert_int_equal(told.messages, 1);
    assert_memory_equal(told.last, "\x50\x03", 2);
    once();
    assert_int_equal(told.messages, 1);
    once();
    assert_int_equal(told.messages, 2);
    assert_int_equal(told.last_len, 2);
    assert_memory_equal(told.last, "\x50\x02", 2);
    assert_int_equal(lib.submits, 4);
    assert_int_equal(told.halts, 0);
}

static void test_errors_are_forgiven_until_ten_follow_one_another(void **state)
{
    static const enum libusb_transfer_status errors[] = {ENDS(ERROR), ENDS(TIMED_OUT),
                                                         ENDS(OVERFLOW), ENDS(NO_DEVICE)};

    (void)state;
    start();
    for (unsigned i = 0; i < 9; i++)
        scripted_libusb_ends(LIBUSB_INTERRUPT, errors[i % 4], NULL, 0);
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x02", 2);
    for (unsigned i = 0; i < 10; i++)
        scripted_libusb_ends(LIBUSB_INTERRUPT, errors[i % 4], NULL, 0);
    for (unsigned i = 0; i < 19; i++)
        once();
    assert_int_equal(told.messages, 1);
    assert_int_equal(told.halts, 0);
    assert_int_equal(told.log_lines, 0);
    once();
    assert_int_equal(told.halts, 1);
    assert_int_equal(told.log_lines, 1);
    assert_string_equal(told.log, "usb 1-1: the interrupt endpoint fails");
    assert_int_equal(lib.submits, 20);
}

static void test_stalled_endpoint_is_cleared_by_the_next_start(void **state)
{
    (void)state;
    start();
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(STALL), NULL, 0);
    once();
    assert_int_equal(told.halts, 1);
    assert_string_equal(told.log, "usb 1-1: the interrupt endpoint is stalled");
    assert_int_equal(lib.submits, 1);
    assert_int_equal(lib.halt_count, 0);
    start();
    assert_int_equal(lib.halt_count, 1);
    assert_int_equal(lib.halts[0], LIBUSB_INTERRUPT);
    ops->stop(&lib.usb);
    start(); /* once is enough */
    assert_int_equal(lib.halt_count, 1);
}

static void test_transfer_that_somebody_cancelled_is_idle_without_a_word(void **state)
{
    (void)state;
    start();
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(CANCELLED), NULL, 0);
    once();
    assert_int_equal(told.halts, 0);
    assert_int_equal(lib.submits, 1);
}

static void test_endpoint_that_cannot_be_listened_to_again_is_halted(void **state)
{
    (void)state;
    start();
    lib.submit_results[1] = LIBUSB_ERROR_NO_MEM;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x03", 2);
    once();
    assert_int_equal(told.messages, 1);
    assert_int_equal(told.halts, 1);
    start();
    assert_int_equal(lib.submits, 3);
}

static void test_device_that_went_is_known_to_be_gone(void **state)
{
    (void)state;
    start();
    lib.submit_results[1] = LIBUSB_ERROR_NO_DEVICE;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(NO_DEVICE), NULL, 0);
    once();
    assert_int_equal(told.halts, 0); /* its departure is told otherwise */
    assert_int_equal(usb_obstacle(&lib.usb), CCID_USB_GONE);
}

static void test_start_that_is_refused_says_why(void **state)
{
    (void)state;
    lib.submit_results[0] = LIBUSB_ERROR_PIPE;
    assert_int_equal(ops->start(&lib.usb, notify, &told), CCID_USB_STALL);
    assert_int_equal(told.halts, 0);
}

static void test_stop_takes_the_transfer_back_whatever_it_takes(void **state)
{
    (void)state;
    start();
    lib.cancels_lost = 1;
    scripted_libusb_error(LIBUSB_ERROR_NO_MEM);
    ops->stop(&lib.usb);
    assert_int_equal(lib.cancels, 2);
    assert_null(lib.pending[0].transfer);
    assert_int_equal(told.halts + told.messages, 0);
}

static void test_stop_drops_a_message_that_has_just_come(void **state)
{
    (void)state;
    start();
    lib.cancels_lost = 1;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x03", 2);
    ops->stop(&lib.usb);
    assert_int_equal(told.messages, 0);
    assert_int_equal(lib.submits, 1);
}

static void test_stop_by_who_is_told_ends_the_listening(void **state)
{
    (void)state;
    start();
    told.stop = true;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x03", 2);
    once();
    assert_int_equal(told.messages, 1);
    assert_int_equal(lib.submits, 1);
}

static void test_interface_without_the_endpoint_starts_and_stops(void **state)
{
    static const struct ccid_endpoint none;
    struct libusb_transfer *transfer = lib.usb.interrupt.transfer;

    (void)state;
    lib.usb.interrupt.transfer = NULL;
    assert_true(usb_interrupt_init(&lib.usb, &none));
    assert_null(lib.usb.interrupt.transfer);
    assert_int_equal(ops->start(&lib.usb, notify, &told), CCID_USB_OK);
    assert_false(usb_interrupt_pause(&lib.usb));
    assert_int_equal(lib.submits, 0);
    lib.usb.interrupt.transfer = transfer;
}

static void test_transfer_has_room_for_8_to_64_bytes(void **state)
{
    static const struct {
        uint16_t packet;
        int room;
    } rows[] = {{1, 8}, {8, 8}, {16, 16}, {64, 64}, {1024, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ccid_endpoint endpoint = {LIBUSB_INTERRUPT, 24, rows[i].packet};

        libusb_free_transfer(lib.usb.interrupt.transfer);
        assert_true(usb_interrupt_init(&lib.usb, &endpoint));
        assert_int_equal(lib.usb.interrupt.transfer->length, rows[i].room);
    }
}

/* ---- resets ------------------------------------------------------------------------ */

static void test_reset_takes_the_listener_back_and_lets_it_listen_again(void **state)
{
    (void)state;
    start();
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_OK);
    assert_int_equal(lib.resets, 1);
    assert_int_equal(lib.cancels, 1);
    assert_int_equal(lib.submits, 2);
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(COMPLETED), "\x50\x03", 2);
    once();
    assert_int_equal(told.messages, 1);
}

static void test_reset_that_fails_leaves_the_listener_listening(void **state)
{
    (void)state;
    start();
    lib.reset_result = LIBUSB_ERROR_BUSY;
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_IO);
    assert_int_equal(lib.submits, 2);
}

static void test_reset_of_a_device_that_goes_or_does_not_listen_submits_nothing(
    void **state)
{
    (void)state;
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_OK);
    assert_int_equal(lib.submits, 0);
    start();
    lib.reset_result = LIBUSB_ERROR_NOT_FOUND; /* it has become another device */
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_GONE);
    assert_int_equal(lib.submits, 1);
}

static void test_listener_that_a_reset_silenced_is_told_as_halted(void **state)
{
    (void)state;
    start();
    lib.submit_results[1] = LIBUSB_ERROR_NO_MEM;
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_OK);
    assert_int_equal(told.halts, 1);
    start();
    lib.submit_results[3] = LIBUSB_ERROR_NO_DEVICE;
    assert_int_equal(ops->reset(&lib.usb), CCID_USB_OK);
    assert_int_equal(told.halts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(message_is_passed_on_and_the_next_is_listened_for),
        TEST(errors_are_forgiven_until_ten_follow_one_another),
        TEST(stalled_endpoint_is_cleared_by_the_next_start),
        TEST(transfer_that_somebody_cancelled_is_idle_without_a_word),
        TEST(endpoint_that_cannot_be_listened_to_again_is_halted),
        TEST(device_that_went_is_known_to_be_gone),
        TEST(start_that_is_refused_says_why),
        TEST(stop_takes_the_transfer_back_whatever_it_takes),
        TEST(stop_drops_a_message_that_has_just_come),
        TEST(stop_by_who_is_told_ends_the_listening),
        TEST(interface_without_the_endpoint_starts_and_stops),
        TEST(transfer_has_room_for_8_to_64_bytes),
        TEST(reset_takes_the_listener_back_and_lets_it_listen_again),
        TEST(reset_that_fails_leaves_the_listener_listening),
        TEST(reset_of_a_device_that_goes_or_does_not_listen_submits_nothing),
        TEST(listener_that_a_reset_silenced_is_told_as_halted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
