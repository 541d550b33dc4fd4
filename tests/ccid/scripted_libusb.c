/* SPDX-License-Identifier: BSD-2-Clause */
/* scripted_libusb.c - see scripted_libusb.h. */
#include "scripted_libusb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PENDING_MAX (sizeof(lib.pending) / sizeof(lib.pending[0]))

struct scripted_libusb lib;

/* ---- the wrapped calls ------------------------------------------------------------- */

struct ccid_clock *__wrap_ccid_clock_real(void);
int __wrap_libusb_submit_transfer(struct libusb_transfer *transfer);
int __wrap_libusb_cancel_transfer(struct libusb_transfer *transfer);
int __wrap_libusb_handle_events_timeout_completed(libusb_context *context,
                                                  struct timeval *wait, int *completed);
void __wrap_libusb_interrupt_event_handler(libusb_context *context);
int __wrap_libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint);
int __wrap_libusb_reset_device(libusb_device_handle *handle);

struct ccid_clock *__wrap_ccid_clock_real(void)
{
    return &lib.clock.clock;
}

int __wrap_libusb_submit_transfer(struct libusb_transfer *transfer)
{
    size_t i = 0;
    int result;

    assert_true(lib.submits < LIBUSB_SCRIPT_MAX);
    result = lib.submit_results[lib.submits++];
    if (result != 0)
        return result;
    for (size_t j = 0; j < PENDING_MAX; j++)
        assert_ptr_not_equal(lib.pending[j].transfer, transfer);
    while (i < PENDING_MAX && lib.pending[i].transfer != NULL)
        i++;
    assert_true(i < PENDING_MAX);
    lib.pending[i].transfer = transfer;
    lib.pending[i].cancelled = false;
    transfer->actual_length = 0;
    return 0;
}

int __wrap_libusb_cancel_transfer(struct libusb_transfer *transfer)
{
    lib.cancels++;
    if (lib.cancels_lost > 0) {
        lib.cancels_lost--;
        return LIBUSB_ERROR_OTHER;
    }
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (lib.pending[i].transfer == transfer) {
            lib.pending[i].cancelled = true;
            return 0;
        }
    }
    return LIBUSB_ERROR_NOT_FOUND;
}

static void call_back(size_t i, enum libusb_transfer_status status, const char *bytes,
                      int len)
{
    struct libusb_transfer *transfer = lib.pending[i].transfer;
    bool control = transfer->type == LIBUSB_TRANSFER_TYPE_CONTROL;
    uint8_t *place = transfer->buffer + (control ? LIBUSB_CONTROL_SETUP_SIZE : 0);

    lib.pending[i].transfer = NULL;
    assert_true(len <= transfer->length);
    if (bytes != NULL)
        memcpy(place, bytes, (size_t)len);
    transfer->status = status;
    transfer->actual_length = len;
    transfer->callback(transfer);
}

int __wrap_libusb_handle_events_timeout_completed(libusb_context *context,
                                                  struct timeval *wait, int *completed)
{
    bool called = false;

    (void)context;
    if (completed != NULL && __atomic_load_n(completed, __ATOMIC_SEQ_CST))
        return 0;
    if (lib.at < lib.count) {
        const struct libusb_step *step = &lib.steps[lib.at++];

        if (step->error != 0)
            return step->error;
        if (step->action != NULL) {
            step->action(&lib.usb);
            return 0;
        }
        for (size_t i = 0; i < PENDING_MAX; i++) {
            if (lib.pending[i].transfer != NULL &&
                lib.pending[i].transfer->endpoint == step->endpoint) {
                call_back(i, step->status, step->bytes, step->len);
                return 0;
            }
        }
        fail_msg("no transfer of endpoint %02x is submitted", step->endpoint);
    }
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (lib.pending[i].transfer != NULL && lib.pending[i].cancelled) {
            call_back(i, LIBUSB_TRANSFER_CANCELLED, NULL, 0);
            called = true;
        }
    }
    if (called)
        return 0;
    lib.clock.now_ms += (uint64_t)wait->tv_sec * 1000 + (uint64_t)wait->tv_usec / 1000;
    return 0;
}

void __wrap_libusb_interrupt_event_handler(libusb_context *context)
{
    (void)context;
    lib.interrupts++;
}

int __wrap_libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint)
{
    (void)handle;
    assert_true(lib.halt_count < sizeof(lib.halts));
    lib.halts[lib.halt_count] = endpoint;
    return lib.clear_halt_results[lib.halt_count++];
}

int __wrap_libusb_reset_device(libusb_device_handle *handle)
{
    (void)handle;
    lib.resets++;
    return lib.reset_result;
}

/* ---- the script -------------------------------------------------------------------- */

static struct libusb_step *step(void)
{
    assert_true(lib.count < LIBUSB_SCRIPT_MAX);
    return &lib.steps[lib.count++];
}

void scripted_libusb_ends(uint8_t endpoint, enum libusb_transfer_status status,
                          const char *bytes, int len)
{
    *step() = (struct libusb_step){
        .endpoint = endpoint, .status = status, .bytes = bytes, .len = len};
}

void scripted_libusb_error(int error)
{
    step()->error = error;
}

void scripted_libusb_action(void (*action)(void *))
{
    step()->action = action;
}

/* ---- begin and end ----------------------------------------------------------------- */

void scripted_libusb_begin(void)
{
    static const struct ccid_endpoint interrupt = {LIBUSB_INTERRUPT, 24, 8};
    struct usb_transfer *transfers[] = {&lib.usb.in, &lib.usb.out, &lib.usb.control};

    memset(&lib, 0, sizeof(lib));
    virtual_clock_init(&lib.clock);
    lib.usb.fd = -1;
    lib.usb.in_address = LIBUSB_IN;
    lib.usb.out_address = LIBUSB_OUT;
    pthread_mutex_init(&lib.usb.lock, NULL);
    pthread_mutex_init(&lib.usb.power.lock, NULL);
    for (size_t i = 0; i < sizeof(transfers) / sizeof(transfers[0]); i++) {
        transfers[i]->usb = &lib.usb;
        transfers[i]->transfer = libusb_alloc_transfer(0);
        assert_non_null(transfers[i]->transfer);
    }
    assert_true(usb_interrupt_init(&lib.usb, &interrupt));
}

void scripted_libusb_end(void)
{
    assert_int_equal(lib.at, lib.count);
    for (size_t i = 0; i < PENDING_MAX; i++)
        assert_null(lib.pending[i].transfer);
    libusb_free_transfer(lib.usb.in.transfer);
    libusb_free_transfer(lib.usb.out.transfer);
    libusb_free_transfer(lib.usb.control.transfer);
    libusb_free_transfer(lib.usb.interrupt.transfer);
    pthread_mutex_destroy(&lib.usb.power.lock);
    pthread_mutex_destroy(&lib.usb.lock);
}
