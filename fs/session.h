/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - who uses a card, who is connected, who holds a transaction. `locked`: the
 * reader's lock is held.
 */
#ifndef SCFS_SESSION_H
#define SCFS_SESSION_H

#include "fs/task.h"

/* ---- ioctls: each checks its struct and answers (connection.c, session.c,
 * transaction.c)  */

void scfs_session_connect(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_session_disconnect(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_session_reply_size(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_session_info(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_transaction_begin(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_transaction_end(fuse_req_t req, struct scfs_handle *handle, const void *in);
void scfs_transaction_flock(fuse_req_t req, struct scfs_handle *handle, int operation);

/* ---- connections (connection.c) --------------------------------------------------- */

/* SCARD_SHARE_MODE_*, or 0: not connected. */
void scfs_connection_set_locked(struct scfs_handle *handle, uint32_t share);
/* How the reader is shared: SCARD_SHARE_MODE_EXCLUSIVE, _SHARED, or 0: not at all. */
uint32_t scfs_connection_sharing_locked(const struct scfs_reader *reader);
/* After set_locked, without the lock: pollers look again if that is another one. */
void scfs_connection_tell(struct scfs_reader *reader);

/* ---- sessions (session.c) -------------------------------------------------------- */

/* Why the handle may not touch the card now; what it had to be told has been told. */
NTSTATUS scfs_session_refusal_locked(struct scfs_handle *handle);
/* Its connection or transaction has lost its card. */
bool scfs_session_lost_locked(const struct scfs_handle *handle);
/* Its connection hears of resets, and has yet to take note of one. */
bool scfs_session_was_reset_locked(const struct scfs_handle *handle);
/* The handle has reset the card itself. */
void scfs_session_knows_resets_locked(struct scfs_handle *handle);
/* It has a connection or a transaction, which from now on is about the card that is in.
 */
void scfs_session_bind_locked(struct scfs_handle *handle);
/* One of the two has ended. */
void scfs_session_unbind_locked(struct scfs_handle *handle);
/* The handle is closed: whatever it has ends. */
void scfs_session_release(struct scfs_handle *handle);
/* In run of a task: the disposition, unless the handle's card has gone. One that fails
 * leaves a reset to whoever comes next. */
NTSTATUS scfs_session_dispose(struct scfs_task *task, uint32_t disposition);
/* The card's ATR, as the library knows it; its length. The caller has entered. */
uint32_t scfs_session_atr(struct scfs_reader *reader, uint8_t atr[SCARD_ATR_ROOM]);
/* The text of `owner`. */
int scfs_session_owner_text(struct scfs_reader *reader, char *out, size_t size);

/* ---- transactions (transaction.c) ------------------------------------------------ */

void scfs_transaction_reader_init(struct scfs_reader *reader);
/* The reader is gone: nobody loses his patience any more. */
void scfs_transaction_reader_end(struct scfs_reader *reader);
bool scfs_transaction_mine_locked(const struct scfs_handle *handle);
/* The handle has become the holder. */
void scfs_transaction_began_locked(struct scfs_handle *handle);
/* A call has ended; somebody waits. */
void scfs_transaction_active_locked(struct scfs_reader *reader);
void scfs_transaction_awaited_locked(struct scfs_reader *reader);
/* The holder is closed. True: the card has to be reset. */
bool scfs_transaction_release_locked(struct scfs_handle *handle);

/* ---- users of a card (users.c) --------------------------------------------------- */

void scfs_users_reader_init(struct scfs_reader *reader);
void scfs_users_reader_end(struct scfs_reader *reader);
/* The card that is in, a number that no other card of the reader has; 0: none is. */
uint32_t scfs_users_card_locked(const struct scfs_reader *reader);
/* It has come or gone. */
void scfs_users_card_changed_locked(struct scfs_reader *reader);
/* The handle is a user from now on; is closed. */
void scfs_users_add_locked(struct scfs_handle *handle);
void scfs_users_remove_locked(struct scfs_handle *handle);
/* A task of a handle is about to touch the card. False: another user has left his state
 * in it, and prepare has to come first. */
bool scfs_users_touch_locked(struct scfs_task *task);
/* In the executor: makes the card clean if it has to be. */
NTSTATUS scfs_users_prepare(struct scfs_task *task);
/* The card has to be reset before anybody touches it again, and soon. */
void scfs_users_reset(struct scfs_reader *reader);
/* A device control has been sent, with this result: counts what cost the card its state,
 * and who had a card before it was known to be in. */
void scfs_users_sent(struct scfs_reader *reader, struct scfs_handle *handle, ULONG code,
                     NTSTATUS status);
/* The daemon has reset the card that has come. */
void scfs_users_powered(struct scfs_reader *reader);

#endif
