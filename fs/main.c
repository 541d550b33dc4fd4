/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - the daemon's program, and the one place that knows which driver is below. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "scard_ioctl.h"
#include "smclib.h"

#include "ccid/ccid.h"
#include "fs/handover.h"
#include "fs/mount.h"
#include "fs/options.h"

#define EXIT_USAGE 2

static const char usage[] =
    "usage: scardfs [-f] [-d[LEVEL]] [--virtual[=N|=SHAPE]] [--vpcd[=PORT]]\n"
    "               [--user NAME] [-o OPTION[,...]] [SOURCE] MOUNTPOINT\n"
    "\n"
    "    -f              stay in the foreground, log to stderr\n"
    "    -d[LEVEL]       debug lines of the driver, mask (all without LEVEL)\n"
    "    --virtual[=N]   plug a virtual reader, or N of them, with a card\n"
    "    --virtual=SHAPE one of another kind: tpdu, tpdu-t1, mechanical, pinpad,\n"
    "                    VID:PID\n"
    "    --vpcd[=PORT]   plug a virtual reader whose card connects to a port (35963)\n"
    "    --user NAME     once mounted, go on as that user without any privilege\n"
    "    --mount-for NAME  only mount, for that user's daemon (see scardfs(8))\n"
    "    -o power=on     reset a card when it comes (default); power=lazy does not\n"
    "    -o strict_atr   refuse cards whose ATR has a wrong check character\n"
    "    -o escape       let programs send commands of the reader's vendor\n"
    "    -o driver=FILE  load another reader driver; may be repeated\n"
    "    -o listen=DIR   drivers may make sockets in it, and listen\n"
    "    -o confine=     on, log or off: what the kernel refuses to the daemon\n"
    "    -o uid=, gid=   owner of the files: a number or a name\n"
    "    -o mode=        permissions of `control`, octal (0660)\n"
    "    -o config=FILE  rules for single readers (/etc/scardfs.conf)\n"
    "    -o ...          options of FUSE\n"
    "    -h, -V          this text, the version\n";

/* Whatever we were started with: what is opened first would be taken for them. */
static void open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    static const struct scfs_driver driver = {
        .entry = ccid_driver_entry,
        .watch = ccid_usb_watch,
        .virtual_start = ccid_virtual_start,
        .plug = ccid_virtual_plug,
        .insert = ccid_virtual_insert,
        .remove = ccid_virtual_remove,
        .unplug = ccid_virtual_unplug,
        .type = ccid_virtual_type,
    };
    static struct scfs_command_line line;

    open_standard_descriptors();
    if (!scfs_options_parse(&line, argc, argv))
        return EXIT_USAGE;
    if (line.help) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (line.version) {
        printf("scardfs %s (interface %d, libfuse %s)\n", SCARDFS_VERSION,
               SCARD_IOC_VERSION, fuse_pkgversion());
        return EXIT_SUCCESS;
    }
    if (line.options.mount_point == NULL) {
        scfs_complain("no mount point; see scardfs -h");
        return EXIT_USAGE;
    }
    if (line.options.mount_for != NULL)
        return scfs_hand_over(&line.options);
    if (line.options.with_virtual)
        line.options.virtual_folder = ccid_virtual_folder();
    ccid_set_strict_atr(line.options.strict_atr);
    ccid_set_escape(line.options.escape);
    return scfs_run(&line.options, &driver);
}
