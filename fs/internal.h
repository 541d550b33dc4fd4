/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - what the files of fs/ share. fs.c says how they work together.
 *
 * Locks, in the order in which they may nest: the registry's (struct scfs), a reader's,
 * an executor's, the spare's, the timer's. None is held while a driver is called or FUSE
 * is answered.
 */
#ifndef SCFS_INTERNAL_H
#define SCFS_INTERNAL_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "scard_ioctl.h"
#include "smcnt.h"
#include "smclib/io.h"

#include "fs/executor.h"
#include "fs/metrics.h"
#include "fs/naming.h"
#include "fs/node.h"
#include "fs/park.h"
#include "fs/quota.h"
#include "fs/reply.h"
#include "fs/scardfs.h"
#include "fs/spare.h"
#include "fs/text.h"
#include "fs/timer.h"
#include "fs/turn.h"

/* The longest write that comes in one piece, bytes: the longest command is 65,544, in hex
 * with blanks three times that. */
#define SCFS_WRITE_MAX 262144

/* The longest line of events and streams. */
#define SCFS_LINE_MAX 32

/* ---- the mount (fs.c, registry.c) ------------------------------------------------ */

struct scfs {
    const struct scfs_options *options;
    const struct scfs_driver *driver;
    struct fuse_session *session;
    struct scfs_timer timer;
    struct scfs_spare spare;
    struct scfs_quota quota;
    DRIVER_OBJECT driver_object;
    struct timespec started; /* the time of every file */
    LONG aliases;            /* atomic: given so far (tree.c) */

    pthread_mutex_t lock; /* the registry's: what follows, and the marked fields below */
    LIST_ENTRY
    readers; /* in the order of arrival; those that are gone and still open, too */
    uint64_t sequence; /* of the last reader */
    uint32_t changes;  /* arrivals and removals */
    struct scfs_naming naming;
    LIST_ENTRY leaving; /* readers that the driver has not let go yet */
    bool stopping;      /* nobody arrives any more */
    LIST_ENTRY handles; /* open ones */
    LIST_ENTRY waits;   /* of `changes` */
    LIST_ENTRY pollers;

    struct scfs_notifier { /* notifier.c; a lock of its own, a leaf */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        LIST_ENTRY queue;
        pthread_t thread;
        bool started, ended;
    } notifier;
    struct { /* power.c; a lock of its own, a leaf */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        unsigned busy; /* readers that are being told */
        unsigned limit_ms;
    } power;
};

void scfs_init(struct scfs *fs, const struct scfs_options *options,
               const struct scfs_driver *driver);
/* After the session: closes what clients still had open. */
void scfs_end(struct scfs *fs);
extern const struct fuse_lowlevel_ops scfs_ops;

/* ---- readers (reader.c, tracker.c, powerup.c, power.c, service.c, registry.c) ---- */

struct scfs_reader {
    LIST_ENTRY link;    /* in scfs.readers */
    LIST_ENTRY leaving; /* in scfs.leaving, between remove and left */
    struct scfs *fs;
    LONG refs;              /* atomic */
    unsigned handles;       /* open ones; the registry's lock */
    bool listed;            /* visible in the tree; the registry's lock */
    uint64_t sequence;      /* from here to access: fixed on arrival */
    unsigned number;        /* N of readerN */
    unsigned device_number; /* among those of equal names */
    PDEVICE_OBJECT device;
    FILE_OBJECT file; /* of the one IRP_MJ_CREATE */
    struct scfs_executor *executor;
    char name[SCFS_TEXT_MAX];
    struct scfs_access access; /* to the files of this reader */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool gone;
    unsigned users; /* who may use device at the moment */
    bool present;   /* what the tracker believes */
    uint32_t counter;
    struct scfs_metrics metrics; /* atomic */
    struct {
        LIST_ENTRY files; /* open ones (trace.c) */
        uint64_t id, control_id;
    } trace;
    /* The last state that was told, for events/changes. */
    struct {
        uint32_t state, counter; /* counter: of presence */
        uint32_t changes;
        bool looking, again; /* somebody is at it; and shall look once more */
    } noted;
    LIST_ENTRY waits;
    LIST_ENTRY pollers;
    struct scfs_turn turn;
    LIST_ENTRY tasks; /* that wait or run */
    struct {          /* transaction.c: while others wait for an idle holder */
        struct scfs_deadline deadline;
        bool armed;
        uint64_t idle_since_ms;
    } patience;
    struct { /* session.c */
        unsigned count;
        struct scfs_handle *exclusive; /* NULL: none is */
        uint32_t told;                 /* how it was shared when pollers last looked */
    } connections;
    struct { /* users.c: of the card that is in */
        unsigned users;
        uint32_t resets;   /* of all cards */
        bool has_last_uid; /* somebody has touched it since it was clean */
        uid_t last_uid;
        bool reset_owed; /* before anybody touches it again */
        struct scfs_deadline power_down;
    } card;

