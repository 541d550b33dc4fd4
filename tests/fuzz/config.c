/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c - a file of rules for single readers.
 *
 * A file is taken as a whole or not at all; a rule of it names readers and says what is
 * theirs, within the limits of its fields; and only the readers it names get it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/config.h"
#include "fs/mount.h"
#include "fuzz.h"

/* The sentence is made and goes nowhere. */
static unsigned complaints;
static char sentence[2048];

void __wrap_scfs_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

void __wrap_scfs_complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    complaints++;
}

/* No data base of users is asked. */
struct passwd *__wrap_getpwnam(const char *name);
struct group *__wrap_getgrnam(const char *name);

struct passwd *__wrap_getpwnam(const char *name)
{
    (void)name;
    return NULL;
}

struct group *__wrap_getgrnam(const char *name)
{
    (void)name;
    return NULL;
}

static void check_rule(const struct scfs_rule *rule)
{
    const struct scfs_config one = {.rules = {*rule}, .count = 1};
    struct smc_device_identity reader = {.vid = rule->vid, .pid = rule->pid};
    const struct scfs_access before = {.uid = 1, .gid = 2, .mode = 01000};
    struct scfs_access access = before;

    FUZZ_CHECK(rule->by_id || rule->by_serial || rule->by_path);
    FUZZ_CHECK(rule->sets_uid || rule->sets_gid || rule->sets_mode);
    FUZZ_CHECK(!rule->sets_mode || rule->access.mode <= 0777);
    FUZZ_CHECK(!rule->sets_uid || rule->access.uid != (uid_t)-1);
    FUZZ_CHECK(memchr(rule->serial, '\0', sizeof rule->serial) != NULL);
    FUZZ_CHECK(memchr(rule->path, '\0', sizeof rule->path) != NULL);
    FUZZ_CHECK(rule->by_serial == (rule->serial[0] != '\0'));
    FUZZ_CHECK(rule->by_path == (rule->path[0] != '\0'));

    memcpy(reader.serial, rule->serial, sizeof reader.serial);
    memcpy(reader.path, rule->path, sizeof reader.path);
    scfs_config_apply(&one, &reader, &access);
    FUZZ_CHECK(access.mode == (rule->sets_mode ? rule->access.mode : before.mode));
    FUZZ_CHECK(access.uid == (rule->sets_uid ? rule->access.uid : before.uid));
    FUZZ_CHECK(access.gid == (rule->sets_gid ? rule->access.gid : before.gid));

    access = before; /* another reader */
    reader.vid ^= rule->by_id;
    reader.serial[0] ^= (char)rule->by_serial;
    reader.path[0] ^= (char)rule->by_path;
    scfs_config_apply(&one, &reader, &access);
    FUZZ_CHECK(access.mode == before.mode && access.uid == before.uid &&
               access.gid == before.gid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scfs_config config;
    static int fd = -1;
    char path[32];

    if (fd < 0)
        fd = memfd_create("rules", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    complaints = 0;
    if (scfs_config_read(&config, path)) {
        FUZZ_CHECK(complaints == 0 && config.count <= SCFS_RULES_MAX);
        for (size_t i = 0; i < config.count; i++)
            check_rule(&config.rules[i]);
    } else {
        FUZZ_CHECK(complaints == 1 && sentence[0] != '\0');
    }
    return 0;
}
