/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c - rules that give single readers another owner, group or mode:
 * scardfs.conf(5).
 *
 * One rule a line, words of the form KEY=VALUE. The first rule whose readers include one
 * decides about it. A mistake anywhere refuses the whole file: half the rules would open
 * readers that somebody wanted closed. For the same reason a file that others could write
 * is refused.
 */
#include "fs/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/mount.h"

#define BLANKS          " \t\r"
#define CONFIG_LINE_MAX 1024 /* bytes, with the end */

/* ---- a line ---------------------------------------------------------------------- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* So many hexadecimal digits, no fewer; the lowest 16 bits of them. */
static bool hex(const char *text, size_t digits, uint16_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (digit(text[i]) < 0) /* the end of the text, too */
            return false;
        *value = (uint16_t)(*value << 4 | digit(text[i]));
    }
    return true;
}

/* Text in which \xNN stands for a byte, as the mount shows it; never empty. */
static bool unescape(char *to, size_t size, const char *from)
{
    size_t len = 0;
    uint16_t byte;

    for (; *from != '\0' && len + 1 < size; len++) {
        if (*from != '\\') {
            to[len] = *from++;
        } else if (from[1] == 'x' && hex(from + 2, 2, &byte) && byte != 0) {
            to[len] = (char)byte;
            from += 4;
        } else {
            return false;
        }
    }
    to[len] = '\0';
    return *from == '\0' && len > 0;
}

static const char *word(struct scfs_rule *rule, const char *text)
{
    const char *value = strchr(text, '=');
    size_t key = value != NULL ? (size_t)(value - text) : 0;
    bool *set, right;

    if (value == NULL)
        return "a word is KEY=VALUE";
    value++;
    if (key == 2 && strncmp(text, "id", key) == 0) {
        set = &rule->by_id;
        right = hex(value, 4, &rule->vid) && value[4] == ':' &&
                hex(value + 5, 4, &rule->pid) && value[9] == '\0';
    } else if (key == 6 && strncmp(text, "serial", key) == 0) {
        set = &rule->by_serial;
        right = unescape(rule->serial, sizeof rule->serial, value);
    } else if (key == 4 && strncmp(text, "path", key) == 0) {
        set = &rule->by_path;
        right = unescape(rule->path, sizeof rule->path, value);
    } else if (key == 3 && strncmp(text, "uid", key) == 0) {
        set = &rule->sets_uid;
        right = scfs_owner_user(value, &rule->access.uid);
    } else if (key == 3 && strncmp(text, "gid", key) == 0) {
        set = &rule->sets_gid;
        right = scfs_owner_group(value, &rule->access.gid);
    } else if (key == 4 && strncmp(text, "mode", key) == 0) {
        set = &rule->sets_mode;
        right = scfs_owner_mode(value, &rule->access.mode);
    } else {
        return "the keys are id, serial, path, uid, gid and mode";
    }
    if (*set)
        return "a key comes once in a rule";
    *set = true;
    return right ? NULL : "not a value of this key";
}

const char *scfs_config_line(char *line, struct scfs_rule *rule, bool *empty,
                             const char **at)
{
    char *rest = line, *text;
    const char *wrong;

    *rule = (struct scfs_rule){0};
    *empty = true;
    *at = "";
    while ((text = strsep(&rest, BLANKS)) != NULL) {
        if (text[0] == '\0')
            continue;
        if (text[0] == '#') /* the rest is a comment */
            break;
        *empty = false;
        *at = text;
        wrong = word(rule, text);
        if (wrong != NULL)
            return wrong;
    }
    *at = "";
    if (*empty)
        return NULL;
    if (!rule->by_id && !rule->by_serial && !rule->by_path)
        return "a rule names readers, by id=, serial= or path=";
    if (!rule->sets_uid && !rule->sets_gid && !rule->sets_mode)
        return "a rule says uid=, gid= or mode=";
    return NULL;
}

/* ---- the file -------------------------------------------------------------------- */

/* Who could write it could give himself the readers. */
static bool trusted(const char *file, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        scfs_complain("%s: %s", file, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode))
        scfs_complain("%s: not a file", file);
    else if (!scfs_owner_trusted(&st))
        scfs_complain("%s: refused, because others may write it", file);
    else
        return true;
    return false;
}

/* len: without its newline. */
static bool read_line(struct scfs_config *config, const char *file, unsigned number,
                      char *line, size_t len)
{
    struct scfs_rule rule;
    const char *wrong, *at = "";
    bool empty = false;

    if (len >= CONFIG_LINE_MAX || strlen(line) != len) {
        scfs_complain("%s:%u: too long, or not text", file, number);
        return false;
    }
    wrong = scfs_config_line(line, &rule, &empty, &at);
    if (wrong == NULL && !empty && config->count == SCFS_RULES_MAX)
        wrong = "too many rules";
    if (wrong != NULL) {
        scfs_complain("%s:%u: %s%s%s", file, number, at, *at != '\0' ? ": " : "", wrong);
        return false;
    }
    if (!empty)
        config->rules[config->count++] = rule;
    return true;
}

static bool read_lines(struct scfs_config *config, const char *file, FILE *stream)
{
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    ssize_t len;

    for (unsigned number = 1; good && (len = getline(&line, &room, stream)) > 0;
         number++) {
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        good = read_line(config, file, number, line, (size_t)len);
    }
    free(line);
    if (good && !feof(stream)) {
        scfs_complain("%s: %s", file, strerror(errno));
        return false;
    }
    return good;
}

bool scfs_config_read(struct scfs_config *config, const char *file)
{
    /* Not to be kept waiting by something that is no file. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
    bool good;

    config->count = 0;
    if (stream == NULL) {
        scfs_complain("%s: %s", file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    good = trusted(file, fd) && read_lines(config, file, stream);
    fclose(stream);
    return good;
}

/* ---- a reader -------------------------------------------------------------------- */

static bool meant(const struct scfs_rule *rule, const struct smc_device_identity *reader)
{
    return (!rule->by_id || (rule->vid == reader->vid && rule->pid == reader->pid)) &&
           (!rule->by_serial ||
            strncmp(rule->serial, reader->serial, sizeof reader->serial) == 0) &&
           (!rule->by_path ||
            strncmp(rule->path, reader->path, sizeof reader->path) == 0);
}

void scfs_config_apply(const struct scfs_config *config,
                       const struct smc_device_identity *reader,
                       struct scfs_access *access)
{
    for (size_t i = 0; config != NULL && i < config->count; i++) {
        const struct scfs_rule *rule = &config->rules[i];

        if (!meant(rule, reader))
            continue;
        if (rule->sets_uid)
            access->uid = rule->access.uid;
        if (rule->sets_gid)
            access->gid = rule->access.gid;
        if (rule->sets_mode)
            access->mode = rule->access.mode;
        return;
    }
}
