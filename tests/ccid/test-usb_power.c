/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-usb_power.c - ccid/usb_power.c: when a reader may sleep, and who listens to it
 * again. The kernel is this program: its ioctls, and what it refuses. The thread of a
 * sleeping reader runs where the test says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/usbdevice_fs.h>

#include <cmocka.h>

#include "scripted_libusb.h"

#define ENDS(name) LIBUSB_TRANSFER_##name

static const struct ccid_usb_ops *const ops = &ccid_usb_libusb_ops;

static struct {
    bool knows_capabilities;
    uint32_t capabilities;
    unsigned allows, forbids, waits;
    bool refuses_allow, refuses_thread, refuses_memory, refuses_file, refuses_transfer;
    bool interrupts_wait; /* once */
    void *(*run)(void *context);
    void *context;
    unsigned halts; /* told by the interrupt endpoint */
} kernel;

/* ---- the kernel -------------------------------------------------------------------- */

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *), void *context);
void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
int __wrap_fcntl64(int fd, int command, ...);
int __real_fcntl64(int fd, int command, ...);
struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets);
struct libusb_transfer *__real_libusb_alloc_transfer(int packets);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    (void)fd;
    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        va_start(arguments, request);
        *va_arg(arguments, uint32_t *) = kernel.capabilities;
        va_end(arguments);
        return kernel.knows_capabilities ? 0 : -1;
    case USBDEVFS_ALLOW_SUSPEND:
        kernel.allows++;
        return kernel.refuses_allow ? -1 : 0;
    case USBDEVFS_FORBID_SUSPEND:
        kernel.forbids++;
        return 0;
    case USBDEVFS_WAIT_FOR_RESUME:
        kernel.waits++;
        if (kernel.interrupts_wait) {
            kernel.interrupts_wait = false;
            errno = EINTR;
            return -1;
        }
        return 0;
    default:
        fail_msg("ioctl %lx", request);
        return -1;
    }
}

int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *), void *context)
{
    assert_null(thread);
    if (kernel.refuses_thread)
        return EAGAIN;
    assert_null(kernel.run);
    kernel.run = run;
    kernel.context = context;
    return 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return kernel.refuses_memory ? NULL : __real_calloc(n, size);
}

int __wrap_fcntl64(int fd, int command, ...)
{
    assert_int_equal(command, F_DUPFD_CLOEXEC);
    return kernel.refuses_file ? -1 : __real_fcntl64(fd, command, 0);
}

struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets)
{
    return kernel.refuses_transfer ? NULL : __real_libusb_alloc_transfer(packets);
}

/* ---- the reader -------------------------------------------------------------------- */

static void notify(void *context, const uint8_t *message, size_t len)
{
    (void)context;
    (void)len;
    kernel.halts += message == NULL;
}

static int begin_off(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    kernel.knows_capabilities = true;
    kernel.capabilities = USBDEVFS_CAP_SUSPEND;
    scripted_libusb_begin();
    lib.usb.fd = eventfd(0, EFD_CLOEXEC);
    return 0;
}

static int begin(void **state)
{
    begin_off(state);
    assert_true(usb_power_init(&lib.usb, true));
    assert_int_equal(ops->start(&lib.usb, notify, NULL), CCID_USB_OK);
    return 0;
}

/* The kernel wakes the reader up, or it is over anyway. */
static bool run_thread(void)
{
    void *(*run)(void *) = kernel.run;

    kernel.run = NULL;
    if (run != NULL)
        run(kernel.context);
    return run != NULL;
}

static int end(void **state)
{
    (void)state;
    ops->stop(&lib.usb);
    run_thread();
    libusb_free_transfer(lib.usb.power.transfer);
    close(lib.usb.fd);
    scripted_libusb_end();
    return 0;
}

/* What is next in the script happens. */
static void once(void)
{
    assert_int_equal(usb_handle_events(&lib.usb, 0, NULL), 0);
}

static void device_answers(enum libusb_transfer_status status)
{
    scripted_libusb_ends(0, status, NULL, 0);
    once();
}

/* It is asked, agrees, and may sleep. */
static void allow(void)
{
    ops->may_sleep(&lib.usb, true);
    device_answers(ENDS(COMPLETED));
    assert_int_equal(kernel.allows, 1);
}

/* The kernel ends the transfer as if the device had gone, and refuses the next. */
static void fall_asleep(void)
{
    lib.submit_results[lib.submits] = LIBUSB_ERROR_IO;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(NO_DEVICE), NULL, 0);
    once();
    assert_int_equal(kernel.halts, 0);
}

