/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_mount.h - a mount that says what the input says, in the place of system calls:
 * the linker wraps those of the program. Paths below HOSTILE_MOUNT and the descriptors
 * that come of them are its; all else goes to the C library. At the end of the input
 * everything fails.
 *
 * Each call takes one byte from the input (enum mount_says), and then what it says.
 */
#ifndef TESTS_FUZZ_HOSTILE_MOUNT_H
#define TESTS_FUZZ_HOSTILE_MOUNT_H

#include "fuzz.h"

#define HOSTILE_MOUNT "/fuzz-mount"

enum mount_says {
    MOUNT_HONEST, /* open, write, close, poll: well; read: the text of such a file, with
                     one byte of the input for its number; ioctl: the structure as it
                     came, of a control code with as much output as there is input;
                     readdir: "reader" and the number that one byte of the input is */
    MOUNT_BYTES,  /* read, ioctl, readdir: length (one byte), bytes; write, poll: a byte
                     for what is returned; poll: and one for each descriptor */
    MOUNT_ERROR,  /* errno: one byte */
    MOUNT_EMPTY,  /* read, readdir: the end; poll: time (one byte, 100 ms each) */
    MOUNT_SAYS
};

/* From now on; NULL: the mount is dead. */
void hostile_mount(struct fuzz_input *in);
/* Descriptors that are open. */
unsigned hostile_mount_open_files(void);
/* Names of readers that somebody may remember: that of the index, or NULL. */
const char *hostile_mount_name(unsigned index);

#endif
