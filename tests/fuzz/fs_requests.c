/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_requests.c - see fs_requests.h. */
#include "fs_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "../fs/bare.h"
#include "faults.h"
#include "fs/attributes.h"
#include "fs_work.h"

#define REQUESTS_MAX 64
#define POLLS_MAX    64
#define READERS_MAX  4

enum {
    REQUEST_OPEN,    /* file, kind, reader, flags, uid: one byte each */
    REQUEST_CLOSE,   /* file */
    REQUEST_READ,    /* file, size (two bytes), offset (one; 80h: its client does not take
                        the answer) */
    REQUEST_WRITE,   /* file, length (two bytes), bytes */
    REQUEST_CALL,    /* file, code, length of input, of output (one byte each), timeout
                        (kind), flags; input: struct scard_call in good order */
    REQUEST_SESSION, /* file, number; what follows size and version */
    REQUEST_IOCTL,   /* file, number (four bytes), length (one); any bytes */
    REQUEST_POLL,    /* file, whether it wants to be told */
    REQUEST_FLOCK,   /* file, operation */
    REQUEST_INTERRUPT, /* which request */
    REQUEST_TREE, /* lookup, getattr, readdir, readlink; kind, reader, length, name */
    REQUEST_COUNT
};

struct fs_file fs_files[FS_FILES];
static struct fs_call *calls[REQUESTS_MAX];
static unsigned call_count;
static struct fuse_pollhandle polls[POLLS_MAX];
static unsigned poll_count;

/* ---- answers ----------------------------------------------------------------------- */

static void check_answer(const struct fs_call *call)
{
    const struct fuse_req *req = &call->req;

    FUZZ_CHECK(req->answers == 1 && req->broken == 0);
    FUZZ_CHECK(req->error >= 0 && req->error < 134);
    FUZZ_CHECK(req->error != ENOSYS && req->error != EFAULT);
    FUZZ_CHECK(req->result <= 0 && req->result > -134);
    FUZZ_CHECK(req->whole <= call->most);
    if (req->error != 0)
        FUZZ_CHECK(req->whole == 0);
}

/* Those that have their answer are over. */
static void collect(void)
{
    unsigned left = 0;

    for (unsigned i = 0; i < call_count; i++) {
        if (calls[i]->req.answers == 0) {
            calls[left++] = calls[i];
            continue;
        }
        check_answer(calls[i]);
        fake_request_destroy(&calls[i]->req);
        free(calls[i]);
    }
    call_count = left;
}

/* The client is killed: there is an answer to each request of the file, now. */
static void kill_clients(int file)
{
    for (unsigned i = 0; i < call_count; i++) {
        if (calls[i]->req.answers == 0 && (file < 0 || calls[i]->file == file)) {
            fake_interrupt(&calls[i]->req);
            FUZZ_CHECK(calls[i]->req.answers == 1);
        }
    }
}

struct fs_call *fs_call_new(int file, size_t most)
{
    struct fs_call *call;

    if (call_count == REQUESTS_MAX)
        return NULL;
    fuzz_faults_pause();
    call = malloc(sizeof *call);
    fuzz_faults_resume();
    FUZZ_CHECK(call != NULL);
    fake_request_init(&call->req);
    call->req.userdata = &bare_fs;
    call->req.context.pid = 100 + file;
    call->req.context.uid = file >= 0 ? fs_files[file].uid : 0;
    call->file = file;
    call->most = most;
    calls[call_count++] = call;
    return call;
}

/* ---- files ------------------------------------------------------------------------- */

static uint64_t ino_of_input(struct fuzz_input *in)
{
    const uint8_t kind = fuzz_u8(in), reader = fuzz_u8(in);
    const uint64_t sequence = reader % (READERS_MAX + 1);

    if (kind >= SCFS_ATTRIBUTE && kind < SCFS_ATTRIBUTE + scfs_attribute_count)
        return scfs_node_ino(sequence, (enum scfs_kind)kind);
    if (sequence == 0)
        return scfs_node_ino(0, (enum scfs_kind)(SCFS_ROOT + kind % 7));
    return scfs_node_ino(sequence, (enum scfs_kind)(SCFS_READER + kind % 17));
}

