/* SPDX-License-Identifier: BSD-2-Clause */
/* node.h - the names, kinds and inode numbers of the tree. Pure. */
#ifndef SCFS_NODE_H
#define SCFS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a node is. Together with the sequence number of its reader it is the inode. */
enum scfs_kind {
    SCFS_NONE = 0,
    SCFS_ROOT = 1, /* FUSE_ROOT_ID */
    SCFS_VERSION,
    SCFS_CHANGES,
    SCFS_VIRTUAL,
    SCFS_METRICS,
    SCFS_BY_ID,
    SCFS_BY_PATH,
    SCFS_READER = 16,
    SCFS_CONTROL,
    SCFS_TRANSMIT,
    SCFS_POWER,
    SCFS_STATE,
    SCFS_ATR,
    SCFS_NAME,
    SCFS_OWNER,
    SCFS_RESETS,
    SCFS_LAST_ERROR,
    SCFS_ATTRIBUTES,
    SCFS_EVENTS,
    SCFS_EVENTS_PRESENT,
    SCFS_EVENTS_ABSENT,
    SCFS_EVENTS_CHANGES,
    SCFS_TRACE,
    SCFS_LINK_ID, /* of the reader, in by-id */
    SCFS_LINK_PATH,
    SCFS_ATTRIBUTE = 64, /* + index in scfs_attributes */
};

#define SCFS_READER_NAME_SIZE 20

/*
 * sequence counts the readers since the start, from 1 (0: the nodes of the mount itself),
 * so that no inode is ever used twice.
 */
uint64_t scfs_node_ino(uint64_t sequence, enum scfs_kind kind);
uint64_t scfs_node_sequence(uint64_t ino);
enum scfs_kind scfs_node_kind(uint64_t ino);

/* The same node under another inode number; the number of those is limited, and they come
 * round again. */
uint64_t scfs_node_alias(uint64_t ino, unsigned n);

bool scfs_node_is_dir(enum scfs_kind kind);
bool scfs_node_is_link(enum scfs_kind kind);
/* S_IFDIR, S_IFLNK or S_IFREG. */
mode_t scfs_node_type(enum scfs_kind kind);

/* Files that touch the card: `control` and the like. */
bool scfs_node_touches(enum scfs_kind kind);

/* Permission bits; control is those of the files that touch the card. */
mode_t scfs_node_mode(enum scfs_kind kind, mode_t control);

/* The child of that name; SCFS_NONE without. Readers are children by another way. */
enum scfs_kind scfs_node_child(enum scfs_kind parent, const char *name);

/* The child with that index, from 0; SCFS_NONE behind the last. */
enum scfs_kind scfs_node_nth(enum scfs_kind parent, size_t index);

/* The last part of the path of a node; "" for the root and for a reader. */
const char *scfs_node_name(enum scfs_kind kind);

/* "reader7" and back; no other spelling of the number is accepted. */
void scfs_reader_name(char name[SCFS_READER_NAME_SIZE], unsigned number);
bool scfs_reader_number(const char *name, unsigned *number);

#endif
