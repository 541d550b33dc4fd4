/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange.c - see exchange.h. */
#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct daemon scardfs;
int control;

int exchange_begin(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=lazy", NULL};

    (void)state;
    daemon_start(&scardfs, options);
    control = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);
    return control < 0 || daemon_command(&scardfs, "remove reader0\n");
}

int exchange_end(void **state)
{
    (void)state;
    close(control);
    return daemon_stop(&scardfs);
}

size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return n;
}

void check(const struct exchange *x)
{
    uint8_t in[512], out[4096];
    char hex[2 * sizeof out + 1] = "";
    size_t in_len = unhex(x->input, in), out_len = x->room;
    NTSTATUS status = UNTOUCHED;
    int error;

    error = daemon_call(control, x->code, in, in_len, out, &out_len,
                        SCARD_TIMEOUT_INFINITE, &status);
    if (status != x->status)
        fail_msg("%s: expected status %08x, got %08x (errno %s)", x->what,
                 (unsigned)x->status, (unsigned)status, strerrorname_np(error));
    assert_int_equal(error != 0, status != STATUS_SUCCESS);
    if (error || !x->output)
        return;
    for (size_t i = 0; i < out_len; i++)
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    if (strcmp(hex, x->output) != 0)
        fail_msg("%s: expected %s, got %s", x->what, x->output, hex);
}

/* ---- a thread that waits --------------------------------------------------------- */

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    uint8_t out[1];

    w->information = 0;
    w->status = UNTOUCHED;
    __atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
    w->error = daemon_call(w->fd, w->code, NULL, 0, out, &w->information,
                           SCARD_TIMEOUT_INFINITE, &w->status);
    return NULL;
}

void waiter_begin(struct waiter *w, uint32_t code)
{
    w->fd = control;
    w->code = code;
    w->tid = 0;
    assert_int_equal(pthread_create(&w->thread, NULL, wait_in_thread, w), 0);
}

/* Whether the thread, of whatever process, sleeps in an ioctl. */
static bool in_ioctl(pid_t tid)
{
    char path[64];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/syscall", (int)tid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fscanf(file, "%ld", &number) != 1) /* "running" */
        number = -1;
    fclose(file);
    return number == SYS_ioctl;
}

void until_in_ioctl(const pid_t *tid)
{
    const int64_t limit = now_ms() + 5000;

    while (!in_ioctl(__atomic_load_n(tid, __ATOMIC_SEQ_CST))) {
        assert_true(now_ms() < limit);
        sched_yield();
    }
}

bool waiter_has_ended(struct waiter *w, unsigned within_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += within_ms / 1000;
    t.tv_nsec += (long)(within_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return pthread_timedjoin_np(w->thread, NULL, &t) == 0;
}

/* A wait that has not begun is not cancelled: asks until it has. */
void assert_can_be_cancelled(struct waiter *w)
{
    uint8_t out[1];
    size_t out_len = 0;
    NTSTATUS status = UNTOUCHED;

    for (int i = 0; i < 250; i++) {
        assert_int_equal(daemon_call(w->fd, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, NULL, 0,
                                     out, &out_len, SCARD_TIMEOUT_INFINITE, &status),
                         0);
        if (waiter_has_ended(w, 20))
            break;
    }
    assert_int_equal(w->status, STATUS_CANCELLED);
    assert_int_equal(w->error, ECANCELED);
}

void assert_ends_with_success(struct waiter *w)
{
    assert_true(waiter_has_ended(w, 5000));
    assert_int_equal(w->status, STATUS_SUCCESS);
    assert_int_equal(w->error, 0);
    assert_int_equal(w->information, 0);
}
