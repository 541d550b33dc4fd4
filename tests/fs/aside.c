/* SPDX-License-Identifier: BSD-2-Clause */
/* aside.c - as vfork(2), but with a stack of its own. */
#include "aside.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <cmocka.h>

#define STACK_SIZE (512 * 1024)

int aside(int (*run)(void *argument), void *argument)
{
    char *stack = malloc(STACK_SIZE);
    int status;
    pid_t child;

    assert_non_null(stack);
    child = clone(run, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, argument);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    free(stack);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
