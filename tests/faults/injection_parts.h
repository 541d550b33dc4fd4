/* SPDX-License-Identifier: BSD-2-Clause */
/* injection_parts.h - what the files of injection.h share. */
#ifndef TESTS_FAULTS_INJECTION_PARTS_H
#define TESTS_FAULTS_INJECTION_PARTS_H

#include "injection.h"

#define BENCH_PATIENCE_MS                                                                \
    1000                    /* until a fault that stays is taken away from who waits     \
                             */
#define BENCH_SETTLE_MS 300 /* until threads that end have freed what they had */
#define FAULTS_OFFSET   0xffffffffffffu /* of a caller in its module */

extern const char *const injection_modules[FAULTS_MODULES];

/* ---- injection.c ------------------------------------------------------------------- */

void bench_arm(struct bench *b, const struct injection *injection);
void bench_disarm(struct bench *b);
/* An area as the next process is to find it. */
void bench_renew(struct bench *b);
/* injection NULL: without a fault. */
void bench_complain(struct bench *b, const struct injection *injection, const char *what);
/* Everything as it should be, and the same once more; NULL or what is wrong. */
const char *bench_use(struct bench *b);
/* LeakSanitizer does so at the end. */
bool bench_sanitizer_complains(const struct bench *b);

/* ---- census.c ---------------------------------------------------------------------- */

unsigned bench_live(const struct bench *b);
unsigned bench_descriptors(const struct bench *b);
/* False: there is more than there should be, for long enough. */
bool bench_settles(const struct bench *b);
/* What has not been freed, by who had allocated it. */
void census_take(const struct bench *b, struct census *census);
/* Who has more than he had; NULL: nobody. Not a library that has forgotten something at
 * its own fault: libusb does when it cannot start. */
const char *census_grown(const struct bench *b, const struct census *before,
                         const struct census *now);

/* ---- injection_running.c, injection_ends.c: true when the fault was reached ----------
 */

/* Another daemon, used until it keeps what it keeps; false after a line. */
bool bench_restart(struct bench *b);
bool bench_inject_live(struct bench *b, const struct injection *injection);
/* injection NULL: true when all was well. */
bool bench_inject_start(struct bench *b, const struct injection *injection);
bool bench_inject_stop(struct bench *b, const struct injection *injection);

#endif
