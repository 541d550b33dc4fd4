/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.c - faults by chance: each message to a reader may be the one that goes wrong.
 */
#include "usbemu.h"

#include <stdio.h>
#include <string.h>

enum kind { STALL, DROP, TIME_EXTENSION, SHORT, BAD_SEQUENCE, HALT, KINDS };

static const char *const names[KINDS] = {"stall", "drop",   "timeext",
                                         "short", "badseq", "halt"};
static unsigned long injected[KINDS]; /* of all devices, also of those that have gone */

/* xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003) */
static uint32_t next_random(struct emu_faults *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 17;
    f->random ^= f->random << 5;
    return f->random;
}

static void inject(struct emu_device *device, enum kind kind)
{
    struct emu_faults *f = &device->faults;
    unsigned *const counters[KINDS] = {
        [STALL] = &f->stall,
        [DROP] = &f->drop,
        [TIME_EXTENSION] = &f->time_extension,
        [SHORT] = &f->short_answer,
        [BAD_SEQUENCE] = &f->bad_sequence,
    };

    injected[kind]++;
    f->injected++;
    f->injected_ns = emu_now_ns();
    if (kind == HALT)
        emu_halt_interrupt(device);
    else
        ++*counters[kind];
}

/* Seeds that a generator of the same kind has made are steps of one sequence: they are
 * mixed first (the finalizer of A. Appleby's MurmurHash3). */
void emu_faults_seed(struct emu_device *device, uint32_t seed)
{
    seed ^= seed >> 16;
    seed *= UINT32_C(0x85ebca6b);
    seed ^= seed >> 13;
    seed *= UINT32_C(0xc2b2ae35);
    seed ^= seed >> 16;
    device->faults.random = seed != 0 ? seed : 1; /* 0 would stay 0 */
}

void emu_faults_draw(struct emu_device *device)
{
    struct emu_faults *f = &device->faults;

    if (f->chance == 0)
        return;
    if (f->random == 0)
        emu_faults_seed(device, 1);
    if (next_random(f) % EMU_CHANCE_ONE < f->chance)
        inject(device, next_random(f) % KINDS);
}

void emu_faults_tell(char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "ok");

    for (unsigned i = 0; i < KINDS && at < room; i++)
        at += (size_t)snprintf(out + at, room - at, " %s %lu", names[i], injected[i]);
    if (at < room)
        snprintf(out + at, room - at, "\n");
}
