/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-operations.c - the operations of the mount, as libfuse calls them, over the fake
 * driver and without a kernel: what the kernel would not ask for is refused, and what
 * there is no memory for is told of and leaves nothing behind. The linker sends malloc
 * and calloc here (--wrap).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fake_fuse.h"
#include "fs/node.h"

#define SIZE    256
#define FOREVER SCARD_TIMEOUT_INFINITE

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

/* Of this thread: the allocation that fails, counted from 1; 0: none. */
static _Thread_local unsigned failing, asked;

static bool no_memory(void)
{
    if (failing == 0 || ++asked != failing)
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_calloc(count, size);
}

/* ---- open files ------------------------------------------------------------------- */

static uint64_t ino_of(enum scfs_kind kind)
{
    return scfs_node_ino(kind < SCFS_READER ? 0 : bare_reader->sequence, kind);
}

static void request_init(struct fuse_req *req)
{
    fake_request_init(req);
    req->userdata = &bare_fs;
}

/* What it is answered, perhaps by the reader's thread: 0 or errno. */
static int outcome(struct fuse_req *req)
{
    fake_wait_answer(req);
    assert_int_equal(req->answers, 1);
    assert_int_equal(req->broken, 0);
    return req->error != 0 ? req->error : -req->result;
}

static int ended(struct fuse_req *req)
{
    int error = outcome(req);

    fake_request_destroy(req);
    return error;
}

static int open_file(enum scfs_kind kind, int flags, uid_t uid, struct fuse_file_info *fi)
{
    struct fuse_req req;

    request_init(&req);
    req.context.uid = uid;
    *fi = (struct fuse_file_info){.flags = flags};
    scfs_ops.open(&req, ino_of(kind), fi);
    return ended(&req);
}

static void close_file(struct fuse_file_info *fi)
{
    struct fuse_req req;

    request_init(&req);
    scfs_ops.release(&req, 0, fi);
    assert_int_equal(ended(&req), 0);
}

static int read_at(struct fuse_file_info *fi, off_t off)
{
    struct fuse_req req;

    request_init(&req);
    scfs_ops.read(&req, 0, SIZE, off, fi);
    return ended(&req);
}

static int setup(void **state)
{
    (void)state;
    failing = asked = 0;
    return bare_begin(false) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    failing = 0;
    bare_end();
    return 0;
}

/* ---- what the kernel does not ask for --------------------------------------------- */

static void test_files_are_no_directories_and_the_other_way_round(void **state)
{
    struct fuse_file_info fi = {0};
    struct fuse_req req;

    (void)state;
    assert_int_equal(open_file(SCFS_READER, O_RDONLY, 0, &fi), EISDIR);
    assert_int_equal(open_file(SCFS_BY_ID, O_RDONLY, 0, &fi), EISDIR);
    request_init(&req);
    scfs_ops.opendir(&req, ino_of(SCFS_ATR), &fi);
    assert_int_equal(ended(&req), ENOTDIR);
    request_init(&req);
    scfs_ops.readlink(&req, ino_of(SCFS_ATR));
    assert_int_equal(ended(&req), EINVAL);
    request_init(&req);
    scfs_ops.readlink(&req, scfs_node_ino(0, SCFS_LINK_ID)); /* of no reader */
    assert_int_equal(ended(&req), ENOENT);
}

static void test_offset_before_the_start_is_refused(void **state)
{
    static const enum scfs_kind files[] = {SCFS_VERSION, SCFS_STATE, SCFS_METRICS};
    struct fuse_file_info fi;
    struct fuse_req req;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(open_file(files[i], O_RDONLY, 0, &fi), 0);
        assert_int_equal(read_at(&fi, -1), EINVAL);
        assert_int_equal(read_at(&fi, 0), 0);
        close_file(&fi);
    }
    request_init(&req);
    scfs_ops.readdir(&req, ino_of(SCFS_READER), SIZE, -1, &fi);
    assert_int_equal(ended(&req), EINVAL);
}

