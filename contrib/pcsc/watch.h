/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - one wait for many readers: a file of each that is there, and `changes` of the
 * mount for those that are not, are polled together.
 *
 * A file tells by POLLPRI that something has changed since it was asked; a stream begins
 * with what is now, and has been read when it is polled. So nothing is lost between a
 * look and the wait after it.
 */
#ifndef PCSC_WATCH_H
#define PCSC_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "contrib/pcsc/reader.h"

#define WATCH_FOREVER UINT64_MAX

struct watch_set;

struct watch_set *watch_set_new(void);
void watch_set_free(struct watch_set *set);

/* Another caller, of whom is not known what he has seen. */
void watch_set_renew(struct watch_set *set);
/* Before the readers of a round are added. */
void watch_set_begin(struct watch_set *set);
/* The file to ask, or a negative errno. */
int watch_reader(struct watch_set *set, struct reader *reader);
/* The last wait has seen it, without a change; it is then added again. */
bool watch_is_unchanged(struct watch_set *set, const struct reader *reader);
/* An errno. */
int watch_arrivals(struct watch_set *set);

/* Until something has changed (0), ETIMEDOUT, ECANCELED: cancel_fd is readable, or
 * another errno. deadline_ms on CLOCK_MONOTONIC. */
int watch_wait(struct watch_set *set, int cancel_fd, uint64_t deadline_ms);
uint64_t watch_now_ms(void);
bool watch_is_over(uint64_t deadline_ms);

#endif
