/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.c - to become an ordinary user for good (capabilities(7)), and to keep
 * memory to ourselves.
 *
 * The order matters: groups and the bounding set need capabilities, which are gone with
 * the user. The bounding set is emptied, too, so that not even a setuid program that
 * escapes the ban on new privileges could get one.
 */
#include "fs/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool scfs_privileges_find(const char *name, struct scfs_user *user)
{
    const struct passwd *entry = getpwnam(name);

    if (entry == NULL || strlen(name) >= sizeof user->name)
        return false;
    memcpy(user->name, name, strlen(name) + 1);
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    return true;
}

/* The kernel may know more capabilities than our headers: EINVAL is the end of them. */
static bool empty_bounding_set(void)
{
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return errno == EINVAL && capability > CAP_SETPCAP;
    }
    return true;
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, none) == 0;
}

bool scfs_privileges_drop(const struct scfs_user *user)
{
    return initgroups(user->name, user->gid) == 0 && empty_bounding_set() &&
           setresgid(user->gid, user->gid, user->gid) == 0 &&
           setresuid(user->uid, user->uid, user->uid) == 0 && drop_capabilities() &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* The limit alone would not keep a core from a core_pattern that is a pipe; the flag
 * alone may be overruled by fs.suid_dumpable=2. It says, too, that files in /proc/PID are
 * root's, and that nobody without CAP_SYS_PTRACE may attach. The kernel sets it anew at a
 * change of the user. */
void scfs_privileges_no_dumps(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
