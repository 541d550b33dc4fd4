/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_ioctl.c - ioctls among the requests of fs_requests.h. */
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "fs_requests.h"

/* The envelope is FUSE's, of just its length. */
static void ioctl_file(int file, unsigned cmd, const void *bytes, size_t len)
{
    struct fs_call *call = fs_call_new(file, len);
    void *exact;

    if (call == NULL)
        return;
    fuzz_faults_pause();
    exact = malloc(len > 0 ? len : 1);
    fuzz_faults_resume();
    FUZZ_CHECK(exact != NULL);
    if (len > 0)
        memcpy(exact, bytes, len);
    scfs_ops.ioctl(&call->req, fs_files[file].ino, cmd, NULL, &fs_files[file].info, 0,
                   len > 0 ? exact : NULL, len, len);
    free(exact);
}

void fs_ioctl_call(struct fuzz_input *in, int file)
{
    const uint8_t code = fuzz_u8(in);
    const size_t in_len = fuzz_u8(in), out_len = fuzz_u8(in);
    const uint8_t timeout = fuzz_u8(in), flags = fuzz_u8(in);
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + UINT8_MAX];
    } u = {.call = {
               .version = SCARD_IOC_VERSION,
               .code = code < 24 ? SCARD_CTL_CODE(code) : SCARD_CTL_CODE(3400u + code),
               .in_len = (uint32_t)in_len,
               .out_len = (uint32_t)out_len,
               .timeout_ms = timeout < 128 ? timeout : SCARD_TIMEOUT_INFINITE,
               .flags = flags & 1 ? SCARD_CALL_KEEP : 0,
           }};

    u.call.size =
        (uint32_t)(SCARD_CALL_HEADER_SIZE + (in_len > out_len ? in_len : out_len));
    fuzz_read(in, u.call.data, in_len);
    ioctl_file(file, SCARD_IOC_CALL(u.call.size), &u, u.call.size);
}

void fs_ioctl_session(struct fuzz_input *in, int file)
{
    static const unsigned codes[] = {SCARD_IOC_CONNECT, SCARD_IOC_DISCONNECT,
                                     SCARD_IOC_BEGIN,   SCARD_IOC_END,
                                     SCARD_IOC_INFO,    SCARD_IOC_REPLY_SIZE};
    const unsigned cmd = codes[fuzz_u8(in) % (sizeof codes / sizeof codes[0])];
    uint8_t bytes[sizeof(struct scard_info)] = {0};
    const uint32_t head[2] = {_IOC_SIZE(cmd), SCARD_IOC_VERSION};

    memcpy(bytes, head, sizeof head);
    fuzz_read(in, bytes + sizeof head, fuzz_u8(in) % (_IOC_SIZE(cmd) - sizeof head));
    ioctl_file(file, cmd, bytes, _IOC_SIZE(cmd));
}

void fs_ioctl_any(struct fuzz_input *in, int file)
{
    const unsigned cmd = fuzz_u32(in);
    const uint8_t len = fuzz_u8(in);
    uint8_t bytes[UINT8_MAX];

    fuzz_read(in, bytes, len);
    ioctl_file(file, cmd, bytes, len);
}
