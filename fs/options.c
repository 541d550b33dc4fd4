/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the command line. */
#include "fs/options.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/virtual_file.h"

#define STOP_LIMIT_MS 10000 /* a card may need some seconds to be powered down */
#define POWER_DOWN_S  5
#define SECONDS_MAX   86400
#define HANDLES_MAX   256 /* of one user */
#define WAITS_MAX     4096
/* Sanitizers need calls that the daemon does not, at its end above all; gcov writes files
 * then. Such builds are confined only when asked (fs/meson.build). */
#ifndef SCFS_CONFINE_DEFAULT
#define SCFS_CONFINE_DEFAULT SCFS_CONFINE_USUAL
#endif
#define CONFIG_FILE "/etc/scardfs.conf"
#define NOT_GIVEN   ((uid_t)-1) /* neither a user nor a group has this number */

enum key { KEY_USER = 1, KEY_MOUNT_FOR };

/* As FUSE_OPT_KEY, whose offset clang takes for a mistake. */
static const struct fuse_opt separate[] = {
    {.templ = "--user ", .offset = UINT_MAX, .value = KEY_USER},
    {.templ = "--user=", .offset = UINT_MAX, .value = KEY_USER},
    {.templ = "--mount-for ", .offset = UINT_MAX, .value = KEY_MOUNT_FOR},
    {.templ = "--mount-for=", .offset = UINT_MAX, .value = KEY_MOUNT_FOR},
    FUSE_OPT_END,
};

/* Who made the mount decides whose it is. */
static struct scfs_access default_access(bool by_root)
{
    const struct group *group = by_root ? getgrnam("scard") : NULL;

    return (struct scfs_access){
        .uid = by_root ? 0 : geteuid(),
        .gid = group != NULL ? group->gr_gid
               : by_root     ? 0
                             : getegid(),
        .mode = 0660,
    };
}

void scfs_options_init(struct scfs_options *options)
{
    *options = (struct scfs_options){
        .power_on = true,
        .power_down_s = POWER_DOWN_S,
        .handles_max = HANDLES_MAX,
        .waits_max = WAITS_MAX,
        .access = default_access(geteuid() == 0),
        .stop_limit_ms = STOP_LIMIT_MS,
        .confine = SCFS_CONFINE_DEFAULT,
    };
}

static bool complain(const char *what, const char *value)
{
    scfs_complain("%s: %s", what, value);
    return false;
}

static bool parse_number(const char *text, int base, unsigned long max,
                         unsigned long *value)
{
    char *end;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *value = strtoul(text, &end, base);
    return errno == 0 && *end == '\0' && *value <= max;
}

static bool parse_debug(struct scfs_options *options, const char *level)
{
    unsigned long mask = DEBUG_ALL;

    if (level[0] != '\0' && !parse_number(level, 0, UINT32_MAX, &mask))
        return complain("-d wants a number", level);
    options->debug = true;
    options->debug_level = (uint32_t)mask;
    return true;
}

/* "", "=N" or "=SHAPE", which the driver may not know */
static bool parse_virtual(struct scfs_options *options, const char *value)
{
    unsigned long count = 1;
    const char *shape = NULL;

    if (value[0] == '=' && scfs_virtual_is_shape(value + 1))
        shape = value + 1;
    else if (value[0] == '='
                 ? !parse_number(value + 1, 10, SCFS_SHAPES_MAX, &count) || count == 0
                 : value[0] != '\0')
        return complain("--virtual wants a shape, or a number of readers, 1 to 127",
                        value[0] == '=' ? value + 1 : value);
    options->with_virtual = true;
    if (options->shape_count + count > SCFS_SHAPES_MAX)
        return complain("--virtual", "more than 127 readers");
    while (count-- > 0)
        options->shapes[options->shape_count++] = shape;
    return true;
}

/* "" or "=ADDRESS", which the driver may not like */
static bool parse_vpcd(struct scfs_options *options, const char *text, const char *value)
{
    if ((value[0] != '=' && value[0] != '\0') || strcmp(value, "=") == 0)
        return complain("--vpcd wants a port, or unix:PATH", value);
    if (options->shape_count == SCFS_SHAPES_MAX)
        return complain("--vpcd", "more than 127 readers");
    options->shapes[options->shape_count++] = text + strlen("--");
    return true;
}

