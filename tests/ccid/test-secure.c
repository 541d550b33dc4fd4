/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-secure.c - ccid/secure.c: PIN entry, on the virtual pad at every level and, where
 * the bytes matter, on a device that plays a script.
 */
#include "ccid/vendor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/quirks.h"
#include "virtual_bench.h"

/* Four to eight digits in ASCII; the pad makes the command as long as it has to be. */
#define VERIFY "1E 00 82 00 00 08 04 02 00 09 04 00 00 00 00 05 00 00 00 00 20 00 80 00"
/* Six digits, into their place. */
#define VERIFY_FIXED                                                                     \
    "1E 00 82 06 00 06 06 02 00 09 04 00 00 00 00 0B 00 00 00 00 20 00 80 06 "           \
    "FF FF FF FF FF FF"
/* The present PIN, the new one and the new one again. */
#define MODIFY                                                                           \
    "1E 00 82 00 00 00 00 08 04 03 02 03 09 04 00 01 02 00 00 00 05 00 00 00 "           \
    "00 24 00 80 00"

#define VERIFY_CODE SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT
#define MODIFY_CODE SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT

/* The pads of all levels, with a card for each protocol. */
static const struct {
    const char *base; /* a shape to give a pad to */
    enum ccid_level level;
    const char *atr;
} pads[] = {
    {"pinpad", CCID_LEVEL_EXTENDED_APDU, NULL},
    {"pinpad", CCID_LEVEL_SHORT_APDU, NULL},
    {"tpdu", CCID_LEVEL_TPDU, NULL},
    {"tpdu-t1", CCID_LEVEL_TPDU, NULL},
    {"tpdu-t1", CCID_LEVEL_TPDU, "3B 91 11 81 71 FE 45 01 00 1A"}, /* CRC */
};

#define PAD_COUNT (sizeof(pads) / sizeof(pads[0]))
#define PAD_T1    3

static void begin(struct virtual_bench *v, size_t pad)
{
    struct ccid_virtual_shape shape = *ccid_virtual_shape(pads[pad].base);

    shape.level = pads[pad].level;
    shape.pin_support = 3;
    if (shape.level == CCID_LEVEL_SHORT_APDU)
        shape.max_message_length = 271;
    virtual_bench_begin_shape(v, &shape, pads[pad].atr);
    assert_int_equal(virtual_bench_connect(v), STATUS_SUCCESS);
    v->bench.log_lines = 0;
}

static void user(struct virtual_bench *v, const char *keys)
{
    assert_int_equal(ccid_virtual_reader_type(v->reader, 0, keys), 0);
}

/* What the card thinks of it. */
static void card_says(struct virtual_bench *v, const char *command, const char *answer)
{
    assert_int_equal(bench_transmit(&v->bench, command), STATUS_SUCCESS);
    bench_reply_is(&v->bench, answer);
}

static void buffers_are_clean(struct virtual_bench *v)
{
    const SMARTCARD_EXTENSION *ext = v->bench.slots[0]->DeviceExtension;
    size_t dirty = 0;

    for (size_t i = 0;
         i < CCID_HEADER_LENGTH + CCID_PIN_DATA_MAX &&
         i < ext->SmartcardRequest.BufferSize && i < ext->SmartcardReply.BufferSize;
         i++)
        dirty +=
            ext->SmartcardRequest.Buffer[i] != 0 || ext->SmartcardReply.Buffer[i] != 0;
    assert_int_equal(dirty, 0);
}

static void test_verify_with_the_right_pin_satisfies_the_card(void **state)
{
    static const char *const structures[] = {VERIFY, VERIFY_FIXED};

    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        for (size_t i = 0; i < 2; i++) {
            struct virtual_bench v;

            begin(&v, pad);
            card_says(&v, "80 E6 00 00", "69 82");
            virtual_bench_expect(&v, VERIFY_CODE, structures[i], 2, STATUS_SUCCESS,
                                 "90 00");
            buffers_are_clean(&v);
            card_says(&v, "80 E6 00 00", "90 00");
            virtual_bench_expect(&v, VERIFY_CODE, structures[i], 2, STATUS_SUCCESS,
                                 "90 00");
            assert_int_equal(v.bench.log_lines, 0);
            virtual_bench_end(&v);
        }
    }
}

