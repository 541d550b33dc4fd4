/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-mutation.c - sessions in which one answer of the device is not what it should be:
 * each byte of each answer with eight other values, and each answer in every length from
 * nothing to 64 bytes more than it has.
 *
 * Each run ends at its first error, in time. Until then every reply is that of the honest
 * session, except for what nobody could tell from the truth, in the request that was hit:
 *   - data of the card where no checksum covers it (it is the card's answer then): a byte
 *     that was changed in it is changed in the reply, and nothing else;
 *   - an ATR: then the protocol may be another one, too;
 *   - an end that only the reader knows: a smaller dwLength, a bChainParameter that says
 *     "last", a shorter transfer of a token of version B, whose answers have no other
 *     length. Then bytes are missing from the reply, all in one place; or, of such a
 * token, there are more. With T=1 at TPDU level and below there is no such thing: the
 * checksum tells. Afterwards a session on a good bus is as it always is.
 */
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/slot.h"
#include "live.h"

#define LONGER   64
#define LIMIT_MS (CCID_COMMAND_MAX_MS + 2000)
#define AGAIN_MS 10000 /* for a whole session */

/* The bits that change. */
static const uint8_t flips[8] = {0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0x7F, 0xFF};

static struct sweep s;
static struct session_reply truth[SESSION_STEPS_MAX];

struct tally {
    unsigned answers, runs, errors, right, told; /* told: by card or reader alone */
    uint64_t longest_ms;
};

/* ---- what cannot be told from the truth ---------------------------------------------
 */

/* a is b without some bytes, all of them in one place. */
static bool is_part(const struct session_reply *a, const struct session_reply *b)
{
    ULONG same = 0;

    if (a->length >= b->length)
        return false;
    while (same < a->length && a->bytes[same] == b->bytes[same])
        same++;
    return memcmp(a->bytes + same, b->bytes + b->length - (a->length - same),
                  a->length - same) == 0;
}

/* The bytes of the reply that differ from the truth. */
static unsigned differences(const struct session_reply *reply,
                            const struct session_reply *right)
{
    unsigned count = 0;

    for (ULONG i = 0; i < right->length; i++)
        count += reply->bytes[i] != right->bytes[i];
    return count;
}

static bool is_told(const struct session *session, const struct session_step *step,
                    bool hit, const struct fault *fault,
                    const struct session_reply *reply, const struct session_reply *right)
{
    bool token = s.v.faults.truth.control;
    bool ended = token ? fault->offset == 0 : fault->offset >= 1 && fault->offset <= 9;

    if (!hit || (session->checked && step->kind == STEP_TRANSMIT))
        return false;
    if (fault->kind == FAULT_SHORT)
        return token && is_part(reply, right);
    if (fault->kind == FAULT_LONG)
        return token && is_part(right, reply);
    if (reply->length == right->length && differences(reply, right) == 1)
        return token || fault->offset >= CCID_HEADER_LENGTH;
    return ended && is_part(reply, right);
}

/* ---- sessions -----------------------------------------------------------------------
 */

static void learn(const struct session *session)
{
    sweep_begin(&s, &session->scenario);
    for (size_t i = 0; session->steps[i].kind != STEP_END; i++) {
        session_step(&s, &session->steps[i], &truth[i]);
        assert_int_equal(truth[i].status, session->steps[i].kind == STEP_CANCEL
                                              ? STATUS_CANCELLED
                                              : STATUS_SUCCESS);
    }
    sweep_end(&s);
}

/* The same once more, on the same reader. */
static void repeat(const struct session *session)
{
    uint64_t begin_ms = s.v.clock.now_ms;
    struct session_reply reply;

    sweep_mend(&s);
    for (size_t i = 0; session->steps[i].kind != STEP_END; i++) {
        session_step(&s, &session->steps[i], &reply);
        assert_int_equal(reply.status, truth[i].status);
        assert_int_equal(reply.length, truth[i].length);
        assert_memory_equal(reply.bytes, truth[i].bytes, reply.length);
    }
    assert_true(s.v.clock.now_ms - begin_ms <= AGAIN_MS);
}

/* False: there was no such answer. */
static bool run(const struct session *session, const struct fault *fault,
                struct tally *tally)
{
    uint64_t begin_ms;
    bool error = false, told = false, atr = false;

    sweep_begin(&s, &session->scenario);
    fault_usb_arm(&s.v.faults, *fault);
    begin_ms = s.v.clock.now_ms;
    for (size_t i = 0; session->steps[i].kind != STEP_END && !error; i++) {
        const struct session_step *step = &session->steps[i];
        unsigned hits = s.v.faults.hit_count;
        struct session_reply reply;

        session_step(&s, step, &reply);
        atr = atr || (step->kind == STEP_POWER && s.v.faults.hit_count > hits);
        error = reply.status != truth[i].status;
        if (error) {
            assert_int_not_equal(reply.status, STATUS_SUCCESS);
        } else if (reply.length != truth[i].length ||
                   memcmp(reply.bytes, truth[i].bytes, reply.length) != 0) {
            told = true;
            if (!(atr && step->kind == STEP_PROTOCOL) &&
                !is_told(session, step, s.v.faults.hit_count > hits, fault, &reply,
                         &truth[i])) {
                print_error("%s, step %zu: answer %u, kind %d, byte %zu, value %02X, "
                            "length %zu of %zu: %u bytes, not %u\n",
                            session->scenario.name, i, fault->at, (int)fault->kind,
                            fault->offset, fault->value, fault->len, s.v.faults.truth.len,
                            reply.length, truth[i].length);
                fail();
            }
        }
    }
    if (s.v.clock.now_ms - begin_ms > tally->longest_ms)
        tally->longest_ms = s.v.clock.now_ms - begin_ms;
    assert_true(s.v.clock.now_ms - begin_ms <= LIMIT_MS);
    if (s.v.faults.hit_count > 0) {
        tally->runs++;
        tally->errors += error;
        tally->told += told && !error;
        tally->right += !told && !error;
        repeat(session);
    }
    sweep_end(&s);
    return s.v.faults.hit_count > 0;
}

static void mutate(const struct session *session, unsigned at, struct tally *tally)
{
    size_t len = s.v.faults.truth.len;
    struct fault fault = {.on = (enum fault_on)(FAULT_ON_IN | FAULT_ON_CONTROL),
                          .at = at};

    fault.kind = FAULT_FLIP;
    for (fault.offset = 0; fault.offset < len; fault.offset++) {
        for (size_t i = 0; i < sizeof(flips); i++) {
            fault.value = flips[i];
            assert_true(run(session, &fault, tally));
        }
    }
    fault.offset = fault.value = 0;
    for (fault.len = 0; fault.len <= len + LONGER; fault.len++) {
        fault.kind = fault.len < len ? FAULT_SHORT : FAULT_LONG;
        if (fault.len != len)
            assert_true(run(session, &fault, tally));
    }
}

static void test_answers_of_one_session(void **state)
{
    const struct session *session = *state;
    /* Changes nothing and shows how long the answer is. */
    struct fault fault = {.on = (enum fault_on)(FAULT_ON_IN | FAULT_ON_CONTROL),
                          .kind = FAULT_FLIP,
                          .at = 1};
    struct tally tally = {0}, unused = {0};
    long live;

    learn(session);
    live = live_count();
    for (; s.v.faults.truth.len = 0, run(session, &fault, &unused); fault.at++) {
        tally.answers += s.v.faults.truth.len != 0;
        mutate(session, fault.at, &tally);
    }
    assert_int_equal(unused.errors + unused.told, 0);
    assert_int_equal(live_count(), live);
    printf("%-30s %3u answers %6u runs: %6u errors %6u right %6u told, longest %6u ms\n",
           session->scenario.name, tally.answers, tally.runs, tally.errors, tally.right,
           tally.told, (unsigned)tally.longest_ms);
}

int main(void)
{
    static struct CMUnitTest tests[64];

    assert(session_count <= sizeof(tests) / sizeof(tests[0]));
    for (size_t i = 0; i < session_count; i++) {
        tests[i] = (struct CMUnitTest){
            .name = sessions[i].scenario.name,
            .test_func = test_answers_of_one_session,
            .initial_state = (void *)(uintptr_t)&sessions[i],
        };
    }
    return _cmocka_run_group_tests("mutation", tests, session_count, NULL, NULL);
}
