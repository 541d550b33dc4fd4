/* SPDX-License-Identifier: BSD-2-Clause */
/* killat.h - what killat and who started it share, in the file that KILLAT_AREA names. */
#ifndef TESTS_FAULTS_KILLAT_H
#define TESTS_FAULTS_KILLAT_H

#include <stdatomic.h>
#include <stdbool.h>

struct killat_area {
    atomic_bool armed;
    atomic_uint count; /* system calls since then */
    atomic_uint at;    /* the one to kill at, before it is made; 0: none */
    atomic_bool killed;
    atomic_int pid;     /* of the program */
    atomic_long number; /* of the call */
};

#endif
