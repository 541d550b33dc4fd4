/* SPDX-License-Identifier: BSD-2-Clause */
/* owner.c - users, groups and modes as people write them. */
#include "fs/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* strtoul alone takes blanks and signs. */
static bool number(const char *text, int base, unsigned long max, unsigned long *value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *value = strtoul(text, &end, base);
    return errno == 0 && *end == '\0' && *value <= max;
}

bool scfs_owner_user(const char *text, uid_t *uid)
{
    const struct passwd *user = getpwnam(text);
    unsigned long value;

    if (user == NULL && !number(text, 10, UINT32_MAX - 1, &value))
        return false; /* the highest means "nobody in particular" to the kernel */
    *uid = user != NULL ? user->pw_uid : (uid_t)value;
    return true;
}

bool scfs_owner_group(const char *text, gid_t *gid)
{
    const struct group *group = getgrnam(text);
    unsigned long value;

    if (group == NULL && !number(text, 10, UINT32_MAX - 1, &value))
        return false;
    *gid = group != NULL ? group->gr_gid : (gid_t)value;
    return true;
}

bool scfs_owner_mode(const char *text, mode_t *mode)
{
    unsigned long value;

    if (!number(text, 8, 0777, &value))
        return false;
    *mode = (mode_t)value;
    return true;
}

bool scfs_owner_trusted(const struct stat *st)
{
    mode_t others = S_IWOTH;

    if (st->st_uid != 0 && st->st_uid != geteuid())
        return false;
    if (st->st_gid != 0 && st->st_gid != getegid())
        others |= S_IWGRP;
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
        others = 0;
    return (st->st_mode & others) == 0;
}
