/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.h - the mount as the library uses it: files and ioctls (scardfs(5),
 * scard_ioctl(4)), without any notion of PC/SC. What is read from it is bounded and
 * checked: it may be anybody's file system. Results are 0 or an errno.
 */
#ifndef PCSC_MOUNT_H
#define PCSC_MOUNT_H

#include <scard_ioctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNT_READERS_MAX 256
#define MOUNT_NAME_ROOM   128 /* of a reader, with its end */
#define MOUNT_ENVELOPE    4096
/* What fits into the envelope, and the most that one call of an ioctl carries. */
#define MOUNT_CALL_SMALL (MOUNT_ENVELOPE - SCARD_CALL_HEADER_SIZE)
#define MOUNT_CALL_MAX   SCARD_CALL_DATA_MAX

/* ---- files (mount_files.c) ------------------------------------------------------- */

/* Whether a scardfs is mounted where SCARDFS_MOUNT says, by default at /run/scard:
 * ENOTCONN if not. */
int mount_check(void);
/* The numbers of the readers, ascending; how many. */
unsigned mount_readers(unsigned numbers[MOUNT_READERS_MAX]);
/* A file of the mount (number < 0) or of reader<number>, close-on-exec: the descriptor,
 * or a negative errno. */
int mount_open(int number, const char *file, int flags);
void mount_close(int fd);
/* How often a reader has come or gone, by which the mount's `changes` counts. */
int mount_arrivals(uint32_t *count);
/* A short text file without its newline. */
int mount_text(int number, const char *file, char *text, size_t room);

/* ---- ioctls of `control` (mount_calls.c) ------------------------------------------ */

/* They are made again after a signal: each is without effect the second time. */
int mount_connect(int fd, struct scard_connect *call);
/* The handle is then as if it had just been opened. */
int mount_disconnect(int fd, uint32_t disposition);
int mount_begin(int fd);
int mount_end(int fd, uint32_t disposition);
int mount_info(int fd, struct scard_info *info);

/*
 * A control code. out may be in. *out_len: room, then what was returned. A signal neither
 * ends it nor makes it happen twice. At most MOUNT_CALL_MAX bytes each way: EMSGSIZE.
 */
int mount_control(int fd, uint32_t code, const void *in, size_t in_len, void *out,
                  size_t *out_len);
int mount_power(int fd, uint32_t minor); /* SCARD_POWER_DOWN 0, _COLD_RESET 1 */
int mount_attribute(int fd, uint32_t tag, void *value, size_t *len);
int mount_set_attribute(int fd, uint32_t tag, const void *value, size_t len);

/* One command and its answer, of which at most *answer_len bytes are kept; *answer_len
 * becomes its length. protocol: SCARD_PROTOCOL_* of winsmcrd.h. */
int mount_transmit(int fd, uint32_t protocol, const void *command, size_t len,
                   void *answer, size_t *answer_len);

/* Such a command goes without its protocol: the one that is selected. */
bool mount_is_long(const void *command, size_t len);

#endif
