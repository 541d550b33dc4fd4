/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn_worker.c - looks at a reader that comes and goes.
 *
 * A look counts when the phase was the same before and after it: then it must have seen
 * just what had been announced. What happens to the others is a matter of luck, but each
 * of them ends.
 */
#include "churn_worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon.h"

static struct churn *churn;
static struct subject subject; /* as it was when the look began */
static const char *mount;

static uint32_t phase_now(void)
{
    return __atomic_load_n(&churn->phase, __ATOMIC_SEQ_CST);
}

static const char *path(const char *in_reader)
{
    static char text[2 * NAME_MAX];

    snprintf(text, sizeof text, "%s/%s%s", mount, subject.name, in_reader);
    return text;
}

/* ---- looks: 0, an errno, or -1 for what is neither there nor not ----------------------
 */

static int is_it(const struct stat *st)
{
    return st->st_ino == subject.ino ? 0 : -1;
}

static int look_at_the_directory(void)
{
    struct stat st;

    return stat(path(""), &st) != 0 ? errno : is_it(&st);
}

static int look_at_a_file(void)
{
    struct stat st;

    if (stat(path("/control"), &st) != 0)
        return errno;
    return (st.st_mode & 07777) == CONTROL_MODE && st.st_ino >> 12 == subject.ino >> 12
               ? 0
               : -1;
}

static int look_deeper(void)
{
    struct stat st;

    return stat(path("/events/present"), &st) != 0 ? errno : 0;
}

static int read_a_file(void)
{
    int fd = open(path("/state"), O_RDONLY | O_CLOEXEC), error = 0;
    char text[64];

    if (fd < 0)
        return errno;
    if (read(fd, text, sizeof text) <= 0)
        error = errno;
    close(fd);
    return error;
}

static int open_control(void)
{
    int fd = open(path("/control"), O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int change_a_mode(void)
{
    if (chmod(path("/control"), 0777) == 0)
        return -1;
    return errno == EPERM ? look_at_a_file() : errno;
}

static int follow_link(int i)
{
    char link[PATH_MAX];
    struct stat st;

    snprintf(link, sizeof link, "%s/%s", mount, subject.links[i]);
    return stat(link, &st) != 0 ? errno : is_it(&st);
}

static int follow_link_by_id(void)
{
    return follow_link(0);
}

static int follow_link_by_path(void)
{
    return follow_link(1);
}

static int list(void)
{
    DIR *dir = opendir(mount);
    int error = ENOENT;

    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, subject.name) == 0)
            error = entry->d_ino == subject.ino ? 0 : -1;
    }
    closedir(dir);
    return error;
}

static int visited(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)name, (void)st, (void)type, (void)ftw;
    return 0;
}

/* ls -lR */
static int list_everything(void)
{
    if (nftw(mount, visited, 16, FTW_PHYS) != 0 && errno != ENOENT && errno != ENODEV)
        return -1;
    return look_at_the_directory();
}

static const struct {
    const char *what;
    int (*look)(void);
} looks[] = {
    {"stat of its directory", look_at_the_directory},
    {"stat of a file", look_at_a_file},
    {"stat of a file in a directory", look_deeper},
    {"read of a file", read_a_file},
    {"open of control", open_control},
    {"chmod", change_a_mode},
    {"link by identity", follow_link_by_id},
    {"link by place", follow_link_by_path},
    {"list", list},
    {"list of everything", list_everything},
};

#define LOOKS (sizeof looks / sizeof looks[0])

static void stale(const char *what, uint32_t phase, int result)
{
    if (__atomic_fetch_add(&churn->stale, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(churn->first, sizeof churn->first, "%s, %s, when it was %s: %s",
                 subject.name, what, (phase & 3) == PRESENT ? "there" : "gone",
                 result < 0 ? "something else" : strerror(result));
}

static void look(size_t i)
{
    const uint32_t phase = phase_now();
    int result;

    memcpy(&subject, &churn->subject, sizeof subject);
    if ((phase & 3) == MOVING || phase_now() != phase)
        return;
    result = looks[i].look();
    if (phase_now() != phase)
        return;
    __atomic_fetch_add(&churn->told[phase & 3], 1, __ATOMIC_SEQ_CST);
    if (result != ((phase & 3) == PRESENT ? 0 : ENOENT))
        stale(looks[i].what, phase, result);
}

/* ---- who holds something of a reader while it goes ------------------------------------
 */

static struct {
    uint32_t phase; /* in which it was opened */
    int directory, file;
} held = {.directory = -1, .file = -1};

static void take_hold(void)
{
    held.phase = phase_now();
    memcpy(&subject, &churn->subject, sizeof subject);
    if ((held.phase & 3) == PRESENT && phase_now() == held.phase)
        held.directory = open(path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (held.directory >= 0)
        held.file = openat(held.directory, "control", O_RDWR | O_CLOEXEC);
}

static void let_go(void)
{
    if (held.file >= 0)
        close(held.file);
    if (held.directory >= 0)
        close(held.directory);
    held.file = held.directory = -1;
}

/* Once the removal has been announced nothing can be opened in the directory; what the
 * kernel knows of the names there goes soon. */
static void look_around_inside(void)
{
    int64_t since = now_ms();
    struct stat st;
    int fd;

    if (held.directory < 0 || phase_now() == held.phase || (phase_now() & 3) != ABSENT)
        return;
    fd = openat(held.directory, "control", O_RDWR | O_CLOEXEC);
    if (fd >= 0 || (errno != ENOENT && errno != ENODEV))
        stale("open in its directory", ABSENT, fd >= 0 ? 0 : errno);
    if (fd >= 0)
        close(fd);
    while (fstatat(held.directory, "control", &st, 0) == 0) {
        if (now_ms() - since > MAY_LAG_MS) {
            stale("a name in its directory", ABSENT, 0);
            break;
        }
    }
    let_go();
}

_Noreturn void churn_work(struct churn *all, int worker, const char *mount_point)
{
    uint32_t random = (uint32_t)worker * 2654435761u + 1;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails takes it with it */
    churn = all;
    mount = mount_point;
    while (!__atomic_load_n(&churn->stop, __ATOMIC_SEQ_CST)) {
        random = random * 1664525 + 1013904223;
        look((random >> 16) % LOOKS);
        look_around_inside();
        if (worker % 2 == 0 && held.directory < 0)
            take_hold();
        __atomic_fetch_add(&churn->looks[worker], 1, __ATOMIC_SEQ_CST);
    }
    let_go();
    _exit(0);
}
