/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_reader.h - a reader driver without a reader: a SMARTCARD_EXTENSION whose callbacks
 * do what the test has told them. No threads; what a thread would do the test does.
 */
#ifndef TESTS_SMCLIB_FAKE_READER_H
#define TESTS_SMCLIB_FAKE_READER_H

#include "smclib.h"
#include "smclib/io.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <cmocka.h>

struct fake_reader {
    SMARTCARD_EXTENSION ext; /* ReaderExtension points back here */
    DEVICE_OBJECT device;
    DRIVER_OBJECT driver;
    FILE_OBJECT file;
    bool open;
    bool card_in; /* what the contacts say, while nobody looks */

    /* What the callbacks do. A status other than STATUS_SUCCESS is returned at once. */
    NTSTATUS power_status;
    NTSTATUS transmit_status;
    NTSTATUS protocol_status;
    NTSTATUS tracking_status; /* normally STATUS_PENDING */
    NTSTATUS vendor_status;
    UCHAR atr[40];
    UCHAR atr_len;
    UCHAR answer[300];
    ULONG answer_len;
    ULONG vendor_information;
    /* Called first in every callback but tracking, with the reader. */
    void (*in_callback)(struct fake_reader *reader);

    /* What they saw. */
    unsigned calls[RDF_COUNT];
    ULONG major, minor;
    UCHAR sent[600];
    ULONG sent_len;
};

/* One IRP and what became of it. */
struct fake_request {
    IRP irp;
    UCHAR buffer[70000];
    unsigned completions;
    NTSTATUS status; /* at completion */
    ULONG information;
};

/* A reader "ACME", "CCID 1", unit 0, T=0 and T=1, without a card. */
void fake_reader_setup(struct fake_reader *reader);
void fake_reader_teardown(struct fake_reader *reader);

/* Sends an IRP of the driver's own kinds (create, cleanup, close, PnP) and waits. */
NTSTATUS fake_reader_call(struct fake_reader *reader, UCHAR major, UCHAR minor);
void fake_reader_set_power(struct fake_reader *reader, DEVICE_POWER_STATE power);

/* What the driver's event thread does when a card comes or goes. */
void fake_reader_set_state(struct fake_reader *reader, ULONG state);
void fake_reader_insert(struct fake_reader *reader);
void fake_reader_remove(struct fake_reader *reader);
void fake_reader_set_atr(struct fake_reader *reader, const char *hex);

/* Bytes of a hex string with spaces; returns their number. */
size_t fake_hex(const char *hex, UCHAR *bytes, size_t room);

/* Sends a control code with its input; returns what SmartcardDeviceControl returned. */
NTSTATUS fake_send(struct fake_reader *reader, struct fake_request *request, ULONG code,
                   const char *in_hex, ULONG out_len);
/* Prepares without sending. */
void fake_prepare(struct fake_reader *reader, struct fake_request *request, ULONG code,
                  const char *in_hex, ULONG out_len);

/* Sends, and asserts status and answer: completed once, at once. */
#define fake_expect(reader, code, in_hex, out_len, status, out_hex)                      \
    fake_expect_at(reader, code, in_hex, out_len, status, out_hex, __FILE__, __LINE__)
void fake_expect_at(struct fake_reader *reader, ULONG code, const char *in_hex,
                    ULONG out_len, NTSTATUS status, const char *out_hex, const char *file,
                    int line);

/* Asserts that it was completed once with that status and no bytes. */
#define fake_assert_ended(request, expected)                                             \
    do {                                                                                 \
        assert_int_equal((request)->completions, 1);                                     \
        assert_string_equal(smc_status_name((request)->status),                          \
                            smc_status_name(expected));                                  \
        assert_int_equal((request)->information, 0);                                     \
    } while (0)

#define assert_status(actual, expected)                                                  \
    assert_string_equal(smc_status_name(actual), smc_status_name(expected))

/* The specimens of the reference: T=0 with TA1 = 18, and T=1 with IFSC FE. */
#define ATR_T0 "3B951840FF6201020104"
#define ATR_T1 "3BDF18008131FE67005C49434DD49147D276000038330058"

#endif
