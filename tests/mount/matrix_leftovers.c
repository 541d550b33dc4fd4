/* SPDX-License-Identifier: BSD-2-Clause */
/* matrix_leftovers.c - see matrix_leftovers.h. */
#include "matrix_leftovers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "calls.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define SETTLED_MS  500 /* a start that adds nothing for so long is over */
#define POOL_SLACK  4   /* threads that libfuse keeps once there were so many */

static int usual_descriptors, usual_threads; /* of a daemon that has done nothing yet */

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

static int descriptors(const struct daemon *d)
{
    char path[64];
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)d->pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static bool exists(const struct daemon *d, const char *name)
{
    return access(daemon_path(d, name), F_OK) == 0;
}

/* Puts the one reader in anew: it is reader0 again only if nobody has a file of the last
 * one open. Files are released a moment after close(2), so asks for a while. */
void assert_no_handle_is_left(const struct daemon *d)
{
    int64_t limit = now_ms() + PATIENCE_MS;

    if (exists(d, "reader0"))
        assert_int_equal(daemon_command(d, "unplug reader0\n"), 0);
    for (;;) {
        assert_int_equal(daemon_command(d, "plug\n"), 0);
        if (exists(d, "reader0"))
            return;
        assert_true(exists(d, "reader1"));
        assert_int_equal(daemon_command(d, "unplug reader1\n"), 0);
        assert_true(now_ms() < limit);
        pause_ms(5);
    }
}

static void call_well(int control, uint32_t code, const void *in, size_t in_len,
                      size_t room)
{
    uint8_t out[64];
    NTSTATUS status = STATUS_SUCCESS;
    int error = daemon_call(control, code, in, in_len, out, &room, PATIENCE_MS, &status);

    if (error != 0)
        fail_msg("the next user's call %#x: %s", (unsigned)code, strerrorname_np(error));
}

void assert_next_user_works(const struct daemon *d)
{
    static const uint8_t echo[] = {2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe0, 0, 0, 1, 0xaa};
    const uint32_t reset = SCARD_COLD_RESET, protocols = SCARD_PROTOCOL_Tx;
    int control = open(daemon_path(d, "reader0/control"), O_RDWR | O_CLOEXEC);

    assert_true(control >= 0);
    call_well(control, IOCTL_SMARTCARD_POWER, &reset, sizeof reset, 33);
    call_well(control, IOCTL_SMARTCARD_SET_PROTOCOL, &protocols, sizeof protocols, 4);
    call_well(control, IOCTL_SMARTCARD_TRANSMIT, echo, sizeof echo, 64);
    close(control);
}

void assert_nothing_is_left(const struct daemon *d)
{
    int64_t limit = now_ms() + PATIENCE_MS;

    while (descriptors(d) != usual_descriptors) {
        if (now_ms() > limit)
            fail_msg("%d file descriptors are usual, %d now", usual_descriptors,
                     descriptors(d));
        pause_ms(5);
    }
    assert_in_range(daemon_threads(d), 1, usual_threads + POOL_SLACK);
    assert_string_equal(daemon_text(d, "reader0/owner"), "none");
}

int leftovers_learn(struct daemon *d, const char *const *options)
{
    int64_t since;

    daemon_start(d, options);
    for (since = now_ms(); now_ms() - since < SETTLED_MS; pause_ms(10))
        if (descriptors(d) != usual_descriptors) {
            usual_descriptors = descriptors(d);
            since = now_ms();
        }
    usual_threads = daemon_threads(d);
    return daemon_stop(d);
}