/* The kernel opens no link and nothing that is not there. */
static bool is_openable(uint64_t ino)
{
    const enum scfs_kind kind = scfs_node_kind(ino);

    return !scfs_node_is_link(kind) &&
           (kind < SCFS_READER) == (scfs_node_sequence(ino) == 0) &&
           (kind <= SCFS_BY_PATH || kind >= SCFS_READER);
}

static void open_file(struct fuzz_input *in)
{
    struct fs_file *file = &fs_files[fuzz_u8(in) % FS_FILES];
    const uint64_t ino = ino_of_input(in);
    const uint8_t flags = fuzz_u8(in), uid = fuzz_u8(in);
    struct fs_call *call;

    if (file->open || !is_openable(ino))
        return;
    file->uid = uid % 3 == 0 ? 0 : 1000 + uid % 3u;
    file->ino = ino;
    file->info = (struct fuse_file_info){.flags = (flags & 1   ? O_RDWR
                                                   : flags & 2 ? O_WRONLY
                                                               : O_RDONLY) |
                                                  (flags & 4 ? O_NONBLOCK : 0)};
    call = fs_call_new((int)(file - fs_files), sizeof file->info);
    if (call == NULL)
        return;
    scfs_ops.open(&call->req, ino, &file->info);
    FUZZ_CHECK(call->req.answers == 1);
    file->open = call->req.error == 0;
}

/* The kernel releases a file when nothing of it runs. */
static void close_file(int index)
{
    struct fs_file *file = &fs_files[index];
    struct fs_call *call;

    if (!file->open)
        return;
    kill_clients(index);
    collect();
    call = fs_call_new(-1, 0);
    if (call == NULL)
        return;
    file->open = false;
    scfs_ops.release(&call->req, file->ino, &file->info);
    FUZZ_CHECK(call->req.answers == 1 && call->req.error == 0);
}

static bool is_kind(int file, enum scfs_kind kind)
{
    return scfs_node_kind(fs_files[file].ino) == kind;
}

static void read_file(struct fuzz_input *in, int file)
{
    const size_t size = fuzz_u16(in);
    const off_t offset = fuzz_u8(in);
    struct fs_call *call = fs_call_new(file, size);

    if (call == NULL)
        return;
    call->req.gone = (offset & 0x80) != 0;
    scfs_ops.read(&call->req, fs_files[file].ino, size, offset & 0x7F,
                  &fs_files[file].info);
}

/* The buffer is FUSE's and is gone when the operation returns. */
static void write_file(struct fuzz_input *in, int file, bool inside)
{
    const size_t wanted = fuzz_u16(in);
    size_t len;
    uint8_t *text;
    struct fs_call *call;

    if (inside && is_kind(file, SCFS_VIRTUAL))
        return; /* it may unplug what runs */
    if ((fs_files[file].info.flags & O_ACCMODE) == O_RDONLY)
        return; /* the kernel does not let it through */
    fuzz_faults_pause();
    text = fuzz_piece(in, wanted, &len);
    fuzz_faults_resume();
    if (is_kind(file, SCFS_VIRTUAL))
        fs_work_threads(); /* it may plug, and unplug */
    call = fs_call_new(file, 0);
    if (call != NULL) {
        scfs_ops.write(&call->req, fs_files[file].ino, (const char *)text, len, 0,
                       &fs_files[file].info);
        if (call->req.answers == 1 && call->req.error == 0)
            FUZZ_CHECK(call->req.written <= len);
    }
    if (is_kind(file, SCFS_VIRTUAL))
        fs_work_no_threads();
    free(text);
}

/* ---- the rest ------------------------------------------------------------------------
 */

