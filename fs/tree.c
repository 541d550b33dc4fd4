/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.c - lookup, attributes and listing. Nothing is cached by the kernel (timeouts of
 * 0), so a reader that is gone is gone at once. Offsets in the root's listing are those
 * of arrival, so that a listing survives readers that come and go meanwhile.
 */
#include "fs/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_READER_OFFSET 64 /* behind the fixed entries of the root */

static struct scfs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
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

/* False: its reader is gone. */
static bool fill_stat(struct scfs *fs, fuse_ino_t ino, struct stat *st)
{
    const struct scfs_access *access = &fs->options->access;
    enum scfs_kind kind = scfs_node_kind(ino);
    struct scfs_reader *reader;

    if (!reader_of(fs, ino, &reader))
        return false;
    if (reader != NULL)
        access = &reader->access;
    *st = (struct stat){0};
    st->st_ino = ino;
    st->st_mode = scfs_node_mode(kind, access->mode);
    st->st_mode |= scfs_node_is_dir(kind) ? S_IFDIR : S_IFREG;
    st->st_nlink = scfs_node_is_dir(kind) ? 2 : 1;
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

static fuse_ino_t find(struct scfs *fs, fuse_ino_t parent, const char *name)
{
    struct scfs_reader *reader;
    enum scfs_kind kind = scfs_node_child(scfs_node_kind(parent), name);
    fuse_ino_t ino = 0;
    unsigned number;

    if (kind != SCFS_NONE) {
        if (!reader_of(fs, parent, &reader))
            return 0;
        if (is_there(fs, reader, kind))
            ino = scfs_node_ino(scfs_node_sequence(parent), kind);
    } else {
        reader = NULL;
        if (scfs_node_kind(parent) == SCFS_ROOT && scfs_reader_number(name, &number))
            reader = scfs_registry_by_number(fs, number);
        if (reader != NULL)
            ino = scfs_node_ino(reader->sequence, SCFS_READER);
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
    fuse_reply_entry(req, &entry);
}

void scfs_tree_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    (void)fi;
    if (fill_stat(fs_of(req), ino, &st))
        fuse_reply_attr(req, &st, 0);
    else
        fuse_reply_err(req, ENODEV);
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
    struct stat st = {.st_ino = ino,
                      .st_mode = scfs_node_is_dir(kind) ? S_IFDIR : S_IFREG};
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

static void list_readers(struct scfs *fs, off_t off, struct listing *listing)
{
    uint64_t sequence =
        off > FIRST_READER_OFFSET ? (uint64_t)(off - FIRST_READER_OFFSET) : 0;
    struct scfs_reader *reader;
    bool room = true;

    while (room && (reader = scfs_registry_after(fs, sequence)) != NULL) {
        char name[SCFS_READER_NAME_SIZE];

        sequence = reader->sequence;
        scfs_reader_name(name, reader->number);
        room = add(listing, name, scfs_node_ino(sequence, SCFS_READER),
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
        bool room = off >= FIRST_READER_OFFSET && scfs_node_kind(ino) == SCFS_ROOT
                        ? true
                        : list_fixed(fs, reader, ino, off, &listing);

        if (room && scfs_node_kind(ino) == SCFS_ROOT)
            list_readers(fs, off, &listing);
        fuse_reply_buf(req, listing.buffer, listing.used);
    }
    free(listing.buffer);
    if (reader != NULL)
        scfs_reader_put(reader);
}