    struct {
        IRP irp;
        enum { TRACKER_IDLE, TRACKER_ARMING, TRACKER_PENDING } state;
        bool completed; /* while it was being armed */
    } tracker;

    struct scfs_powerup {
        struct scfs_job job;
        struct scfs_request {
            IRP irp;
            struct scfs_executor *executor;
            struct scfs_metrics *metrics; /* of the reader */
            bool done;                    /* the executor's lock */
        } request;
        bool queued;  /* or running */
        bool running; /* request may be cancelled */
        bool again;   /* another card came meanwhile */
        bool ran;     /* it got a thread */
        uint8_t buffer[64];
    } powerup;
    struct scfs_sleep { /* power.c */
        struct scfs_job job;
        bool wanted; /* the machine sleeps */
        bool told;   /* the driver knows; the executor's */
        bool missed; /* it slept and is awake, and the driver knows nothing */
        bool queued; /* or running */
        bool again;  /* changed since */
    } sleep;
    struct scfs_service { /* service.c */
        struct scfs_job job;
        struct scfs_deadline deadline;
        uint64_t at_ms; /* the driver wants a turn; SCFS_NEVER: it does not */
        bool queued;    /* or running */
        bool again;     /* due once more since */
        bool ran;       /* it got a thread */
    } service;
    unsigned resetting;    /* resets queued by the daemon or running */
    bool touched;          /* a client's request reached this card */
    NTSTATUS reset_status; /* of the last reset of this card; PENDING: none yet */

    char last_error[SCFS_TEXT_MAX - 128];
    struct {
        uint64_t since_ms;
        unsigned lines, suppressed;
    } log;
};

struct scfs_reader *scfs_reader_new(struct scfs *fs, PDEVICE_OBJECT device);
struct scfs_reader *scfs_reader_get(struct scfs_reader *reader);
void scfs_reader_put(struct scfs_reader *reader);
/* The device may be used until leave; false: it is gone. */
bool scfs_reader_enter(struct scfs_reader *reader);
void scfs_reader_leave(struct scfs_reader *reader);
/* Calls unplug for the device, which may make it go in this thread. */
int scfs_reader_unplug(struct scfs_reader *reader, int (*unplug)(PDEVICE_OBJECT));
/* GET_STATE; the caller has entered. */
uint32_t scfs_reader_state(struct scfs_reader *reader);
/* The state may have changed: waiters and pollers look again. */
void scfs_reader_wake(struct scfs_reader *reader);

NTSTATUS scfs_reader_arrived(struct scfs *fs, PDEVICE_OBJECT device);
void scfs_reader_gone(struct scfs *fs, PDEVICE_OBJECT device, bool surprise);

/* Keeps one tracker pending from now on. */
void scfs_tracker_run(struct scfs_reader *reader);
/* Cancels it and waits until it has completed. */
void scfs_tracker_end(struct scfs_reader *reader);

void scfs_powerup_init(struct scfs_reader *reader);
/* A card has come. True: the options want it to be reset, which scfs_powerup_start is to
 * begin, without the lock. */
bool scfs_powerup_card_arrived_locked(struct scfs_reader *reader);
void scfs_powerup_start(struct scfs_reader *reader);
void scfs_powerup_cancel(struct scfs_reader *reader);
/* Somebody wants the ATR of a card that has never had power: resets it if the options say
 * so. */
void scfs_powerup_demand(struct scfs_reader *reader);
/* The reset of a card that has come has not ended; reader's lock held. */
bool scfs_powerup_is_arriving_locked(const struct scfs_reader *reader);
/* A client's reset has ended. */
void scfs_powerup_reset_ended(struct scfs_reader *reader, NTSTATUS status);

/* The sleep of the machine (power.h). */
void scfs_power_init(struct scfs *fs);
void scfs_power_destroy(struct scfs *fs);
void scfs_power_reader_init(struct scfs_reader *reader);

/* A driver wants a turn for itself (SmcRequestService). Any thread. */
void scfs_service_request(struct scfs *fs, PDEVICE_OBJECT device, uint32_t delay_ms);
void scfs_service_reader_init(struct scfs_reader *reader);
/* The machine is awake again. */
void scfs_service_woken(struct scfs_reader *reader);
/* The reader is gone: no more turns. */
void scfs_service_end(struct scfs_reader *reader);

/* A device control that runs on the executor and can be cancelled from outside. */
void scfs_request_init(struct scfs_request *request, struct scfs_reader *reader,
                       ULONG code, void *buffer, ULONG in_len, ULONG out_len);
