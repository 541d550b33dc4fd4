/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wrap_abort.h - what ends the process ends the statement that does it; for programs
 * linked with --wrap=abort. One thread at a time.
 */
#ifndef TESTS_SMCLIB_WRAP_ABORT_H
#define TESTS_SMCLIB_WRAP_ABORT_H

#include "fake_reader.h"

static jmp_buf wrap_abort_back;
static bool wrap_abort_expected;

_Noreturn void __wrap_abort(void);
_Noreturn void __real_abort(void);

_Noreturn void __wrap_abort(void)
{
    if (!wrap_abort_expected)
        __real_abort();
    longjmp(wrap_abort_back, 1);
}

#define assert_aborts(statement)                                                         \
    do {                                                                                 \
        wrap_abort_expected = true;                                                      \
        if (setjmp(wrap_abort_back) == 0) {                                              \
            statement;                                                                   \
            wrap_abort_expected = false;                                                 \
            fail_msg("did not abort: %s", #statement);                                   \
        }                                                                                \
        wrap_abort_expected = false;                                                     \
    } while (0)

#endif