static void test_wrong_pin_is_the_cards_answer_and_costs_one_try(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        struct virtual_bench v;

        begin(&v, pad);
        user(&v, "111111");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "63 C2");
        user(&v, "2222");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "63 C1");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
        virtual_bench_end(&v);
    }
}

/* The card hears nothing, keeps its state, and T=1 its numbers. */
static void test_user_who_cancels_or_goes_away_is_a_status_word(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        struct virtual_bench v;
        uint64_t started;

        begin(&v, pad);
        card_says(&v, "80 E8 00 00 04", "00 00 00 01 90 00");
        user(&v, "cancel");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "64 01");
        buffers_are_clean(&v);
        started = v.clock.now_ms;
        user(&v, "timeout");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "64 00");
        assert_int_equal(v.clock.now_ms - started, 30000); /* bTimerOut */
        card_says(&v, "80 E8 00 00 04", "00 00 00 02 90 00");
        assert_int_equal(v.bench.log_lines, 0);
        virtual_bench_end(&v);
    }
}

static void test_modify_changes_the_pin(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        struct virtual_bench v;

        begin(&v, pad);
        user(&v, "123456/4321/4321");
        virtual_bench_expect(&v, MODIFY_CODE, MODIFY, 2, STATUS_SUCCESS, "90 00");
        buffers_are_clean(&v);
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "63 C2");
        user(&v, "4321");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
        card_says(&v, "80 E6 00 00", "90 00");
        virtual_bench_end(&v);
    }
}

static void test_two_different_new_pins_change_nothing(void **state)
{
    struct virtual_bench v;

    (void)state;
    begin(&v, 0);
    user(&v, "123456/4321/1234");
    virtual_bench_expect(&v, MODIFY_CODE, MODIFY, 2, STATUS_SUCCESS, "64 02");
    user(&v, "123456/1/1");
    virtual_bench_expect(&v, MODIFY_CODE, MODIFY, 2, STATUS_SUCCESS, "64 03");
    card_says(&v, "80 E8 00 00 04", "00 00 00 01 90 00");
    virtual_bench_end(&v);
}

static void cancel_current(void *context)
{
    struct virtual_bench *v = context;
    const SMARTCARD_EXTENSION *ext = v->bench.slots[0]->DeviceExtension;

    assert_true(IoCancelIrp(ext->OsData->CurrentIrp));
}

static void test_cancel_while_the_user_types_keeps_the_pin_from_the_card(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        struct virtual_bench v;
        uint64_t started;

        begin(&v, pad);
        user(&v, "timeout");
        started = v.clock.now_ms;
        virtual_clock_at(&v.clock, started + 2200, cancel_current, &v);
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_CANCELLED, "");
        assert_true(v.clock.now_ms - started <= 2200 + 1100);
        buffers_are_clean(&v);
        assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        card_says(&v, "80 E8 00 00 04", "00 00 00 01 90 00");
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
        virtual_bench_end(&v);
    }
}

static void take_card(void *context)
{
    virtual_bench_remove(context);
}

static void test_card_removed_while_the_user_types_is_no_media(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < PAD_COUNT; pad++) {
        struct virtual_bench v;

        begin(&v, pad);
        user(&v, "timeout");
        virtual_clock_at(&v.clock, v.clock.now_ms + 2200, take_card, &v);
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_NO_MEDIA, "");
        buffers_are_clean(&v);
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_NO_MEDIA, "");
        virtual_bench_insert(&v, pads[pad].atr);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
        virtual_bench_end(&v);
    }
}

