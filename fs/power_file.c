/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * power_file.c - writes of the file `power`: cold, warm, off. The write waits for its
 * turn and for the reader, and its result is what came of it; what is read of the file is
 * content.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/exchange.h"
#include "fs/sequence.h"
#include "fs/task.h"

struct power_write {
    struct scfs_task task;
    uint32_t minor;
    size_t size;
    bool nonblock;
};

static struct power_write *write_of(struct scfs_task *task)
{
    return CONTAINING_RECORD(task, struct power_write, task);
}

static NTSTATUS run(struct scfs_task *task)
{
    return scfs_sequence_power(task, write_of(task)->minor);
}

static int answer(struct scfs_task *task, NTSTATUS status)
{
    struct power_write *power = write_of(task);

    if (NT_SUCCESS(status))
        return fuse_reply_write(task->park.req, power->size);
    if (power->nonblock && status == STATUS_IO_TIMEOUT && !task->ran)
        return fuse_reply_err(task->park.req, EAGAIN); /* it would have had to wait */
    return fuse_reply_err(task->park.req, smc_status_errno(status));
}

static void destroy(struct scfs_task *task)
{
    free(write_of(task));
}

static const struct scfs_task_ops power_ops = {
    .run = run,
    .answer = answer,
    .destroy = destroy,
};

static bool parse(const char *text, size_t size, uint32_t *minor)
{
    static const struct {
        const char *word;
        uint32_t minor;
    } words[] = {
        {"cold", SCARD_COLD_RESET},
        {"warm", SCARD_WARM_RESET},
        {"off", SCARD_POWER_DOWN},
    };

    if (size > 0 && text[size - 1] == '\n')
        size--;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (size == strlen(words[i].word) && memcmp(text, words[i].word, size) == 0) {
            *minor = words[i].minor;
            return true;
        }
    }
    return false;
}

void scfs_power_file_write(fuse_req_t req, struct scfs_handle *handle, const char *text,
                           size_t size, bool nonblock)
{
    struct power_write *power;
    uint32_t minor;

    if (!parse(text, size, &minor)) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    power = calloc(1, sizeof *power);
    if (power == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    power->minor = minor;
    power->size = size;
    power->nonblock = nonblock;
    scfs_task_init(&power->task, &power_ops, handle->reader, handle, req);
    scfs_task_start(&power->task, nonblock ? 0 : SCARD_TIMEOUT_INFINITE);
}
