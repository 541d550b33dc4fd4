/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_fuse.c - requests without a kernel. */
#include "fake_fuse.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

void fake_request_init(struct fuse_req *req)
{
    pthread_mutexattr_t checking;

    memset(req, 0, sizeof *req);
    pthread_mutexattr_init(&checking);
    pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&req->lock, &checking);
    pthread_mutexattr_destroy(&checking);
    pthread_mutex_init(&req->at, NULL);
    pthread_cond_init(&req->changed, NULL);
}

void fake_request_destroy(struct fuse_req *req)
{
    pthread_cond_destroy(&req->changed);
    pthread_mutex_destroy(&req->at);
    pthread_mutex_destroy(&req->lock);
}

static void set_calling(struct fuse_req *req, bool calling)
{
    pthread_mutex_lock(&req->at);
    req->calling = calling;
    pthread_cond_broadcast(&req->changed);
    pthread_mutex_unlock(&req->at);
}

static void call(struct fuse_req *req)
{
    set_calling(req, true);
    req->func(req, req->data);
    set_calling(req, false);
}

void fake_interrupt(struct fuse_req *req)
{
    pthread_mutex_lock(&req->lock);
    req->interrupted = true;
    if (req->func != NULL)
        call(req);
    pthread_mutex_unlock(&req->lock);
}

void fake_wait_calling(struct fuse_req *req)
{
    pthread_mutex_lock(&req->at);
    while (!req->calling)
        pthread_cond_wait(&req->changed, &req->at);
    pthread_mutex_unlock(&req->at);
}

void fake_wait_answer(struct fuse_req *req)
{
    pthread_mutex_lock(&req->at);
    while (req->answers == 0)
        pthread_cond_wait(&req->changed, &req->at);
    pthread_mutex_unlock(&req->at);
}

/* ---- what libfuse has ------------------------------------------------------------ */

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
    if (pthread_mutex_lock(&req->lock) != 0) {
        req->broken++; /* from inside the interrupt function: libfuse would hang */
        return;
    }
    req->setting = true;
    req->func = func;
    req->data = data;
    if (req->interrupted && func != NULL)
        call(req);
    req->setting = false;
    pthread_mutex_unlock(&req->lock);
}

static int answer(struct fuse_req *req, int error, int result, const void *reply,
                  size_t len)
{
    int accepted; /* who has waited for it may destroy req */

    pthread_mutex_lock(&req->at);
    req->broken += req->setting; /* libfuse would use the request after it was freed */
    req->answers++;
    req->error = error;
    req->result = result;
    req->whole = len;
    req->len = len < FAKE_REPLY_MAX ? len : FAKE_REPLY_MAX;
    if (len > 0)
        memcpy(req->reply, reply, req->len);
    accepted = req->gone ? -ENOENT : 0;
    pthread_cond_broadcast(&req->changed);
    pthread_mutex_unlock(&req->at);
    return accepted;
}

int fuse_reply_err(fuse_req_t req, int error)
{
    return answer(req, error, 0, NULL, 0);
}

int fuse_reply_ioctl(fuse_req_t req, int result, const void *reply, size_t len)
{
    return answer(req, 0, result, reply, len);
}

int fuse_reply_buf(fuse_req_t req, const char *reply, size_t len)
{
    return answer(req, 0, 0, reply, len);
}

int fuse_reply_poll(fuse_req_t req, unsigned events)
{
    return fuse_reply_buf(req, (const char *)&events, sizeof events);
}

int fuse_reply_write(fuse_req_t req, size_t count)
{
    void (*then)(struct fuse_req *) = req->then;
    int result;

    req->written = count;
    result = answer(req, 0, 0, NULL, 0);
    if (then != NULL)
        then(req);
    return result;
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *file)
{
    return fuse_reply_buf(req, (const char *)file, sizeof *file);
}

int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
    return fuse_reply_buf(req, (const char *)entry, sizeof *entry);
}

int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double timeout)
{
    (void)timeout;
    return fuse_reply_buf(req, (const char *)attr, sizeof *attr);
}

int fuse_reply_readlink(fuse_req_t req, const char *target)
{
    return fuse_reply_buf(req, target, strlen(target));
}

void *fuse_req_userdata(fuse_req_t req)
{
    return req->userdata;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
    return &req->context;
}

int fuse_lowlevel_notify_poll(struct fuse_pollhandle *poll)
{
    poll->notified++;
    return 0;
}

void fuse_pollhandle_destroy(struct fuse_pollhandle *poll)
{
    poll->destroyed++;
}
