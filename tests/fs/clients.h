/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.h - open files of the one reader of bare.h, and the calls that their clients
 * make: each is a number. Results are the errno of the answer, -1 without one so far. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <stdint.h>

#include "fake_fuse.h"
#include "fs/internal.h"

#define CLIENTS 4
#define FOREVER SCARD_TIMEOUT_INFINITE

extern struct scfs_handle *client[CLIENTS];
extern struct fuse_req req[CLIENTS]; /* the last one of each */

/* For cmocka. */
int clients_begin(void **state);
int clients_end(void **state);
struct scfs_options *clients_options(void);

void client_close(int i);
void client_fresh(int i);
int client_answer(int i);
int client_begin(int i, uint32_t timeout_ms);
int client_end(int i, uint32_t disposition);
int client_lock(int i, int operation);
int client_connect(int i, uint32_t share, uint32_t protocols);
int client_connect_with(int i, uint32_t share, uint32_t protocols, uint32_t flags);
int client_disconnect(int i, uint32_t disposition);
int client_disconnect_with(int i, uint32_t disposition, uint32_t flags);
/* POWER, of which an answer says that the card was reached. */
int client_power(int i, uint32_t minor, uint32_t timeout_ms);
int client_set_protocol(int i, uint32_t protocols);
struct scard_info client_info(int i);
struct scard_info client_info_with(int i, uint32_t flags);

void clients_later(unsigned ms);
/* Until what the daemon itself had to do is done: it is not in line, but queued. */
void clients_settle(void);
unsigned clients_resets(void);

#endif
