/* SPDX-License-Identifier: BSD-2-Clause */
/* load.h - what the parts of load.c share. */
#ifndef PCSC_LOAD_H
#define PCSC_LOAD_H

#include <winscard.h>

/* Ends the process with a word unless code is success. */
void need(LONG code, const char *what);
SCARDCONTEXT new_context(void);
/* How many of the children have failed. */
unsigned wait_for_children(unsigned count);

/* load_events.c; the status of the process. */
int run_events(unsigned clients, unsigned cycles);

#endif
