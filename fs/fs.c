/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs.c - the operations of the mount.
 *
 * THEORY
 *
 * fs/ is I/O manager and resource manager at once: it turns file operations into IRPs and
 * is the only one that sends them. Below it is a driver that it knows by its dispatch
 * routines alone.
 *
 * Readers. A reader exists from arrived (started, opened once with IRP_MJ_CREATE, listed)
 * to gone (unlisted, everything on it ended, cleaned up, closed, removed). References
 * keep its memory, `users` its device. A handle never reaches another reader than the one
 * it was opened on, and a number is not given again while a handle knows it.
 *
 * Requests. No handler sleeps. Either it answers at once (text files; what the library
 * answers alone, under its spin lock), or it parks the request (park.c: waits, wait.c;
 * tasks, task.c), which is answered exactly once: by its event, an
 * interrupt, its limit, or the end of its reader. The one thread per physical reader (per
 * slot of one that works for several at once) that may block in the driver is its
 * executor (executor.c): the FUSE thread that brought a call to an idle reader.
 * max_threads is far above the number of readers, so executors never use up the threads
 * of the mount.
 *
 * Work that touches the card is a task (task.c): in line -> queued -> running -> done. In
 * line for its reader's turn (turn.c) or queued for its thread it can be withdrawn by
 * anybody (interrupt, limit, removal). Running, the client can be answered early, and the
 * IRP is cancelled; it ends unheard. Calls, written commands, transactions
 * (transaction.c) and connections (connection.c) are tasks.
 *
 * Presence. tracker.c keeps one tracker pending and counts changes; every waiter is one
 * of fs on that one tracker; changes of the state are looked for whenever something has
 * run that may have made one (scfs_reader_wake). powerup.c resets a card that has come;
 * power.c tells the drivers that the machine sleeps.
 *
 * Locks: registry -> reader -> executor -> timer; none is held across a driver call, a
 * FUSE answer or a notification.
 *
 * Deliberately not done: caching of contents by the kernel (files change by themselves),
 * inotify (it does not see changes of a server; poll does; notifier.c has the exception),
 * forget (nodes have no state of their own).
 */
#include "fs/exchange.h"
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h> /* struct fuse_open_out */

static struct scfs_handle *handle_of(const struct fuse_file_info *fi)
{
    return (struct scfs_handle *)(uintptr_t)fi->fh;
}

/* Each of libfuse's threads has a buffer for the longest write; ours are short. Writes of
 * io_submit(2) would be among the dozen requests "in the background" that the kernel has
 * out at once, which no signal ends, and a close behind them would not be heard of. */
static void op_init(void *userdata, struct fuse_conn_info *connection)
{
    (void)userdata;
    connection->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
    if (connection->max_write > SCFS_WRITE_MAX)
        connection->max_write = SCFS_WRITE_MAX;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    if (!scfs_node_is_dir(scfs_node_kind(ino))) {
        fuse_reply_err(req, ENOTDIR);
        return;
    }
    fi->fh = 0;
    fuse_reply_open(req, fi);
}

/* On `control` a read that waits must not hold up a write of the same open file: libfuse
 * has no field for that. */
