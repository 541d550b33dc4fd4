/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-secrets.c - what a program sends to a card, and what it answers, is nowhere but in
 * the program's own buffers once the call has returned: not in the heap (the linker sends
 * free here, which looks into each block), and not on the stack, which is one of ours.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "contrib/pcsc/mount.h"
#include "fake_mount.h"

#define SECRET     "3141592653"
#define SECRET_LEN 10
#define STACK_SIZE ((size_t)4 * 1024 * 1024) /* ThreadSanitizer needs some of it */
#define CODE       0x00313520u
#define LONG_LEN   17000u

static SCARDCONTEXT context;
static SCARDHANDLE card;
static BYTE command[LONG_LEN], answer[SCARD_REPLY_MAX];
static unsigned freed, with_secret; /* blocks */

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    const size_t len = block != NULL ? malloc_usable_size(block) : 0;

    freed++;
    with_secret += len > 0 && memmem(block, len, SECRET, SECRET_LEN) != NULL;
    __real_free(block);
}

static int setup(void **state)
{
    freed = with_secret = 0;
    if (fake_mount_setup(state) != 0)
        return -1;
    context = fake_context();
    card = fake_card(context, SCARD_SHARE_SHARED);
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    assert_true(freed > 0);
    assert_int_equal(with_secret, 0);
    return fake_mount_teardown(state);
}

struct call {
    void (*call)(void *);
    void *argument;
    uint8_t *stack;
    unsigned left; /* how much of the secret was on it after the call */
};

/* Looks where nothing is in use any more. */
__attribute__((noinline)) static unsigned look_below(const volatile uint8_t *from,
                                                     const volatile uint8_t *to)
{
    unsigned count = 0;

    for (; from + SECRET_LEN <= to; from++) {
        size_t same = 0;

        while (same < SECRET_LEN && from[same] == (uint8_t)SECRET[same])
            same++;
        count += same == SECRET_LEN;
    }
    return count;
}

static void *call_and_look(void *argument)
{
    struct call *c = argument;

    c->call(c->argument);
    c->left = look_below(c->stack, __builtin_frame_address(0));
    return NULL;
}

/* Calls it on a stack of its own, of which nothing has been used before. */
static unsigned left_on_stack(void (*call)(void *), void *argument)
{
    struct call c = {.call = call, .argument = argument};
    pthread_attr_t attr;
    pthread_t thread;

    c.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    assert_ptr_not_equal(c.stack, MAP_FAILED);
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstack(&attr, c.stack, STACK_SIZE), 0);
    assert_int_equal(pthread_create(&thread, &attr, call_and_look, &c), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    munmap(c.stack, STACK_SIZE);
    return c.left;
}

struct transmit {
    size_t len; /* of the command, whose end is the secret */
    DWORD room;
    LONG result;
};

/* A command of the extended form where it is not a short one. */
static void make_command(size_t len)
{
    static const BYTE header[] = {0x80, 0xE0, 0x00, 0x00};

    memset(command, 'f', sizeof command);
    memcpy(command, header, sizeof header);
    if (len > 260) {
        command[4] = 0;
        command[5] = (BYTE)((len - 7) >> 8);
        command[6] = (BYTE)(len - 7);
    } else {
        command[4] = (BYTE)(len - 5);
    }
    memcpy(command + len - SECRET_LEN, SECRET, SECRET_LEN);
}

static void transmit(void *argument)
{
    struct transmit *t = argument;
    DWORD got = t->room;

    t->result =
        SCardTransmit(card, &g_rgSCardT1Pci, command, (DWORD)t->len, NULL, answer, &got);
}

static LONG transmit_leaves_nothing(size_t len, DWORD room)
{
    struct transmit t = {.len = len, .room = room};

    make_command(len);
    assert_int_equal(left_on_stack(transmit, &t), 0);
    return t.result;
}

static void test_command_leaves_nothing(void **state)
{
    static const size_t lens[] = {5 + SECRET_LEN, 255, 2000, 16000};

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        assert_int_equal(transmit_leaves_nothing(lens[i], sizeof answer),
                         SCARD_S_SUCCESS);
        assert_int_equal(transmit_leaves_nothing(lens[i], 2),
                         SCARD_E_INSUFFICIENT_BUFFER);
        fake_fails(FAKE_IOCTL, "call", 0, 1, EIO);
        assert_int_not_equal(transmit_leaves_nothing(lens[i], sizeof answer),
                             SCARD_S_SUCCESS);
    }
}

static void test_command_by_write_and_read_leaves_nothing(void **state)
{
    (void)state;
    fake_file("reader0/control", "an answer with " SECRET "\x90");
    assert_int_equal(transmit_leaves_nothing(LONG_LEN, 1000), SCARD_S_SUCCESS);
    assert_non_null(memmem(answer, sizeof answer, SECRET, SECRET_LEN));
    fake_fails(FAKE_WRITE, "control", 0, 1, EIO);
    assert_int_not_equal(transmit_leaves_nothing(LONG_LEN, 1000), SCARD_S_SUCCESS);
}

static void test_answer_by_read_that_is_too_long_leaves_nothing(void **state)
{
    (void)state;
    fake_file("reader0/control", "an answer with " SECRET "\x90");
    assert_int_equal(transmit_leaves_nothing(LONG_LEN, 2), SCARD_E_INSUFFICIENT_BUFFER);
}

static void control(void *argument)
{
    const struct transmit *t = argument;
    DWORD got = 0;

    assert_int_equal(
        SCardControl(card, CODE, command, (DWORD)t->len, answer, sizeof answer, &got),
        SCARD_S_SUCCESS);
    assert_int_equal(got, t->len); /* it comes back */
}

static void test_control_code_leaves_nothing(void **state)
{
    static const size_t lens[] = {5 + SECRET_LEN, 255, 2000};

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct transmit t = {.len = lens[i]};

        make_command(lens[i]);
        assert_int_equal(left_on_stack(control, &t), 0);
    }
}

static void set_attribute(void *argument)
{
    (void)argument;
    assert_int_equal(SCardSetAttrib(card, 0x7A001, command + 5, SECRET_LEN),
                     SCARD_S_SUCCESS);
}

static void test_attribute_leaves_nothing(void **state)
{
    (void)state;
    make_command(5 + SECRET_LEN);
    assert_int_equal(left_on_stack(set_attribute, NULL), 0);
}

/* Many: what looks, or watches the one that does, uses some of the stack itself. */
static void keep_some(void *unused)
{
    volatile BYTE bytes[1000 * SECRET_LEN];

    (void)unused;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (BYTE)SECRET[i % SECRET_LEN];
}

static void test_look_sees_a_secret(void **state)
{
    char *block = calloc(1, 200);

    (void)state;
    assert_true(left_on_stack(keep_some, NULL) >= 1);
    assert_non_null(block);
    memcpy(block + 170, SECRET, SECRET_LEN);
    __wrap_free(block); /* before free a compiler need not write anything */
    assert_int_equal(with_secret, 1);
    with_secret = 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_command_leaves_nothing),
        CASE(test_command_by_write_and_read_leaves_nothing),
        CASE(test_answer_by_read_that_is_too_long_leaves_nothing),
        CASE(test_control_code_leaves_nothing),
        CASE(test_attribute_leaves_nothing),
        CASE(test_look_sees_a_secret),
    };
    const char *sanitizer = getenv("SANITIZE");

    if (sanitizer != NULL && strstr(sanitizer, "address") != NULL) {
        printf("SKIP secrets: b_sanitize=%s keeps a function's variables off its stack\n",
               sanitizer);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
