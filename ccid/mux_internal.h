/* SPDX-License-Identifier: BSD-2-Clause */
/* mux_internal.h - the inside of the mux: mux.c keeps order, mux_lane.c transfers. */
#ifndef CCID_MUX_INTERNAL_H
#define CCID_MUX_INTERNAL_H

#include <pthread.h>

#include "ccid/mux.h"
#include "ccid/mux_table.h"

struct mux_lane {
    struct ccid_mux *mux;
    uint8_t index;
    /* Under the lock. */
    bool cancelled;
    bool lost; /* a reset of the device has taken the command away */
};

/* One of the bulk endpoints. */
struct mux_pipe {
    struct mux_lane *user; /* whose thread is in bulk_in or bulk_out */
    bool back;             /* from there, and needs no hold any more */
    bool held;             /* it was asked to come back */
    unsigned holders;      /* threads that are in ops->hold */
};

struct ccid_mux {
    struct ccid_usb_port inner;
    size_t packet;

    pthread_mutex_t lock; /* a leaf lock over all below */
    pthread_cond_t changed;
    bool gone;
    struct ccid_mux_table table;
    struct mux_pipe pipes[2]; /* by enum ccid_usb_pipe */
    struct mux_lane *pausing; /* brings its slot back in step: no other begins */
    struct mux_lane *alone;   /* has found the pipes broken: no other transfers */

    /* The Bulk-IN message that has been read in part. */
    struct mux_lane *owner; /* who gets it; NULL: the rest, if any, is dropped */
    uint64_t left;          /* bytes that it still promises */
    uint8_t *box;           /* its first packet */
    size_t box_len;
    bool box_full; /* which the owner has not taken yet */

    struct mux_lane lanes[CCID_SLOTS_MAX];
};

static inline struct mux_lane *mux_lane_of(struct ccid_usb *usb)
{
    return (struct mux_lane *)(void *)usb;
}

extern const struct ccid_usb_ops mux_lane_ops;

uint64_t mux_now_ms(struct ccid_mux *mux);

/* ---- mux.c, all with the lock held ------------------------------------------------ */

/* CCID_USB_OK, or why the lane can do nothing now. */
enum ccid_usb_result mux_obstacle_locked(const struct mux_lane *lane);
void mux_wait_locked(struct ccid_mux *mux, uint64_t deadline_ms);
/* Makes the user of a pipe, if there is one, come back; the lock is let go on the way. */
void mux_interrupt_locked(struct ccid_mux *mux, enum ccid_usb_pipe pipe);
/* The lane is the user of a free pipe, and ends to be: true if it was interrupted. */
void mux_enter_locked(struct mux_lane *lane, enum ccid_usb_pipe pipe);
bool mux_leave_locked(struct mux_lane *lane, enum ccid_usb_pipe pipe);
/* The lane does not want the rest of its message. */
void mux_abandon_locked(struct mux_lane *lane);
/* Nobody but the lane is in a transfer, or begins one, until mux_alone_end_locked. */
enum ccid_usb_result mux_alone_locked(struct mux_lane *lane);
void mux_alone_end_locked(struct ccid_mux *mux);

/* ---- mux_transfer.c, without the lock ---------------------------------------------- */

/* What a lane has been asked to do. */
struct mux_job {
    struct mux_lane *lane;
    struct ccid_mux *mux;
    uint64_t deadline_ms;
    uint64_t patience_ms;
    /* Of a read. */
    uint8_t *in;
    size_t size;
    size_t got;
};

struct mux_job mux_job_new(struct ccid_usb *usb, uint32_t timeout_ms);
enum ccid_usb_result mux_send(struct mux_job *job, const uint8_t *out, size_t len);
/* A message from its beginning, or from where the last call has left it. */
enum ccid_usb_result mux_receive(struct mux_job *job);

#endif
