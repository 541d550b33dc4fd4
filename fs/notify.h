/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.h - tells who supervises us how we are (sd_notify(3)). */
#ifndef SCFS_NOTIFY_H
#define SCFS_NOTIFY_H

#include <stdbool.h>

/* One message of NAME=VALUE lines. Without a supervisor it does nothing; one that does
 * not listen is none. Any thread. */
void scfs_notify(const char *message);

/* With a file that the supervisor gets. False: there is none, or it was not sent. */
bool scfs_notify_file(const char *message, int file);

#endif
