/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h - what goes over USB, for who traces it: nothing of a PIN. */
#ifndef CCID_TRACE_H
#define CCID_TRACE_H

#include "ccid/slot.h"

/* Pure: the configuration descriptor of the interface, made from what was read of it.
 * Returns its length. */
size_t ccid_trace_descriptor(uint8_t out[SMC_DESCRIPTOR_MAX],
                             const struct ccid_desc *desc);

/* Pure: an APDU whose data may be, or hold, a PIN. */
bool ccid_trace_is_secret(const uint8_t *apdu, size_t len);
/* The same for the request of a RDF_TRANSMIT, a SCARD_IO_REQUEST in front of it. */
bool ccid_trace_request_is_secret(const UCHAR *request, ULONG len);

/*
 * Pure: how many bytes of a message may be seen, the rest being data that may be a PIN.
 * type is that of the command; secret: it belongs to such an APDU; level and protocol say
 * where that begins in an XfrBlock.
 */
size_t ccid_trace_shown_command(const uint8_t *message, size_t len, bool secret,
                                enum ccid_level level, ULONG protocol);
/* Of what came while that command was out. ours: it is the answer to it. */
size_t ccid_trace_shown_answer(const uint8_t *message, size_t len, uint8_t type,
                               bool ours);

/* The messages of bulk endpoints. */
void ccid_trace_out(struct ccid_slot *slot, const uint8_t *message, size_t len);
void ccid_trace_in(struct ccid_slot *slot, const uint8_t *message, size_t len,
                   uint8_t type, bool ours);
/* A control request that has ended; done are the bytes of the data stage. */
void ccid_trace_control(struct ccid_slot *slot, uint8_t request_type, uint8_t request,
                        uint16_t value, const uint8_t *data, uint16_t length, size_t done,
                        enum ccid_usb_result result);
/* A message of the interrupt endpoint, to every slot. Any thread. */
void ccid_trace_notice(struct ccid_device *device, const uint8_t *message, size_t len);

/* Whether to call them. */
static inline bool ccid_traced(const struct ccid_slot *slot)
{
    return __builtin_expect(SmcTraceWanted(slot->object), 0);
}

#endif
