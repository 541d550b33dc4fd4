/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.h - the open files of this library, which a child must not share. */
#ifndef PCSC_DESCRIPTORS_H
#define PCSC_DESCRIPTORS_H

/* fd is remembered: itself, or a negative errno and it is closed. */
int descriptor_add(int fd);
/* Forgets and closes it. */
void descriptor_close(int fd);

/* Around a fork, and in the child: all of them are closed. */
void descriptors_lock(void);
void descriptors_unlock(void);
void descriptors_close_all_locked(void);

#endif
