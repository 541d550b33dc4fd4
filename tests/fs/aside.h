/* SPDX-License-Identifier: BSD-2-Clause */
/* aside.h - a process of its own in the memory of this one, for what cannot be undone:
 * the kernel confines it alone, and what it writes is seen here. */
#ifndef ASIDE_H
#define ASIDE_H

/* Its result, 0 to 127, when it has ended; meanwhile nothing else runs here. */
int aside(int (*run)(void *argument), void *argument);

#endif
