/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The T=1 engine block by block: what comes from the card, and what goes out for it. The
 * command is 00 01 02 ... Blocks stand here without their EDC.
 */
#include "fake_reader.h"
#include "smclib/t1.h"

#include <stdlib.h>

#define STEPS   14
#define RAW     "!" /* in front of a block that comes as it stands */
#define SILENCE ""

#define MORE STATUS_MORE_PROCESSING_REQUIRED
#define FAIL STATUS_DEVICE_PROTOCOL_ERROR

struct step {
    const char *in;
    NTSTATUS status;
    const char *out; /* if more is to be sent */
};

struct script {
    const char *name;
    UCHAR edc, ifsc, ifsd;
    size_t command_len;
    size_t room;
    const char *first;
    struct step steps[STEPS]; /* ends with a status other than MORE */
    const char *answer;
    UCHAR ifsc_after; /* 0: as before */
};

/* S(IFS request), after a reset */
#define IFS   0, 32, 254, 4, 20, "00C101FE"
#define SHORT 0, 32, 32, 4, 20, "00000400010203"
/* a command of two blocks */
#define CHAIN   0, 4, 32, 6, 20, "00200400010203"
#define I_FIRST "00000400010203"
#define ANSWER                                                                           \
    {                                                                                    \
        "0000029000", STATUS_SUCCESS, NULL                                               \
    }

