/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.c - open files of one reader, and the calls that their clients make. */
#include "clients.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fs/session.h"

struct scfs_handle *client[CLIENTS];
struct fuse_req req[CLIENTS];

static struct scfs_handle *open_as(uid_t uid)
{
    struct scfs_handle *handle =
        scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);

    assert_non_null(handle);
    handle->uid = uid;
    handle->session.pid = 100 + (pid_t)uid;
    return handle;
}

struct scfs_options *clients_options(void)
{
    return (struct scfs_options *)(uintptr_t)bare_fs.options;
}

int clients_begin(void **state)
{
    (void)state;
    if (!bare_begin(false))
        return -1;
    for (int i = 0; i < CLIENTS; i++) {
        client[i] = open_as(1000);
        fake_request_init(&req[i]);
    }
    return 0;
}

void client_close(int i)
{
    if (client[i] != NULL)
        scfs_handle_release(client[i]);
    client[i] = NULL;
}

int clients_end(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        client_close(i);
    bare_end();
    for (int i = 0; i < CLIENTS; i++)
        fake_request_destroy(&req[i]);
    return 0;
}

/* ---- requests -------------------------------------------------------------------- */

void client_fresh(int i)
{
    fake_request_destroy(&req[i]);
    fake_request_init(&req[i]);
}

int client_answer(int i)
{
    if (req[i].answers == 0)
        return -1;
    assert_int_equal(req[i].answers, 1);
    assert_int_equal(req[i].broken, 0);
    return req[i].error != 0 ? req[i].error : -req[i].result;
}

int client_begin(int i, uint32_t timeout_ms)
{
    struct scard_begin call = {
        .size = sizeof call, .version = 1, .timeout_ms = timeout_ms, .label = "te\nst"};

    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_BEGIN, &call, sizeof call);
    return client_answer(i);
}

int client_end(int i, uint32_t disposition)
{
    struct scard_end call = {
        .size = sizeof call, .version = 1, .disposition = disposition};

    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_END, &call, sizeof call);
    return client_answer(i);
}

int client_lock(int i, int operation)
{
    client_fresh(i);
    scfs_transaction_flock(&req[i], client[i], operation);
    return client_answer(i);
}

int client_connect_with(int i, uint32_t share, uint32_t protocols, uint32_t flags)
{
    struct scard_connect call = {.size = sizeof call,
                                 .version = 1,
                                 .share = share,
                                 .protocols = protocols,
                                 .timeout_ms = FOREVER,
                                 .flags = flags};

    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_CONNECT, &call, sizeof call);
    return client_answer(i);
}

int client_connect(int i, uint32_t share, uint32_t protocols)
{
    return client_connect_with(i, share, protocols, 0);
}

int client_disconnect_with(int i, uint32_t disposition, uint32_t flags)
{
    struct scard_disconnect call = {
        .size = sizeof call, .version = 1, .disposition = disposition, .flags = flags};

    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_DISCONNECT, &call, sizeof call);
    return client_answer(i);
}

int client_disconnect(int i, uint32_t disposition)
{
    return client_disconnect_with(i, disposition, 0);
}

static int call(int i, uint32_t code, uint32_t input, uint32_t timeout_ms)
{
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + 64];
    } u = {.call = {.size = sizeof u,
                    .version = 1,
                    .code = code,
                    .in_len = sizeof input,
                    .out_len = sizeof u - SCARD_CALL_HEADER_SIZE,
                    .timeout_ms = timeout_ms}};

    memcpy(u.call.data, &input, sizeof input);
    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_CALL(sizeof u), &u, sizeof u);
    return client_answer(i);
}

int client_power(int i, uint32_t minor, uint32_t timeout_ms)
{
    return call(i, IOCTL_SMARTCARD_POWER, minor, timeout_ms);
}

int client_set_protocol(int i, uint32_t protocols)
{
    return call(i, IOCTL_SMARTCARD_SET_PROTOCOL, protocols, FOREVER);
}

struct scard_info client_info(int i)
{
    return client_info_with(i, 0);
}

struct scard_info client_info_with(int i, uint32_t flags)
{
    struct scard_info call = {.size = sizeof call, .version = 1, .flags = flags};
    struct scard_info result;

    client_fresh(i);
    scfs_control_ioctl(&req[i], client[i], SCARD_IOC_INFO, &call, sizeof call);
    assert_int_equal(client_answer(i), 0);
    assert_int_equal(req[i].len, sizeof result);
    memcpy(&result, req[i].reply, sizeof result);
    return result;
}

void clients_later(unsigned ms)
{
    bare_now_ms += ms;
    scfs_timer_expire(&bare_fs.timer);
}

void clients_settle(void)
{
    bool busy = true;

    while (busy) {
        sched_yield();
        scfs_executor_lock(bare_reader->executor);
        busy = bare_reader->executor->busy;
        scfs_executor_unlock(bare_reader->executor);
    }
}

unsigned clients_resets(void)
{
    clients_settle();
    return client_info(CLIENTS - 1).resets;
}
