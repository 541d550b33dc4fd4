/* SPDX-License-Identifier: BSD-2-Clause */
/* mount_files.c - paths and text files of the mount. */
#include "contrib/pcsc/mount.h"

#include "contrib/pcsc/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MOUNT "/run/scard"
#define NUMBER_MAX    99999
#define ENTRIES_MAX   4096 /* of the mount's directory */

/* Programs with other rights than their caller's do not follow his environment. */
static const char *mount_point(void)
{
    const char *path = secure_getenv("SCARDFS_MOUNT");

    return path != NULL && path[0] != '\0' ? path : DEFAULT_MOUNT;
}

int mount_open(int number, const char *file, int flags)
{
    char path[PATH_MAX];
    int len, fd;

    if (number < 0)
        len = snprintf(path, sizeof path, "%s/%s", mount_point(), file);
    else
        len = snprintf(path, sizeof path, "%s/reader%d/%s", mount_point(), number, file);
    if (len < 0 || (size_t)len >= sizeof path)
        return -ENAMETOOLONG;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd >= 0 ? descriptor_add(fd) : -errno;
}

void mount_close(int fd)
{
    descriptor_close(fd);
}

int mount_text(int number, const char *file, char *text, size_t room)
{
    int fd = mount_open(number, file, O_RDONLY | O_NONBLOCK);
    int error = 0;
    ssize_t len;

    if (fd < 0)
        return -fd;
    do
        len = read(fd, text, room - 1);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        error = errno;
    mount_close(fd);
    if (error != 0)
        return error;
    text[len] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return 0;
}

int mount_check(void)
{
    char version[16];
    int error = mount_text(-1, "version", version, sizeof version);

    switch (error) {
    case 0:
        return strcmp(version, "1") == 0 ? 0 : ENOTCONN;
    case ENOMEM: /* nothing is known of the mount */
    case EMFILE:
    case ENFILE:
    case EDQUOT:
        return error;
    default:
        return ENOTCONN;
    }
}

int mount_arrivals(uint32_t *count)
{
    char text[32];
    int error = mount_text(-1, "changes", text, sizeof text);

    if (error == ENOENT)
        return ENOTCONN; /* no mount */
    if (error == 0)
        *count = (uint32_t)strtoul(text, NULL, 10);
    return error;
}

/* -1: not the name of a reader's directory. */
static int number_of(const char *name)
{
    static const char prefix[] = "reader";
    char *end;
    long number;

    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return -1;
    name += sizeof prefix - 1;
    if (name[0] < '0' || name[0] > '9')
        return -1;
    number = strtol(name, &end, 10);
    return *end == '\0' && number <= NUMBER_MAX ? (int)number : -1;
}

static int ascending(const void *a, const void *b)
{
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;

    return (left > right) - (left < right);
}

unsigned mount_readers(unsigned numbers[MOUNT_READERS_MAX])
{
    DIR *dir = opendir(mount_point());
    const struct dirent *entry;
    unsigned count = 0, seen = 0;

    if (dir == NULL)
        return 0;
    while (count < MOUNT_READERS_MAX && seen++ < ENTRIES_MAX &&
           (entry = readdir(dir)) != NULL) {
        int number = number_of(entry->d_name);

        if (number >= 0)
            numbers[count++] = (unsigned)number;
    }
    closedir(dir);
    qsort(numbers, count, sizeof numbers[0], ascending);
    return count;
}
