/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-vpcd_secrets.c - what goes to a card program and comes from it stays with nobody:
 * neither in the reader, which the linker lets this test know the memory of, nor in what
 * it gives back to the heap.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vpcd_bench.h"

#define SECRET     "3141592653"
#define SECRET_LEN 10
#define FILL       "ffffffffffffffffffff" /* longer than what comes after it */
#define BLOCKS_MAX 64
#define ANSWER     FILL SECRET "\x90"
#define ANSWER_LEN (20 + SECRET_LEN + 2)

/* 80 E0, with the secret at its end. */
static const uint8_t command[] = {
    0x6F, 35,  0,   0,   0,   0,   2,   0,   0,   0,   0x80, 0xE0, 0,   0,   30,
    'f',  'f', 'f', 'f', 'f', 'f', 'f', 'f', 'f', 'f', 'f',  'f',  'f', 'f', 'f',
    'f',  'f', 'f', 'f', 'f', '3', '1', '4', '1', '5', '9',  '2',  '6', '5', '3'};
static const uint8_t harmless[] = {0x6F, 4, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0xCA, 0, 0};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *blocks[BLOCKS_MAX]; /* that have been given, and not been given back */
static unsigned given, freed_with_secret;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

/* Whose they are does not touch them now, but ThreadSanitizer cannot know that. */
__attribute__((no_sanitize("thread"))) static bool has_secret(const void *block)
{
    const volatile uint8_t *bytes = block;
    const size_t len = block != NULL ? malloc_usable_size((void *)block) : 0;

    for (size_t i = 0; i + SECRET_LEN <= len; i++) {
        size_t same = 0;

        while (same < SECRET_LEN && bytes[i + same] == (uint8_t)SECRET[same])
            same++;
        if (same == SECRET_LEN)
            return true;
    }
    return false;
}

static void replace(const void *old, void *with)
{
    pthread_mutex_lock(&lock);
    given += old == NULL;
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i] == old) {
            blocks[i] = with;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

void *__wrap_malloc(size_t size)
{
    void *block = __real_malloc(size);

    if (block != NULL)
        replace(NULL, block);
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = __real_calloc(count, size);

    if (block != NULL)
        replace(NULL, block);
    return block;
}

void __wrap_free(void *block)
{
    if (block != NULL) {
        if (has_secret(block))
            __atomic_fetch_add(&freed_with_secret, 1, __ATOMIC_RELAXED);
        replace(block, NULL);
    }
    __real_free(block);
}

static unsigned kept(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BLOCKS_MAX; i++)
        count += has_secret(blocks[i]);
    pthread_mutex_unlock(&lock);
    return count;
}

static int setup(void **state)
{
    given = freed_with_secret = 0;
    memset(blocks, 0, sizeof blocks);
    return vpcd_setup(state);
}

static int teardown(void **state)
{
    int result = vpcd_teardown(state);

    assert_in_range(given, 3,
                    BLOCKS_MAX); /* the reader's, the socket's and what it sends */
    assert_int_equal(freed_with_secret, 0);
    return result;
}

/* The command gets to the program. */
static void ask(int fd)
{
    vpcd_out(command, sizeof command);
    vpcd_expect(fd, "\0\x23", 2);
    vpcd_expect(fd, (const char *)command + 10, 35);
}

/* Whoever has carried this has done with what he carried before. */
static void exchange_something_else(int fd)
{
    vpcd_out(harmless, sizeof harmless);
    vpcd_expect(fd, "\0\4\0\xCA\0\0", 6);
    vpcd_answer(fd, (const uint8_t *)"\x90", 2);
    assert_int_equal(vpcd_next_error(), 0);
    assert_int_equal(vpcd_bench.in_len, 12);
}

static void test_command_and_answer_are_not_kept(void **state)
{
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    ask(fd);
    vpcd_answer(fd, (const uint8_t *)ANSWER, ANSWER_LEN);
    assert_int_equal(vpcd_next_error(), 0);
    assert_int_equal(vpcd_bench.in_len, 10 + ANSWER_LEN);
    exchange_something_else(fd);
    assert_int_equal(kept(), 0);
    close(fd);
}

/* It has gone, and the reader has not heard of it. */
static void test_command_that_cannot_be_sent_is_not_kept(void **state)
{
    int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    shutdown(fd, SHUT_RD);
    vpcd_out(command, sizeof command);
    assert_int_equal(vpcd_next_error(), CCID_ERROR_MUTE);
    close(fd);
    fd = vpcd_dial(); /* that one has been hung up on when the next is welcome */
    vpcd_power_up(fd);
    assert_int_equal(kept(), 0);
    close(fd);
}

static void test_half_an_answer_is_not_kept_when_the_program_goes(void **state)
{
    int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    ask(fd);
    vpcd_say(fd, "\0\xFF" ANSWER, 2 + ANSWER_LEN);
    close(fd);
    assert_int_equal(vpcd_next_error(), CCID_ERROR_MUTE);
    fd = vpcd_dial();
    vpcd_power_up(fd);
    exchange_something_else(fd);
    assert_int_equal(kept(), 0);
    close(fd);
}

static void test_half_an_answer_is_not_kept_when_the_reader_ends(void **state)
{
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    ask(fd);
    vpcd_say(fd, "\0\xFF" ANSWER, 2 + ANSWER_LEN);
    ccid_vpcd_stop(vpcd_bench.vpcd);
    vpcd_bench.vpcd = NULL;
    assert_int_equal(freed_with_secret, 0);
    close(fd);
}

static void test_look_sees_a_secret(void **state)
{
    char *block = __wrap_calloc(1, 200);

    (void)state;
    assert_non_null(block);
    memcpy(block + 170, SECRET, SECRET_LEN);
    assert_int_equal(kept(), 1);
    __wrap_free(block);
    assert_int_equal(kept(), 0);
    assert_int_equal(freed_with_secret, 1);
    freed_with_secret = 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_command_and_answer_are_not_kept),
        CASE(test_command_that_cannot_be_sent_is_not_kept),
        CASE(test_half_an_answer_is_not_kept_when_the_program_goes),
        CASE(test_half_an_answer_is_not_kept_when_the_reader_ends),
        CASE(test_look_sees_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