static void poll_file(struct fuzz_input *in, int file)
{
    const bool told = fuzz_u8(in) & 1;
    struct fs_call *call = fs_call_new(file, sizeof(unsigned));

    if (call == NULL)
        return;
    scfs_ops.poll(&call->req, fs_files[file].ino, &fs_files[file].info,
                  told && poll_count < POLLS_MAX ? &polls[poll_count++] : NULL);
    FUZZ_CHECK(call->req.answers == 1);
}

static void flock_file(struct fuzz_input *in, int file)
{
    static const int operations[] = {LOCK_EX, LOCK_EX | LOCK_NB, LOCK_SH, LOCK_UN,
                                     LOCK_SH | LOCK_NB};
    const uint8_t which = fuzz_u8(in);
    struct fs_call *call = fs_call_new(file, 0);

    if (call != NULL)
        scfs_ops.flock(&call->req, fs_files[file].ino, &fs_files[file].info,
                       operations[which % (sizeof operations / sizeof operations[0])]);
}

static void look_at_tree(struct fuzz_input *in)
{
    const uint8_t what = fuzz_u8(in);
    const uint64_t ino = ino_of_input(in);
    const uint8_t len = fuzz_u8(in);
    char name[UINT8_MAX + 1] = {0};
    struct fuse_file_info info = {0};
    struct fs_call *call = fs_call_new(-1, 8192);

    if (call == NULL)
        return;
    fuzz_read(in, name, len);
    if (what % 4 == 0)
        scfs_ops.lookup(&call->req, ino, name);
    else if (what % 4 == 1)
        scfs_ops.getattr(&call->req, ino, NULL);
    else if (what % 4 == 2 && scfs_node_is_dir(scfs_node_kind(ino)))
        scfs_ops.readdir(&call->req, ino, call->most = len * 8u, len / 16, &info);
    else
        scfs_ops.readlink(&call->req, ino);
    FUZZ_CHECK(call->req.answers == 1);
}

/* ---- all of them ------------------------------------------------------------------- */

void fs_request(struct fuzz_input *in, bool inside)
{
    const uint8_t what = fuzz_u8(in) % REQUEST_COUNT;
    int file;

    if (what == REQUEST_OPEN) {
        open_file(in);
    } else if (what == REQUEST_TREE) {
        look_at_tree(in);
    } else if (what == REQUEST_INTERRUPT) {
        const unsigned which = fuzz_u8(in);

        if (call_count > 0) {
            struct fs_call *call = calls[which % call_count];

            if (call->req.answers == 0) {
                fake_interrupt(&call->req);
                FUZZ_CHECK(call->req.answers == 1);
            }
        }
    } else {
        file = fuzz_u8(in) % FS_FILES;
        if (!fs_files[file].open)
            return;
        if (what == REQUEST_CLOSE && !inside)
            close_file(file);
        else if (what == REQUEST_READ)
            read_file(in, file);
        else if (what == REQUEST_WRITE)
            write_file(in, file, inside);
        else if (what == REQUEST_CALL)
            fs_ioctl_call(in, file);
        else if (what == REQUEST_SESSION)
            fs_ioctl_session(in, file);
        else if (what == REQUEST_IOCTL)
            fs_ioctl_any(in, file);
        else if (what == REQUEST_POLL)
            poll_file(in, file);
        else if (what == REQUEST_FLOCK)
            flock_file(in, file);
    }
    if (!inside)
        collect();
}

void fs_requests_begin(void)
{
    memset(fs_files, 0, sizeof fs_files);
    memset(polls, 0, sizeof polls);
    call_count = poll_count = 0;
}

void fs_requests_end(void)
{
    kill_clients(-1);
    collect();
    FUZZ_CHECK(call_count == 0);
    for (int i = 0; i < FS_FILES; i++)
        close_file(i);
    collect();
    for (unsigned i = 0; i < poll_count; i++)
        FUZZ_CHECK(polls[i].destroyed == 1);
}