/* The reader that does not keep to bTimerOut is ended by the driver. */
static void test_reader_that_never_answers_is_given_ninety_seconds(void **state)
{
    static const struct {
        const char *structure;
        uint64_t ms;
    } rows[] = {
        {"1E 00 82 00 00 08 04 02 00 09 04 00 00 00 00 05 00 00 00 00 20 00 80 00",
         90000},
        {"78 00 82 00 00 08 04 02 00 09 04 00 00 00 00 05 00 00 00 00 20 00 80 00",
         130000},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct virtual_bench v;
        uint64_t started;

        begin(&v, 0);
        fault_usb_arm(&v.faults, (struct fault){.on = FAULT_ON_IN,
                                                .kind = FAULT_RESULT,
                                                .at = 1,
                                                .result = CCID_USB_TIMEOUT});
        started = v.clock.now_ms;
        virtual_bench_expect(&v, VERIFY_CODE, rows[i].structure, 2, STATUS_IO_TIMEOUT,
                             "");
        assert_in_range(v.clock.now_ms - started, rows[i].ms, rows[i].ms + 1100);
        virtual_bench_end(&v);
    }
}

static void test_what_cannot_be_asked_is_refused_before_anything_is_sent(void **state)
{
    static const struct {
        ULONG code;
        const char *structure;
        ULONG room;
        NTSTATUS status;
    } rows[] = {
        {VERIFY_CODE, "1E 00", 2, STATUS_INVALID_PARAMETER},
        {VERIFY_CODE, VERIFY " 00", 2, STATUS_INVALID_PARAMETER}, /* ulDataLength */
        {MODIFY_CODE, VERIFY, 2, STATUS_INVALID_PARAMETER},
        {VERIFY_CODE, VERIFY, 1, STATUS_BUFFER_TOO_SMALL},
        {VERIFY_CODE, VERIFY, 0, STATUS_BUFFER_TOO_SMALL},
    };
    struct virtual_bench v;
    unsigned sent;

    (void)state;
    begin(&v, 0);
    sent = v.faults.transfer_count;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        virtual_bench_expect(&v, rows[i].code, rows[i].structure, rows[i].room,
                             rows[i].status, "");
    assert_int_equal(v.faults.transfer_count, sent);
    assert_int_equal(bench_power(&v.bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    sent = v.faults.transfer_count;
    virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_INVALID_DEVICE_STATE, "");
    virtual_bench_remove(&v);
    virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_NO_MEDIA, "");
    assert_int_equal(v.faults.transfer_count, sent);
    virtual_bench_end(&v);
}

/* A command that does not fit one block of the card, of IFSC 32. */
static void test_command_longer_than_a_block_is_refused_before_sending(void **state)
{
    char hex[256] =
        "1E 00 82 06 00 06 06 02 00 09 04 00 00 00 00 21 00 00 00 00 20 00 80 1C";
    struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu-t1");
    struct virtual_bench v;
    unsigned sent;

    (void)state;
    for (int i = 0; i < 28; i++)
        strcat(hex, " FF");
    shape.pin_support = 1;
    virtual_bench_begin_shape(&v, &shape, "3B 80 81 01 00");
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    sent = v.faults.transfer_count;
    virtual_bench_expect(&v, VERIFY_CODE, hex, 2, STATUS_NOT_SUPPORTED, "");
    assert_int_equal(v.faults.transfer_count, sent);
    virtual_bench_expect(&v, MODIFY_CODE, MODIFY, 2, STATUS_NOT_SUPPORTED, "");
    virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
    virtual_bench_end(&v);
}

/* ---- T=1 -------------------------------------------------------------------------- */