NTSTATUS scfs_request_run(struct scfs_request *request);

/* Numbers the reader and makes it visible; false: the daemon is stopping. */
bool scfs_registry_add(struct scfs *fs, struct scfs_reader *reader);
/* Out of the tree; the reference for the caller, who looked it up by device. */
struct scfs_reader *scfs_registry_remove(struct scfs *fs, PDEVICE_OBJECT device);
/* The driver has nothing of it any more. */
void scfs_registry_left(struct scfs_reader *reader);
/* Complains of every driver that has not let go of a reader. */
void scfs_registry_name_leaving(struct scfs *fs);
/* All of these return a reference, or NULL. */
struct scfs_reader *scfs_registry_by_number(struct scfs *fs, unsigned number);
struct scfs_reader *scfs_registry_by_sequence(struct scfs *fs, uint64_t sequence);
struct scfs_reader *scfs_registry_by_device(struct scfs *fs, PDEVICE_OBJECT device);
/* How many readers of the driver are listed; NULL: of all. */
unsigned scfs_registry_count(struct scfs *fs, const DRIVER_OBJECT *driver);
/* The first listed reader that arrived after that one. */
struct scfs_reader *scfs_registry_after(struct scfs *fs, uint64_t sequence);
/* Counts an open handle; false: the reader is gone. */
bool scfs_registry_opened(struct scfs_reader *reader);
void scfs_registry_closed(struct scfs_reader *reader);
/* The executor for a slot, with a use of it for the caller: its own if the device works
 * for several slots at once, else that of the device. NULL: no memory. */
struct scfs_executor *scfs_registry_executor(struct scfs *fs, PDEVICE_OBJECT device);
void scfs_registry_executor_put(struct scfs *fs, struct scfs_executor *executor);

/* ---- open files (handle.c) ------------------------------------------------------- */

struct scfs_handle {
    LIST_ENTRY link; /* in scfs.handles; the registry's lock */
    LONG refs;       /* atomic: the open file, and every wait of it */
    struct scfs *fs;
    struct scfs_reader *reader; /* NULL: a file of the mount itself */
    enum scfs_kind kind;
    bool may_touch;
    uid_t uid;             /* of who has opened it */
    bool counted;          /* among his open files */
    pthread_mutex_t *lock; /* the reader's or the registry's: what follows */

    struct scfs_turn_owner turn; /* of files that may touch the card */
    struct {                     /* session.c, transaction.c, users.c */
        pid_t pid;               /* of who has opened it */
        char label[SCARD_LABEL_MAX + 1];
        uint32_t share;     /* SCARD_SHARE_MODE_*, of a CONNECT under way, too; or 0 */
        uint32_t connected; /* the mode of the last CONNECT that has succeeded; or 0 */
        unsigned claim;     /* a number for each time that share was set */
        bool tells;         /* the connection hears of resets by others */
        uint32_t resets;    /* of the card, that it knows of */
        uint32_t card;      /* that its connection or transaction is about; 0: none yet */
        uint32_t used;      /* the card that it is a user of; 0: none */
        unsigned waiting;   /* requests that wait for its turn */
        bool taken;         /* its transaction was taken away, and it does not know */
    } session;

    char text[SCFS_TEXT_MAX]; /* text files: the snapshot */
    size_t text_len;
    struct scfs_trace *trace; /* `trace` */
    char *snapshot;           /* `metrics` */
    size_t snapshot_len;
    struct { /* `control`, `state`: what was read last (poll.c) */
        uint32_t state, counter, sharing;
        bool arriving;
        bool shared;  /* sharing has been read, by INFO */
        bool settled; /* it does not want to hear of a card before its first reset */
    } seen;

    struct scfs_reply reply; /* `control`, `transmit` (exchange.h) */
    LIST_ENTRY reads;        /* that wait for it */

    char line[SCFS_LINE_MAX]; /* events and streams: what is being delivered */
    size_t line_len, line_pos;
    bool delivered; /* events: EOF is next; streams: the first line is out */
    uint32_t seen_changes;

    LIST_ENTRY poll_link;
    struct fuse_pollhandle *poll;
};

/* NULL with errno: ENOMEM, or ENODEV. The reader may be NULL. */
struct scfs_handle *scfs_handle_new(struct scfs *fs, struct scfs_reader *reader,
                                    enum scfs_kind kind, int flags);
struct scfs_handle *scfs_handle_get(struct scfs_handle *handle);
void scfs_handle_put(struct scfs_handle *handle);
/* The file has been closed. */
void scfs_handle_release(struct scfs_handle *handle);

/* ---- what files say (content.c) -------------------------------------------------- */