static const struct script scripts[] = {
    {"IFS is accepted", IFS, {{"00E101FE", MORE, I_FIRST}, ANSWER}, "9000", 0},
    {"IFS with CRC",
     T1_CRC_CHECK,
     32,
     254,
     4,
     20,
     "00C101FE",
     {{"00E101FE", MORE, I_FIRST}, ANSWER},
     "9000",
     0},
    {"IFS is answered by another value, a long block and another response",
     IFS,
     {{"00E101FD", MORE, "00C101FE"},
      {"00E102FEFE", MORE, "00C101FE"},
      {"00E000", MORE, I_FIRST}, /* after the retries: 32 it is */
      ANSWER},
     "9000",
     0},
    {"IFS is refused",
     IFS,
     {{"008100", MORE, "00C101FE"}, {"008200", MORE, I_FIRST}, ANSWER},
     "9000",
     0},
    {"IFS waits for a time extension",
     IFS,
     {{"00C30105", MORE, "00E30105"}, {"00E101FE", MORE, I_FIRST}, ANSWER},
     "9000",
     0},
    {"IFS is answered by an I-block",
     IFS,
     {{"0000029000", MORE, "00C101FE"}, {"00E101FE", MORE, I_FIRST}, ANSWER},
     "9000",
     0},
    {"chain goes out", CHAIN, {{"009000", MORE, "0040020405"}, ANSWER}, "9000", 0},
    {"link of the chain is asked for again, in the end with RESYNCH",
     CHAIN,
     {{"008100", MORE, "00200400010203"},
      {"008200", MORE, "00200400010203"},
      {"008100", MORE, "00C000"},
      {"00E000", MORE, "00200400010203"},
      {"009000", MORE, "0040020405"},
      ANSWER},
     "9000",
     0},
    {"chain is interrupted by an I-block",
     CHAIN,
     {{"0000029000", MORE, "008200"}, {"009000", MORE, "0040020405"}, ANSWER},
     "9000",
     0},
    {"link of the chain is asked for again after the card has made its IFSC smaller",
     CHAIN,
     {{"00C10103", MORE, "00E10103"},
      {"008100", MORE, "002003000102"},
      {"009000", MORE, "004003030405"},
      ANSWER},
     "9000",
     3},
    {"last block becomes two when the card has made its IFSC smaller",
     SHORT,
     {{"00C10103", MORE, "00E10103"},
      {"008100", MORE, "002003000102"},
      {"009000", MORE, "00400103"},
      ANSWER},
     "9000",
     3},
    {"last block is asked for again",
     SHORT,
     {{"008100", MORE, I_FIRST}, ANSWER},
     "9000",
     0},
    {"last block is asked for again to the end: the card has not got it",
     SHORT,
     {{"008100", MORE, I_FIRST},
      {"008100", MORE, I_FIRST},
      {"008100", MORE, "00C000"},
      {"00E000", MORE, I_FIRST},
      ANSWER},
     "9000",
     0},
    {"answer never comes: the card may have executed",
     SHORT,
     {{SILENCE, MORE, "008200"},
      {SILENCE, MORE, "008200"},
      {SILENCE, MORE, "00C000"},
      {"00E000", FAIL, NULL}},
     NULL,
     0},
    {"answer comes damaged",
     SHORT,
     {{RAW "000002900093", MORE, "008100"}, ANSWER},
     "9000",
     0},
    {"RESYNCH is answered by everything else",
     SHORT,
     {{SILENCE, MORE, "008200"},
      {SILENCE, MORE, "008200"},
      {SILENCE, MORE, "00C000"},
      {"00E00100", MORE, "00C000"},
      {"008000", MORE, "00C000"},
      {"00C30101", MORE, "00C000"}, /* the second RESYNCH */
      {"00E101FE", MORE, "00C000"},
      {"0000029000", MORE, "00C000"},
      {"009000", FAIL, NULL}},
     NULL,
     0},
    {"card is mute",
     SHORT,
     {{SILENCE, MORE, "008200"},
      {SILENCE, MORE, "008200"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, MORE, "00C000"},
      {SILENCE, STATUS_IO_TIMEOUT, NULL}},
     NULL,
     0},
    {"WTX of one, of nothing, and without a value",
     SHORT,
     {{"00C30101", MORE, "00E30101"},
      {"00C30100", MORE, "00E30100"},
      {"00C3020101", MORE, "008200"},
      ANSWER},
     "9000",
     0},
    {"IFS of the card", SHORT, {{"00C10110", MORE, "00E10110"}, ANSWER}, "9000", 16},
    {"IFS of the card is out of range or has no length",
     SHORT,
     {{"00C10100", MORE, "008200"}, {"00C101FF", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"IFS of the card has two bytes",
     SHORT,
     {{"00C1021010", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"ABORT and then silence",
     SHORT,
     {{"00C200", MORE, "00E200"}, {SILENCE, FAIL, NULL}},
     NULL,
     0},
    {"ABORT and then a block",
     SHORT,
     {{"00C200", MORE, "00E200"}, {"009000", FAIL, NULL}},
     NULL,
     0},
    {"ABORT with data, RESYNCH of the card",
     SHORT,
     {{"00C20100", MORE, "008200"}, {"00C000", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"unknown S-block, and a response to nothing",
     SHORT,
     {{"00C500", MORE, "008200"}, {"00E30101", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"error of VPP", SHORT, {{"00E400", FAIL, NULL}}, NULL, 0},
    {"reserved bits of an I-block and of an R-block",
     SHORT,
     {{"0010029000", MORE, "008200"}, {"00A000", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"reserved error and data in an R-block",
     SHORT,
     {{"008300", MORE, "008200"}, {"00800100", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"block is shorter than a block, and than its length",
     SHORT,
     {{RAW "0000", MORE, "008200"}, {"0000039000", MORE, "008200"}, ANSWER},
     "9000",
     0},
    {"NAD of somebody else", SHORT, {{"1200029000", MORE, "008200"}, ANSWER}, "9000", 0},
    {"N(S) of another block", SHORT, {{"0040029000", MORE, "008200"}, ANSWER}, "9000", 0},
    {"R-block of another number", SHORT, {{"009000", MORE, "008200"}, ANSWER}, "9000", 0},
    {"chain comes in",
     SHORT,
     {{"0020020102", MORE, "009000"}, {"0060020304", MORE, "008000"}, ANSWER},
     "010203049000",
     0},
    {"chain comes in with R-blocks in between",
     SHORT,
     {{"00200101", MORE, "009000"},
      {"008000", MORE, "009200"},
      {"009000", MORE, "009200"},
      {"0040029000", STATUS_SUCCESS, NULL}},
     "019000",
     0},
    {"chain comes in with an R-block after a bad sum",
     SHORT,
     {{"00200101", MORE, "009000"},
      {RAW "004002900000", MORE, "009100"},
      {"008000", MORE, "009100"},
      {"0040029000", STATUS_SUCCESS, NULL}},
     "019000",
     0},
    {"chain comes in and stops: the card has executed",
     SHORT,
     {{"00200101", MORE, "009000"},
      {SILENCE, MORE, "009200"},
      {SILENCE, MORE, "009200"},
      {SILENCE, MORE, "00C000"},
      {"00E000", FAIL, NULL}},
     NULL,
     0},
    {"link without data", SHORT, {{"002000", MORE, "008200"}, ANSWER}, "9000", 0},
    {"answer is longer than the room",
     0,
     32,
     32,
     4,
     1,
     I_FIRST,
     {{"0000029000", STATUS_BUFFER_TOO_SMALL, NULL}},
     NULL,
     0},
};

static size_t with_edc(UCHAR kind, const char *hex, UCHAR *block, size_t room)
{
    size_t len = fake_hex(hex, block, room - 2);
    UCHAR edc[2];
    size_t tail = smc_t1_edc(kind, block, len, edc);

    memcpy(block + len, edc, tail);
    return len + tail;
}

static size_t incoming(UCHAR kind, const char *hex, UCHAR *block, size_t room)
{
    if (hex[0] == RAW[0])
        return fake_hex(hex + 1, block, room);
    return hex[0] == '\0' ? 0 : with_edc(kind, hex, block, room);
}

static const UCHAR command[] = {0, 1, 2, 3, 4, 5};

static void expect_next(const struct smc_t1_link *link, const char *hex)
{
    UCHAR block[SMC_T1_BLOCK_MAX], expected[SMC_T1_BLOCK_MAX];
    size_t len;

    assert_status(smc_t1_next(link, command, block, sizeof block, &len), STATUS_SUCCESS);
    assert_int_equal(len, with_edc(link->edc, hex, expected, sizeof expected));
    assert_memory_equal(block, expected, len);
}

static void run(const struct script *script)
{
    T1_DATA t1 = {.NAD = 0};
    struct smc_t1_link link = {&t1, script->edc, script->ifsc, script->ifsd};
    UCHAR reply[32], block[SMC_T1_BLOCK_MAX], answer[32];
    const struct step *step = script->steps;
    NTSTATUS status;

    print_message("%s\n", script->name);
    smc_t1_reset(&link);
    smc_t1_begin(&link, script->command_len);
    expect_next(&link, script->first);
    for (;; step++) {
        size_t len = incoming(script->edc, step->in, block, sizeof block);

        status = smc_t1_take(&link, block, len, reply, script->room);
        assert_status(status, step->status);
        if (status != MORE)
            break;
        expect_next(&link, step->out);
    }
    if (script->answer != NULL) {
        assert_int_equal(t1.BytesReceived,
                         fake_hex(script->answer, answer, sizeof answer));
        assert_memory_equal(reply, answer, t1.BytesReceived);
    }
    assert_int_equal(t1.IFSC,
                     script->ifsc_after != 0 ? script->ifsc_after : script->ifsc);
}

static void test_t1_each_block_of_the_card_gets_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        run(&scripts[i]);
}

static void begin(struct smc_t1_link *link, T1_DATA *t1, size_t command_len)
{
    *link = (struct smc_t1_link){t1, 0, 32, 32};
    memset(t1, 0, sizeof *t1);
    smc_t1_reset(link);
    smc_t1_begin(link, command_len);
}

static void take(const struct smc_t1_link *link, const char *hex, size_t room,
                 NTSTATUS status)
{
    static UCHAR reply[32];
    UCHAR block[SMC_T1_BLOCK_MAX];
    size_t len = with_edc(0, hex, block, sizeof block);

    assert_status(smc_t1_take(link, block, len, reply, room), status);
}

static void test_t1_wtx_counts_for_the_next_block_only(void **state)
{
    struct smc_t1_link link;
    T1_DATA t1;

    (void)state;
    begin(&link, &t1, 4);
    expect_next(&link, I_FIRST);
    take(&link, "00C30107", 20, MORE);
    assert_int_equal(t1.Wtx, 7);
    take(&link, "00C30100", 20, MORE);
    assert_int_equal(t1.Wtx, 1); /* no time at all cannot be meant */
    take(&link, "0000029000", 20, STATUS_SUCCESS);
    assert_int_equal(t1.Wtx, 0);
}

static void test_t1_block_needs_room_and_takes_what_there_is(void **state)
{
    UCHAR block[SMC_T1_BLOCK_MAX];
    struct smc_t1_link link;
    T1_DATA t1;
    size_t len;

    (void)state;
    begin(&link, &t1, 6);
    assert_status(smc_t1_next(&link, command, block, 4, &len),
                  STATUS_INSUFFICIENT_RESOURCES);
    assert_status(smc_t1_next(&link, command, block, 6, &len), STATUS_SUCCESS);
    assert_int_equal(len, 6);
    assert_int_equal(block[1], T1_MORE_DATA);
    assert_int_equal(block[2], 2);
    take(&link, "0000029000", 20, MORE); /* out of turn: R */
    assert_status(smc_t1_next(&link, command, block, 3, &len),
                  STATUS_INSUFFICIENT_RESOURCES);
    take(&link, "008000", 20, MORE); /* the same block again, where it no longer fits */
    assert_status(smc_t1_next(&link, command, block, 5, &len),
                  STATUS_INSUFFICIENT_RESOURCES);
}

static void test_t1_room_that_shrinks_below_the_answer_so_far_is_too_small(void **state)
{
    struct smc_t1_link link;
    T1_DATA t1;

    (void)state;
    begin(&link, &t1, 4);
    expect_next(&link, I_FIRST);
    take(&link, "0020020102", 20, MORE);
    take(&link, "0040029000", 1, STATUS_BUFFER_TOO_SMALL);
    smc_t1_begin(&link, 4);
    expect_next(&link, "00C000"); /* the card still has the rest to send */
}

/* LEN is 0 ... 254, whatever the transport brings. */
static void test_t1_block_longer_than_a_block_is_an_error(void **state)
{
    UCHAR block[SMC_T1_BLOCK_MAX + 1] = {0}, reply[300];
    struct smc_t1_link link;
    T1_DATA t1;

    (void)state;
    begin(&link, &t1, 4);
    expect_next(&link, I_FIRST);
    block[2] = 255;
    smc_t1_edc(0, block, 258, block + 258);
    assert_status(smc_t1_take(&link, block, 259, reply, sizeof reply), MORE);
    expect_next(&link, "008200");
    assert_status(smc_t1_take(&link, block, 260, reply, sizeof reply), MORE);
    expect_next(&link, "008200");
    take(&link, "0000029000", 20, STATUS_SUCCESS);
}

static void test_t1_abandoned_command_is_followed_by_resynch(void **state)
{
    struct smc_t1_link link;
    T1_DATA t1;

    (void)state;
    begin(&link, &t1, 4);
    smc_t1_abandon(&t1); /* nothing is out yet */
    expect_next(&link, I_FIRST);
    smc_t1_begin(&link, 6); /* a command is under way: it stays */
    assert_int_equal(t1.BytesToSend, 4);
    smc_t1_abandon(&t1);
    smc_t1_begin(&link, 4);
    expect_next(&link, "00C000");
    take(&link, "00E000", 20, MORE);
    expect_next(&link, I_FIRST);
    take(&link, "0000029000", 20, STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t1_each_block_of_the_card_gets_its_answer),
        cmocka_unit_test(test_t1_wtx_counts_for_the_next_block_only),
        cmocka_unit_test(test_t1_block_needs_room_and_takes_what_there_is),
        cmocka_unit_test(test_t1_room_that_shrinks_below_the_answer_so_far_is_too_small),
        cmocka_unit_test(test_t1_block_longer_than_a_block_is_an_error),
        cmocka_unit_test(test_t1_abandoned_command_is_followed_by_resynch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
