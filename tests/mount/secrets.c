/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secrets.c - 10,000 PINs by all ways to a card: a second later none of them is anywhere
 * in the daemon's memory, and none in its log, which has said all that it can say.
 *
 * The readers are virtual: what stands for their own memory and their cards' is in the
 * daemon, too, and is as clean.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "calls.h"
#include "daemon.h"
#include "memory.h"
#include "secrets_ways.h"

#define PINS       10000
#define LATER_S    1
#define READERS_MS 10000

static char log_path[] = "/tmp/scardfs-secrets.XXXXXX";

/* ---- a start and an end ---------------------------------------------------------- */

/* The daemon is up with the first reader; the others come a moment later. */
static int open_when_there(const char *name)
{
    const int64_t limit = now_ms() + READERS_MS;
    int fd;

    while ((fd = open(daemon_path(&scardfs, name), O_RDWR | O_CLOEXEC)) < 0) {
        assert_int_equal(errno, ENOENT);
        assert_true(now_ms() < limit);
        sched_yield();
    }
    return fd;
}

/* What the daemon says goes to a file: it has this test's stderr. */
static void start(void)
{
    const int own = dup(STDERR_FILENO), file = mkstemp(log_path);
    char name[32];

    assert_true(own >= 0 && file >= 0);
    unsetenv("MALLOC_PERTURB_"); /* which would wipe for it */
    dup2(file, STDERR_FILENO);
    daemon_start(&scardfs, secrets_options);
    dup2(own, STDERR_FILENO);
    close(own);
    close(file);
    for (int i = 0; i < READERS; i++) {
        snprintf(name, sizeof name, "reader%d/control", i);
        control[i] = open_when_there(name);
        assert_int_equal(call_select_protocol(control[i]), 0);
    }
    text = open(daemon_path(&scardfs, "reader0/transmit"), O_RDWR | O_CLOEXEC);
    assert_true(text >= 0);
}

static void later(void)
{
    const struct timespec time = {.tv_sec = LATER_S};

    nanosleep(&time, NULL); /* what is promised is promised for then */
}

static void expect_nothing(const struct found *found, const char *where)
{
    for (unsigned i = 0; i < found->count && i < PLACES_MAX; i++)
        print_error("%s: %llx %s: number %d%s\n", where,
                    (unsigned long long)found->places[i].at, found->places[i].map,
                    found->places[i].number,
                    found->places[i].in_hex ? ", in hexadecimal" : "");
    assert_int_equal(found->count, 0);
    print_message("%s: %llu bytes, none of %u PINs\n", where,
                  (unsigned long long)found->bytes, PINS);
}

/* A sanitizer keeps what was freed, and terabytes to look through. */
static bool memory_can_be_read(void)
{
    const char *sanitize = getenv("SANITIZE");

    return geteuid() == 0 && (sanitize == NULL || strcmp(sanitize, "none") == 0);
}

/* ---- cases ----------------------------------------------------------------------- */

/* The search itself: what is there it finds. */
static void test_what_is_there_is_found(void **state)
{
    struct found found = {0};
    uint8_t here[2 * SECRET_LEN + 3] = {0};

    (void)state;
    memcpy(here + 3, secret(pins, 17), SECRET_LEN);
    secrets_look(pins, here, sizeof here, 0, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.places[0].number, 17);
    assert_int_equal(found.places[0].at, 3);
    for (unsigned i = 0; i < SECRET_LEN; i++)
        snprintf((char *)here + 1 + 2 * i, 3, "%02x", secret(pins, 18)[i]);
    found = (struct found){0};
    secrets_look(pins, here, sizeof here, 0, &found);
    assert_int_equal(found.count, 1);
    assert_true(found.places[0].in_hex);
    if (!memory_can_be_read())
        return;
    found = (struct found){0};
    assert_true(secrets_look_in_process(pins, getpid(), &found));
    assert_true(found.count >= PINS);
}

static void test_pins_leave_nothing_behind(void **state)
{
    const bool memory_too = memory_can_be_read();
    struct found log = {0};
    unsigned number = 0;

    (void)state;
    if (!memory_too)
        print_message("SKIP memory: not root, or with a sanitizer\n");
    start();
    for (size_t i = 0; i < SECRETS_WAYS; i++) {
        struct found memory = {0};

        for (unsigned n = 0; n < secrets_ways[i].pins; n++)
            secrets_ways[i].send(number++);
        if (!memory_too)
            continue;
        later();
        assert_true(secrets_look_in_process(pins, scardfs.pid, &memory));
        expect_nothing(&memory, secrets_ways[i].name);
    }
    assert_int_equal(number, PINS);
    assert_int_equal(daemon_stop(&scardfs), 0);
    assert_true(secrets_look_in_file(pins, log_path, &log));
    expect_nothing(&log, "log");
    unlink(log_path);
}

static int setup(void **state)
{
    (void)state;
    pins = secrets_new(PINS, 64);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    secrets_free(pins);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there_is_found),
        cmocka_unit_test(test_pins_leave_nothing_behind),
    };

    if (!daemon_possible("secrets"))
        return 77;
    return cmocka_run_group_tests(tests, setup, teardown);
}
