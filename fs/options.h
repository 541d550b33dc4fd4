/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - the command line. */
#ifndef SCFS_OPTIONS_H
#define SCFS_OPTIONS_H

#include <stdbool.h>

#include "fs/scardfs.h"

struct scfs_command_line {
    struct scfs_options options;
    bool help, version;
};

/* False after a sentence on stderr. The options point into argv, or stay allocated. */
bool scfs_options_parse(struct scfs_command_line *line, int argc, char **argv);

#endif
