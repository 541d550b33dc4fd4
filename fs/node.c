/* SPDX-License-Identifier: BSD-2-Clause */
/* node.c - the names, kinds and inode numbers of the tree. */
#include "fs/node.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/attributes.h"

/* From the least significant bit: kind, sequence, alias. Aliases come round again: there
 * are so many that nobody gets to another's by chance, nor quickly by trying. */
#define KIND_BITS     12
#define SEQUENCE_BITS 30

/* The files that every reader, and the mount itself, has. */
static const struct node {
    enum scfs_kind kind;
    enum scfs_kind parent;
    const char *name;
    mode_t mode;
} nodes[] = {
    {SCFS_ROOT, SCFS_NONE, "", 0555},
    {SCFS_VERSION, SCFS_ROOT, "version", 0444},
    {SCFS_CHANGES, SCFS_ROOT, "changes", 0444},
    {SCFS_VIRTUAL, SCFS_ROOT, "virtual", 0600},
    {SCFS_METRICS, SCFS_ROOT, "metrics", 0444},
    {SCFS_BY_ID, SCFS_ROOT, "by-id", 0555},
    {SCFS_BY_PATH, SCFS_ROOT, "by-path", 0555},
    {SCFS_READER, SCFS_ROOT, "", 0555},
    {SCFS_CONTROL, SCFS_READER, "control", 0660},
    {SCFS_TRANSMIT, SCFS_READER, "transmit", 0660},
    {SCFS_POWER, SCFS_READER, "power", 0660},
    {SCFS_STATE, SCFS_READER, "state", 0444},
    {SCFS_ATR, SCFS_READER, "atr", 0444},
    {SCFS_NAME, SCFS_READER, "name", 0444},
    {SCFS_OWNER, SCFS_READER, "owner", 0444},
    {SCFS_RESETS, SCFS_READER, "resets", 0444},
    {SCFS_LAST_ERROR, SCFS_READER, "last_error", 0444},
    {SCFS_ATTRIBUTES, SCFS_READER, "attributes", 0555},
    {SCFS_EVENTS, SCFS_READER, "events", 0555},
    {SCFS_TRACE, SCFS_READER, "trace", 0400},
    {SCFS_EVENTS_PRESENT, SCFS_EVENTS, "present", 0444},
    {SCFS_EVENTS_ABSENT, SCFS_EVENTS, "absent", 0444},
    {SCFS_EVENTS_CHANGES, SCFS_EVENTS, "changes", 0444},
    {SCFS_LINK_ID, SCFS_NONE, "", 0777}, /* each under a name of its own */
    {SCFS_LINK_PATH, SCFS_NONE, "", 0777},
};

#define NODE_COUNT (sizeof nodes / sizeof nodes[0])

uint64_t scfs_node_ino(uint64_t sequence, enum scfs_kind kind)
{
    return sequence << KIND_BITS | (uint64_t)kind;
}

uint64_t scfs_node_sequence(uint64_t ino)
{
    return ino >> KIND_BITS & ((UINT64_C(1) << SEQUENCE_BITS) - 1);
}

uint64_t scfs_node_alias(uint64_t ino, unsigned n)
{
    return ino + ((uint64_t)n << (KIND_BITS + SEQUENCE_BITS));
}

enum scfs_kind scfs_node_kind(uint64_t ino)
{
    return (enum scfs_kind)(ino & ((1u << KIND_BITS) - 1));
}

static const struct node *find(enum scfs_kind kind)
{
    for (size_t i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].kind == kind)
            return &nodes[i];
    }
    return NULL;
}

bool scfs_node_is_dir(enum scfs_kind kind)
{
    return kind == SCFS_ROOT || kind == SCFS_READER || kind == SCFS_ATTRIBUTES ||
           kind == SCFS_EVENTS || kind == SCFS_BY_ID || kind == SCFS_BY_PATH;
}

bool scfs_node_is_link(enum scfs_kind kind)
{
    return kind == SCFS_LINK_ID || kind == SCFS_LINK_PATH;
}

mode_t scfs_node_type(enum scfs_kind kind)
{
    if (scfs_node_is_dir(kind))
        return S_IFDIR;
    return scfs_node_is_link(kind) ? S_IFLNK : S_IFREG;
}

bool scfs_node_touches(enum scfs_kind kind)
{
    return kind == SCFS_CONTROL || kind == SCFS_TRANSMIT || kind == SCFS_POWER;
}

mode_t scfs_node_mode(enum scfs_kind kind, mode_t control)
{
    const struct node *node = find(kind);

    if (scfs_node_touches(kind))
        return control;
    return node != NULL ? node->mode : 0444; /* an attribute */
}

enum scfs_kind scfs_node_child(enum scfs_kind parent, const char *name)
{
    if (parent == SCFS_ATTRIBUTES) {
        for (size_t i = 0; i < scfs_attribute_count; i++) {
            if (strcmp(scfs_attributes[i].name, name) == 0)
                return (enum scfs_kind)(SCFS_ATTRIBUTE + i);
        }
        return SCFS_NONE;
    }
    for (size_t i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].parent == parent && nodes[i].name[0] != '\0' &&
            strcmp(nodes[i].name, name) == 0)
            return nodes[i].kind;
    }
    return SCFS_NONE;
}

enum scfs_kind scfs_node_nth(enum scfs_kind parent, size_t index)
{
    if (parent == SCFS_ATTRIBUTES)
        return index < scfs_attribute_count ? (enum scfs_kind)(SCFS_ATTRIBUTE + index)
                                            : SCFS_NONE;
    for (size_t i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].parent == parent && nodes[i].name[0] != '\0' && index-- == 0)
            return nodes[i].kind;
    }
    return SCFS_NONE;
}

const char *scfs_node_name(enum scfs_kind kind)
{
    const struct node *node = find(kind);

    if (kind >= SCFS_ATTRIBUTE && kind < SCFS_ATTRIBUTE + scfs_attribute_count)
        return scfs_attributes[kind - SCFS_ATTRIBUTE].name;
    return node != NULL ? node->name : "";
}

void scfs_reader_name(char name[SCFS_READER_NAME_SIZE], unsigned number)
{
    snprintf(name, SCFS_READER_NAME_SIZE, "reader%u", number);
}

bool scfs_reader_number(const char *name, unsigned *number)
{
    char spelled[SCFS_READER_NAME_SIZE];
    unsigned value = 0;

    if (strncmp(name, "reader", 6) != 0)
        return false;
    for (const char *digit = name + 6; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || value > 99999999)
            return false;
        value = value * 10 + (unsigned)(*digit - '0');
    }
    scfs_reader_name(spelled, value); /* refuses "reader" and "reader07" */
    if (strcmp(spelled, name) != 0)
        return false;
    *number = value;
    return true;
}
