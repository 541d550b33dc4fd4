/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h - allocations that fail, and whatever else asks fuzz_fault, once in 400 on
 * average, as a seed of the input says.
 *
 * In a program that links faults.c with the linker's --wrap the allocations of its own
 * objects are these; those of shared libraries stay as they are.
 */
#ifndef TESTS_FUZZ_FAULTS_H
#define TESTS_FUZZ_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* 0: nothing fails until the next call. Any thread's allocations are meant. */
void fuzz_faults(uint16_t seed);
/* Whether this one fails. */
bool fuzz_fault(void);
/* None fails in between; may be nested. */
void fuzz_faults_pause(void);
void fuzz_faults_resume(void);

#endif