static void test_metrics_from_the_middle_have_nothing_before_a_beginning(void **state)
{
    struct fuse_file_info fi;
    struct fuse_req req;

    (void)state;
    assert_int_equal(open_file(SCFS_METRICS, O_RDONLY, 0, &fi), 0);
    for (int i = 0; i < 2; i++) {
        request_init(&req);
        scfs_ops.read(&req, 0, 1, 1, &fi);
        assert_int_equal(outcome(&req), 0);
        assert_int_equal(req.len, i);
        fake_request_destroy(&req);
        assert_int_equal(read_at(&fi, 0), 0); /* the beginning makes the text */
    }
    close_file(&fi);
}

static void test_trace_is_for_root_whatever_its_mode(void **state)
{
    struct fuse_file_info fi;

    (void)state;
    assert_int_equal(open_file(SCFS_TRACE, O_RDONLY, 1000, &fi), EACCES);
    assert_int_equal(open_file(SCFS_TRACE, O_RDONLY, 0, &fi), 0);
    close_file(&fi);
}

static void test_file_that_is_only_read_is_not_written(void **state)
{
    char text[] = "a";
    struct fuse_file_info fi;
    struct fuse_req req;

    (void)state;
    assert_int_equal(open_file(SCFS_ATR, O_WRONLY, 0, &fi), EACCES);
    assert_int_equal(open_file(SCFS_ATR, O_RDONLY, 0, &fi), 0);
    request_init(&req);
    scfs_ops.write(&req, 0, text, sizeof text, 0, &fi);
    assert_int_equal(ended(&req), EOPNOTSUPP);
    close_file(&fi);
}

static void test_virtual_reads_as_an_empty_file(void **state)
{
    struct fuse_file_info fi;
    struct fuse_req req;

    (void)state;
    assert_int_equal(open_file(SCFS_VIRTUAL, O_RDWR, 0, &fi), 0);
    request_init(&req);
    scfs_ops.read(&req, 0, SIZE, 0, &fi);
    assert_int_equal(outcome(&req), 0);
    assert_int_equal(req.len, 0);
    fake_request_destroy(&req);
    close_file(&fi);
}

static void test_file_that_was_opened_for_nobody_is_closed(void **state)
{
    struct fuse_file_info fi = {.flags = O_RDWR};
    struct fuse_req req;

    (void)state;
    request_init(&req);
    req.gone = true; /* who opened it is dead: nobody will release it */
    scfs_ops.open(&req, ino_of(SCFS_CONTROL), &fi);
    assert_int_equal(ended(&req), 0);
    assert_true(IsListEmpty(&bare_fs.handles));
}

