/* SPDX-License-Identifier: BSD-2-Clause */
/* test-usb_thread.c - ccid/usb_thread.c: a thread that no signal reaches. */
#include "ccid/usb.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct report {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int unblocked; /* of the signals that can be blocked */
    int state;     /* PTHREAD_CREATE_... */
};

static void *report(void *context)
{
    struct report *self = context;
    pthread_attr_t attributes;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_mutex_lock(&self->lock);
    for (int number = 1; number <= SIGSYS; number++)
        if (number != SIGKILL && number != SIGSTOP && !sigismember(&mask, number))
            self->unblocked++;
    pthread_attr_getdetachstate(&attributes, &self->state);
    self->done = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    pthread_attr_destroy(&attributes);
    return NULL;
}

static void test_thread_blocks_every_signal_and_its_starter_none_more(void **state)
{
    struct report r = {.lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER};
    sigset_t mask;
    pthread_t thread;

    (void)state;
    assert_int_equal(usb_thread_start(&thread, report, &r), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(r.done);
    assert_int_equal(r.unblocked, 0);
    assert_int_equal(r.state, PTHREAD_CREATE_JOINABLE);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

static void test_thread_that_nobody_joins_is_detached(void **state)
{
    static struct report r = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};

    (void)state;
    assert_int_equal(usb_thread_start(NULL, report, &r), 0);
    pthread_mutex_lock(&r.lock);
    while (!r.done)
        pthread_cond_wait(&r.changed, &r.lock);
    pthread_mutex_unlock(&r.lock);
    assert_int_equal(r.unblocked, 0);
    assert_int_equal(r.state, PTHREAD_CREATE_DETACHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_blocks_every_signal_and_its_starter_none_more),
        cmocka_unit_test(test_thread_that_nobody_joins_is_detached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
