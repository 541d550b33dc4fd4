/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - the calls that give memory, and the list of what was not given back.
 *
 * dlsym may itself allocate: what is asked for while the allocator is being looked up
 * comes from a small area of our own, and is never freed.
 */
#include "faults.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_ROOM 65536

static char early[EARLY_ROOM] __attribute__((aligned(16)));
static size_t early_used;
static __thread bool looking __attribute__((tls_model("initial-exec")));

/* ---- what lives ------------------------------------------------------------------ */

static uint32_t place_of(uintptr_t address)
{
    return (uint32_t)((address >> 4) * 0x9e3779b97f4a7c15u >> 40) & (FAULTS_LIVE_MAX - 1);
}

static void lock(void)
{
    while (atomic_flag_test_and_set(&faults_area->lock))
        ;
}

static void unlock(void)
{
    atomic_flag_clear(&faults_area->lock);
}

static void born(const void *block, uint64_t caller)
{
    struct faults_block *live = faults_area->live;
    uint32_t i = place_of((uintptr_t)block);

    lock();
    if (faults_area->live_count < FAULTS_LIVE_MAX / 2) {
        while (live[i].address != 0 && live[i].address != (uintptr_t)block)
            i = (i + 1) & (FAULTS_LIVE_MAX - 1);
        faults_area->live_count += live[i].address == 0;
        live[i] = (struct faults_block){(uintptr_t)block, caller};
    }
    unlock();
}

void faults_born(const void *block, const void *caller)
{
    uint64_t who = faults_area ? faults_caller(caller) : 0;

    if (block && who != 0)
        born(block, who);
}

/* Returns who had it, 0: nobody of ours. */
static uint64_t dies(const void *block)
{
    struct faults_block *live = faults_area->live;
    uint32_t i = place_of((uintptr_t)block), hole;
    uint64_t caller = 0;

    lock();
    while (live[i].address != 0 && live[i].address != (uintptr_t)block)
        i = (i + 1) & (FAULTS_LIVE_MAX - 1);
    if (live[i].address != 0) {
        caller = live[i].caller;
        faults_area->live_count--;
        /* what was pushed on by it moves back, so that a search never meets a hole */
        for (hole = i; live[i = (i + 1) & (FAULTS_LIVE_MAX - 1)].address != 0;) {
            uint32_t home = place_of(live[i].address);

            if (((i - home) & (FAULTS_LIVE_MAX - 1)) <
                ((i - hole) & (FAULTS_LIVE_MAX - 1)))
                continue;
            live[hole] = live[i];
            hole = i;
        }
        live[hole] = (struct faults_block){0};
    }
    unlock();
    return caller;
}

void faults_dies(const void *block)
{
    if (block && faults_area)
        (void)dies(block);
}

/* ---- the allocator --------------------------------------------------------------- */

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);

static bool is_early(const void *block)
{
    return (const char *)block >= early && (const char *)block < early + sizeof early;
}

static void *take_early(size_t size)
{
    size_t at =
        __atomic_fetch_add(&early_used, (size + 15) & ~(size_t)15, __ATOMIC_RELAXED);

    if (at + size > sizeof early)
        abort();
    return early + at;
}

/* False: this call comes from the look-up. */
static bool found(void)
{
    if (looking)
        return false;
    if (!__atomic_load_n(&next_free, __ATOMIC_ACQUIRE)) {
        looking = true;
        faults_next((void **)&next_malloc, "malloc");
        faults_next((void **)&next_calloc, "calloc");
        faults_next((void **)&next_realloc, "realloc");
        faults_next((void **)&next_free, "free");
        looking = false;
    }
    return true;
}

#define CALLER __builtin_return_address(0)

/* As in faults.c; then what the call gave is remembered. */
#define MEMORY(name, params) FAULTS_EXPORT void *fault_##name params __asm__(#name)

static void *denied(void)
{
    errno = ENOMEM;
    return NULL;
}

/* For them this is a jump: LeakSanitizer knows what is the dynamic linker's by whose call
 * it was. */
static bool is_foreign(const void *caller)
{
    return !faults_area || faults_caller(caller) == 0;
}

static void *given(void *block, const void *caller)
{
    faults_born(block, caller);
    return block;
}

MEMORY(malloc, (size_t size));
void *fault_malloc(size_t size)
{
    if (!found())
        return take_early(size);
    if (is_foreign(CALLER))
        return next_malloc(size);
    return faults_due(FAULT_malloc, CALLER) ? denied() : given(next_malloc(size), CALLER);
}

MEMORY(calloc, (size_t count, size_t size));
void *fault_calloc(size_t count, size_t size)
{
    if (!found())
        return take_early(count * size);
    if (is_foreign(CALLER))
        return next_calloc(count, size);
    return faults_due(FAULT_calloc, CALLER) ? denied()
                                            : given(next_calloc(count, size), CALLER);
}