static void test_long_names_are_refused_and_writes_are_limited(void **state)
{
    struct fuse_conn_info connection = {.max_write = 1u << 20};
    char name[NAME_MAX + 2];
    struct fuse_req req;

    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    request_init(&req);
    scfs_ops.lookup(&req, ino_of(SCFS_READER), name);
    assert_int_equal(ended(&req), ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    request_init(&req);
    scfs_ops.lookup(&req, ino_of(SCFS_READER), name);
    assert_int_equal(ended(&req), ENOENT);
    scfs_ops.init(NULL, &connection);
    assert_int_equal(connection.max_write, SCFS_WRITE_MAX);
    connection.max_write = 4096;
    scfs_ops.init(NULL, &connection);
    assert_int_equal(connection.max_write, 4096);
}

static unsigned events(enum scfs_kind kind)
{
    struct fuse_file_info fi;
    struct fuse_req req;
    unsigned result;

    assert_int_equal(open_file(kind, O_RDONLY, 0, &fi), 0);
    request_init(&req);
    scfs_ops.poll(&req, 0, &fi, NULL);
    assert_int_equal(outcome(&req), 0);
    memcpy(&result, req.reply, sizeof result);
    fake_request_destroy(&req);
    close_file(&fi);
    return result;
}

static void test_poll_of_what_never_waits_is_ready(void **state)
{
    (void)state;
    assert_int_equal(events(SCFS_ATR), POLLIN | POLLRDNORM);
    assert_int_equal(events(SCFS_METRICS), POLLIN | POLLRDNORM);
    assert_int_equal(events(SCFS_STATE), POLLIN | POLLRDNORM);
    assert_int_equal(events(SCFS_EVENTS_ABSENT), 0);
    assert_int_equal(events(SCFS_VIRTUAL), POLLOUT | POLLWRNORM);
    assert_int_equal(events(SCFS_POWER), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}

/* ---- directories ------------------------------------------------------------------ */

/* Reads it through a buffer of that size, from offset to offset; how many entries. */
static unsigned entries(enum scfs_kind kind, size_t size)
{
    unsigned count = 0;
    off_t off = 0;

    for (;;) {
        struct fuse_file_info fi = {0};
        struct fuse_req req;
        size_t at = 0;

        request_init(&req);
        scfs_ops.readdir(&req, ino_of(kind), size, off, &fi);
        assert_int_equal(outcome(&req), 0);
        assert_true(req.whole <= size);
        assert_int_equal(req.whole, req.len);
        fake_request_destroy(&req);
        if (req.len == 0)
            return count;
        while (at < req.len) { /* struct fuse_dirent: ino, off, namelen, type, name */
            uint64_t next;
            uint32_t name_len;

            memcpy(&next, req.reply + at + 8, sizeof next);
            memcpy(&name_len, req.reply + at + 16, sizeof name_len);
            at += (24 + name_len + 7) & ~(size_t)7;
            off = (off_t)next;
            count++;
        }
    }
}

static void test_directory_is_the_same_through_a_buffer_of_any_size(void **state)
{
    static const enum scfs_kind folders[] = {SCFS_ROOT, SCFS_READER, SCFS_EVENTS,
                                             SCFS_ATTRIBUTES, SCFS_BY_PATH};

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        unsigned whole = entries(folders[i], SIZE);

        assert_true(whole > 2);
        /* room for one name, for two, ... */
        for (size_t size = 64; size < SIZE; size += 24)
            assert_int_equal(entries(folders[i], size), whole);
    }
    assert_int_equal(entries(SCFS_ROOT, 8), 0); /* no room for any */
}

/* ---- no memory -------------------------------------------------------------------- */

struct request {
    enum scfs_kind kind;
    int flags;
    void (*ask)(struct fuse_req *req, struct fuse_file_info *fi);
};

static void ask_open(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct fuse_file_info another = {.flags = O_RDONLY};

    (void)fi;
    scfs_ops.open(req, ino_of(SCFS_TRACE), &another);
    if (another.fh != 0)
        close_file(&another);
}

static void ask_read(struct fuse_req *req, struct fuse_file_info *fi)
{
    scfs_ops.read(req, 0, SIZE, 0, fi);
}

static void ask_readdir(struct fuse_req *req, struct fuse_file_info *fi)
{
    scfs_ops.readdir(req, ino_of(SCFS_ROOT), SIZE, 0, fi);
}

static void ask_flock(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct fuse_req unlock;

    scfs_ops.flock(req, 0, fi, LOCK_EX | LOCK_NB);
    if (failing > asked || failing == 0) { /* it was had */
        request_init(&unlock);
        failing = 0;
        scfs_ops.flock(&unlock, 0, fi, LOCK_UN);
        assert_int_equal(ended(&unlock), 0);
    }
}

static void ask_power(struct fuse_req *req, struct fuse_file_info *fi)
{
    scfs_ops.write(req, 0, "cold", 4, 0, fi);
}

static void ask_ioctl(struct fuse_req *req, struct fuse_file_info *fi, unsigned cmd,
                      void *call, size_t size)
{
    scfs_ops.ioctl(req, 0, cmd, NULL, fi, 0, call, size, size);
}

static void ask_call(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_call call = {.size = sizeof call,
                              .version = 1,
                              .code = IOCTL_SMARTCARD_GET_PERF_CNTR,
                              .timeout_ms = FOREVER};

    ask_ioctl(req, fi, SCARD_IOC_CALL(sizeof call), &call, sizeof call);
}

static void ask_wait(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_call call = {.size = sizeof call,
                              .version = 1,
                              .code = IOCTL_SMARTCARD_IS_PRESENT,
                              .timeout_ms = FOREVER};

    ask_ioctl(req, fi, SCARD_IOC_CALL(sizeof call), &call, sizeof call);
}

static void ask_connect(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_connect call = {.size = sizeof call,
                                 .version = 1,
                                 .share = SCARD_SHARE_MODE_SHARED,
                                 .protocols = SCARD_PROTOCOL_Tx,
                                 .timeout_ms = FOREVER};

    ask_ioctl(req, fi, SCARD_IOC_CONNECT, &call, sizeof call);
}

static void ask_disconnect(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_disconnect call = {
        .size = sizeof call, .version = 1, .disposition = SCARD_DISPOSITION_RESET};
    const unsigned n = failing;

    failing = 0;
    request_init(req);
    ask_connect(req, fi);
    assert_int_equal(ended(req), 0);
    request_init(req);
    failing = n;
    ask_ioctl(req, fi, SCARD_IOC_DISCONNECT, &call, sizeof call);
}

static void ask_begin(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_begin call = {.size = sizeof call, .version = 1, .timeout_ms = FOREVER};

    ask_ioctl(req, fi, SCARD_IOC_BEGIN, &call, sizeof call);
}

static void ask_end(struct fuse_req *req, struct fuse_file_info *fi)
{
    struct scard_end call = {
        .size = sizeof call, .version = 1, .disposition = SCARD_DISPOSITION_RESET};
    const unsigned n = failing;
    struct fuse_req begin;

    failing = 0;
    request_init(&begin);
    ask_begin(&begin, fi);
    assert_int_equal(ended(&begin), 0);
    failing = n;
    ask_ioctl(req, fi, SCARD_IOC_END, &call, sizeof call);
}

static void ask_write(struct fuse_req *req, struct fuse_file_info *fi)
{
    char apdu[] = "\0\xa4\4";

    scfs_ops.write(req, 0, apdu, 4, 0, fi);
}

static void ask_write_text(struct fuse_req *req, struct fuse_file_info *fi)
{
    char apdu[] = "00a40400";

    scfs_ops.write(req, 0, apdu, 8, 0, fi);
}

static const struct request requests[] = {
    {SCFS_VERSION, O_RDONLY, ask_open},
    {SCFS_VERSION, O_RDONLY, ask_readdir},
    {SCFS_METRICS, O_RDONLY, ask_read},
    {SCFS_CONTROL, O_RDWR, ask_call},
    {SCFS_CONTROL, O_RDWR, ask_wait},
    {SCFS_CONTROL, O_RDWR, ask_connect},
    {SCFS_CONTROL, O_RDWR, ask_disconnect},
    {SCFS_CONTROL, O_RDWR, ask_begin},
    {SCFS_CONTROL, O_RDWR, ask_end},
    {SCFS_POWER, O_RDWR, ask_power},
    {SCFS_EVENTS_PRESENT, O_RDONLY | O_NONBLOCK, ask_read},
    {SCFS_TRACE, O_RDONLY | O_NONBLOCK, ask_read},
    {SCFS_CONTROL, O_RDWR, ask_flock},
};

/* Every allocation fails in turn; returns how many there are. */
static unsigned without_memory(const struct request *request)
{
    for (unsigned n = 1;; n++) {
        struct fuse_file_info fi;
        struct fuse_req req;
        bool failed;

        assert_int_equal(open_file(request->kind, request->flags, 0, &fi), 0);
        request_init(&req);
        asked = 0;
        failing = n;
        request->ask(&req, &fi);
        failed = failing != 0 && asked >= n;
        failing = 0;
        if (failed && outcome(&req) != ENOMEM)
            fail_msg("%s: allocation %u: %s", scfs_node_name(request->kind), n,
                     strerror(outcome(&req)));
        if (!failed && outcome(&req) == ENOMEM)
            fail_msg("%s: no memory, and there was", scfs_node_name(request->kind));
        fake_request_destroy(&req);
        close_file(&fi);
        if (!failed)
            return n - 1;
    }
}

static void test_request_without_memory_says_so_and_the_next_one_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (without_memory(&requests[i]) == 0)
            fail_msg("request %zu needs no memory", i);
    }
    assert_true(IsListEmpty(&bare_fs.handles));
}