static void test_card_that_errs_in_its_answer_is_asked_again_by_the_engine(void **state)
{
    static const struct {
        enum ccid_virtual_t1_fault fault;
        uint8_t value;
    } rows[] = {
        {CCID_T1_FAULT_WTX, 3},
        {CCID_T1_FAULT_BAD_EDC, 0},
        {CCID_T1_FAULT_LOST, 0},
        {CCID_T1_FAULT_WRONG_SEQ, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct virtual_bench v;
        struct ccid_virtual_contact *contact;

        begin(&v, PAD_T1);
        contact = virtual_bench_contact(&v);
        contact->t1.fault = rows[i].fault;
        contact->t1.fault_value = rows[i].value;
        contact->t1.fault_at = 1; /* behind the answer to S(IFS request) */
        contact->t1.fault_count = 1;
        virtual_bench_expect(&v, VERIFY_CODE, VERIFY, 2, STATUS_SUCCESS, "90 00");
        assert_int_equal(contact->t1.commands, 1);
        card_says(&v, "80 E6 00 00", "90 00");
        buffers_are_clean(&v);
        virtual_bench_end(&v);
    }
}

#define ATR_T1_IN  BENCH_ATR_IN
#define SET_T1_OUT "61 07000000 00 SS 010000 11 10 00 4D 00 20 00"
#define SET_T1_IN  "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"
#define HEAD       "1E 82 00 00 08 04 02 00 09 04 00 "
/* The first block and the second one. */
#define SECURE_0 "69 14000000 00 SS 000000 00 " HEAD "00 00 05 00 20 00 80 00"
#define SECURE_1 "69 14000000 00 SS 000000 00 " HEAD "00 40 05 00 20 00 80 00"
#define AGAIN    "69 01000000 00 SS 000000 05"
#define I_0_9000 "80 06000000 00 SS 00 00 00 00 00 02 90 00 92"
#define I_1_9000 "80 06000000 00 SS 00 00 00 00 40 02 90 00 D2"
#define R_0      "80 04000000 00 SS 00 00 00 00 82 00 82"

static void scripted(struct bench *bench)
{
    bench_begin(bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD);
    bench->desc.pin_support = 1;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, ATR_T1_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, SET_T1_OUT, SET_T1_IN);
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    bench->log_lines = 0;
}

static void verify(struct bench *bench, NTSTATUS status, const char *answer)
{
    uint8_t in[64];
    ULONG length = (ULONG)bench_bytes(VERIFY, in, sizeof(in));

    assert_int_equal(bench_ioctl(bench, VERIFY_CODE, in, length, 300), status);
    bench_reply_is(bench, answer);
}

