/* SPDX-License-Identifier: BSD-2-Clause */
/* live.h - how many blocks of memory are in use. */
#ifndef TESTS_CCID_LIVE_H
#define TESTS_CCID_LIVE_H

#include <stdbool.h>

/* Of malloc, calloc and realloc in the whole program. */
long live_count(void);
/* Not under a sanitizer or valgrind, which look for leaks by themselves and have their
 * own allocators: then the number is always 0. */
bool live_is_counted(void);

#endif
