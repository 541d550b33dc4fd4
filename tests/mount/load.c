/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - 5,000 reads of events/present and 5,000 polls of it at once, on 8 readers:
 * they cost a little memory and no thread, hold nobody up, one insertion wakes each of
 * them, and a signal ends them all.
 *
 * As a test it holds what must be so on any machine and prints what it has measured; with
 * the argument --goals it fails as well when a figure misses its goal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"
#include "load_herd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS   30000
#define EXTRA_THREADS 4
#define LAST_READER   "reader7" /* of HERDS */
#define STATS         2000

static struct daemon scardfs;
static bool goals_count;

/* ---- figures ----------------------------------------------------------------------- */

/* A line with its goal; over it is a failure only if that was asked for. */
static void figure(const char *what, double value, double goal, const char *unit)
{
    print_message("%-44s %8.2f %-3s (goal: %g)%s\n", what, value, unit, goal,
                  value > goal ? "  MISSED" : "");
    if (goals_count)
        assert_true(value <= goal);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mib(void)
{
    char path[64], line[256];
    long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)scardfs.pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return (double)kib / 1024;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double stat_p99_ms(void)
{
    static double took_ms[STATS];

    for (int i = 0; i < STATS; i++) {
        char name[32];
        struct stat st;
        double begin;

        snprintf(name, sizeof name, "reader%d/state", i % HERDS);
        begin = now_s();
        assert_int_equal(stat(daemon_path(&scardfs, name), &st), 0);
        took_ms[i] = (now_s() - begin) * 1000;
    }
    qsort(took_ms, STATS, sizeof *took_ms, by_size);
    return took_ms[STATS * 99 / 100];
}

/* ---- cards ------------------------------------------------------------------------- */

static void each_reader(const char *verb)
{
    char lines[HERDS * 32] = "";

    for (int i = 0; i < HERDS; i++)
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s reader%d\n",
                 verb, i);
    assert_int_equal(daemon_command(&scardfs, lines), 0);
}

static int take_cards_out(void **state)
{
    (void)state;
    for (int i = 0; i < HERDS; i++) {
        char line[32];

        snprintf(line, sizeof line, "remove reader%d\n", i);
        (void)daemon_command(&scardfs, line); /* a test that failed had none put in */
    }
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    herds_kill();
    return herds_reap(PATIENCE_MS);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_ten_thousand_who_wait_cost_little_and_are_woken_by_one_insertion(
    void **state)
{
    int threads = daemon_threads(&scardfs);
    double begin, before_mib = resident_mib();

    (void)state;
    begin = now_s();
    assert_true(herds_start(&scardfs, PATIENCE_MS));
    print_message("%d reads and %d polls wait after %.2f s\n", HERD_TOTAL, HERD_TOTAL,
                  now_s() - begin);
    assert_int_equal(herds_in_state_d(), 0);
    print_message("threads: %d before, %d with all of them\n", threads,
                  daemon_threads(&scardfs));
    assert_in_range(daemon_threads(&scardfs), 1, threads + EXTRA_THREADS);
    figure("memory that they cost", resident_mib() - before_mib, 16, "MiB");
    figure("stat beside them, 99 of 100 take at most", stat_p99_ms(), 5, "ms");
    assert_int_equal(herds_readers_woken() + herds_pollers_woken(), 0);

    begin = now_s();
    each_reader("insert");
    while (herds_readers_woken() + herds_pollers_woken() < 2 * HERD_TOTAL) {
        assert_int_equal(herds_failures(), 0);
        assert_true(now_s() - begin < PATIENCE_MS / 1000.0);
        usleep(1000);
    }
    figure("one insertion wakes all of them in", now_s() - begin, 1, "s");
    assert_int_equal(herds_readers_woken(), HERD_TOTAL);
    assert_int_equal(herds_pollers_woken(), HERD_TOTAL);
    assert_int_equal(herds_reap(PATIENCE_MS), 0);
}

static void test_ten_thousand_who_wait_are_killed_and_forgotten(void **state)
{
    double begin;

    (void)state;
    assert_true(herds_start(&scardfs, PATIENCE_MS));
    begin = now_s();
    herds_kill();
    assert_int_equal(herds_reap(PATIENCE_MS), 0);
    figure("all of them are gone after SIGKILL in", now_s() - begin, 5, "s");
    assert_string_equal(daemon_text(&scardfs, "reader0/state"), "absent");

    assert_true(herds_start(&scardfs, PATIENCE_MS)); /* nothing is in their way */
    each_reader("insert");
    assert_int_equal(herds_reap(PATIENCE_MS), 0);
    assert_int_equal(herds_failures(), 0);
    assert_int_equal(herds_readers_woken(), HERD_TOTAL);
    assert_int_equal(herds_pollers_woken(), HERD_TOTAL);
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual=8", "-o", "power=lazy", NULL};

    int64_t limit = now_ms() + PATIENCE_MS;

    (void)state;
    daemon_start(&scardfs, options);
    while (access(daemon_path(&scardfs, LAST_READER), F_OK) != 0) {
        if (now_ms() > limit)
            return 1;
        usleep(1000);
    }
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
        cmocka_unit_test_setup_teardown(
            test_ten_thousand_who_wait_cost_little_and_are_woken_by_one_insertion,
            take_cards_out, clean_up),
        cmocka_unit_test_setup_teardown(
            test_ten_thousand_who_wait_are_killed_and_forgotten, take_cards_out,
            clean_up),
    };
    struct rlimit files;

    if (!daemon_possible("load"))
        return 77;
    if (geteuid() != 0) {
        printf("SKIP load: not root, whom no limit of open files holds\n");
        return 77;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * HERD_SIZE + 64) {
        printf("SKIP load: a process may open %lu files\n",
               (unsigned long)files.rlim_cur);
        return 77;
    }
    goals_count = argc > 1 && strcmp(argv[1], "--goals") == 0;
    return cmocka_run_group_tests(tests, start, stop);
}
