/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counted_exit.c - in builds that count coverage, a process that ends by _exit writes its
 * counters, too, as one that ends by exit does: the child that unmounts, a daemon that
 * does not wait for its drivers any longer, the daemons of tests. The linker sends _exit
 * here (--wrap; fs/meson.build).
 */
#include <unistd.h>

void __gcov_dump(void); /* of the compiler */

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
