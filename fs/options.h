/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - the command line. */
#ifndef SCFS_OPTIONS_H
#define SCFS_OPTIONS_H

#include <stdbool.h>

#include "fs/privileges.h"
#include "fs/scardfs.h"

struct scfs_command_line {
    struct scfs_options options;
    struct scfs_user user; /* options.user, if any */
    const char *config_file;
    struct scfs_config config; /* options.config, if any */
    unsigned places;           /* arguments that are no options */
    bool help, version;
};

/* False after a sentence on stderr. The options point into line. Either way line may be
 * freed. */
bool scfs_options_parse(struct scfs_command_line *line, int argc, char **argv);
void scfs_options_free(struct scfs_command_line *line);

/* The mount point is /dev/fd/N: who started us has mounted, and passes the connection. */
bool scfs_options_passed(const struct scfs_options *options);

#endif
