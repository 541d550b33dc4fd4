/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c - a transaction goes from hand to hand: 64 who wait for it get it in the
 * order in which they asked, by BEGIN and by flock and in a mixture of both. Prints how
 * long it takes from the END of one to the BEGIN of the next; with the argument --goals
 * it fails when that takes too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "calls.h"
#include "daemon.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONTENDERS  64
#define PATIENCE_MS 10000
#define GOAL_MS     1.0 /* of the median */

struct contender {
    pthread_t thread;
    int fd;
    bool by_flock;
    int errors;
    int place; /* in the order of those who got it, from 0 */
    double got_ms, gave_ms;
};

static struct daemon scardfs;
static struct contender contenders[CONTENDERS];
static int places;
static bool goals_count;

static double precise_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int open_control(void)
{
    int fd = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void *contend(void *argument)
{
    struct contender *c = argument;
    int error = c->by_flock ? call_lock(c->fd) : call_begin(c->fd, "contender");

    c->got_ms = precise_ms();
    c->place = __atomic_fetch_add(&places, 1, __ATOMIC_SEQ_CST);
    c->errors += error != 0;
    c->gave_ms = precise_ms();
    c->errors += call_end(c->fd, SCARD_DISPOSITION_LEAVE) != 0;
    return NULL;
}

static int waiting(void)
{
    int count = 0;

    assert_int_equal(
        sscanf(daemon_text(&scardfs, "reader0/owner"), "%*d %*d %*s %d", &count), 1);
    return count;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *what)
{
    double took_ms[CONTENDERS - 1], median;

    for (int i = 0; i + 1 < CONTENDERS; i++)
        took_ms[i] = contenders[i + 1].got_ms - contenders[i].gave_ms;
    qsort(took_ms, CONTENDERS - 1, sizeof *took_ms, by_size);
    median = took_ms[(CONTENDERS - 1) / 2];
    print_message("%-8s handed over in %.3f ms (median; goal: %g), %.3f ms at most%s\n",
                  what, median, GOAL_MS, took_ms[CONTENDERS - 2],
                  median > GOAL_MS ? "  MISSED" : "");
    if (goals_count)
        assert_true(median <= GOAL_MS);
}

/* flocks: bit i, modulo 2, says how contender i asks. */
static void hand_over(const char *what, unsigned flocks)
{
    int64_t limit = now_ms() + PATIENCE_MS;
    int holder = open_control();

    places = 0;
    assert_int_equal(call_begin(holder, "first"), 0);
    for (int i = 0; i < CONTENDERS; i++) {
        struct contender *c = &contenders[i];

        *c = (struct contender){.fd = open_control(), .by_flock = flocks >> i % 2 & 1};
        assert_int_equal(pthread_create(&c->thread, NULL, contend, c), 0);
        while (waiting() <= i) {
            assert_true(now_ms() < limit);
            sched_yield();
        }
    }
    assert_int_equal(__atomic_load_n(&places, __ATOMIC_SEQ_CST), 0);
    assert_int_equal(call_end(holder, SCARD_DISPOSITION_LEAVE), 0);
    for (int i = 0; i < CONTENDERS; i++) {
        pthread_join(contenders[i].thread, NULL);
        close(contenders[i].fd);
    }
    for (int i = 0; i < CONTENDERS; i++) {
        assert_int_equal(contenders[i].errors, 0);
        assert_int_equal(contenders[i].place, i);
    }
    close(holder);
    assert_string_equal(daemon_text(&scardfs, "reader0/owner"), "none");
    print_times(what);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_begin_is_granted_in_the_order_of_asking(void **state)
{
    (void)state;
    hand_over("BEGIN", 0);
}

static void test_flock_is_granted_in_the_order_of_asking(void **state)
{
    (void)state;
    hand_over("flock", 3);
}

static void test_begin_and_flock_stand_in_one_line(void **state)
{
    (void)state;
    hand_over("both", 1);
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=lazy", NULL};

    (void)state;
    daemon_start(&scardfs, options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return daemon_stop(&scardfs);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_is_granted_in_the_order_of_asking),
        cmocka_unit_test(test_flock_is_granted_in_the_order_of_asking),
        cmocka_unit_test(test_begin_and_flock_stand_in_one_line),
    };

    if (!daemon_possible("handover"))
        return 77;
    goals_count = argc > 1 && strcmp(argv[1], "--goals") == 0;
    return cmocka_run_group_tests(tests, start, stop);
}
