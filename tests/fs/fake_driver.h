/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_driver.h - a reader driver with a scripted card, written against include/ only, so
 * that fs can be tested without USB and without CCID.
 *
 * plug(NULL) makes a reader of one slot, plug("2") one of two slots that share it. The
 * first byte of an inserted ATR says how a reset goes: 00 mute, FF unintelligible, 3F
 * after 300 ms. Commands: 80 E4 P1 P2 answers after P1P2 ms and can be cancelled; 80 E8
 * answers how many commands the card has had (one byte); 80 E6 never ends, cancelled or
 * not, which last_error tells from then on; 80 E0 answers its data, at GET RESPONSE;
 * anything else 90 00.
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include "fs/scardfs.h"

extern const struct scfs_driver fake_driver;

/* Requests that have begun to take their time, in this process; waits for so many. */
unsigned fake_driver_sleeps(void);
void fake_driver_wait_sleeps(unsigned count);

/* What IRP_MJ_POWER has said to any reader since this was last asked: a letter each, 's'
 * for sleep, 'w' for working. */
void fake_driver_power(char said[32]);

/* Turns that readers got by SmcRequestService since this was last asked. */
unsigned fake_driver_services(void);

/* What IRP_MJ_POWER comes to, and a request for the next change of the card, unless they
 * are STATUS_SUCCESS and STATUS_PENDING. */
void fake_driver_answer_power(NTSTATUS status);
void fake_driver_answer_tracking(NTSTATUS status);

/* The card is in that state now, without a word. */
void fake_driver_set_state(PDEVICE_OBJECT device, ULONG state);

/* The driver loses the reader for now: its tracker ends with an error. */
void fake_driver_lose(PDEVICE_OBJECT device);

/* What would take its time takes none: meanwhile is called in its place, perhaps within
 * itself, and it can be cancelled during that, as 80 E6 can. NULL: it takes its time. */
void fake_driver_at_once(void (*meanwhile)(void));

#define FAKE_ATR     "3b0231ab"
#define FAKE_SLOW_MS 300

#endif