/* Of the work itself it may be the answer that tells, later. */
static void written_without_memory(enum scfs_kind kind,
                                   void (*ask)(struct fuse_req *,
                                               struct fuse_file_info *))
{
    unsigned n = 1;
    bool failed = true;

    for (; failed; n++) {
        struct fuse_file_info fi;
        struct fuse_req req;
        int written, got;

        assert_int_equal(open_file(kind, O_RDWR, 0, &fi), 0);
        request_init(&req);
        asked = 0;
        failing = n;
        ask(&req, &fi);
        failed = asked >= n;
        failing = 0;
        written = ended(&req);
        if (failed && written != 0) {
            assert_int_equal(written, ENOMEM);
        } else {
            got = read_at(&fi, 0);
            assert_int_equal(got, failed ? ENOMEM : 0);
        }
        close_file(&fi);
    }
    assert_true(n > 3);
}

static void test_command_without_memory_is_not_lost_in_silence(void **state)
{
    struct fuse_file_info fi;
    struct fuse_req req;

    (void)state;
    written_without_memory(SCFS_CONTROL, ask_write);
    written_without_memory(SCFS_TRANSMIT, ask_write_text);

    /* The answer waits for a read that has memory. */
    assert_int_equal(open_file(SCFS_TRANSMIT, O_RDWR, 0, &fi), 0);
    request_init(&req);
    ask_write_text(&req, &fi);
    assert_int_equal(ended(&req), 0);
    asked = 0;
    failing = 1;
    assert_int_equal(read_at(&fi, 0), ENOMEM);
    failing = 0;
    assert_int_equal(read_at(&fi, 0), 0);
    close_file(&fi);
}

