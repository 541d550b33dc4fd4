/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.c - see faults.h. */
#include "faults.h"

#include <errno.h>
#include <stddef.h>

#define ONE_IN 400

static uint32_t state; /* atomic; 0: nothing fails */
static int paused;     /* atomic */

void fuzz_faults(uint16_t seed)
{
    __atomic_store_n(&state, seed == 0 ? 0 : seed * 2654435761u | 1, __ATOMIC_SEQ_CST);
}

void fuzz_faults_pause(void)
{
    __atomic_add_fetch(&paused, 1, __ATOMIC_SEQ_CST);
}

void fuzz_faults_resume(void)
{
    __atomic_sub_fetch(&paused, 1, __ATOMIC_SEQ_CST);
}

bool fuzz_fault(void)
{
    uint32_t before = __atomic_load_n(&state, __ATOMIC_SEQ_CST);
    uint32_t after;

    if (before == 0 || __atomic_load_n(&paused, __ATOMIC_SEQ_CST) != 0)
        return false;
    after = before * 1664525u + 1013904223u;
    __atomic_store_n(&state, after != 0 ? after : 1, __ATOMIC_SEQ_CST);
    return (after >> 8) % ONE_IN == 0;
}

/* ---- in the place of the C library's --------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

static bool no_memory(void)
{
    if (!fuzz_fault())
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return no_memory() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return no_memory() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return no_memory() ? NULL : __real_strdup(text);
}
