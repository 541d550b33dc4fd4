/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * matrix.c - the end-of-life matrix: every state that a user of a reader can be in, and
 * every way in which it can end. One test for each cell, on a daemon of its own.
 *
 * A cell says in words what is to come of it: END= and close= of the call that ends it,
 * call= of the call that was under way ("waits": it goes on until what it waits for has
 * come), next= of the next call on the same file. After each cell the reader works for
 * the next user, and nothing of the last one is left: no file descriptor, no thread, no
 * handle (a reader number is free again only when nobody has a file of it open).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"
#include "matrix_leftovers.h"
#include "matrix_subject.h"

#include <stdio.h>
#include <string.h>

#define PROMPT_MS   1000 /* "at once", on a busy machine */
#define PATIENCE_MS 10000
#define STOP_MS     3000

static const char *const options[] = {"--virtual", "-o", "power=lazy", NULL};

enum way { BY_END, BY_CLOSE, BY_KILL, BY_CARD_OUT, BY_READER_OUT, BY_STOP, WAYS };

static const char *const way_names[WAYS] = {"END",      "close",      "SIGKILL",
                                            "card out", "reader out", "daemon SIGTERM"};

struct row {
    const char *name;
    enum subject_state state;
    enum subject_state before; /* of another process, first; SUBJECT_IDLE: none */
    const char *expected[WAYS];
};

