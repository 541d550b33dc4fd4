/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sequence.h - what a resource manager does with a reader: several requests, one after
 * the other, inside one task's run.
 */
#ifndef SCFS_SEQUENCE_H
#define SCFS_SEQUENCE_H

#include "fs/task.h"

/* T=1 before T=0 before raw. */
#define SCFS_PROTOCOLS_ANY (SCARD_PROTOCOL_Tx | SCARD_PROTOCOL_RAW)

/* Brings the card to a selected protocol of the mask, whatever state it is in. A card
 * that is there already is left as it is. protocol may be NULL. */
NTSTATUS scfs_sequence_connect(struct scfs_task *task, uint32_t protocols,
                               uint32_t *protocol);

/* SCARD_COLD_RESET, SCARD_WARM_RESET, SCARD_POWER_DOWN. */
NTSTATUS scfs_sequence_power(struct scfs_task *task, uint32_t minor);

/* SCARD_DISPOSITION_*. A card that is not powered is left alone by reset and unpower. */
NTSTATUS scfs_sequence_dispose(struct scfs_task *task, uint32_t disposition);

/* An exchange happens in place: the command from SCFS_EXCHANGE_OFFSET on, and then the
 * answer. */
#define SCFS_EXCHANGE_OFFSET sizeof(SCARD_IO_REQUEST)
#define SCFS_EXCHANGE_ROOM   (SCFS_EXCHANGE_OFFSET + SCARD_APDU_MAX)
_Static_assert(SCARD_APDU_MAX >= SCARD_REPLY_MAX, "the area holds both");

/*
 * Connects if need be and sends one APDU (len bytes, checked by scfs_apdu_split), at T=0
 * with everything that ISO/IEC 7816-3 §12.2 takes for it. Success: answer_len bytes.
 * Other copies that were made on the way are wiped; the area is the caller's to wipe.
 */
NTSTATUS scfs_sequence_exchange(struct scfs_task *task, uint8_t area[SCFS_EXCHANGE_ROOM],
                                size_t len, size_t *answer_len);

#endif
