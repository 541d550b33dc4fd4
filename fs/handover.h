/* SPDX-License-Identifier: BSD-2-Clause */
/* handover.h - a mount that is made before the daemon starts, by the service manager. */
#ifndef SCFS_HANDOVER_H
#define SCFS_HANDOVER_H

#include "fs/scardfs.h"

#define SCFS_HANDOVER_NAME "scardfs" /* of the connection, in the manager's store */

/* Mounts for options->mount_for and gives the connection to the service manager. Returns
 * the exit status; 1 after a sentence. */
int scfs_hand_over(const struct scfs_options *options);

/* Says to the manager that the daemon has it: it is not to outlive the daemon. */
void scfs_handover_taken(void);

#endif