static void test_t1_numbers_advance_only_if_a_block_was_sent(void **state)
{
    struct bench bench;

    (void)state;
    scripted(&bench);
    script_command(&bench.usb, SECURE_0, "80 00000000 00 SS 40 EF 00");
    verify(&bench, STATUS_SUCCESS, "64 01");
    script_command(&bench.usb, SECURE_0, "80 00000000 00 SS 40 F0 00");
    verify(&bench, STATUS_SUCCESS, "64 00");
    script_command(&bench.usb, SECURE_0, "80 00000000 00 SS 40 0F 00");
    verify(&bench, STATUS_INVALID_PARAMETER, "");
    script_command(&bench.usb, SECURE_0, I_0_9000);
    verify(&bench, STATUS_SUCCESS, "90 00");
    script_command(&bench.usb, SECURE_1, I_1_9000);
    verify(&bench, STATUS_SUCCESS, "90 00");
    script_command(&bench.usb,
                   "6F 0B000000 00 SS 000000 00 00 07 00 A4 00 00 02 3F 00 9E", I_0_9000);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_t1_waiting_time_extension_and_chained_answer_are_xfr_blocks(void **state)
{
    struct bench bench;

    (void)state;
    scripted(&bench);
    script_command(&bench.usb, SECURE_0, "80 05000000 00 SS 00 00 00 00 C3 01 1E DC");
    script_command(&bench.usb, "6F 05000000 00 SS 1E0000 00 E3 01 1E FC",
                   "80 07000000 00 SS 00 00 00 00 20 03 6F 6E 65 47");
    script_command(&bench.usb, "6F 04000000 00 SS 000000 00 90 00 90",
                   "80 06000000 00 SS 00 00 00 00 40 02 90 00 D2");
    verify(&bench, STATUS_SUCCESS, "6F 6E 65 90 00");
    bench_end(&bench);
}

static void test_t1_block_that_the_card_asks_for_is_sent_by_the_reader(void **state)
{
    struct bench bench;

    (void)state;
    scripted(&bench);
    script_command(&bench.usb, SECURE_0, R_0);
    script_command(&bench.usb, AGAIN, I_0_9000);
    verify(&bench, STATUS_SUCCESS, "90 00");
    bench_end(&bench);
}

/* S(RESYNCH) would begin the command anew, and the user has typed his PIN once. */
static void test_t1_command_that_the_card_has_lost_fails(void **state)
{
    struct bench bench;

    (void)state;
    scripted(&bench);
    script_command(&bench.usb, SECURE_0, R_0);
    script_command(&bench.usb, AGAIN, R_0);
    script_command(&bench.usb, AGAIN, R_0);
    script_command(&bench.usb, "6F 04000000 00 SS 000000 00 C0 00 C0",
                   "80 04000000 00 SS 00 00 00 00 E0 00 E0");
    verify(&bench, STATUS_DEVICE_PROTOCOL_ERROR, "");
    /* The link is in step: the card has answered the RESYNCH. */
    script_command(&bench.usb, "6F 04000000 00 SS 000000 00 C0 00 C0",
                   "80 04000000 00 SS 00 00 00 00 E0 00 E0");
    script_command(&bench.usb, SECURE_0, I_0_9000);
    verify(&bench, STATUS_SUCCESS, "90 00");
    bench_end(&bench);
}

#define SECURE_APDU "69 14000000 00 SS 000000 00 " HEAD "00 00 00 00 20 00 80 00"

static struct ccid_device *device_of(const struct bench *bench)
{
    return ((struct ccid_slot *)bench->slots[0]->DeviceExtension)->device;
}

/* ---- APDU level ------------------------------------------------------------------- */

static void test_answer_in_parts_is_put_together_at_extended_level(void **state)
{
    uint8_t in[64];
    ULONG length = (ULONG)bench_bytes(VERIFY, in, sizeof(in));
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    script_command(&bench.usb, SECURE_APDU, "80 03000000 00 SS 00 00 01 01 02 03");
    script_command(&bench.usb, "6F 00000000 00 SS 001000",
                   "80 03000000 00 SS 00 00 02 04 90 00");
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 300), STATUS_SUCCESS);
    bench_reply_is(&bench, "01 02 03 04 90 00");
    script_command(&bench.usb, SECURE_APDU, "80 03000000 00 SS 00 00 00 01 90 00");
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 2),
                     STATUS_BUFFER_TOO_SMALL);
    script_command(&bench.usb, SECURE_APDU, "80 01000000 00 SS 00 00 00 90");
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 2),
                     STATUS_DEVICE_PROTOCOL_ERROR);
    bench_end(&bench);
}

/* A reader with keys, and VERIFY of a command that is its header alone. */
static ULONG begin_case_1(struct bench *bench, uint8_t in[64])
{
    bench_ready(bench, BENCH_EXTENDED);
    device_of(bench)->desc.pin_support = 1;
    return (ULONG)bench_bytes("1E 00 82 00 00 08 04 02 00 09 04 00 00 00 00 04 00 00 00 "
                              "00 20 00 80",
                              in, 64);
}

static void test_readers_get_first_what_they_want_first(void **state)
{
    uint8_t in[64];
    struct bench bench;
    ULONG length = begin_case_1(&bench, in);
    uint64_t started;

    (void)state;
    device_of(&bench)->desc.quirks = CCID_QUIRK_PIN_WAIT | CCID_QUIRK_PIN_ESCAPE_CASE_1;
    script_command(&bench.usb, "6B 03000000 00 SS 000000 80 02 00",
                   "83 00000000 00 SS 00 00 00");
    script_command(&bench.usb, "69 13000000 00 SS 000000 00 " HEAD "00 00 00 00 20 00 80",
                   BENCH_9000_IN);
    started = bench.usb.now_ms;
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 2), STATUS_SUCCESS);
    assert_true(bench.usb.now_ms - started >= 250);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);
}