static int reply_open(fuse_req_t req, struct fuse_file_info *fi, enum scfs_kind kind)
{
    struct fuse_open_out stream = {
        .fh = fi->fh,
        .open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM,
    };

    fi->direct_io = 1;
    if (kind == SCFS_CONTROL)
        return fuse_reply_buf(req, (const char *)&stream, sizeof stream);
    return fuse_reply_open(req, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct scfs *fs = fuse_req_userdata(req);
    enum scfs_kind kind = scfs_node_kind(ino);
    uint64_t sequence = scfs_node_sequence(ino);
    struct scfs_reader *reader = NULL;
    struct scfs_handle *handle;

    if (scfs_node_is_dir(kind)) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    /* The kernel lets root pass without looking at the mode. */
    if ((fi->flags & O_ACCMODE) != O_RDONLY && !scfs_node_touches(kind) &&
        kind != SCFS_VIRTUAL) {
        fuse_reply_err(req, EACCES);
        return;
    }
    if (kind == SCFS_TRACE && fuse_req_ctx(req)->uid != 0) {
        fuse_reply_err(req, EACCES); /* whatever the mode has come to */
        return;
    }
    if (sequence != 0) {
        reader = scfs_registry_by_sequence(fs, sequence);
        if (reader == NULL) {
            fuse_reply_err(req, ENODEV);
            return;
        }
    }
    handle = scfs_handle_new(fs, reader, kind, fi->flags);
    if (handle == NULL) {
        fuse_reply_err(req, errno);
    } else {
        handle->uid = fuse_req_ctx(req)->uid;
        handle->session.pid = fuse_req_ctx(req)->pid;
        handle->counted = scfs_quota_take(&fs->quota, handle->uid, SCFS_QUOTA_HANDLES);
        fi->fh = (uintptr_t)handle;
        if (!handle->counted) {
            scfs_handle_release(handle);
            fuse_reply_err(req, ENFILE);
        } else if (reply_open(req, fi, kind) != 0) { /* nobody will release it */
            scfs_handle_release(handle);
        }
    }
    if (reader != NULL)
        scfs_reader_put(reader);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    scfs_handle_release(handle_of(fi));
    fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct scfs_handle *handle = handle_of(fi);
    bool nonblock = (fi->flags & O_NONBLOCK) != 0;

    (void)ino;
    switch (handle->kind) {
    case SCFS_CONTROL:
    case SCFS_TRANSMIT:
        scfs_exchange_read(req, handle, size, nonblock);
        return;
    case SCFS_VIRTUAL:
        fuse_reply_buf(req, NULL, 0);
        return;
    case SCFS_CHANGES:
    case SCFS_EVENTS_PRESENT:
    case SCFS_EVENTS_ABSENT:
    case SCFS_EVENTS_CHANGES:
        scfs_wait_read(req, handle, size, nonblock);
        return;
    case SCFS_TRACE:
        scfs_wait_trace(req, handle, size, nonblock);
        return;
    case SCFS_METRICS:
        scfs_metrics_read(req, handle, size, off);
        return;
    case SCFS_ATR:
        scfs_wait_atr(req, handle, size, off, nonblock);
        return;
    default:
        scfs_content_read(req, handle, size, off);
        return;
    }
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size,
                     off_t off, struct fuse_file_info *fi)
{
    struct scfs_handle *handle = handle_of(fi);
    char *buffer = (char *)(uintptr_t)text; /* this thread's until we return */
    ssize_t done;

    (void)ino;
    (void)off;
    switch (handle->kind) {
    case SCFS_CONTROL:
        scfs_exchange_write(req, handle, buffer, size);
        return;
    case SCFS_TRANSMIT:
        scfs_transmit_write(req, handle, buffer, size);
        return;
    case SCFS_POWER:
        scfs_power_file_write(req, handle, text, size, (fi->flags & O_NONBLOCK) != 0);
        return;
    case SCFS_VIRTUAL:
        done = scfs_virtual_write(handle->fs, text, size);
        break;
    default:
        done = -EOPNOTSUPP;
        break;
    }
    RtlSecureZeroMemory(buffer, size); /* perhaps digits that a user types */
    if (done < 0)
        fuse_reply_err(req, (int)-done);
    else
        fuse_reply_write(req, (size_t)done);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *argument,
                     struct fuse_file_info *fi, unsigned flags, const void *in,
                     size_t in_size, size_t out_size)
{
    (void)ino;
    (void)argument;
    (void)out_size; /* the same as in_size for what we take */
    if ((flags & FUSE_IOCTL_DIR) == 0 && handle_of(fi)->kind == SCFS_CONTROL) {
        scfs_control_ioctl(req, handle_of(fi), cmd, (void *)(uintptr_t)in, in_size);
        return;
    }
    if (in_size > 0) /* meant for a card, perhaps */
        RtlSecureZeroMemory((void *)(uintptr_t)in, in_size);
    fuse_reply_err(req, ENOTTY);
}

static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                    struct fuse_pollhandle *poll)
{
    (void)ino;
    scfs_poll(req, handle_of(fi), poll);
}

/* ---- what nobody may do ---------------------------------------------------------- */

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device)
{
    (void)parent, (void)name, (void)mode, (void)device;
    fuse_reply_err(req, EPERM);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)parent, (void)name, (void)mode;
    fuse_reply_err(req, EPERM);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                       const char *name)
{
    (void)target, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

/* Left to the kernel, locks of other files would succeed and mean nothing. */
static void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                     int operation)
{
    enum scfs_kind kind = handle_of(fi)->kind;

    (void)ino;
    if (kind == SCFS_CONTROL || kind == SCFS_TRANSMIT)
        scfs_transaction_flock(req, handle_of(fi), operation);
    else
        fuse_reply_err(req, EOPNOTSUPP);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                      fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    (void)parent, (void)name, (void)new_parent, (void)new_name, (void)flags;
    fuse_reply_err(req, EPERM);
}

const struct fuse_lowlevel_ops scfs_ops = {
    .init = op_init,
    .lookup = scfs_tree_lookup,
    .getattr = scfs_tree_getattr,
    .setattr = scfs_tree_setattr,
    .opendir = op_opendir,
    .readdir = scfs_tree_readdir,
    .readlink = scfs_tree_readlink,
    .open = op_open,
    .release = op_release,
    .read = op_read,
    .write = op_write,
    .ioctl = op_ioctl,
    .poll = op_poll,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_unlink,
    .rename = op_rename,
    .symlink = op_symlink,
    .link = op_link,
    .flock = op_flock,
};

void scfs_init(struct scfs *fs, const struct scfs_options *options,
               const struct scfs_driver *driver)
{
    *fs = (struct scfs){.options = options, .driver = driver};
    pthread_mutex_init(&fs->lock, NULL);
    InitializeListHead(&fs->readers);
    InitializeListHead(&fs->leaving);
    InitializeListHead(&fs->handles);
    InitializeListHead(&fs->waits);
    InitializeListHead(&fs->pollers);
    scfs_timer_init(&fs->timer, scfs_clock_ms);
    scfs_spare_init(&fs->spare);
    scfs_quota_init(&fs->quota, options->handles_max, options->waits_max);
    scfs_notifier_init(fs);
    scfs_power_init(fs);
    clock_gettime(CLOCK_REALTIME, &fs->started);
}

void scfs_end(struct scfs *fs)
{
    /* Nobody else is left, and there will be no RELEASE for these. */
    while (!IsListEmpty(&fs->handles))
        scfs_handle_release(
            CONTAINING_RECORD(fs->handles.Flink, struct scfs_handle, link));
    scfs_spare_end(&fs->spare);
    scfs_quota_destroy(&fs->quota);
    scfs_power_destroy(fs);
    scfs_notifier_destroy(fs);
    pthread_mutex_destroy(&fs->lock);
}
