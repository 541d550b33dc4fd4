/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-fault_sweep.c - every transfer of every scenario of sweep_scenarios.c goes wrong
 * in every way, once and until the request is over.
 *
 * For each: the request ends in time, with an error or with the right answer; no card has
 * executed a command twice; the next command has its answer within three seconds, after a
 * reconnect where the state asks for one and a new plug where the device is gone; nothing
 * is left in memory.
 */
#include "sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "live.h"

#define AGAIN_MS      3000
#define TRANSFERS_MAX 1000

static const struct way {
    const char *name;
    struct fault fault;
} ways[] = {
    {"timeout", {.kind = FAULT_RESULT, .result = CCID_USB_TIMEOUT}},
    {"stall", {.kind = FAULT_RESULT, .result = CCID_USB_STALL}},
    {"overflow", {.kind = FAULT_RESULT, .result = CCID_USB_OVERFLOW}},
    {"no device", {.kind = FAULT_RESULT, .result = CCID_USB_GONE}},
    {"I/O error", {.kind = FAULT_RESULT, .result = CCID_USB_IO}},
    {"cancelled", {.kind = FAULT_RESULT, .result = CCID_USB_CANCELLED}},
    {"done, timeout", {.kind = FAULT_FAIL, .result = CCID_USB_TIMEOUT}},
    {"done, stall", {.kind = FAULT_FAIL, .result = CCID_USB_STALL}},
    {"done, overflow", {.kind = FAULT_FAIL, .result = CCID_USB_OVERFLOW}},
    {"done, no device", {.kind = FAULT_FAIL, .result = CCID_USB_GONE}},
    {"done, I/O error", {.kind = FAULT_FAIL, .result = CCID_USB_IO}},
    {"done, cancelled", {.kind = FAULT_FAIL, .result = CCID_USB_CANCELLED}},
    {"short, nothing", {.kind = FAULT_SHORT, .len = 0}},
    {"short, 5 bytes", {.kind = FAULT_SHORT, .len = 5}},
    {"short, 12 bytes", {.kind = FAULT_SHORT, .len = 12}},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

struct tally {
    unsigned transfers; /* on a good bus */
    unsigned pairs, answers, errors;
    uint64_t longest_ms, longest_again_ms;
};

static struct sweep s;

/* One run with one fault. False: the scenario was over before its turn came. */
static bool run(const struct scenario *scenario, const struct fault *fault,
                struct tally *tally)
{
    uint64_t begin_ms, took_ms;
    NTSTATUS status;
    bool hit;

    sweep_begin(&s, scenario);
    assert_true(live_count() > 0 || !live_is_counted());
    if (fault != NULL)
        fault_usb_arm(&s.v.faults, *fault);
    begin_ms = s.v.clock.now_ms;
    status = scenario->run(&s);
    took_ms = s.v.clock.now_ms - begin_ms;
    hit = s.v.faults.hit_count > 0;
    assert_int_not_equal(status, STATUS_WRONG_ANSWER);
    assert_int_not_equal(status, STATUS_PENDING);
    if (!hit)
        assert_int_equal(status, scenario->expected);
    for (unsigned i = 0; i < SWEEP_SLOTS; i++) {
        assert_true(s.executed[i] <= scenario->commands[i]);
        if (status == STATUS_SUCCESS)
            assert_int_equal(s.executed[i], scenario->commands[i]);
    }
    assert_true(took_ms <= scenario->limit_ms);
    if (took_ms > tally->longest_ms)
        tally->longest_ms = took_ms;
    if (fault == NULL)
        tally->transfers = s.v.faults.transfer_count;
    took_ms = sweep_works_again(&s, fault == NULL ? 0 : fault->at);
    assert_true(took_ms <= AGAIN_MS);
    if (took_ms > tally->longest_again_ms)
        tally->longest_again_ms = took_ms;
    /* What the reader had been given before, it has done by now. */
    for (unsigned i = 0; i < SWEEP_SLOTS; i++)
        assert_true(s.executed[i] <= scenario->commands[i] + 1);
    sweep_end(&s);
    if (hit) {
        tally->pairs++;
        tally->answers += status == STATUS_SUCCESS;
        tally->errors += status != STATUS_SUCCESS;
    }
    return hit;
}

/* A cut answer is not one that failed where nothing says how long it is, and a cut
 * NotifySlotChange changes nothing (requirement 21). */
static enum fault_on where(const struct scenario *scenario, const struct fault *fault)
{
    unsigned on = FAULT_ON_ALL;

    if (fault->kind == FAULT_SHORT)
        on &= ~(unsigned)FAULT_ON_INTERRUPT;
    if (fault->kind == FAULT_SHORT && fault->len > 0 && scenario->unmarked)
        on &= ~(unsigned)FAULT_ON_CONTROL;
    return (enum fault_on)on;
}

static void sweep(const struct scenario *scenario, struct tally *tally)
{
    long live;

    (void)run(scenario, NULL, tally);
    live = live_count();
    for (size_t way = 0; way < WAYS; way++) {
        for (unsigned sticky = 0; sticky < 2; sticky++) {
            struct fault fault = ways[way].fault;

            fault.on = where(scenario, &fault);
            fault.sticky = sticky != 0;
            for (fault.at = 1; fault.at < TRANSFERS_MAX; fault.at++) {
                if (!run(scenario, &fault, tally))
                    break;
                assert_int_equal(live_count(), live);
            }
            assert_true(fault.at < TRANSFERS_MAX);
            if (fault.on == FAULT_ON_ALL)
                assert_true(fault.at > tally->transfers);
        }
    }
}

static void test_sweep_of_one_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct tally tally = {0};

    sweep(scenario, &tally);
    printf("%-24s %4u transfers %6u pairs %6u answers %6u errors, longest %6u ms, "
           "again after %4u ms\n",
           scenario->name, tally.transfers, tally.pairs, tally.answers, tally.errors,
           (unsigned)tally.longest_ms, (unsigned)tally.longest_again_ms);
}

int main(void)
{
    static struct CMUnitTest tests[64];

    assert(sweep_scenario_count <= sizeof(tests) / sizeof(tests[0]));
    for (size_t i = 0; i < sweep_scenario_count; i++) {
        tests[i] = (struct CMUnitTest){
            .name = sweep_scenarios[i].name,
            .test_func = test_sweep_of_one_scenario,
            .initial_state = (void *)(uintptr_t)&sweep_scenarios[i],
        };
    }
    return _cmocka_run_group_tests("fault sweep", tests, sweep_scenario_count, NULL,
                                   NULL);
}
