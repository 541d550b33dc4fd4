/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpcd.h - the end of the vpicc protocol that cards connect to: a virtual reader whose
 * card is a program of somebody else's.
 */
#ifndef CCID_VPCD_H
#define CCID_VPCD_H

#include "ccid/virtual_reader.h"
#include "wdm.h"

struct ccid_vpcd;

/* The name of such a shape: "vpcd" or "vpcd=ADDRESS". *address: the port of 127.0.0.1 (0:
 * any that is free), "unix:PATH", or NULL: port 35963. */
bool ccid_vpcd_parse(const char *shape, const char **address);

/* Listens for the card of slot 0. STATUS_INVALID_PARAMETER: no such address;
 * STATUS_ACCESS_DENIED: it cannot be listened on; both with a line in the log. */
NTSTATUS ccid_vpcd_start(const char *address, struct ccid_virtual_reader *reader,
                         struct ccid_vpcd **out);
/* Hangs up. NULL: nothing. */
void ccid_vpcd_stop(struct ccid_vpcd *vpcd);

#endif
