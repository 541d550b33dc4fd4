/* SPDX-License-Identifier: BSD-2-Clause */
/* live.c - the C library's allocator, counted. */
#include "live.h"

#include <stdlib.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||               \
    __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#if !defined(SANITIZED) && defined(__GLIBC__)
#define COUNTED
#endif

static long count; /* atomic */

bool live_is_counted(void)
{
#ifdef COUNTED
    return !RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

long live_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

#ifdef COUNTED

#define EXPORTED __attribute__((visibility("default"))) /* to the libraries, too */

/* glibc(7): a program may have an allocator of its own, these are the names beneath. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t members, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static void *counted(void *block)
{
    if (block != NULL)
        __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return block;
}

EXPORTED void *malloc(size_t size)
{
    return counted(__libc_malloc(size));
}

EXPORTED void *calloc(size_t members, size_t size)
{
    return counted(__libc_calloc(members, size));
}

EXPORTED void *realloc(void *block, size_t size)
{
    return block == NULL ? counted(__libc_malloc(size)) : __libc_realloc(block, size);
}

EXPORTED void free(void *block)
{
    if (block != NULL)
        __atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
    __libc_free(block);
}

#endif
