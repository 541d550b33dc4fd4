/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.h - a call of the product that fails when the test says so. The call is wrapped
 * by the linker (see meson.build), by a REFUSABLE in the test or its double.
 */
#ifndef TEST_REFUSE_H
#define TEST_REFUSE_H

#include <errno.h>
#include <stdbool.h>

/* The at-th call from now on is refused, or each (at 0), with that error. NULL: none. */
void refuse(const char *call, unsigned at, int error);
/* How many of that call there were since. */
unsigned refuse_calls(void);

/* For a wrapper: whether this call is the one. */
bool refuse_this(const char *call);
int refuse_error(void);

/* failed: what the call returns then. */
#define REFUSABLE(type, name, failed, parameters, arguments)                             \
    type __wrap_##name parameters;                                                       \
    type __real_##name parameters;                                                       \
    type __wrap_##name parameters                                                        \
    {                                                                                    \
        return refuse_this(#name) ? (failed) : __real_##name arguments;                  \
    }
#define REFUSE_ERRNO (errno = refuse_error(), -1)

#endif
