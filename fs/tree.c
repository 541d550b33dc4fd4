/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.c - lookup, attributes, links and listing. The kernel asks for readers and
 * links each time, so a reader that is gone is gone at once, and the link that another
 * reader gets by its going is there. Offsets in the listing of readers, or of links to
 * them, are those of arrival, so that a listing survives readers that come and go
 * meanwhile.
 */
#include "fs/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/links.h"

#define FIRST_READER_OFFSET 64 /* behind the fixed entries of a directory */
#define STAY_S              3600
#define LINK_TARGET_SIZE    (SCFS_READER_NAME_SIZE + 3)

static struct scfs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/*
 * What the kernel may keep. Attributes are those of the day the reader arrived, but for
 * the root's count of directories. Names in a reader's directory are there as long as it
 * is, and it is looked up each time; those of attributes come and go with the card, and
 * each look-up of a file that may be written gives another inode.
 */
static double attributes_stay_s(enum scfs_kind kind)
{
    return kind == SCFS_ROOT ? 0 : STAY_S;
}

static double name_stays_s(enum scfs_kind kind)
{
    bool fixed = kind < SCFS_ATTRIBUTE && kind != SCFS_READER &&
                 !scfs_node_touches(kind) && !scfs_node_is_link(kind);

    return fixed ? STAY_S : 0;
}

/* The reader of an inode, with a reference; true without one for the mount's own. */
static bool reader_of(struct scfs *fs, fuse_ino_t ino, struct scfs_reader **reader)
{
    uint64_t sequence = scfs_node_sequence(ino);

    *reader = NULL;
    if (sequence == 0)
        return true;
    *reader = scfs_registry_by_sequence(fs, sequence);
    return *reader != NULL;
}

/* Directories count their subdirectories. */
static nlink_t link_count(struct scfs *fs, enum scfs_kind kind)
{
    enum scfs_kind child;
    nlink_t count = scfs_node_is_dir(kind) ? 2 : 1;

    for (size_t i = 0; (child = scfs_node_nth(kind, i)) != SCFS_NONE; i++)
        count += scfs_node_is_dir(child);
    return kind == SCFS_ROOT ? count + scfs_registry_count(fs, NULL) : count;
}

/* What links of by-id and by-path say. Returns its length. */
static size_t link_target(char target[LINK_TARGET_SIZE], const struct scfs_reader *reader)
{
    char name[SCFS_READER_NAME_SIZE];

    scfs_reader_name(name, reader->number);
    return (size_t)snprintf(target, LINK_TARGET_SIZE, "../%s", name);
}

/* False: its reader is gone. */
static bool fill_stat(struct scfs *fs, fuse_ino_t ino, struct stat *st)
{
    const struct scfs_access *access = &fs->options->access;
    enum scfs_kind kind = scfs_node_kind(ino);
    static const struct scfs_access nobody_but_root = {.uid = 0, .gid = 0};
    char target[LINK_TARGET_SIZE];
    struct scfs_reader *reader;

    if (!reader_of(fs, ino, &reader))
        return false;
    if (reader != NULL)
        access = &reader->access;
    *st = (struct stat){0};
    st->st_ino = scfs_node_ino(scfs_node_sequence(ino), kind);
    st->st_mode = scfs_node_mode(kind, access->mode);
    st->st_mode |= scfs_node_type(kind);
    if (kind == SCFS_TRACE)
        access = &nobody_but_root;
    st->st_nlink = link_count(fs, kind);
    if (scfs_node_is_link(kind))
        st->st_size = (off_t)link_target(target, reader);
    st->st_uid = access->uid;
    st->st_gid = access->gid;
    st->st_atim = st->st_mtim = st->st_ctim = fs->started;
    if (reader != NULL)
        scfs_reader_put(reader);
    return true;
}

/* Whether a child that the tables know is there for this reader, or this mount. */
static bool is_there(struct scfs *fs, struct scfs_reader *reader, enum scfs_kind kind)
{
    if (kind == SCFS_VIRTUAL)
        return fs->options->with_virtual;
    return kind < SCFS_ATTRIBUTE || scfs_attribute_exists(reader, kind);
}

/* What a directory has for each reader: its directory, or a link to it. */
static enum scfs_kind kind_in(enum scfs_kind directory)
{
    switch (directory) {
    case SCFS_ROOT:
        return SCFS_READER;
    case SCFS_BY_ID:
        return SCFS_LINK_ID;
    case SCFS_BY_PATH:
        return SCFS_LINK_PATH;
    default:
        return SCFS_NONE;
    }
}

static struct scfs_reader *named(struct scfs *fs, enum scfs_kind kind, const char *name)
{
    unsigned number;

    if (scfs_node_is_link(kind))
        return scfs_link_find(fs, kind, name);
    if (kind == SCFS_READER && scfs_reader_number(name, &number))
        return scfs_registry_by_number(fs, number);
    return NULL;
}