/* Ten texts of 16 characters; a reader that does not take them asks all the same. */
static void test_texts_are_loaded_before_the_question(void **state)
{
    char out[1024] = "6B A5000000 00 SS 000000 B2 A0 00 4D 4C";
    static const char *const texts[] = {
        "Enter PIN",   "New PIN",     "Confirm PIN", "PIN correct", "Wrong PIN",
        "PIN blocked", "Please wait", "Insert card", "Remove card", "Cancelled",
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < 16; j++)
            snprintf(out + strlen(out), sizeof(out) - strlen(out), " %02X",
                     j < strlen(texts[i]) ? (unsigned)texts[i][j] : 0x20u);
    }
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    device_of(&bench)->desc.quirks = CCID_QUIRK_PIN_LOAD_TEXTS;
    script_command(&bench.usb, out, "83 00000000 00 SS 00 00 00");
    script_command(&bench.usb, SECURE_APDU, BENCH_9000_IN);
    verify(&bench, STATUS_SUCCESS, "90 00");
    script_command(&bench.usb, out, "83 00000000 00 SS 40 00 00");
    script_command(&bench.usb, SECURE_APDU, BENCH_9000_IN);
    verify(&bench, STATUS_SUCCESS, "90 00");
    bench_end(&bench);
}

/* A reader that asks for time again and again, in each message of the entry. */
static void test_entry_has_ten_minutes_in_all(void **state)
{
    uint8_t in[64];
    ULONG length = (ULONG)bench_bytes(VERIFY, in, sizeof(in));
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    script_command(&bench.usb, SECURE_APDU, "80 00000000 00 SS 80 FF 00");
    script_in(&bench.usb, "80 03000000 00 SS 00 00 01 01 02 03")->delay_ms = 500000;
    script_command(&bench.usb, "6F 00000000 00 SS 001000", "80 00000000 00 SS 80 FF 00");
    script_resync(&bench.usb); /* the second part has not come */
    started = bench.usb.now_ms;
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 300),
                     STATUS_IO_TIMEOUT);
    assert_in_range(bench.usb.now_ms - started, 600000, 601000);
    bench_end(&bench);
}

static void test_what_readers_want_first_is_in_the_ten_minutes(void **state)
{
    uint8_t in[64];
    struct bench bench;
    ULONG length = begin_case_1(&bench, in);
    uint64_t started;

    (void)state;
    device_of(&bench)->desc.quirks = CCID_QUIRK_PIN_ESCAPE_CASE_1;
    script_command(&bench.usb, "6B 03000000 00 SS 000000 80 02 00",
                   "83 00000000 00 SS 80 FF 00");
    script_in(&bench.usb, "83 00000000 00 SS 00 00 00")->delay_ms = 550000;
    script_command(&bench.usb, "69 13000000 00 SS 000000 00 " HEAD "00 00 00 00 20 00 80",
                   "80 00000000 00 SS 80 FF 00");
    script_resync(&bench.usb);
    started = bench.usb.now_ms;
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 2), STATUS_IO_TIMEOUT);
    assert_in_range(bench.usb.now_ms - started, 600000, 601000);
    bench_end(&bench);
}

static void test_second_entry_on_a_device_is_refused_while_one_runs(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    device_of(&bench)->pin_entry = true; /* on another slot */
    verify(&bench, STATUS_DEVICE_BUSY, "");
    device_of(&bench)->pin_entry = false;
    script_command(&bench.usb, SECURE_APDU, BENCH_9000_IN);
    verify(&bench, STATUS_SUCCESS, "90 00");
    assert_false(device_of(&bench)->pin_entry);
    bench_end(&bench);
}

static void test_pad_that_cannot_carry_the_question_is_not_asked(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    device_of(&bench)->desc.message_size = 10 + 19; /* it has 20 bytes */
    verify(&bench, STATUS_NOT_SUPPORTED, "");
    device_of(&bench)->desc.message_size = 10 + 20;
    device_of(&bench)->desc.level = CCID_LEVEL_CHARACTER;
    verify(&bench, STATUS_NOT_SUPPORTED, "");
    device_of(&bench)->desc.level = CCID_LEVEL_EXTENDED_APDU;
    script_command(&bench.usb, SECURE_APDU, BENCH_9000_IN);
    verify(&bench, STATUS_SUCCESS, "90 00");
    bench_end(&bench);
}