static bool parse_driver(struct scfs_options *options, const char *file)
{
    if (file[0] == '\0' || options->driver_count == SCFS_DRIVERS_MAX)
        return complain("-o driver= names a file, 16 of them at most", file);
    options->drivers[options->driver_count] = strdup(file);
    if (options->drivers[options->driver_count] == NULL)
        return complain("options", "out of memory");
    options->driver_count++;
    return true;
}

static bool parse_listen(struct scfs_options *options, const char *folder)
{
    struct stat st;

    if (folder[0] != '/' || options->listen_count == SCFS_LISTEN_MAX)
        return complain("-o listen= is an absolute name, 16 of them at most", folder);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return complain("-o listen= names no folder", folder);
    options->listen[options->listen_count] = strdup(folder);
    if (options->listen[options->listen_count] == NULL)
        return complain("options", "out of memory");
    options->listen_count++;
    return true;
}

static bool parse_confine(struct scfs_options *options, const char *word)
{
    static const struct {
        const char *word;
        enum scfs_confine confine;
    } words[] = {
        {"on", SCFS_CONFINE_ON}, {"log", SCFS_CONFINE_LOG}, {"off", SCFS_CONFINE_OFF}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) == 0) {
            options->confine = words[i].confine;
            return true;
        }
    }
    return complain("-o confine= is on, log or off", word);
}

static bool parse_seconds(const char *text, size_t value_at, uint32_t *seconds)
{
    unsigned long value;

    if (!parse_number(text + value_at, 10, SECONDS_MAX, &value))
        return complain("a number of seconds is wanted, 86400 at most", text);
    *seconds = (uint32_t)value;
    return true;
}

static bool parse_limit(const char *text, size_t value_at, unsigned *limit)
{
    unsigned long value;

    if (!parse_number(text + value_at, 10, INT_MAX, &value))
        return complain("a number is wanted", text);
    *limit = (unsigned)value;
    return true;
}

/* One of those after -o. */
static bool parse_mount_option(struct scfs_command_line *line, const char *text)
{
    struct scfs_options *options = &line->options;

    if (strncmp(text, "power=", 6) == 0) {
        options->power_on = strcmp(text + 6, "on") == 0;
        options->power_demand = strcmp(text + 6, "demand") == 0;
        if (!options->power_on && !options->power_demand && strcmp(text + 6, "lazy") != 0)
            return complain("-o power= is on, demand or lazy", text + 6);
    } else if (strcmp(text, "share_state") == 0) {
        options->share_state = true;
    } else if (strncmp(text, "power_down_timeout=", 19) == 0) {
        return parse_seconds(text, 19, &options->power_down_s);
    } else if (strncmp(text, "idle_limit=", 11) == 0) {
        return parse_seconds(text, 11, &options->idle_limit_s);
    } else if (strncmp(text, "user_handles=", 13) == 0) {
        return parse_limit(text, 13, &options->handles_max);
    } else if (strncmp(text, "user_waits=", 11) == 0) {
        return parse_limit(text, 11, &options->waits_max);
    } else if (strcmp(text, "strict_atr") == 0) {
        options->strict_atr = true;
    } else if (strcmp(text, "escape") == 0) {
        options->escape = true;
    } else if (strncmp(text, "driver=", 7) == 0) {
        return parse_driver(options, text + 7);
    } else if (strncmp(text, "listen=", 7) == 0) {
        return parse_listen(options, text + 7);
    } else if (strncmp(text, "confine=", 8) == 0) {
        return parse_confine(options, text + 8);
    } else if (strncmp(text, "config=", 7) == 0) {
        free((char *)line->config_file);
        line->config_file = strdup(text + 7);
        return line->config_file != NULL || complain("options", "out of memory");
    } else if (strncmp(text, "uid=", 4) == 0) {
        if (!scfs_owner_user(text + 4, &options->access.uid))
            return complain("-o uid= names no user", text + 4);
    } else if (strncmp(text, "gid=", 4) == 0) {
        if (!scfs_owner_group(text + 4, &options->access.gid))
            return complain("-o gid= names no group", text + 4);
    } else if (strncmp(text, "mode=", 5) == 0) {
        if (!scfs_owner_mode(text + 5, &options->access.mode))
            return complain("-o mode= is an octal number up to 777", text + 5);
    } else { /* FUSE's, which complains itself */
        char **more = realloc(options->fuse_options,
                              (options->fuse_option_count + 1) * sizeof *more);

        if (more == NULL)
            return complain("options", "out of memory");
        options->fuse_options = more;
        more[options->fuse_option_count] = strdup(text);
        if (more[options->fuse_option_count] == NULL)
            return complain("options", "out of memory");
        options->fuse_option_count++;
    }
    return true;
}

