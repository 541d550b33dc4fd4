/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task.h - a piece of work that waits for its turn and then, in the executor, may touch
 * the card. It is part of a struct of its maker, who gives the functions.
 */
#ifndef SCFS_TASK_H
#define SCFS_TASK_H

#include "fs/internal.h"

struct scfs_task;

struct scfs_task_ops {
    /* In the executor; sends what it has to with scfs_task_send. What it returns is the
     * outcome. NULL: the turn itself is what is wanted, it becomes the holder's. */
    NTSTATUS (*run)(struct scfs_task *task);
    /*
     * Once, without a lock, unless the client was interrupted: answers task->park.req, if
     * there is one. After a failure the task may still be running: only what run does not
     * use may be touched. Not 0: nobody heard it.
     */
    int (*answer)(struct scfs_task *task, NTSTATUS status);
    /* Wipes and frees the struct; the task's own references have been given back. */
    void (*destroy)(struct scfs_task *task);
    /*
     * Interrupted while it runs; the reader's lock is held. True: it goes on, and answer
     * is called without a request when it has ended. NULL: it is cancelled.
     */
    bool (*keep)(struct scfs_task *task);
    bool ends;        /* a session: once it runs it runs to its end, heard or not */
    bool keeps_place; /* interrupted, a ghost waits in its place (turn.h) */
};

struct scfs_task {
    struct scfs_job job;
    struct scfs_turn_entry turn;
    struct scfs_park park; /* under the reader's lock */
    LIST_ENTRY link;       /* in scfs_reader.tasks, while it waits or runs */
    const struct scfs_task_ops *ops;
    struct scfs_reader *reader;
    struct scfs_handle *handle; /* NULL: work of the daemon itself */
    uid_t uid;                  /* for whom */
    bool quiet;                 /* asks the driver only: no turn, nobody becomes a user */
    bool minds_resets;          /* not for who has yet to learn of one (session.h) */
    LONG refs;                  /* atomic */

    struct scfs_request request; /* the one that was sent last */
    bool counted;                /* among the waits of its user */
    bool in_line;                /* and of its handle */
    bool sent;                   /* request may be cancelled; the reader's lock */
    bool aborted;                /* nothing more is to be sent; the reader's lock */
    bool cancel;                 /* who has taken it away cancels request */
    bool was_running;            /* when it was taken away */
    bool kept;                   /* its client was interrupted, and it goes on */
    bool over;                   /* ended while that was being settled */
    bool ran;                    /* it got a thread */
    bool changes_state;          /* it has sent more than a command for the card */
    NTSTATUS status;             /* the outcome */
};

/* The rest of the struct is the maker's. req may be NULL; a task without a handle must
 * have none. The first reference is the caller's. */
void scfs_task_init(struct scfs_task *task, const struct scfs_task_ops *ops,
                    struct scfs_reader *reader, struct scfs_handle *handle,
                    fuse_req_t req);
struct scfs_task *scfs_task_get(struct scfs_task *task);
void scfs_task_put(struct scfs_task *task);

/*
 * Brings the task on its way in this thread, which may become the executor, and answers
 * it: at once, later, or with the reason why not. Takes the reference. timeout_ms bounds
 * the wait for the turn: STATUS_IO_TIMEOUT.
 */
void scfs_task_start(struct scfs_task *task, uint32_t timeout_ms);

/*
 * The same in two steps, for who has to answer a request of his own in between. queue:
 * success, and it has its place, in the line or behind it: whatever comes later comes
 * behind it. The reference is taken then. Otherwise it is refused, and only to be put.
 * *work: the caller, who needs a reference to the reader, is its executor and has to call
 * work, which may take as long as all that is queued. Not for a task without run.
 */
NTSTATUS scfs_task_queue(struct scfs_task *task, bool *work);
void scfs_task_work(struct scfs_reader *reader);

/* Brings it on its way in another thread. */
void scfs_task_start_background(struct scfs_task *task);

/* In run: sends a device control and waits for it. STATUS_CANCELLED without sending it
 * once the task has been taken away. information may be NULL. */
NTSTATUS scfs_task_send(struct scfs_task *task, ULONG code, void *buffer, ULONG in_len,
                        ULONG out_len, ULONG *information);

/* Ends every task of the handle with STATUS_CANCELLED, of the reader (handle NULL) with
 * STATUS_DEVICE_REMOVED; running ones are cancelled. */
void scfs_task_end_all(struct scfs_reader *reader, const struct scfs_handle *handle);
/* Only those for which no request waits: their outcome was for a read. */
void scfs_task_end_unheard(struct scfs_reader *reader, const struct scfs_handle *handle);

/* The reader's turn has changed: lets in whose turn has come. in_place: this thread may
 * become the executor. */
void scfs_task_advance(struct scfs_reader *reader, bool in_place);

#endif
