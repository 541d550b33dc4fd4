/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_requests.h - requests to fs in the place of the kernel's, and what must come of
 * each: one answer, with an errno that a program may see, no longer than was asked for;
 * at once when its client is killed.
 */
#ifndef TESTS_FUZZ_FS_REQUESTS_H
#define TESTS_FUZZ_FS_REQUESTS_H

#include "../fs/fake_fuse.h"
#include "fs/internal.h"
#include "fuzz.h"

#define FS_FILES 8

/* An open file. */
struct fs_file {
    bool open;
    uint64_t ino;
    struct fuse_file_info info;
    uid_t uid;
};

extern struct fs_file fs_files[FS_FILES];

/* A request and its client. */
struct fs_call {
    struct fuse_req req;
    int file;    /* -1: none */
    size_t most; /* bytes that the answer may have */
};

/* NULL: too many wait. */
struct fs_call *fs_call_new(int file, size_t most);

/* Readers are those of bare.h; all is closed. */
void fs_requests_begin(void);
/* Kills every client, closes every file, and checks that all has been answered. */
void fs_requests_end(void);

/* One request of the input: which, on which file, what it says. inside: within a call of
 * the driver, where a reader cannot be unplugged. */
void fs_request(struct fuzz_input *in, bool inside);

/* ---- fs_ioctl.c: what REQUEST_CALL, _SESSION and _IOCTL take (fs_requests.c) ---------
 */

void fs_ioctl_call(struct fuzz_input *in, int file);
void fs_ioctl_session(struct fuzz_input *in, int file);
void fs_ioctl_any(struct fuzz_input *in, int file);

#endif