static void *change(void *block, size_t size, const void *caller)
{
    uint64_t owner = block && faults_area ? dies(block) : 0;
    void *moved = next_realloc(block, size);

    if (moved && faults_area && faults_caller(caller) != 0)
        owner = faults_caller(caller);
    if (owner != 0 && (moved || size != 0))
        born(moved ? moved : block, owner);
    return moved;
}

MEMORY(realloc, (void *block, size_t size));
void *fault_realloc(void *block, size_t size)
{
    if (!found() || is_early(block))
        abort(); /* dlsym never does */
    return faults_due(FAULT_realloc, CALLER) ? denied() : change(block, size, CALLER);
}

MEMORY(reallocarray, (void *block, size_t count, size_t size));
void *fault_reallocarray(void *block, size_t count, size_t size)
{
    size_t all;

    if (!found() || __builtin_mul_overflow(count, size, &all) ||
        faults_due(FAULT_reallocarray, CALLER))
        return denied();
    return change(block, all, CALLER);
}

FAULTS_EXPORT void fault_free(void *block) __asm__("free");
void fault_free(void *block)
{
    if (!block || is_early(block) || !found())
        return;
    faults_dies(block);
    next_free(block);
}

FAULTS_EXPORT int fault_posix_memalign(void **block, size_t alignment,
                                       size_t size) __asm__("posix_memalign");
int fault_posix_memalign(void **block, size_t alignment, size_t size)
{
    static int (*next)(void **, size_t, size_t);
    int error;

    if (faults_due(FAULT_posix_memalign, CALLER))
        return ENOMEM;
    faults_next((void **)&next, "posix_memalign");
    error = next(block, alignment, size);
    if (error == 0)
        faults_born(*block, CALLER);
    return error;
}

MEMORY(aligned_alloc, (size_t alignment, size_t size));
void *fault_aligned_alloc(size_t alignment, size_t size)
{
    static void *(*next)(size_t, size_t);

    if (faults_due(FAULT_aligned_alloc, CALLER))
        return denied();
    faults_next((void **)&next, "aligned_alloc");
    return given(next(alignment, size), CALLER);
}

/* ---- the C library's, which allocate inside -------------------------------------- */

MEMORY(strdup, (const char *text));
void *fault_strdup(const char *text)
{
    static void *(*next)(const char *);

    if (faults_due(FAULT_strdup, CALLER))
        return denied();
    faults_next((void **)&next, "strdup");
    return given(next(text), CALLER);
}

MEMORY(strndup, (const char *text, size_t max));
void *fault_strndup(const char *text, size_t max)
{
    static void *(*next)(const char *, size_t);

    if (faults_due(FAULT_strndup, CALLER))
        return denied();
    faults_next((void **)&next, "strndup");
    return given(next(text, max), CALLER);
}

MEMORY(realpath, (const char *path, char *room));
void *fault_realpath(const char *path, char *room)
{
    static void *(*next)(const char *, char *);
    void *text;

    if (faults_due(FAULT_realpath, CALLER))
        return denied();
    faults_next((void **)&next, "realpath");
    text = next(path, room);
    return room ? text : given(text, CALLER);
}

__attribute__((format(printf, 2, 0))) static int print(char **text, const char *format,
                                                       va_list arguments,
                                                       const void *caller)
{
    int len = vasprintf(text, format, arguments);

    if (len >= 0)
        faults_born(*text, caller);
    return len;
}

FAULTS_EXPORT int fault_asprintf(char **text, const char *format, ...) __asm__("asprintf")
    __attribute__((format(printf, 2, 3)));
int fault_asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    int len = -1;

    if (faults_due(FAULT_asprintf, CALLER))
        return len;
    va_start(arguments, format);
    len = print(text, format, arguments, CALLER);
    va_end(arguments);
    return len;
}

FAULTS_EXPORT int fault_asprintf_chk(char **text, int flag, const char *format,
                                     ...) __asm__("__asprintf_chk")
    __attribute__((format(printf, 3, 4)));
int fault_asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list arguments;
    int len = -1;

    (void)flag;
    if (faults_due(FAULT___asprintf_chk, CALLER))
        return len;
    va_start(arguments, format);
    len = print(text, format, arguments, CALLER);
    va_end(arguments);
    return len;
}

FAULTS_EXPORT ssize_t fault_getdelim(char **line, size_t *size, int delimiter,
                                     FILE *file) __asm__("__getdelim");
ssize_t fault_getdelim(char **line, size_t *size, int delimiter, FILE *file)
{
    static ssize_t (*next)(char **, size_t *, int, FILE *);
    const char *before = *line;
    ssize_t len;

    if (faults_due(FAULT___getdelim, CALLER)) {
        errno = ENOMEM;
        return -1;
    }
    faults_next((void **)&next, "__getdelim");
    len = next(line, size, delimiter, file);
    if (*line != before)
        faults_born(*line, CALLER);
    return len;
}
