/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the command line. */
#include "fs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/mount.h"
#include "fs/virtual_file.h"

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
        return complain("--virtual wants a shape, or a number of readers, 1 to 64",
                        value[0] == '=' ? value + 1 : value);
    options->with_virtual = true;
    if (options->shape_count + count > SCFS_SHAPES_MAX)
        return complain("--virtual", "more than 64 readers");
    while (count-- > 0)
        options->shapes[options->shape_count++] = shape;
    return true;
}

static bool parse_driver(struct scfs_options *options, const char *file)
{
    const char *copy = strdup(file);

    if (file[0] == '\0' || options->driver_count == SCFS_DRIVERS_MAX)
        return complain("-o driver= names a file, 16 of them at most", file);
    if (copy == NULL)
        return complain("options", "out of memory");
    options->drivers[options->driver_count++] = copy;
    return true;
}

/* One of those after -o. */
static bool parse_mount_option(struct scfs_options *options, const char *text)
{
    if (strcmp(text, "power=on") == 0) {
        options->power_on = true;
    } else if (strcmp(text, "power=lazy") == 0) {
        options->power_on = false;
    } else if (strncmp(text, "power=", 6) == 0) {
        return complain("-o power= is on or lazy", text + 6);
    } else if (strcmp(text, "strict_atr") == 0) {
        options->strict_atr = true;
    } else if (strcmp(text, "escape") == 0) {
        options->escape = true;
    } else if (strncmp(text, "driver=", 7) == 0) {
        return parse_driver(options, text + 7);
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

static bool parse(struct scfs_command_line *line, const char *text, int key)
{
    struct scfs_options *options = &line->options;

    if (key == FUSE_OPT_KEY_NONOPT) {
        if (options->mount_point != NULL)
            return complain("more than one mount point", text);
        options->mount_point = strdup(text);
        return options->mount_point != NULL;
    }
    if (text[0] != '-')
        return parse_mount_option(options, text);
    if (strcmp(text, "-f") == 0)
        options->foreground = true;
    else if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0)
        line->help = true;
    else if (strcmp(text, "-V") == 0 || strcmp(text, "--version") == 0)
        line->version = true;
    else if (strncmp(text, "-d", 2) == 0)
        return parse_debug(options, text + 2);
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

bool scfs_options_parse(struct scfs_command_line *line, int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    bool understood;

    scfs_options_init(&line->options);
    understood = fuse_opt_parse(&args, line, NULL, process) == 0;
    fuse_opt_free_args(&args);
    return understood;
}