/* ---- the reader goes -------------------------------------------------------------- */

static void test_file_of_a_reader_that_is_gone_says_so(void **state)
{
    static const enum scfs_kind kinds[] = {SCFS_CONTROL, SCFS_STATE, SCFS_TRACE};
    struct fuse_file_info files[3];
    struct scard_info info = {.size = sizeof info, .version = 1};
    struct fuse_file_info fi;
    struct fuse_req req;
    unsigned result;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(open_file(kinds[i], O_RDONLY, 0, &files[i]), 0);
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    assert_int_equal(open_file(SCFS_CONTROL, O_RDWR, 0, &fi), ENODEV);
    assert_null(scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR));
    assert_int_equal(errno, ENODEV);
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), -ENODEV);
    request_init(&req);
    scfs_ops.poll(&req, 0, &files[0], NULL);
    memcpy(&result, req.reply, sizeof result);
    assert_int_equal(ended(&req), 0);
    assert_int_equal(result, POLLERR | POLLHUP);
    request_init(&req);
    ask_ioctl(&req, &files[0], SCARD_IOC_INFO, &info, sizeof info);
    assert_int_equal(outcome(&req), ENODEV);
    memcpy(&info, req.reply, sizeof info);
    assert_int_equal(info.status, STATUS_DEVICE_REMOVED);
    fake_request_destroy(&req);
    assert_int_equal(read_at(&files[1], 0), ENODEV);
    for (int i = 0; i < 3; i++)
        close_file(&files[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_files_are_no_directories_and_the_other_way_round),
        CASE(test_offset_before_the_start_is_refused),
        CASE(test_metrics_from_the_middle_have_nothing_before_a_beginning),
        CASE(test_trace_is_for_root_whatever_its_mode),
        CASE(test_file_that_is_only_read_is_not_written),
        CASE(test_virtual_reads_as_an_empty_file),
        CASE(test_file_that_was_opened_for_nobody_is_closed),
        CASE(test_long_names_are_refused_and_writes_are_limited),
        CASE(test_poll_of_what_never_waits_is_ready),
        CASE(test_directory_is_the_same_through_a_buffer_of_any_size),
        CASE(test_request_without_memory_says_so_and_the_next_one_works),
        CASE(test_command_without_memory_is_not_lost_in_silence),
        CASE(test_file_of_a_reader_that_is_gone_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
