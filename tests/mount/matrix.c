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
#include "matrix_subject.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROMPT_MS   1000 /* "at once", on a busy machine */
#define PATIENCE_MS 10000
#define SETTLED_MS  500 /* a start that adds nothing for so long is over */
#define STOP_MS     3000
#define POOL_SLACK  4 /* threads that libfuse keeps once there were so many */

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
     {"END=ENOTTY next=ok", "close=ok", "gone", "next=ENOMEDIUM", "next=ENODEV",
      "next=ENOTCONN"}},
    {"queued",
     SUBJECT_SHORT,
     SUBJECT_IN_FLIGHT,
     {"END=ENOTTY call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
      "call=ENOMEDIUM next=ENOMEDIUM", "call=ENODEV next=ENODEV",
      "call=ENODEV next=ENOTCONN"}},
    {"in flight",
     SUBJECT_IN_FLIGHT,
     SUBJECT_IDLE,
     {"END=ENOTTY call=waits,ok next=ok", "close=ok call=waits,ok", "gone",
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
     {"END=ENOTTY call=waits,ok next=ENOMEDIUM", "close=ok call=waits,ok", "gone",
      "call=ok next=ENOMEDIUM", "call=ENODEV next=ENODEV", "call=ENODEV next=ENOTCONN"}},
    {"parked poll",
     SUBJECT_POLL,
     SUBJECT_IDLE,
     {"END=ENOTTY call=waits,IN next=ok", "close=ok call=waits,NVAL", "gone",
      "call=IN next=ok", "call=ERR|HUP next=ENODEV", "call=ERR next=ENOTCONN"}},
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
static int usual_descriptors, usual_threads; /* of a daemon that has done nothing yet */

/* ---- what is left of it ------------------------------------------------------------ */

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

static int descriptors(void)
{
    char path[64];
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)scardfs.pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static bool exists(const char *name)
{
    return access(daemon_path(&scardfs, name), F_OK) == 0;
}

/* Puts the one reader in anew: it is reader0 again only if nobody has a file of the last
 * one open. Files are released a moment after close(2), so asks for a while. */
static void assert_no_handle_is_left(void)
{
    int64_t limit = now_ms() + PATIENCE_MS;

    if (exists("reader0"))
        assert_int_equal(daemon_command(&scardfs, "unplug reader0\n"), 0);
    for (;;) {
        assert_int_equal(daemon_command(&scardfs, "plug\n"), 0);
        if (exists("reader0"))
            return;
        assert_true(exists("reader1"));
        assert_int_equal(daemon_command(&scardfs, "unplug reader1\n"), 0);
        assert_true(now_ms() < limit);
        pause_ms(5);
    }
}

static void call_well(int control, uint32_t code, const void *in, size_t in_len,
                      size_t room)
{
    uint8_t out[64];
    NTSTATUS status = STATUS_SUCCESS;
    int error = daemon_call(control, code, in, in_len, out, &room, PATIENCE_MS, &status);

    if (error != 0)
        fail_msg("the next user's call %#x: %s", (unsigned)code, strerrorname_np(error));
}

static void assert_next_user_works(void)
{
    static const uint8_t echo[] = {2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe0, 0, 0, 1, 0xaa};
    const uint32_t reset = SCARD_COLD_RESET, protocols = SCARD_PROTOCOL_Tx;
    int control = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);

    assert_true(control >= 0);
    call_well(control, IOCTL_SMARTCARD_POWER, &reset, sizeof reset, 33);
    call_well(control, IOCTL_SMARTCARD_SET_PROTOCOL, &protocols, sizeof protocols, 4);
    call_well(control, IOCTL_SMARTCARD_TRANSMIT, echo, sizeof echo, 64);
    close(control);
}

static void assert_nothing_is_left(void)
{
    int64_t limit = now_ms() + PATIENCE_MS;

    while (descriptors() != usual_descriptors) {
        if (now_ms() > limit)
            fail_msg("%d file descriptors are usual, %d now", usual_descriptors,
                     descriptors());
        pause_ms(5);
    }
    assert_in_range(daemon_threads(&scardfs), 1, usual_threads + POOL_SLACK);
}

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
static void let_go(const struct row *row)
{
    switch (row->state) {
    case SUBJECT_EVENT:
    case SUBJECT_TRACKER:
    case SUBJECT_POLL:
        assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
        break;
    default: /* comes by itself */
        break;
    }
}

static void observe_call(struct cell *cell, struct subject *s)
{
    bool waits = strstr(cell->row->expected[cell->way], "waits") != NULL;

    if (!subject_makes_a_call(s) || cell->way == BY_KILL)
        return;
    if (waits) {
        waits = !subject_call_ended(s, 0);
        let_go(cell->row);
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
    observe_call(cell, &s);
    if (cell->way != BY_CLOSE && cell->way != BY_KILL)
        add(cell, "next=", subject_next(&s));
    subject_finish(&s);
    if (row->before != SUBJECT_IDLE) {
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
            assert_next_user_works();
        assert_no_handle_is_left();
        assert_nothing_is_left();
    }
    assert_next_user_works();
    assert_string_equal(cell->observed, row->expected[cell->way]);
}

static int stop(void **state)
{
    (void)state;
    return scardfs.pid != 0 ? daemon_stop(&scardfs) : 0;
}

/* Counts what a daemon has that nobody uses, once it has all of it. */
static int learn_what_is_usual(void **state)
{
    int64_t since;

    (void)state;
    daemon_start(&scardfs, options);
    for (since = now_ms(); now_ms() - since < SETTLED_MS; pause_ms(10))
        if (descriptors() != usual_descriptors) {
            usual_descriptors = descriptors();
            since = now_ms();
        }
    usual_threads = daemon_threads(&scardfs);
    return daemon_stop(&scardfs);
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