/* The text of a file now; its length or -errno. Never waits. */
int scfs_content(struct scfs_handle *handle, char *out, size_t size);
/* Whether the reader has the attribute now. */
bool scfs_attribute_exists(struct scfs_reader *reader, enum scfs_kind kind);
/* Answers a read of a text file. */
void scfs_content_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                       off_t off);

/* ---- metrics.c ------------------------------------------------------------------- */

/* No more of them are asked of a driver. */
#define SCFS_DEVICE_COUNTERS_MAX 32

/* The whole text, to be freed; NULL: no memory. */
char *scfs_metrics_text(struct scfs *fs, size_t *len);
/* Answers a read of `metrics`. */
void scfs_metrics_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                       off_t off);

/* ---- waiting (wait.c, poll.c) ---------------------------------------------------- */

/* Answers a read of events/... or `changes`, now or later. */
void scfs_wait_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                    bool nonblock);
/* The same for `atr`, which waits for a reset that is under way. */
void scfs_wait_atr(fuse_req_t req, struct scfs_handle *handle, size_t size, off_t off,
                   bool nonblock);
/* The same for `trace`, which has bytes and no lines. */
void scfs_wait_trace(fuse_req_t req, struct scfs_handle *handle, size_t size,
                     bool nonblock);
/* Answers IS_PRESENT or IS_ABSENT. */
void scfs_wait_call(fuse_req_t req, struct scfs_handle *handle,
                    const struct scard_call *header);
/* Ends the calls above that this handle has: ECANCELED. */
void scfs_wait_cancel(struct scfs_handle *handle);
/* Answers those whose time has come; with an error, all of them. */
void scfs_wait_wake(pthread_mutex_t *lock, LIST_ENTRY *waits, int error);
/* A read would not block. The handle's lock is held. */
bool scfs_wait_ready_locked(const struct scfs_handle *handle);

/* The state has been read; shared: and who is connected. The handle's lock is held. */
void scfs_poll_seen_locked(struct scfs_handle *handle, uint32_t state, bool shared);
void scfs_poll(fuse_req_t req, struct scfs_handle *handle, struct fuse_pollhandle *poll);
void scfs_poll_wake(pthread_mutex_t *lock, LIST_ENTRY *pollers);
/* The same for one handle. */
void scfs_poll_wake_handle(struct scfs_handle *handle);
void scfs_poll_forget(struct scfs_handle *handle);

/* ---- control and virtual (control.c, call.c, virtual_file.c) --------------------- */

/* in is this thread's until the return; what it holds of a command is wiped as soon as
 * it is not needed. */
void scfs_control_ioctl(fuse_req_t req, struct scfs_handle *handle, unsigned cmd,
                        void *in, size_t in_size);
/* Answers with the status, its errno and so many bytes behind the header. */
void scfs_control_answer(fuse_req_t req, struct scard_call *call, NTSTATUS status,
                         ULONG information);
/* Brings a card-touching request to the reader; header and input are copied. */
void scfs_call_start(fuse_req_t req, struct scfs_handle *handle,
                     const struct scard_call *header, uint8_t *input);

/* Runs the lines of a write; the number of bytes taken or -errno. */
ssize_t scfs_virtual_write(struct scfs *fs, const char *text, size_t len);

/* ---- what the kernel is told (notifier.c) ------------------------------------------ */

void scfs_notifier_init(struct scfs *fs);
/* The reader's directory is not there any more. Any thread. */
void scfs_notifier_gone(struct scfs_reader *reader);
/* From now on nobody is told. */
void scfs_notifier_silence(struct scfs *fs);
/* Afterwards: while the mount is still served, and after all that must not wait for a
 * client. */
void scfs_notifier_end(struct scfs *fs);
void scfs_notifier_destroy(struct scfs *fs);

/* ---- the tree (tree.c) ----------------------------------------------------------- */

void scfs_tree_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void scfs_tree_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void scfs_tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi);
void scfs_tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi);
void scfs_tree_readlink(fuse_req_t req, fuse_ino_t ino);

/* ---- log (log.c) ----------------------------------------------------------------- */

void scfs_log_open(bool foreground);
/* Takes what libfuse says from now on. Before the mount is served it speaks to who starts
 * it, and in pieces of lines. lost: it had no memory for a request, of which nobody but
 * it knows what it was; called in its thread. */
void scfs_log_libfuse(void (*lost)(void *context), void *context);
/* priority of syslog(3). */
void scfs_log(int priority, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of a driver; remembered as the reader's last error when it is one. */
void scfs_log_driver(struct scfs *fs, PDEVICE_OBJECT device, NTSTATUS status,
                     const char *text);
/* Says how many lines of the reader's driver were left out. It is gone already. */
void scfs_log_left_out(struct scfs_reader *reader);

#endif