static fuse_ino_t find(struct scfs *fs, fuse_ino_t parent, const char *name)
{
    struct scfs_reader *reader;
    enum scfs_kind kind = scfs_node_child(scfs_node_kind(parent), name);
    fuse_ino_t ino = 0;

    if (kind != SCFS_NONE) {
        if (!reader_of(fs, parent, &reader))
            return 0;
        if (is_there(fs, reader, kind))
            ino = scfs_node_ino(scfs_node_sequence(parent), kind);
    } else {
        kind = kind_in(scfs_node_kind(parent));
        reader = named(fs, kind, name);
        if (reader != NULL)
            ino = scfs_node_ino(reader->sequence, kind);
    }
    if (reader != NULL)
        scfs_reader_put(reader);
    return ino;
}

void scfs_tree_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct scfs *fs = fs_of(req);
    struct fuse_entry_param entry = {.generation = 1};

    if (strlen(name) > NAME_MAX) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    entry.ino = find(fs, parent, name);
    if (entry.ino == 0 || !fill_stat(fs, entry.ino, &entry.attr)) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    entry.attr_timeout = attributes_stay_s(scfs_node_kind(entry.ino));
    entry.entry_timeout = name_stays_s(scfs_node_kind(entry.ino));
    /* The kernel lets one write at a time into an inode, and those behind it wait where
     * no signal reaches them. A write of `power` may take long, and any write as long as
     * the memory that it is from does not come: each open has its own. */
    if (scfs_node_touches(scfs_node_kind(entry.ino)))
        entry.ino =
            scfs_node_alias(entry.ino, (unsigned)InterlockedIncrement(&fs->aliases));
    fuse_reply_entry(req, &entry);
}

void scfs_tree_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    (void)fi;
    if (fill_stat(fs_of(req), ino, &st))
        fuse_reply_attr(req, &st, attributes_stay_s(scfs_node_kind(ino)));
    else
        fuse_reply_err(req, ENODEV);
}

void scfs_tree_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[LINK_TARGET_SIZE];
    struct scfs_reader *reader;

    if (!scfs_node_is_link(scfs_node_kind(ino))) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    if (!reader_of(fs_of(req), ino, &reader) || reader == NULL) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    link_target(target, reader);
    scfs_reader_put(reader);
    fuse_reply_readlink(req, target);
}

/* `>` truncates and `touch` sets times: both are nothing here. */
void scfs_tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    (void)attr;
    if ((to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0)
        fuse_reply_err(req, EPERM);
    else
        scfs_tree_getattr(req, ino, fi);
}

/* ---- listing --------------------------------------------------------------------- */

struct listing {
    fuse_req_t req;
    char *buffer;
    size_t size, used;
};

/* False: full. next is the offset behind this entry. */
static bool add(struct listing *listing, const char *name, fuse_ino_t ino, off_t next)
{
    enum scfs_kind kind = scfs_node_kind(ino);
    struct stat st = {.st_ino = ino, .st_mode = scfs_node_type(kind)};
    size_t len = fuse_add_direntry(listing->req, listing->buffer + listing->used,
                                   listing->size - listing->used, name, &st, next);

    if (len > listing->size - listing->used)
        return false;
    listing->used += len;
    return true;
}

static bool list_fixed(struct scfs *fs, struct scfs_reader *reader, fuse_ino_t dir,
                       off_t off, struct listing *listing)
{
    static const char *const dots[] = {".", ".."};
    enum scfs_kind kind;

    for (; off < 2; off++) {
        if (!add(listing, dots[off], dir, off + 1))
            return false;
    }
    while ((kind = scfs_node_nth(scfs_node_kind(dir), (size_t)off - 2)) != SCFS_NONE) {
        fuse_ino_t ino = scfs_node_ino(scfs_node_sequence(dir), kind);

        off++;
        if (is_there(fs, reader, kind) && !add(listing, scfs_node_name(kind), ino, off))
            return false;
    }
    return true;
}

static void list_readers(struct scfs *fs, enum scfs_kind kind, off_t off,
                         struct listing *listing)
{
    uint64_t sequence =
        off > FIRST_READER_OFFSET ? (uint64_t)(off - FIRST_READER_OFFSET) : 0;
    struct scfs_reader *reader;
    bool room = true;

    while (room && (reader = scfs_registry_after(fs, sequence)) != NULL) {
        char name[SCFS_LINK_NAME_SIZE];
        bool has_name = true;

        sequence = reader->sequence;
        if (kind == SCFS_READER)
            scfs_reader_name(name, reader->number);
        else
            has_name = scfs_link_of(reader, kind, name);
        if (has_name)
            room = add(listing, name, scfs_node_ino(sequence, kind),
                       (off_t)(sequence + FIRST_READER_OFFSET));
        scfs_reader_put(reader);
    }
}

void scfs_tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    struct scfs *fs = fs_of(req);
    struct listing listing = {.req = req};
    struct scfs_reader *reader;

    (void)fi;
    if (off < 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    if (!reader_of(fs, ino, &reader)) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    listing.size = size < 65536 ? size : 65536;
    listing.buffer = malloc(listing.size);
    if (listing.buffer == NULL) {
        fuse_reply_err(req, ENOMEM);
    } else {
        enum scfs_kind kind = kind_in(scfs_node_kind(ino));

        if (list_fixed(fs, reader, ino, off, &listing) && kind != SCFS_NONE)
            list_readers(fs, kind, off, &listing);
        fuse_reply_buf(req, listing.buffer, listing.used);
    }
    free(listing.buffer);
    if (reader != NULL)
        scfs_reader_put(reader);
}