static bool listens(void)
{
    for (size_t i = 0; i < sizeof(lib.pending) / sizeof(lib.pending[0]); i++)
        if (lib.pending[i].transfer == lib.usb.interrupt.transfer)
            return true;
    return false;
}

/* ---- whether it may ---------------------------------------------------------------- */

static void test_only_a_reader_that_can_tell_of_its_card_may_sleep(void **state)
{
    struct libusb_transfer *interrupt = lib.usb.interrupt.transfer;

    (void)state;
    assert_true(usb_power_init(&lib.usb, false));
    assert_null(lib.usb.power.transfer);
    lib.usb.interrupt.transfer = NULL;
    assert_true(usb_power_init(&lib.usb, true));
    assert_null(lib.usb.power.transfer);
    lib.usb.interrupt.transfer = interrupt;
    kernel.capabilities = (uint32_t)~USBDEVFS_CAP_SUSPEND;
    assert_true(usb_power_init(&lib.usb, true));
    assert_null(lib.usb.power.transfer);
    kernel.capabilities = USBDEVFS_CAP_SUSPEND;
    kernel.knows_capabilities = false;
    assert_true(usb_power_init(&lib.usb, true));
    assert_null(lib.usb.power.transfer);
    ops->may_sleep(&lib.usb, true);
    assert_int_equal(lib.submits, 0);
}

static void test_no_memory_to_ask_with_is_an_error(void **state)
{
    (void)state;
    kernel.refuses_transfer = true;
    assert_false(usb_power_init(&lib.usb, true));
    kernel.refuses_transfer = false;
    assert_true(usb_power_init(&lib.usb, true));
    assert_non_null(lib.usb.power.transfer);
}

static void test_reader_that_agrees_may_sleep_until_somebody_enters(void **state)
{
    static const uint8_t set_feature[] = {0, 3, 1, 0, 0, 0, 0, 0};

    (void)state;
    allow();
    assert_memory_equal(lib.usb.power.setup, set_feature, sizeof(set_feature));
    ops->may_sleep(&lib.usb, true); /* it knows */
    assert_int_equal(lib.submits, 2);
    usb_power_enter(&lib.usb);
    assert_int_equal(kernel.forbids, 1);
    usb_power_enter(&lib.usb); /* once is enough */
    assert_int_equal(kernel.forbids, 1);
    ops->may_sleep(&lib.usb, true); /* not while anybody is in */
    usb_power_leave(&lib.usb);
    ops->may_sleep(&lib.usb, true);
    assert_int_equal(lib.submits, 2);
    usb_power_leave(&lib.usb);
    ops->may_sleep(&lib.usb, true);
    assert_int_equal(lib.submits, 3);
}

static void test_reader_is_asked_one_time_at_a_time(void **state)
{
    (void)state;
    ops->may_sleep(&lib.usb, true);
    ops->may_sleep(&lib.usb, true);
    assert_int_equal(lib.submits, 2); /* and one that listens */
}

static void test_reader_that_refuses_is_never_asked_again(void **state)
{
    (void)state;
    ops->may_sleep(&lib.usb, true);
    device_answers(ENDS(STALL));
    ops->may_sleep(&lib.usb, true);
    assert_int_equal(lib.submits, 2);
    assert_int_equal(kernel.allows, 0);
}

static void test_question_that_fails_is_asked_at_the_next_occasion(void **state)
{
    (void)state;
    lib.submit_results[1] = LIBUSB_ERROR_NO_MEM;
    ops->may_sleep(&lib.usb, true);
    ops->may_sleep(&lib.usb, true);
    device_answers(ENDS(ERROR));
    assert_int_equal(kernel.allows, 0);
    allow();
    assert_int_equal(lib.submits, 4);
}

static void test_reader_that_is_wanted_meanwhile_may_not_sleep(void **state)
{
    (void)state;
    ops->may_sleep(&lib.usb, true);
    ops->may_sleep(&lib.usb, false);
    device_answers(ENDS(COMPLETED));
    assert_int_equal(kernel.allows, 0);
    ops->may_sleep(&lib.usb, true);
    usb_power_enter(&lib.usb);
    device_answers(ENDS(COMPLETED));
    assert_int_equal(kernel.allows, 0);
    usb_power_leave(&lib.usb);
}

static void test_kernel_that_refuses_need_not_be_told_otherwise(void **state)
{
    (void)state;
    kernel.refuses_allow = true;
    allow();
    usb_power_enter(&lib.usb);
    assert_int_equal(kernel.forbids, 0);
    usb_power_leave(&lib.usb);
}

