/* SPDX-License-Identifier: BSD-2-Clause */
/* bare.h - fs over the fake driver without a mount: one reader with its card in. */
#ifndef BARE_H
#define BARE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/internal.h"

extern struct scfs bare_fs;
extern struct scfs_reader *bare_reader;
extern uint64_t bare_now_ms; /* the clock of its deadlines */

bool bare_begin(bool power_on);
void bare_end(void);

#endif
