/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-turn.c - whose turn it is. The cases are written as little plays: each step is an
 * owner (a, b, c ...), what it does, and who is let in by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/turn.h"

#define OWNERS    6
#define CALLS_MAX 8

struct play {
    struct scfs_turn turn;
    struct scfs_turn_owner owner[OWNERS];
    struct scfs_turn_entry begin[OWNERS];
    struct scfs_turn_entry call[OWNERS][CALLS_MAX];
    unsigned calls[OWNERS];
};

struct step {
    char owner;
    enum { CALL, DONE, BEGIN, GIVE_UP, INTERRUPT, FORGET, END } what;
    const char *let_in; /* owners, a call as a letter, a begin as a capital */
};

/* Who may go now, in order. */
static void collect(struct play *play, char *names)
{
    struct scfs_turn_entry *entry;

    while ((entry = scfs_turn_next(&play->turn)) != NULL) {
        char base = entry->kind == SCFS_TURN_BEGIN ? 'A' : 'a';

        *names++ = (char)(base + (entry->owner - play->owner));
    }
    *names = '\0';
}

/* The call of the owner that was made first and has been let in. */
static struct scfs_turn_entry *under_way(struct play *play, int who)
{
    for (unsigned i = 0; i < play->calls[who]; i++) {
        if (play->call[who][i].state == SCFS_TURN_ADMITTED)
            return &play->call[who][i];
    }
    fail_msg("no call of %c is under way", 'a' + who);
    return NULL;
}

static void take(struct play *play, const struct step *step, char *let_in)
{
    int who = step->owner - 'a';
    struct scfs_turn_entry *entry = &play->begin[who];
    bool now = false;

    switch (step->what) {
    case CALL:
        assert_true(play->calls[who] < CALLS_MAX);
        entry = &play->call[who][play->calls[who]++];
        now = scfs_turn_ask(&play->turn, entry, &play->owner[who], SCFS_TURN_CALL);
        break;
    case BEGIN:
        now = scfs_turn_ask(&play->turn, entry, &play->owner[who], SCFS_TURN_BEGIN);
        break;
    case DONE:
        scfs_turn_leave(&play->turn, under_way(play, who));
        break;
    case GIVE_UP:
        scfs_turn_withdraw(&play->turn, entry);
        break;
    case INTERRUPT:
        scfs_turn_leave_ghost(&play->turn, entry);
        break;
    case FORGET:
        scfs_turn_drop_ghost(&play->turn, &play->owner[who]);
        break;
    case END:
        assert_ptr_equal(play->turn.holder, &play->owner[who]);
        scfs_turn_end(&play->turn);
        break;
    }
    if (now)
        *let_in++ = (char)(step->what == BEGIN ? step->owner - 'a' + 'A' : step->owner);
    collect(play, let_in);
}

static unsigned count_line(const struct scfs_turn *turn)
{
    unsigned count = 0;

    for (const LIST_ENTRY *i = turn->line.Flink; i != &turn->line; i = i->Flink)
        count++;
    return count;
}

static void perform(const struct step *steps, size_t count)
{
    struct play *play = calloc(1, sizeof *play);
    char let_in[64];

    assert_non_null(play);
    scfs_turn_init(&play->turn);
    for (size_t i = 0; i < count; i++) {
        take(play, &steps[i], let_in);
        if (strcmp(let_in, steps[i].let_in) != 0)
            fail_msg("step %zu: let in \"%s\", not \"%s\"", i, let_in, steps[i].let_in);
        assert_true(play->turn.waiting <= count_line(&play->turn));
    }
    /* Every play ends with an empty stage. */
    assert_null(play->turn.holder);
    assert_int_equal(play->turn.admitted, 0);
    assert_int_equal(play->turn.waiting, 0);
    assert_int_equal(count_line(&play->turn), 0);
    for (int i = 0; i < OWNERS; i++)
        assert_int_equal(play->owner[i].admitted, 0);
    free(play);
}

#define PERFORM(steps) perform(steps, sizeof(steps) / sizeof(steps)[0])

