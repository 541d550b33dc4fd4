/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * landlock.c - the files of the daemon (landlock(7)), by system calls of our own: glibc
 * has none for it.
 *
 * A reader that comes is looked at in sysfs and in udev's data, and its node is opened;
 * everything else is open by now. What the kernel does not know of (older Landlocks) it
 * is not asked for. The calls of seccomp.c that take no path (connect) are not
 * Landlock's.
 */
#include "fs/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h, as far as it is used here: that of the machine may be an older one.
 */
#define ACCESS_EXECUTE     (1u << 0)
#define ACCESS_WRITE_FILE  (1u << 1)
#define ACCESS_READ_FILE   (1u << 2)
#define ACCESS_READ_DIR    (1u << 3)
#define ACCESS_REMOVE_FILE (1u << 5)
#define ACCESS_MAKE_SOCK   (1u << 9)
#define ACCESS_IOCTL_DEV   (1u << 15)

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

struct ruleset {
    uint64_t accesses;
};

struct beneath {
    uint64_t accesses;
    int32_t directory;
} __attribute__((packed));

/* Of the calls' numbers only an old libc has none; they are the same everywhere. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

/* All that a version handles: what is not allowed below is refused. */
static uint64_t handled_by(long version)
{
    const unsigned bits = version >= 5   ? 16 /* ioctl of devices */
                          : version >= 3 ? 15 /* truncate */
                          : version >= 2 ? 14 /* refer */
                                         : 13;

    return (UINT64_C(1) << bits) - 1;
}

/* A place that is not there needs no rule. The kernel takes no rights of a folder for a
 * file. */
static int allow(int rules, uint64_t handled, const char *path, uint64_t accesses)
{
    struct beneath beneath = {.accesses = accesses & handled};
    struct stat st;
    int error = 0;

    beneath.directory = open(path, O_PATH | O_CLOEXEC);
    if (beneath.directory < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : errno;
    if (fstat(beneath.directory, &st) == 0 && !S_ISDIR(st.st_mode))
        beneath.accesses &= ACCESS_READ_FILE | ACCESS_WRITE_FILE | ACCESS_IOCTL_DEV;
    if (beneath.accesses != 0 &&
        syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &beneath, 0) != 0)
        error = errno;
    close(beneath.directory);
    return error;
}

/* The folder of "vpcd=unix:PATH". */
static int allow_socket_of(int rules, uint64_t handled, const char *shape)
{
    static const char start[] = "vpcd=unix:";
    char *folder, *slash;
    int error;

    if (shape == NULL || strncmp(shape, start, sizeof start - 1) != 0)
        return 0;
    folder = strdup(shape + sizeof start - 1);
    if (folder == NULL)
        return ENOMEM;
    slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    error = slash == NULL
                ? 0
                : allow(rules, handled, folder, ACCESS_MAKE_SOCK | ACCESS_REMOVE_FILE);
    free(folder);
    return error;
}

static int add_rules(int rules, uint64_t handled, const struct scfs_options *options)
{
    static const struct {
        const char *path;
        uint64_t accesses;
    } places[] = {
        {"/sys", ACCESS_READ_FILE | ACCESS_READ_DIR},
        {"/run/udev", ACCESS_READ_FILE | ACCESS_READ_DIR},
        {"/etc/udev", ACCESS_READ_FILE | ACCESS_READ_DIR},
        {"/dev", ACCESS_READ_DIR},
        {"/dev/bus/usb",
         ACCESS_READ_FILE | ACCESS_READ_DIR | ACCESS_WRITE_FILE | ACCESS_IOCTL_DEV},
        {"/dev/null", ACCESS_READ_FILE | ACCESS_WRITE_FILE},
        /* Whether we are still mounted, for a line in the log. */
        {"/proc/self/mountinfo", ACCESS_READ_FILE},
    };
    int error = 0;

    for (size_t i = 0; i < sizeof places / sizeof *places && error == 0; i++)
        error = allow(rules, handled, places[i].path, places[i].accesses);
    for (unsigned i = 0; i < options->shape_count && error == 0; i++)
        error = allow_socket_of(rules, handled, options->shapes[i]);
    for (unsigned i = 0; i < options->listen_count && error == 0; i++)
        error = allow(rules, handled, options->listen[i],
                      ACCESS_MAKE_SOCK | ACCESS_REMOVE_FILE);
    if (options->virtual_folder != NULL && error == 0)
        error = allow(rules, handled, options->virtual_folder,
                      ACCESS_READ_FILE | ACCESS_READ_DIR);
    return error;
}

int scfs_landlock_restrict(const struct scfs_options *options)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    struct ruleset ruleset;
    long rules;
    int error;

    if (version < 0)
        return errno;
    ruleset.accesses = handled_by(version);
    rules = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
    if (rules < 0)
        return errno;
    error = add_rules((int)rules, ruleset.accesses, options);
    if (error == 0 && syscall(SYS_landlock_restrict_self, (int)rules, 0) != 0)
        error = errno;
    close((int)rules);
    return error;
}
