/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-transfers.c - what the driver's work costs on the bus: transfers per APDU, and the
 * exact messages from a card that has come to one that is ready. The figures are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "station.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct station s;

static const uint8_t count[] = {0x80, 0xE8, 0x00, 0x00, 0x04};

static void begin(const struct ccid_virtual_shape *shape)
{
    assert_int_equal(station_begin(&s, shape), STATUS_SUCCESS);
}

static ULONG connect(void)
{
    ULONG chosen;

    assert_int_equal(station_power(&s, 0, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(station_set_protocol(&s, 0, SCARD_PROTOCOL_Tx, &chosen),
                     STATUS_SUCCESS);
    return chosen;
}

static void transmit(ULONG protocol, const uint8_t *apdu, size_t len, size_t answer_len)
{
    tap_clear(&s.tap);
    assert_int_equal(station_transmit(&s, 0, protocol, apdu, len), STATUS_SUCCESS);
    assert_int_equal(s.reply_len, answer_len);
    assert_memory_equal(s.reply + answer_len - 2, "\x90\x00", 2);
}

/* Nothing but so many XfrBlocks: no slot status, no request. */
static void only_blocks(unsigned outs, unsigned ins)
{
    assert_int_equal(s.tap.outs, outs);
    assert_int_equal(s.tap.ins, ins);
    assert_int_equal(s.tap.controls, 0);
    for (const char *word = s.tap.note; *word != 0; word += word[2] == ' ' ? 3 : 2)
        assert_memory_equal(word, "6F", 2);
}

/* One answer each, in one transfer. */
static void only_pairs(unsigned pairs)
{
    only_blocks(pairs, pairs);
}

/* Transfers for an answer: the driver reads a packet first, then all the rest (cmd.c). */
static unsigned reads(const struct ccid_virtual_shape *shape, size_t answer_len)
{
    return answer_len + CCID_HEADER_LENGTH > shape->packet_size ? 2 : 1;
}

static unsigned parts(size_t length, size_t of)
{
    return (unsigned)((length + of - 1) / of);
}

/* ECHO of data_len bytes, all of them or `le` asked for (0: no Le field); returns the
 * length of the APDU. */
static size_t echo(uint8_t *apdu, size_t data_len, size_t le)
{
    const uint8_t header[7] = {
        0x80, 0xE0, 0, 0, 0, (uint8_t)(data_len >> 8), (uint8_t)data_len,
    };

    memcpy(apdu, header, sizeof(header));
    memset(apdu + sizeof(header), 0x5A, data_len);
    apdu[7 + data_len] = (uint8_t)(le >> 8);
    apdu[8 + data_len] = (uint8_t)le;
    return 9 + data_len;
}

/* ---- APDU level
 * ------------------------------------------------------------------------ */

static void test_apdu_level_command_is_one_message_each_way(void **state)
{
    static const struct {
        const char *what;
        enum ccid_level level;
        bool interrupt;
        uint16_t packet;
    } rows[] = {
        {"short APDU level", CCID_LEVEL_SHORT_APDU, true, 64},
        {"short APDU level, no interrupt endpoint", CCID_LEVEL_SHORT_APDU, false, 512},
        {"extended APDU level", CCID_LEVEL_EXTENDED_APDU, true, 512},
        {"extended APDU level, no interrupt endpoint", CCID_LEVEL_EXTENDED_APDU, false,
         64},
    };
    static const struct {
        uint8_t len, apdu[12];
        uint16_t answer_len;
    } cases[] = {
        {4, {0x80, 0xE4, 0, 0}, 2},
        {5, {0x00, 0xB0, 0, 0, 0x00}, 258},
        {7, {0x00, 0xA4, 0, 0, 2, 0x3F, 0x00}, 2},
        {8, {0x80, 0xE0, 0, 0, 2, 0x3F, 0x00, 0x00}, 4},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        ULONG protocol;

        shape.level = rows[i].level;
        shape.interrupt = rows[i].interrupt;
        shape.packet_size = rows[i].packet;
        begin(&shape);
        protocol = connect();
        for (size_t k = 0; k < LENGTH(cases); k++) {
            transmit(protocol, cases[k].apdu, cases[k].len, cases[k].answer_len);
            only_blocks(1, reads(&shape, cases[k].answer_len));
        }
        printf("%-45s 1 out, 1 in per APDU (2 in for answers beyond %d bytes)\n",
               rows[i].what, rows[i].packet - CCID_HEADER_LENGTH);
        station_end(&s);
    }
}

static void test_extended_level_takes_as_many_messages_as_the_apdu_has_parts(void **state)
{
    static const uint32_t messages[] = {64, 271, 1034, 65554};
    static const size_t lengths[] = {1, 54, 255, 261, 1000, 5000, 60000};
    static uint8_t apdu[65544];

    (void)state;
    for (size_t i = 0; i < LENGTH(messages); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        size_t part = messages[i] - CCID_HEADER_LENGTH;
        ULONG protocol;

        shape.max_message_length = messages[i];
        begin(&shape);
        protocol = connect();
        printf("extended APDU level, messages of %5u: pairs for ECHO of", messages[i]);
        for (size_t k = 0; k < LENGTH(lengths); k++) {
            size_t n = echo(apdu, lengths[k], lengths[k]), m = lengths[k] + 2;
            unsigned out = parts(n, part), in = parts(m, part);

            transmit(protocol, apdu, n, m);
            only_blocks(out + in - 1, out - 1 + (in - 1) * reads(&shape, part) +
                                          reads(&shape, m - (in - 1) * part));
            printf(" %zu: %u", lengths[k], s.tap.outs);
        }
        printf("\n");
        station_end(&s);
    }
}

/* ---- TPDU level
 * ------------------------------------------------------------------------ */

/* A card for T=1 alone with that IFSC. */
static size_t t1_atr(uint8_t ifsc, uint8_t atr[CCID_VIRTUAL_ATR_MAX])
{
    const uint8_t bytes[] = {0x80, 0x81, 0x31, ifsc, 0x45};
    uint8_t check = 0;

    atr[0] = 0x3B;
    memcpy(atr + 1, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        check ^= bytes[i];
    atr[1 + sizeof(bytes)] = check;
    return sizeof(bytes) + 2;
}

static void test_t1_command_takes_a_pair_for_each_block_of_either_side(void **state)
{
    static const uint8_t ifscs[] = {16, 32, 100, 254};
    static const struct {
        uint8_t message; /* 0: of the usual 271 bytes */
        size_t ifsd;
    } readers[] = {{0, 254}, {64, 50}};
    static const size_t sent[] = {1, 10, 23, 24, 91, 92, 245, 246, 500, 3000};
    static const size_t wanted[] = {1, 10, 48, 49, 252, 253, 500, 3000};
    static uint8_t apdu[4096];

    (void)state;
    for (size_t r = 0; r < LENGTH(readers); r++) {
        for (size_t i = 0; i < LENGTH(ifscs); i++) {
            struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu-t1");
            uint8_t atr[CCID_VIRTUAL_ATR_MAX];
            size_t ifsc = ifscs[i];
            unsigned least = 1000, most = 0;

            shape.interrupt = r == 0; /* nor is there a poll without */
            shape.atr = atr;
            shape.atr_len = t1_atr(ifscs[i], atr);
            if (readers[r].message != 0)
                shape.max_message_length = readers[r].message;
            if (ifsc > shape.max_message_length - CCID_HEADER_LENGTH - 4)
                ifsc = shape.max_message_length - CCID_HEADER_LENGTH - 4;
            begin(&shape);
            assert_int_equal(connect(), SCARD_PROTOCOL_T1);
            transmit(SCARD_PROTOCOL_T1, count, sizeof(count), 6); /* S(IFS), too */
            only_pairs(2);
            for (size_t k = 0; k < LENGTH(sent); k++) {
                for (size_t w = 0; w < LENGTH(wanted) && wanted[w] <= sent[k]; w++) {
                    size_t n = echo(apdu, sent[k], wanted[w]), m = wanted[w] + 2;

                    transmit(SCARD_PROTOCOL_T1, apdu, n, m);
                    only_pairs(parts(n, ifsc) + parts(m, readers[r].ifsd) - 1);
                    least = s.tap.outs < least ? s.tap.outs : least;
                    most = s.tap.outs > most ? s.tap.outs : most;
                }
            }
            printf("T=1, messages of %u, IFSC %3zu, IFSD %3zu: %u to %u pairs\n",
                   shape.max_message_length, ifsc, readers[r].ifsd, least, most);
            station_end(&s);
        }
    }
}

static void test_t0_tpdu_is_one_message_each_way(void **state)
{
    (void)state;
    for (int interrupt = 0; interrupt < 2; interrupt++) {
        struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu");
        const uint8_t read[] = {0x00, 0xB0, 0, 0, 0x00};

        shape.interrupt = interrupt != 0;
        begin(&shape);
        assert_int_equal(connect(), SCARD_PROTOCOL_T0);
        transmit(SCARD_PROTOCOL_T0, count, sizeof(count), 6);
        only_pairs(1);
        transmit(SCARD_PROTOCOL_T0, read, sizeof(read), 258);
        only_pairs(1);
        station_end(&s);
    }
    printf("T=0                                           1 out, 1 in per TPDU\n");
}

/* ---- connect
 * ---------------------------------------------------------------------------- */

#define NEGOTIATES CCID_FEATURE_AUTO_NEGOTIATE
#define DOES_PPS   CCID_FEATURE_AUTO_PPS
#define VOLTAGE    CCID_FEATURE_AUTO_VOLTAGE
#define ACTIVATES  CCID_FEATURE_AUTO_ACTIVATION
#define FOLLOWS    (CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD)
#define ASKS_IFSD  CCID_FEATURE_AUTO_IFSD

/* T=0 alone, T=1 alone, both with T=0 first: nothing to agree on but the protocol. */
static const uint8_t atr_t0[] = {0x3B, 0x00};
static const uint8_t atr_t1[] = {0x3B, 0x80, 0x81, 0x31, 0xFE, 0x45, 0x8B};
static const uint8_t atr_both[] = {0x3B, 0x80, 0x80, 0x01, 0x01};
/* T=0 that can be faster: TA1 = 18h. */
static const uint8_t atr_fast[] = {0x3B, 0x10, 0x18};
/* Specific mode, T=0 at TA1 = 18h. */
static const uint8_t atr_specific[] = {0x3B, 0x90, 0x18, 0x10, 0x00};

#define ATR(name) name, sizeof(name)

static void test_connect_sends_no_message_that_is_not_needed(void **state)
{
    static const struct {
        const char *what;
        enum ccid_level level;
        enum ccid_transport transport;
        uint32_t features, mechanical;
        const uint8_t *atr;
        size_t atr_len;
        ULONG protocol;
        const char *first, *again, *command;
    } rows[] = {
#define BULK  CCID_TRANSPORT_BULK
#define T0    SCARD_PROTOCOL_T0
#define T1    SCARD_PROTOCOL_T1
#define TPDU  CCID_LEVEL_TPDU
#define SHORT CCID_LEVEL_SHORT_APDU
#define LONG  CCID_LEVEL_EXTENDED_APDU
#define CHAR  CCID_LEVEL_CHARACTER
        {"APDU, negotiates (40h)", LONG, BULK, VOLTAGE | NEGOTIATES, 0, ATR(atr_both), T0,
         "62 6C", "63 62 6C", "6F"},
        {"APDU, negotiates, activates", SHORT, BULK, ACTIVATES | NEGOTIATES, 0,
         ATR(atr_t1), T1, "65 62 6C", "63 62 6C", "6F"},
        {"APDU, does the PPS (80h)", LONG, BULK, VOLTAGE | FOLLOWS | DOES_PPS, 0,
         ATR(atr_both), T1, "62 61", "63 62 61", "6F"},
        {"APDU, 80h, voltage by host", LONG, BULK, FOLLOWS | DOES_PPS, 0, ATR(atr_both),
         T1, "62 61", "63 62 61", "6F"},
        {"TPDU, 80h, asks for IFSD", TPDU, BULK, VOLTAGE | FOLLOWS | DOES_PPS | ASKS_IFSD,
         0, ATR(atr_t1), T1, "62 61", "63 62 61", "6F"},
        {"TPDU, 80h, IFSD by host", TPDU, BULK, VOLTAGE | FOLLOWS | DOES_PPS, 0,
         ATR(atr_t1), T1, "62 61", "63 62 61", "6F 6F"},
        {"TPDU, all by host, T=0", TPDU, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_t0), T0,
         "62 61", "63 62 61", "6F"},
        {"TPDU, all by host, T=1", TPDU, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_t1), T1,
         "62 61", "63 62 61", "6F 6F"},
        {"TPDU, all by host, both", TPDU, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_both), T1,
         "62 6F 61", "63 62 6F 61", "6F 6F"},
        {"TPDU, all by host, faster", TPDU, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_fast), T0,
         "62 6F 61", "63 62 6F 61", "6F"},
        {"TPDU, faster, rate by host", TPDU, BULK, VOLTAGE, 0, ATR(atr_fast), T0,
         "62 6F 61 73", "63 62 6F 61 73", "6F"},
        {"TPDU, specific mode", TPDU, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_specific), T0,
         "62 61", "63 62 61", "6F"},
        {"character, T=1", CHAR, BULK, VOLTAGE | FOLLOWS, 0, ATR(atr_t1), T1, "62 61",
         "63 62 61", "6F 6F 6F 6F"},
        {"APDU, swallows cards", LONG, BULK, VOLTAGE | FOLLOWS | DOES_PPS, 1,
         ATR(atr_both), T1, "71 62 61", "63 62 61", "6F"},
        {"ICCD version A", CHAR, CCID_TRANSPORT_ICCD_A, NEGOTIATES, 0, ATR(atr_t0), T0,
         "21:63 A1:A0 A1:62", "21:63 A1:A0 A1:62", "21:65 A1:A0 A1:6F A1:A0 A1:6F"},
        {"ICCD version B", LONG, CCID_TRANSPORT_ICCD_B, NEGOTIATES, 0, ATR(atr_t1), T1,
         "21:62 A1:6F", "21:63 A1:81 21:62 A1:6F", "21:65 A1:6F"},
    };

    (void)state;
    printf("%-28s %-20s %-24s %s\n", "", "connect", "again", "first command");
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        char first[sizeof(s.tap.note)], again[sizeof(s.tap.note)];

        shape.level = rows[i].level;
        shape.transport = rows[i].transport;
        if (rows[i].transport != CCID_TRANSPORT_BULK) {
            shape.interrupt = false;
            shape.interface_protocol = rows[i].transport == CCID_TRANSPORT_ICCD_A ? 1 : 2;
        }
        if (rows[i].level <= CCID_LEVEL_TPDU)
            shape.max_message_length = 271;
        shape.features = rows[i].features;
        shape.mechanical = rows[i].mechanical;
        shape.atr = rows[i].atr;
        shape.atr_len = rows[i].atr_len;
        begin(&shape);
        tap_clear(&s.tap);
        assert_int_equal(connect(), rows[i].protocol);
        memcpy(first, s.tap.note, sizeof(first));
        tap_clear(&s.tap);
        assert_int_equal(connect(), rows[i].protocol);
        memcpy(again, s.tap.note, sizeof(again));
        transmit(rows[i].protocol, count, sizeof(count), 6);
        printf("%-28s %-20s %-24s %s\n", rows[i].what, first, again, s.tap.note);
        assert_string_equal(first, rows[i].first);
        assert_string_equal(again, rows[i].again);
        assert_string_equal(s.tap.note, rows[i].command);
        station_end(&s);
    }
}

/* Plugging in: one slot status for each slot, and the lists that the reader announces. */
static void test_start_asks_each_slot_once_and_for_announced_lists(void **state)
{
    static const uint32_t clocks[] = {4000, 8000}, rates[] = {10752, 21505};
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    begin(&shape);
    assert_string_equal(s.tap.note, "65");
    station_end(&s);

    shape.slot_count = 3;
    shape.clock_count = 2;
    shape.clocks_khz = clocks;
    shape.clock_list_length = LENGTH(clocks);
    shape.data_rate_count = 2;
    shape.rates_bps = rates;
    shape.rate_list_length = LENGTH(rates);
    begin(&shape);
    assert_string_equal(s.tap.note, "65 65 65 A1:02 A1:03");
    station_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_level_command_is_one_message_each_way),
        cmocka_unit_test(
            test_extended_level_takes_as_many_messages_as_the_apdu_has_parts),
        cmocka_unit_test(test_t1_command_takes_a_pair_for_each_block_of_either_side),
        cmocka_unit_test(test_t0_tpdu_is_one_message_each_way),
        cmocka_unit_test(test_connect_sends_no_message_that_is_not_needed),
        cmocka_unit_test(test_start_asks_each_slot_once_and_for_announced_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
