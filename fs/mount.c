/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.c - the mount point.
 *
 * Two things keep a second instance away: a lock on the directory below the mount, which
 * decides between two that start at once, and the list of mounts, because once we are
 * mounted nobody reaches that directory any more. A mount of ours that answers ENOTCONN
 * has lost its server; it is taken away.
 */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_SYSTEM_TYPE "fuse.scardfs"
#define STALE_MAX        8 /* mounts on top of each other that we clean */
#define LOCK_WAIT_MS     2000
#define LOCK_PAUSE_MS    20

extern char **environ;

void scfs_complain(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "scardfs: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

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

/* Whether a scardfs is mounted there, alive or dead. */
static bool mounted(const char *path)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

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
        if (type != NULL && strcmp(field, path) == 0)
            found = strncmp(type + 3, FILE_SYSTEM_TYPE " ",
                            strlen(FILE_SYSTEM_TYPE) + 1) == 0;
    }
    free(line);
    fclose(file);
    return found; /* of the topmost mount: the last line */
}

static bool dead(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

static void run_fusermount(const char *path)
{
    const char *const argv[] = {"fusermount3", "-u", "-z", "--", path, NULL};
    pid_t child;

    if (posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ) == 0)
        waitpid(child, NULL, 0);
}

static bool clean(const char *path)
{
    for (int i = 0; i < STALE_MAX && dead(path); i++) {
        if (umount2(path, MNT_DETACH) != 0)
            run_fusermount(path);
    }
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
        if (mounted(mount->path))
            return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

bool scfs_mount_take(struct scfs_mount *mount, const char *mount_point)
{
    mount->lock = -1;
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
    if (mounted(mount->path)) {
        scfs_complain("%s: another scardfs is mounted there", mount->path);
        return false;
    }
    mount->lock = open(mount->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mount->lock < 0) {
        scfs_complain("%s: %s", mount->path, strerror(errno));
        return false;
    }
    if (!lock_soon(mount)) {
        scfs_complain("%s: another scardfs is starting there", mount->path);
        return false;
    }
    return true;
}

/* ---- mounting -------------------------------------------------------------------- */

static bool asked_for_allow_other(const struct scfs_options *options)
{
    for (unsigned i = 0; i < options->fuse_option_count; i++) {
        if (strcmp(options->fuse_options[i], "allow_other") == 0)
            return true;
    }
    return false;
}

struct fuse_session *scfs_session_new(struct scfs *fs, bool allow_other)
{
    const struct scfs_options *options = fs->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;
    int failed = fuse_opt_add_arg(&args, "scardfs");

    /* allow_other alone checks no permissions at all: never without the other. */
    failed |=
        fuse_opt_add_arg(&args, "-ofsname=scardfs,subtype=scardfs,default_permissions");
    if (allow_other && !asked_for_allow_other(options))
        failed |= fuse_opt_add_arg(&args, "-oallow_other");
    for (unsigned i = 0; i < options->fuse_option_count; i++) {
        failed |= fuse_opt_add_arg(&args, "-o");
        failed |= fuse_opt_add_arg(&args, options->fuse_options[i]);
    }
    if (failed != 0)
        scfs_complain("out of memory");
    else /* says itself which option it does not know */
        session = fuse_session_new(&args, &scfs_ops, sizeof scfs_ops, fs);
    fuse_opt_free_args(&args);
    return session;
}

bool scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs)
{
    if (fuse_session_mount(fs->session, mount->path) == 0)
        return true;
    if (!asked_for_allow_other(fs->options)) {
        fuse_session_destroy(fs->session);
        fs->session = scfs_session_new(fs, false);
        if (fs->session != NULL && fuse_session_mount(fs->session, mount->path) == 0) {
            scfs_complain(
                "%s: allow_other is refused here: only this user can see the mount",
                mount->path);
            return true;
        }
    }
    scfs_complain("%s: cannot mount", mount->path);
    return false;
}

void scfs_mount_abandon(const struct scfs_mount *mount)
{
    if (mounted(mount->path) && umount2(mount->path, MNT_DETACH) != 0)
        run_fusermount(mount->path);
}

/*
 * After a lazy unmount with files still open nothing is mounted any more, but the kernel
 * keeps the connection. libfuse would try to unmount and complain; it does not when it
 * sees the connection broken, so it gets one that is: a pipe without a reader.
 */
static void break_connection(struct fuse_session *session)
{
    int ends[2];

    if (fuse_session_fd(session) < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return;
    close(ends[0]);
    dup2(ends[1], fuse_session_fd(session));
    close(ends[1]);
}

void scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs)
{
    if (fs->session != NULL) {
        if (mount->path != NULL && !mounted(mount->path))
            break_connection(fs->session);
        fuse_session_unmount(fs->session);
        fuse_session_destroy(fs->session);
        fs->session = NULL;
    }
    if (mount->lock >= 0)
        close(mount->lock);
    free(mount->path);
}
