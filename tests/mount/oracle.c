/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.c - eight uids do thousands of random things with one card, and some of them die
 * while they are at it. The card itself tells whether anybody's command came into
 * another's transaction, and whether it came to anybody with what another had left in it.
 *
 * usage: oracle [OPERATIONS [SEED]], of each uid; most of the time goes into the resets
 * between two uids, 10 ms each
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"
#include "oracle_worker.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UID_FIRST         61000
#define OPERATIONS        100
#define OPERATIONS_STRESS 700   /* in about a minute */
#define STUCK_MS          15000 /* without an operation of anybody */
#define KILL_EVERY        40    /* operations of all */

static struct daemon scardfs;
static struct oracle *oracle;
static int operations;
static uint32_t seed;

static pid_t start_worker(int worker, int life)
{
    const char *control = daemon_path(&scardfs, "reader0/control");
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    if (setgroups(0, NULL) != 0 || setgid(UID_FIRST + (gid_t)worker) != 0 ||
        setuid(UID_FIRST + (uid_t)worker) != 0)
        _exit(1);
    oracle_work(oracle, worker, control, operations,
                seed + (uint32_t)(worker + WORKERS * life) * 2654435761u);
}

static int all_done(void)
{
    int sum = 0;

    for (int i = 0; i < WORKERS; i++)
        sum += __atomic_load_n(&oracle->done[i], __ATOMIC_SEQ_CST);
    return sum;
}

/* Kills the worker and lets it begin another life. */
static void kill_worker(pid_t *pid, int worker, int life)
{
    int inside = worker + 1;

    __atomic_store_n(&oracle->doomed[worker], 1, __ATOMIC_SEQ_CST);
    kill(*pid, SIGKILL);
    assert_int_equal(waitpid(*pid, NULL, 0), *pid);
    /* nobody else has come in since */
    __atomic_compare_exchange_n(&oracle->inside, &inside, 0, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    __atomic_store_n(&oracle->doomed[worker], 0, __ATOMIC_SEQ_CST);
    *pid = start_worker(worker, life);
}

/* Reaps those that have done their part; how many are left. */
static int reap(pid_t *workers)
{
    int left = 0, status;

    for (int i = 0; i < WORKERS; i++) {
        if (workers[i] != 0 && waitpid(workers[i], &status, WNOHANG) == workers[i]) {
            workers[i] = 0;
            assert_int_equal(status, 0);
        }
        left += workers[i] != 0;
    }
    return left;
}

static void test_oracle_finds_nobody_in_anothers_transaction_or_state(void **state)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t begin = now_ms(), since = begin;
    pid_t workers[WORKERS];
    int done = 0, kill_at = KILL_EVERY, kills = 0;

    (void)state;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(i, 0);
    while (reap(workers) > 0) {
        int now = all_done(), victim = kills % WORKERS;

        if (now != done)
            since = now_ms();
        done = now;
        if (now_ms() - since > STUCK_MS)
            fail_msg("nobody gets on after %d operations; owner: %s", done,
                     daemon_text(&scardfs, "reader0/owner"));
        if (done >= kill_at) {
            kill_at = done + KILL_EVERY;
            kills++;
            if (workers[victim] != 0)
                kill_worker(&workers[victim], victim, kills);
        }
        nanosleep(&pause, NULL);
    }
    print_message("%d operations of %d uids (seed %u), %d transactions, %d APDUs, %d "
                  "kills, %.1f s: %d violations\n",
                  all_done(), WORKERS, (unsigned)seed, oracle->transactions,
                  oracle->exchanges, kills, (double)(now_ms() - begin) / 1000,
                  oracle->violations);
    if (oracle->violations != 0)
        fail_msg("the first: %s", oracle->first);
    assert_string_equal(daemon_text(&scardfs, "reader0/owner"), "none");
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=lazy,mode=666", NULL};

    (void)state;
    oracle = mmap(NULL, sizeof *oracle, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    daemon_start(&scardfs, options);
    return oracle == MAP_FAILED;
}

static int stop(void **state)
{
    (void)state;
    return daemon_stop(&scardfs);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle_finds_nobody_in_anothers_transaction_or_state),
    };

    if (!daemon_possible("oracle"))
        return 77;
    if (geteuid() != 0) {
        printf("SKIP oracle: not root, who may take other uids\n");
        return 77;
    }
    operations = getenv("SCARDFS_STRESS_SECONDS") ? OPERATIONS_STRESS : OPERATIONS;
    if (argc > 1)
        operations = atoi(argv[1]);
    seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : (uint32_t)time(NULL);
    return cmocka_run_group_tests(tests, start, stop);
}
