/* SPDX-License-Identifier: BSD-2-Clause */
/* service.h - what the driver does by itself: the interrupt endpoint, trouble, turns. */
#ifndef CCID_SERVICE_H
#define CCID_SERVICE_H

#include "ccid/slot.h"

/* ---- notify.c -------------------------------------------------------------------- */

/* Two bits of NotifySlotChange for a slot. False: the message says nothing about it. */
bool ccid_notify_bits(const uint8_t *message, size_t len, uint8_t slot, bool *present,
                      bool *changed);
ccid_usb_notify ccid_notify;
/* The service turn's part: starts the endpoint again, or stops it. Returns when (ms) it
 * wants the next turn, or CCID_NO_RETRY. */
uint32_t ccid_notify_turn(struct ccid_slot *slot);
bool ccid_notify_hears(const struct ccid_device *device);
/* The endpoint says nothing now: the time between two looks instead. */
bool ccid_notify_deaf(const struct ccid_device *device, uint32_t *fixed_ms);

/* ---- trouble.c ------------------------------------------------------------------- */

SMC_COUNTER ccid_trouble_counter; /* of the device's health */
void ccid_trouble_discard(struct ccid_device *device);
/* An answer against the rules. May put the device into quarantine. */
void ccid_trouble_violation(struct ccid_slot *slot);
bool ccid_trouble_quarantined(const struct ccid_device *device);
/* Writes to the log that the device is in quarantine, once. */
void ccid_trouble_tell(struct ccid_slot *slot);
/* The slot has not come back into step, or it has. */
void ccid_trouble_failed(struct ccid_slot *slot);
void ccid_trouble_over(struct ccid_device *device);
/* The service turn's part: tries to bring the device back when it is time. Returns when
 * (ms) that is, or CCID_NO_RETRY: the slot can be used. */
uint32_t ccid_trouble_turn(struct ccid_slot *slot);

/* ---- service.c ------------------------------------------------------------------- */

/* The turn. */
void ccid_service(struct ccid_slot *slot);
/* Asks for one; CCID_NO_RETRY: does not. */
void ccid_service_ask(struct ccid_slot *slot, uint32_t delay_ms);
void ccid_service_ask_all(struct ccid_device *device, uint32_t delay_ms);
/* The slot has been announced: asks for what nobody heard before that. */
void ccid_service_arrived(struct ccid_slot *slot);
/* Every slot is to be looked at now. */
void ccid_service_look(struct ccid_device *device);
/* Somebody waits for a card to come or go. Any thread. */
void ccid_service_tracked(struct ccid_slot *slot);
/* An answer to a command that was sent when changes was as given says that there is no
 * card. */
void ccid_service_absent(struct ccid_slot *slot, uint32_t changes);
/* A callback has used the slot. */
void ccid_service_used(struct ccid_slot *slot);
/* A reset has failed, of the card that was in when changes were as given. */
void ccid_service_reset_failed(struct ccid_slot *slot, uint32_t changes);

#endif
