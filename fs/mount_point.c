/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_point.c - the directory that is mounted on: fit for it, and ours alone.
 *
 * Two things keep a second instance away: a lock on the directory below the mount, which
 * decides between two that start at once, and the list of mounts, because once we are
 * mounted nobody reaches that directory any more. A mount of ours that answers ENOTCONN
 * has lost its server; it is taken away.
 *
 * A directory that somebody else owns or may write is refused: he could move it away and
 * put another in its place, and who talks to a card there would talk to him.
 */
#include "fs/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/owner.h"

#define FILE_SYSTEM_TYPE "fuse.scardfs"
#define STALE_MAX        8 /* mounts on top of each other that we clean */
#define LOCK_WAIT_MS     2000
#define LOCK_PAUSE_MS    20

extern char **environ;

/* ---- who is there ---------------------------------------------------------------- */

/* The kernel writes blanks, tabs, newlines and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        unsigned code;

        if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1 &&
            strspn(from + 1, "01234567") >= 3) {
            *to = (char)code;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Whether a scardfs is mounted there, alive or dead; false: that cannot be found out. */
static bool look(const char *path, bool *found)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool whole;

    *found = false;
    if (file == NULL)
        return false;
    while (getline(&line, &size, file) > 0) {
        /* id parent major:minor root MOUNT-POINT options [tags] - TYPE source options */
        char *rest = line, *field = NULL, *type;

        for (int i = 0; i < 5; i++)
            field = strsep(&rest, " ");
        if (field == NULL || rest == NULL)
            continue;
        type = strstr(rest, " - ");
        unescape(field);
        if (type != NULL && strcmp(field, path) == 0) /* the topmost is the last line */
            *found = strncmp(type + 3, FILE_SYSTEM_TYPE " ",
                             strlen(FILE_SYSTEM_TYPE) + 1) == 0;
    }
    whole = feof(file) != 0; /* and not that there is no memory for a line */
    free(line);
    fclose(file);
    return whole;
}

bool scfs_mount_point_mounted(const char *path)
{
    bool found;

    return look(path, &found) && found;
}

bool scfs_mount_point_unmounted(const char *path)
{
    bool found;

    return look(path, &found) && !found;
}

static bool dead(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

static bool run_fusermount(const char *path)
{
    const char *const argv[] = {"fusermount3", "-u", "-z", "--", path, NULL};
    pid_t child;
    int status;

    return posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ) == 0 &&
           waitpid(child, &status, 0) == child && status == 0;
}

bool scfs_mount_point_detach(const char *path)
{
    return umount2(path, MNT_DETACH) == 0 || run_fusermount(path);
}

static bool clean(const char *path)
{
    for (int i = 0; i < STALE_MAX && dead(path); i++)
        scfs_mount_point_detach(path);
    return !dead(path);
}

/* realpath, which may ask a dead mount, with its last part taken as it is. */
static char *absolute(const char *path)
{
    char *copy, *slash, *parent, *result = realpath(path, NULL);

    if (result != NULL || !dead(path))
        return result;
    copy = strdup(path);
    if (copy == NULL)
        return NULL;
    slash = strrchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    parent = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
    if (parent != NULL &&
        asprintf(&result, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
                 slash != NULL ? slash + 1 : path) < 0)
        result = NULL;
    free(parent);
    free(copy);
    return result;
}

/* The lock may still be held by one that was killed a moment ago and is not quite gone.
 */
static bool lock_soon(const struct scfs_mount *mount)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int tries = LOCK_WAIT_MS / LOCK_PAUSE_MS; tries > 0; tries--) {
        if (flock(mount->lock, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (scfs_mount_point_mounted(mount->path))
            return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* ---- fit to be mounted on -------------------------------------------------------- */

static bool is_link(const char *path)
{
    char *copy = strdup(path);
    struct stat st;
    bool link;

    if (copy == NULL)
        return false;
    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0'; /* "name/" would follow it */
    link = lstat(copy, &st) == 0 && S_ISLNK(st.st_mode);
    free(copy);
    return link;
}

/* An error counts as empty: it shows when we mount. */
static bool is_empty(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool empty = true;

    if (listing == NULL) {
        if (fd >= 0)
            close(fd);
        return true;
    }
    while (empty && (entry = readdir(listing)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(listing);
    return empty;
}

static bool safe(const struct scfs_mount *mount)
{
    struct stat st;

    if (fstat(mount->lock, &st) != 0)
        scfs_complain("%s: %s", mount->path, strerror(errno));
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        scfs_complain("%s: not safe to mount on: somebody else owns it", mount->path);
    else if (!scfs_owner_trusted(&st))
        scfs_complain("%s: not safe to mount on: others may write it", mount->path);
    else if (!is_empty(mount->lock))
        scfs_complain("%s: not empty: what is in it would be hidden", mount->path);
    else
        return true;
    return false;
}

bool scfs_mount_point_take(struct scfs_mount *mount, const char *mount_point)
{
    if (is_link(mount_point)) {
        scfs_complain("%s: not safe to mount on: a symbolic link", mount_point);
        return false;
    }
    mount->path = absolute(mount_point);
    if (mount->path == NULL) {
        scfs_complain("%s: %s", mount_point, strerror(errno));
        return false;
    }
    if (!clean(mount->path)) {
        scfs_complain("%s: the mount that a dead scardfs left there cannot be removed",
                      mount->path);
        return false;
    }
    if (scfs_mount_point_mounted(mount->path)) {
        scfs_complain("%s: another scardfs is mounted there", mount->path);
        return false;
    }
    mount->lock = open(mount->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (mount->lock < 0) {
        scfs_complain("%s: %s", mount->path, strerror(errno));
        return false;
    }
    if (!lock_soon(mount)) {
        scfs_complain("%s: another scardfs is starting there", mount->path);
        return false;
    }
    return safe(mount);
}
