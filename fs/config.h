/* SPDX-License-Identifier: BSD-2-Clause */
/* config.h - rules that give single readers another owner, group or mode. */
#ifndef SCFS_CONFIG_H
#define SCFS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smcnt.h"

#include "fs/owner.h"

#define SCFS_RULES_MAX 256

/* Of what a rule does not speak is false, and empty. */
struct scfs_rule {
    bool by_id, by_serial, by_path; /* which readers: all that are set must be right */
    uint16_t vid, pid;
    char serial[104];
    char path[64];
    bool sets_uid, sets_gid, sets_mode;
    struct scfs_access access;
};

struct scfs_config {
    struct scfs_rule rules[SCFS_RULES_MAX];
    size_t count;
};

/*
 * One line of the file, without its newline; it is cut into pieces. NULL: a rule, or
 * (*empty) nothing but blanks and a comment. Otherwise what is wrong, and *word where.
 */
const char *scfs_config_line(char *line, struct scfs_rule *rule, bool *empty,
                             const char **word);

/* False after a sentence on stderr, with file and line. */
bool scfs_config_read(struct scfs_config *config, const char *file);

/* What the first rule for that reader says, over what access held before. config may be
 * NULL. */
void scfs_config_apply(const struct scfs_config *config,
                       const struct smc_device_identity *reader,
                       struct scfs_access *access);

#endif
