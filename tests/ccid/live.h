/* SPDX-License-Identifier: BSD-2-Clause */
/* live.h - how many blocks of memory are in use. */
#ifndef TESTS_CCID_LIVE_H
#define TESTS_CCID_LIVE_H

/* Of malloc, calloc and realloc in the whole program; always 0 under a sanitizer, which
 * looks for leaks by itself. */
long live_count(void);

#endif
