/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_fuse.h - requests without a kernel: in a program that links fake_fuse.c, libfuse's
 * fuse_req_interrupt_func, fuse_reply_err, fuse_reply_ioctl, fuse_reply_buf,
 * fuse_reply_poll (its events as bytes), fuse_reply_write, fuse_lowlevel_notify_poll and
 * fuse_pollhandle_destroy are these; likewise fuse_reply_open, fuse_reply_entry,
 * fuse_reply_attr, fuse_reply_readlink (what they say as bytes), fuse_req_userdata and
 * fuse_req_ctx.
 *
 * As in libfuse, the interrupt function is called with the request's lock held, at once
 * when the interrupt was there first, and setting another waits for one that runs.
 */
#ifndef FAKE_FUSE_H
#define FAKE_FUSE_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_REPLY_MAX 256

struct fuse_req {
    pthread_mutex_t lock;
    fuse_interrupt_func_t func;
    void *data;
    bool interrupted;
    bool setting;       /* inside fuse_req_interrupt_func */
    unsigned broken;    /* rules of libfuse that were broken */
    pthread_mutex_t at; /* guards what follows */
    pthread_cond_t changed;
    bool calling; /* the interrupt function is about to be called, or runs */
    unsigned answers;
    int error;                          /* of fuse_reply_err */
    int result;                         /* of fuse_reply_ioctl */
    bool gone;                          /* to be set: answers are not accepted */
    size_t written;                     /* of fuse_reply_write */
    void (*then)(struct fuse_req *req); /* what the client does once it has returned */
    size_t whole;                       /* bytes of the answer; len of them are kept */
    size_t len;
    uint8_t reply[FAKE_REPLY_MAX];
    void *userdata; /* to be set, like context */
    struct fuse_ctx context;
};

/* What poll leaves with the daemon. */
struct fuse_pollhandle {
    unsigned notified, destroyed;
};

void fake_request_init(struct fuse_req *req);
void fake_request_destroy(struct fuse_req *req);
/* What FUSE_INTERRUPT does. */
void fake_interrupt(struct fuse_req *req);
/* Waits until the interrupt function is being called, until there is an answer. */
void fake_wait_calling(struct fuse_req *req);
void fake_wait_answer(struct fuse_req *req);

#endif