/* Some readers take the power from a card whose user does nothing. */
static void test_user_who_goes_away_may_cost_the_card_its_power(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    script_command(&bench.usb, SECURE_APDU, "80 00000000 00 SS 41 F0 00");
    verify(&bench, STATUS_SUCCESS, "64 00");
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

static void test_reader_that_goes_before_the_question_is_removed(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.pin_support = 1;
    device_of(&bench)->desc.quirks = CCID_QUIRK_PIN_WAIT;
    bench.usb.sleep_result = CCID_USB_GONE;
    verify(&bench, STATUS_DEVICE_REMOVED, "");
    bench_end(&bench);
}

static void test_question_is_not_asked_when_the_ten_minutes_are_over(void **state)
{
    uint8_t in[64];
    struct bench bench;
    ULONG length = begin_case_1(&bench, in);

    (void)state;
    device_of(&bench)->desc.quirks = CCID_QUIRK_PIN_WAIT | CCID_QUIRK_PIN_ESCAPE_CASE_1;
    script_command(&bench.usb, "6B 03000000 00 SS 000000 80 02 00",
                   "83 00000000 00 SS 80 FF 00");
    script_in(&bench.usb, "83 00000000 00 SS 80 FF 00")->delay_ms = 500000;
    script_in(&bench.usb, "83 00000000 00 SS 00 00 00")->delay_ms = 99900;
    assert_int_equal(bench_ioctl(&bench, VERIFY_CODE, in, length, 2), STATUS_IO_TIMEOUT);
    assert_non_null(strstr(bench.log, "the PIN entry comes to no end"));
    assert_int_equal(bench_state(&bench), SCARD_SPECIFIC); /* nothing has happened */
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_with_the_right_pin_satisfies_the_card),
        cmocka_unit_test(test_wrong_pin_is_the_cards_answer_and_costs_one_try),
        cmocka_unit_test(test_user_who_cancels_or_goes_away_is_a_status_word),
        cmocka_unit_test(test_modify_changes_the_pin),
        cmocka_unit_test(test_two_different_new_pins_change_nothing),
        cmocka_unit_test(test_cancel_while_the_user_types_keeps_the_pin_from_the_card),
        cmocka_unit_test(test_card_removed_while_the_user_types_is_no_media),
        cmocka_unit_test(test_reader_that_never_answers_is_given_ninety_seconds),
        cmocka_unit_test(test_what_cannot_be_asked_is_refused_before_anything_is_sent),
        cmocka_unit_test(test_command_longer_than_a_block_is_refused_before_sending),
        cmocka_unit_test(test_card_that_errs_in_its_answer_is_asked_again_by_the_engine),
        cmocka_unit_test(test_t1_numbers_advance_only_if_a_block_was_sent),
        cmocka_unit_test(
            test_t1_waiting_time_extension_and_chained_answer_are_xfr_blocks),
        cmocka_unit_test(test_t1_block_that_the_card_asks_for_is_sent_by_the_reader),
        cmocka_unit_test(test_t1_command_that_the_card_has_lost_fails),
        cmocka_unit_test(test_answer_in_parts_is_put_together_at_extended_level),
        cmocka_unit_test(test_readers_get_first_what_they_want_first),
        cmocka_unit_test(test_texts_are_loaded_before_the_question),
        cmocka_unit_test(test_entry_has_ten_minutes_in_all),
        cmocka_unit_test(test_what_readers_want_first_is_in_the_ten_minutes),
        cmocka_unit_test(test_second_entry_on_a_device_is_refused_while_one_runs),
        cmocka_unit_test(test_pad_that_cannot_carry_the_question_is_not_asked),
        cmocka_unit_test(test_user_who_goes_away_may_cost_the_card_its_power),
        cmocka_unit_test(test_reader_that_goes_before_the_question_is_removed),
        cmocka_unit_test(test_question_is_not_asked_when_the_ten_minutes_are_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