/* ---- asleep ------------------------------------------------------------------------ */

static void test_who_enters_wakes_it_up_and_it_is_listened_to_again(void **state)
{
    (void)state;
    allow();
    fall_asleep();
    assert_false(listens());
    usb_power_enter(&lib.usb);
    assert_int_equal(kernel.forbids, 1);
    assert_true(listens());
    assert_true(run_thread());
    assert_int_equal(lib.submits, 4); /* not twice */
    usb_power_leave(&lib.usb);
}

static void test_reader_that_its_card_wakes_up_is_listened_to_and_asked_again(
    void **state)
{
    (void)state;
    allow();
    fall_asleep();
    kernel.interrupts_wait = true;
    assert_true(run_thread());
    assert_int_equal(kernel.waits, 2);
    assert_true(listens());
    device_answers(ENDS(COMPLETED));
    assert_int_equal(kernel.allows, 2);
    fall_asleep(); /* and again */
    assert_true(run_thread());
    assert_true(listens());
}

static void test_reader_that_is_lost_while_awake_is_halted(void **state)
{
    (void)state;
    lib.submit_results[1] = LIBUSB_ERROR_IO;
    scripted_libusb_ends(LIBUSB_INTERRUPT, ENDS(NO_DEVICE), NULL, 0);
    once();
    assert_int_equal(kernel.halts, 1);
    assert_null(kernel.run);
}

/* Nobody tells of its card then, but who enters still wakes it up. */
static void test_sleep_that_nobody_can_wait_for_ends_when_somebody_enters(void **state)
{
    bool *const refusals[] = {&kernel.refuses_memory, &kernel.refuses_file,
                              &kernel.refuses_thread};

    for (size_t i = 0; i < 3; i++) {
        allow();
        *refusals[i] = true;
        fall_asleep();
        *refusals[i] = false;
        assert_null(kernel.run);
        usb_power_enter(&lib.usb);
        assert_int_equal(kernel.forbids, 1);
        assert_true(listens());
        usb_power_leave(&lib.usb);
        end(state);
        begin(state);
    }
}

/* ---- the end ----------------------------------------------------------------------- */

static void test_end_wakes_it_up_and_disowns_who_waits(void **state)
{
    (void)state;
    allow();
    fall_asleep();
    ops->stop(&lib.usb);
    assert_int_equal(kernel.forbids, 1);
    assert_true(run_thread());
    assert_false(listens());
    assert_int_equal(lib.submits, 3);
}

static void test_end_takes_the_question_back_whatever_it_takes(void **state)
{
    (void)state;
    ops->may_sleep(&lib.usb, true);
    lib.cancels_lost = 1;
    scripted_libusb_error(LIBUSB_ERROR_NO_MEM);
    ops->stop(&lib.usb);
    assert_int_equal(kernel.allows, 0);
    assert_int_equal(kernel.forbids, 0);
    ops->may_sleep(&lib.usb, true); /* no question between end and begin */
    assert_int_equal(lib.submits, 2);
}

static void test_answer_that_comes_at_the_end_allows_nothing(void **state)
{
    (void)state;
    ops->may_sleep(&lib.usb, true);
    lib.cancels_lost = 1;
    scripted_libusb_ends(0, ENDS(COMPLETED), NULL, 0);
    ops->stop(&lib.usb);
    assert_int_equal(kernel.allows, 0);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(test_##name, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_a_reader_that_can_tell_of_its_card_may_sleep, begin_off),
        TEST(no_memory_to_ask_with_is_an_error, begin_off),
        TEST(reader_that_agrees_may_sleep_until_somebody_enters, begin),
        TEST(reader_is_asked_one_time_at_a_time, begin),
        TEST(reader_that_refuses_is_never_asked_again, begin),
        TEST(question_that_fails_is_asked_at_the_next_occasion, begin),
        TEST(reader_that_is_wanted_meanwhile_may_not_sleep, begin),
        TEST(kernel_that_refuses_need_not_be_told_otherwise, begin),
        TEST(who_enters_wakes_it_up_and_it_is_listened_to_again, begin),
        TEST(reader_that_its_card_wakes_up_is_listened_to_and_asked_again, begin),
        TEST(reader_that_is_lost_while_awake_is_halted, begin),
        TEST(sleep_that_nobody_can_wait_for_ends_when_somebody_enters, begin),
        TEST(end_wakes_it_up_and_disowns_who_waits, begin),
        TEST(end_takes_the_question_back_whatever_it_takes, begin),
        TEST(answer_that_comes_at_the_end_allows_nothing, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