static void test_turn_without_a_holder_lets_every_call_in(void **state)
{
    static const struct step play[] = {
        {'a', CALL, "a"}, {'b', CALL, "b"}, {'a', CALL, "a"},
        {'a', DONE, ""},  {'b', DONE, ""},  {'a', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_turn_of_a_holder_lets_only_his_calls_in(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"}, {'b', CALL, ""},  {'a', CALL, "a"}, {'c', CALL, ""},
        {'a', DONE, ""},   {'a', END, "bc"}, {'c', DONE, ""},  {'b', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begin_waits_until_the_calls_of_others_have_ended(void **state)
{
    static const struct step play[] = {
        {'b', CALL, "b"}, {'c', CALL, "c"}, {'a', BEGIN, ""}, {'b', DONE, ""},
        {'b', CALL, ""},  {'c', DONE, "A"}, {'a', END, "b"},  {'b', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begin_does_not_wait_for_calls_of_its_own(void **state)
{
    static const struct step play[] = {
        {'a', CALL, "a"}, {'a', BEGIN, "A"}, {'b', BEGIN, ""},
        {'a', END, ""},   {'a', DONE, "B"},  {'b', END, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begins_are_served_in_the_order_in_which_they_came(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"}, {'b', BEGIN, ""}, {'c', CALL, ""}, {'d', BEGIN, ""},
        {'e', CALL, ""},   {'a', END, "B"},  {'b', END, "c"}, {'f', CALL, ""},
        {'c', DONE, "D"},  {'d', END, "ef"}, {'e', DONE, ""}, {'f', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begin_that_gives_up_lets_those_behind_it_in(void **state)
{
    static const struct step play[] = {
        {'b', CALL, "b"},     {'a', BEGIN, ""}, {'c', CALL, ""}, {'d', CALL, ""},
        {'a', GIVE_UP, "cd"}, {'b', DONE, ""},  {'c', DONE, ""}, {'d', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begin_that_comes_back_has_kept_its_place(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"},    {'b', BEGIN, ""}, {'c', BEGIN, ""}, {'d', BEGIN, ""},
        {'c', INTERRUPT, ""}, {'e', BEGIN, ""}, {'c', BEGIN, ""}, {'a', END, "B"},
        {'b', END, "C"},      {'c', END, "D"},  {'d', END, "E"},  {'e', END, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_begin_that_is_last_and_comes_back_is_last_again(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"}, {'b', BEGIN, ""}, {'c', BEGIN, ""}, {'c', INTERRUPT, ""},
        {'c', BEGIN, ""},  {'a', END, "B"},  {'b', END, "C"},  {'c', END, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_ghost_whose_turn_comes_vanishes(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"}, {'b', BEGIN, ""}, {'c', BEGIN, ""}, {'b', INTERRUPT, ""},
        {'a', END, "C"},   {'b', BEGIN, ""}, {'c', END, "B"},  {'b', END, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_ghost_at_the_head_does_not_stop_those_behind_it(void **state)
{
    static const struct step play[] = {
        {'a', CALL, "a"},     {'b', BEGIN, ""}, {'c', CALL, ""},
        {'b', INTERRUPT, ""}, {'a', DONE, "c"}, {'c', DONE, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_ghost_that_is_dropped_keeps_no_place(void **state)
{
    static const struct step play[] = {
        {'a', BEGIN, "A"},    {'b', BEGIN, ""},  {'c', BEGIN, ""},
        {'b', INTERRUPT, ""}, {'b', FORGET, ""}, {'b', BEGIN, ""},
        {'a', END, "C"},      {'c', END, "B"},   {'b', END, ""},
    };

    (void)state;
    PERFORM(play);
}

static void test_ghost_is_not_counted_as_waiting(void **state)
{
    struct scfs_turn turn;
    struct scfs_turn_owner a = {0}, b = {0};
    struct scfs_turn_entry first, second;

    (void)state;
    scfs_turn_init(&turn);
    assert_true(scfs_turn_ask(&turn, &first, &a, SCFS_TURN_BEGIN));
    assert_false(scfs_turn_ask(&turn, &second, &b, SCFS_TURN_BEGIN));
    assert_int_equal(turn.waiting, 1);
    scfs_turn_leave_ghost(&turn, &second);
    assert_int_equal(turn.waiting, 0);
    assert_false(scfs_turn_ask(&turn, &second, &b, SCFS_TURN_BEGIN));
    assert_int_equal(turn.waiting, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turn_without_a_holder_lets_every_call_in),
        cmocka_unit_test(test_turn_of_a_holder_lets_only_his_calls_in),
        cmocka_unit_test(test_begin_waits_until_the_calls_of_others_have_ended),
        cmocka_unit_test(test_begin_does_not_wait_for_calls_of_its_own),
        cmocka_unit_test(test_begins_are_served_in_the_order_in_which_they_came),
        cmocka_unit_test(test_begin_that_gives_up_lets_those_behind_it_in),
        cmocka_unit_test(test_begin_that_comes_back_has_kept_its_place),
        cmocka_unit_test(test_begin_that_is_last_and_comes_back_is_last_again),
        cmocka_unit_test(test_ghost_whose_turn_comes_vanishes),
        cmocka_unit_test(test_ghost_at_the_head_does_not_stop_those_behind_it),
        cmocka_unit_test(test_ghost_that_is_dropped_keeps_no_place),
        cmocka_unit_test(test_ghost_is_not_counted_as_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