static const struct row rows[] = {
    {"idle",
     SUBJECT_IDLE,
     SUBJECT_IDLE,
     {"END=EPERM next=ok", "close=ok", "gone", "next=ENOMEDIUM", "next=ENODEV",
      "next=ENOTCONN"}},
    {"queued",
     SUBJECT_SHORT,
     SUBJECT_IN_FLIGHT,
     {"END=EPERM call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=ENOMEDIUM next=ENOMEDIUM", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
    {"in flight",
     SUBJECT_IN_FLIGHT,
     SUBJECT_IDLE,
     {"END=EPERM call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=ENOMEDIUM next=ENOMEDIUM", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
    {"parked read of an event",
     SUBJECT_EVENT,
     SUBJECT_IDLE,
     {"END=ENOTTY call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=ok next=ok", "call=ENODEV next=ENODEV", "call=ENODEV next=ENOTCONN"}},
    {"parked wait by ioctl",
     SUBJECT_TRACKER,
     SUBJECT_IDLE,
     {"END=EPERM call=waits,ok next=ENOMEDIUM", "close=ok call=waits,ok", "gone",
      "call=ok next=ENOMEDIUM", "call=ENODEV next=ENODEV", "call=ENODEV next=ENOTCONN"}},
    {"parked poll",
     SUBJECT_POLL,
     SUBJECT_IDLE,
     {"END=ENOTTY call=waits,IN next=ok", "close=ok call=waits,NVAL", "gone",
      "call=IN next=ok", "call=ERR|HUP next=ENODEV", "call=ERR next=ENOTCONN"}},
    {"reply unread",
     SUBJECT_REPLY,
     SUBJECT_IDLE,
     {"END=EPERM next=ok", "close=ok", "gone", "next=ok", "next=ENODEV",
      "next=ENOTCONN"}},
    {"parked read of a reply",
     SUBJECT_READ,
     SUBJECT_IDLE,
     {"END=EPERM call=waits,ok next=ENODATA", "close=ok call=waits,ok", "gone",
      "call=ENOMEDIUM next=ENODATA", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
    {"connected",
     SUBJECT_CONNECTED,
     SUBJECT_IDLE,
     {"END=EPERM next=ok", "close=ok", "gone", "next=ENXIO", "next=ENODEV",
      "next=ENOTCONN"}},
    {"holding a transaction",
     SUBJECT_HOLDING,
     SUBJECT_IDLE,
     {"END=ok next=ok", "close=ok", "gone", "next=ENXIO", "next=ENODEV",
      "next=ENOTCONN"}},
    {"holding flock",
     SUBJECT_LOCKING,
     SUBJECT_IDLE,
     {"END=ok next=ok", "close=ok", "gone", "next=ENXIO", "next=ENODEV",
      "next=ENOTCONN"}},
    {"waiting in BEGIN",
     SUBJECT_BEGIN,
     SUBJECT_HOLDING,
     {"END=EPERM call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=waits,ok next=ENOMEDIUM", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
    {"waiting in flock",
     SUBJECT_FLOCK,
     SUBJECT_HOLDING,
     {"END=EPERM call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=waits,ok next=ENOMEDIUM", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
};

#define ROWS (sizeof rows / sizeof *rows)

struct cell {
    const struct row *row;
    enum way way;
    char name[64];
    char observed[64];
};

static struct cell cells[ROWS * WAYS];
static struct daemon scardfs;

/* ---- a cell ------------------------------------------------------------------------ */

static void add(struct cell *cell, const char *what, const char *value)
{
    size_t len = strlen(cell->observed);

    snprintf(cell->observed + len, sizeof cell->observed - len, "%s%s%s",
             len != 0 ? " " : "", what, value);
}

/* The way, up to the point where it has happened. */
static void end_by(struct cell *cell, struct subject *s)
{
    switch (cell->way) {
    case BY_END:
        add(cell, "END=", subject_end(s));
        break;
    case BY_CLOSE:
        add(cell, "close=", subject_close(s));
        break;
    case BY_KILL:
        add(cell, subject_kill(s, PROMPT_MS) ? "gone" : "lingers", "");
        break;
    case BY_CARD_OUT:
        assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
        break;
    case BY_READER_OUT:
        assert_int_equal(daemon_command(&scardfs, "unplug reader0\n"), 0);
        break;
    default: {
        int64_t begin = now_ms();

        assert_int_equal(daemon_stop(&scardfs), 0);
        assert_in_range(now_ms() - begin, 0, STOP_MS);
        scardfs.pid = 0;
        break;
    }
    }
}

/* What its call waits for, in the ways that do not end it. */
static void let_go(const struct row *row, struct subject *other)
{
    switch (row->state) {
    case SUBJECT_BEGIN:
    case SUBJECT_FLOCK:
        assert_string_equal(subject_end(other), "ok");
        break;
    case SUBJECT_EVENT:
    case SUBJECT_TRACKER:
    case SUBJECT_POLL:
        assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
        break;
    default: /* comes by itself */
        break;
    }
}

static void observe_call(struct cell *cell, struct subject *s, struct subject *other)
{
    bool waits = strstr(cell->row->expected[cell->way], "waits") != NULL;

    if (!subject_makes_a_call(s) || cell->way == BY_KILL)
        return;
    if (waits) {
        waits = !subject_call_ended(s, 0);
        let_go(cell->row, other);
    }
    if (!subject_call_ended(s, waits ? PATIENCE_MS : PROMPT_MS))
        fail_msg("its call does not end");
    /* whether the kernel still finds the daemon to ask for HUP is a matter of luck */
    if (cell->way == BY_STOP && strcmp(s->report->call, "ERR|HUP") == 0)
        s->report->call[strlen("ERR")] = 0;
    add(cell, waits ? "call=waits," : "call=", s->report->call);
}

static void run_cell(void **state)
{
    struct cell *cell = *state;
    const struct row *row = cell->row;
    struct subject s, other;

    daemon_start(&scardfs, options);
    if (row->before != SUBJECT_IDLE)
        subject_start(&other, &scardfs, row->before);
    subject_start(&s, &scardfs, row->state);

    end_by(cell, &s);
    observe_call(cell, &s, &other);
    if (cell->way != BY_CLOSE && cell->way != BY_KILL)
        add(cell, "next=", subject_next(&s));
    subject_finish(&s);
    if (row->before != SUBJECT_IDLE) {
        if (subject_makes_a_call(&other))
            subject_call_ended(&other, PATIENCE_MS);
        subject_finish(&other);
    }

    if (cell->way == BY_STOP) {
        daemon_start(&scardfs, options);
    } else {
        if (cell->way != BY_READER_OUT &&
            strcmp(daemon_text(&scardfs, "reader0/state"), "absent") == 0)
            assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
        if (cell->way != BY_READER_OUT)
            assert_next_user_works(&scardfs);
        assert_no_handle_is_left(&scardfs);
        assert_nothing_is_left(&scardfs);
    }
    assert_next_user_works(&scardfs);
    assert_string_equal(cell->observed, row->expected[cell->way]);
}

static int stop(void **state)
{
    (void)state;
    return scardfs.pid != 0 ? daemon_stop(&scardfs) : 0;
}

static int learn_what_is_usual(void **state)
{
    (void)state;
    return leftovers_learn(&scardfs, options);
}

static void print_matrix(void)
{
    for (size_t i = 0; i < ROWS * WAYS; i++)
        printf("%-24s %-15s %s\n", cells[i].row->name, way_names[cells[i].way],
               cells[i].observed);
}

int main(void)
{
    static struct CMUnitTest tests[ROWS * WAYS];
    int failed;

    if (!daemon_possible("matrix"))
        return 77;
    for (size_t i = 0; i < ROWS * WAYS; i++) {
        struct cell *cell = &cells[i];

        cell->row = &rows[i / WAYS];
        cell->way = (enum way)(i % WAYS);
        snprintf(cell->name, sizeof cell->name, "%s, %s", cell->row->name,
                 way_names[cell->way]);
        tests[i] = (struct CMUnitTest){.name = cell->name,
                                       .test_func = run_cell,
                                       .teardown_func = stop,
                                       .initial_state = cell};
    }
    failed = cmocka_run_group_tests(tests, learn_what_is_usual, NULL);
    print_matrix();
    return failed;
}
