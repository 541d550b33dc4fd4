/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c - to mount for a daemon that the service manager starts afterwards.
 *
 * The daemon can then have a mount name space of its own, and begin as an ordinary user:
 * what root does is over before its program runs. The connection goes to the manager's
 * store of file descriptors (FDSTORE of sd_notify(3)), and from there to the daemon, as
 * the first that is passed: /dev/fd/3.
 */
#include "fs/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/notify.h"

#define MANAGER_MS 10000

/* The manager has read what was sent before when the end of this pipe that it got with it
 * is closed. */
static bool wait_for_manager(void)
{
    int ends[2];
    struct pollfd closed = {.events = 0};
    bool heard;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    heard = scfs_notify_file("BARRIER=1", ends[1]);
    close(ends[1]);
    closed.fd = ends[0];
    heard = heard && poll(&closed, 1, MANAGER_MS) == 1;
    close(ends[0]);
    return heard;
}

static bool hand_over(const struct scfs_mount *mount, const struct scfs_options *options)
{
    int connection = scfs_mount_connect(mount, options->mount_for);
    bool taken;

    if (connection < 0)
        return false;
    taken = scfs_notify_file("FDSTORE=1\nFDNAME=" SCFS_HANDOVER_NAME, connection) &&
            wait_for_manager();
    close(connection);
    if (!taken) {
        scfs_complain("no service manager takes the mount (NOTIFY_SOCKET)");
        scfs_mount_point_detach(mount->path);
    }
    return taken;
}

int scfs_hand_over(const struct scfs_options *options)
{
    struct scfs_mount mount;
    bool done = scfs_mount_take(&mount, options) && hand_over(&mount, options);

    if (mount.lock >= 0)
        close(mount.lock);
    free(mount.path);
    return done ? 0 : 1;
}

void scfs_handover_taken(void)
{
    scfs_notify("FDSTOREREMOVE=1\nFDNAME=" SCFS_HANDOVER_NAME);
}