/* MOUNTPOINT, or as mount(8) calls us: SOURCE MOUNTPOINT, and a source we have none. */
static bool parse_place(struct scfs_command_line *line, const char *text)
{
    struct scfs_options *options = &line->options;

    if (line->places == 2)
        return complain("more than one mount point", text);
    line->places++;
    free((char *)options->mount_point);
    options->mount_point = strdup(text);
    return options->mount_point != NULL || complain("options", "out of memory");
}

/* text is OPTION=NAME, or OPTION with NAME right behind it. */
static bool parse_user(struct scfs_command_line *line, const char *text,
                       const char *option, const struct scfs_user **user)
{
    const char *name = text + strlen(option) + (text[strlen(option)] == '=');

    if (geteuid() != 0)
        return complain("--user and --mount-for are for root only", name);
    if (!scfs_privileges_find(name, &line->user))
        return complain("no user of that name", name);
    *user = &line->user;
    return true;
}

static bool parse(struct scfs_command_line *line, const char *text, int key)
{
    struct scfs_options *options = &line->options;

    if (key == KEY_USER)
        return parse_user(line, text, "--user", &options->user);
    if (key == KEY_MOUNT_FOR)
        return parse_user(line, text, "--mount-for", &options->mount_for);
    if (key == FUSE_OPT_KEY_NONOPT)
        return parse_place(line, text);
    if (text[0] != '-')
        return parse_mount_option(line, text);
    if (strcmp(text, "-f") == 0)
        options->foreground = true;
    else if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0)
        line->help = true;
    else if (strcmp(text, "-V") == 0 || strcmp(text, "--version") == 0)
        line->version = true;
    else if (strncmp(text, "-d", 2) == 0)
        return parse_debug(options, text + 2);
    else if (strncmp(text, "--vpcd", 6) == 0)
        return parse_vpcd(options, text, text + 6);
    else if (strncmp(text, "--virtual", 9) == 0)
        return parse_virtual(options, text + 9);
    else
        return complain("unknown option", text);
    return true;
}

/* For fuse_opt_parse: everything is taken, nothing left over. */
static int process(void *data, const char *text, int key, struct fuse_args *out)
{
    (void)out;
    return parse(data, text, key) ? 0 : -1;
}

bool scfs_options_passed(const struct scfs_options *options)
{
    static const char start[] = "/dev/fd/";
    const char *digits = options->mount_point + strlen(start);

    return strncmp(options->mount_point, start, strlen(start)) == 0 &&
           digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

/* What depends on who mounts: the owner, and the rules of the machine, which could lock
 * an ordinary user out of his own mount. */
static bool finish(struct scfs_command_line *line)
{
    struct scfs_options *options = &line->options;
    bool by_root = geteuid() == 0 || scfs_options_passed(options);
    struct scfs_access usual = default_access(by_root);
    const char *file = line->config_file;

    if (options->access.uid == NOT_GIVEN)
        options->access.uid = usual.uid;
    if (options->access.gid == NOT_GIVEN)
        options->access.gid = usual.gid;
    if ((options->user != NULL || options->mount_for != NULL) &&
        scfs_options_passed(options))
        return complain("--user and --mount-for mount, and not on", options->mount_point);
    /* A link to nowhere, too: without its rules a reader may be anybody's. */
    if (file == NULL && by_root &&
        faccessat(AT_FDCWD, CONFIG_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        file = CONFIG_FILE;
    if (file != NULL) {
        if (!scfs_config_read(&line->config, file))
            return false;
        options->config = &line->config;
    }
    return true;
}

bool scfs_options_parse(struct scfs_command_line *line, int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    bool understood;

    scfs_options_init(&line->options);
    line->options.access.uid = NOT_GIVEN;
    line->options.access.gid = NOT_GIVEN;
    understood = fuse_opt_parse(&args, line, separate, process) == 0;
    fuse_opt_free_args(&args);
    return understood && (line->options.mount_point == NULL || finish(line));
}

void scfs_options_free(struct scfs_command_line *line)
{
    struct scfs_options *options = &line->options;

    while (options->driver_count > 0)
        free((char *)options->drivers[--options->driver_count]);
    while (options->listen_count > 0)
        free((char *)options->listen[--options->listen_count]);
    while (options->fuse_option_count > 0)
        free(options->fuse_options[--options->fuse_option_count]);
    free(options->fuse_options);
    free((char *)options->mount_point);
    free((char *)line->config_file);
}
