/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept.c - a reader that outlives the program: USBEMU_STATE names a file.
 *
 * A real reader does not notice that its program was killed. Its card keeps its power,
 * the half of a command that has come stays, and the answer that nobody has fetched is
 * what the next program reads first. So the state of the first reader's first slot is
 * kept, and a reader of that name begins with it. Not at TPDU level.
 *
 * There are two copies, and a number that says which one counts: whoever is killed while
 * he writes one has written none.
 */
#include "usbemu.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEPT_ANSWERS 131072 /* bytes of answers, with a length before each */

struct kept {
    char name[32];
    bool present, powered, abort_control, abort_bulk;
    uint8_t protocol, params[7], abort_seq;
    struct ccid_virtual_card card;
    unsigned long executed, powered_up;
    size_t out_len, command_len, reply_len, reply_pos, answers_len;
    uint8_t out[EMU_MESSAGE_MAX], command[EMU_APDU_MAX], reply[CCID_VIRTUAL_RESPONSE_MAX];
    uint8_t answers[KEPT_ANSWERS];
};

struct kept_file {
    uint32_t current; /* atomic; 0: nothing yet, else copies[current % 2] */
    struct kept copies[2];
};

static struct kept_file *file;

/* Later the program may be confined. */
__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("USBEMU_STATE");
    int fd = path && *path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof *file) == 0) {
        file = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (file == MAP_FAILED)
            file = NULL;
    }
    close(fd);
}

static void keep_bytes(uint8_t *to, size_t *to_len, const uint8_t *from, size_t len)
{
    *to_len = from ? len : 0;
    if (*to_len)
        memcpy(to, from, *to_len);
}

static void keep_answers(struct kept *kept, const struct emu_device *device)
{
    kept->answers_len = 0;
    for (const struct emu_answer *a = device->answers; a; a = a->next) {
        size_t left = a->len - a->pos;

        if (sizeof left + left > KEPT_ANSWERS - kept->answers_len)
            abort();
        memcpy(kept->answers + kept->answers_len, &left, sizeof left);
        memcpy(kept->answers + kept->answers_len + sizeof left, a->bytes + a->pos, left);
        kept->answers_len += sizeof left + left;
    }
}

void emu_keep(void)
{
    unsigned i = 0;
    struct emu_device *device = file ? emu_device(&i) : NULL;
    struct emu_slot *slot = device ? device->slots : NULL;
    struct kept *kept;
    uint32_t next;

    if (!slot)
        return;
    next = __atomic_load_n(&file->current, __ATOMIC_SEQ_CST) + 1;
    kept = &file->copies[next % 2];
    memcpy(kept->name, device->name, sizeof kept->name);
    kept->present = slot->present;
    kept->powered = slot->powered;
    kept->abort_control = slot->abort_control;
    kept->abort_bulk = slot->abort_bulk;
    kept->abort_seq = slot->abort_seq;
    kept->protocol = slot->protocol;
    memcpy(kept->params, slot->params, sizeof kept->params);
    kept->card = slot->card;
    kept->executed = slot->executed;
    kept->powered_up = slot->powered_up;
    keep_bytes(kept->out, &kept->out_len, device->out, device->out_len);
    keep_bytes(kept->command, &kept->command_len, slot->command, slot->command_len);
    keep_bytes(kept->reply, &kept->reply_len, slot->reply, slot->reply_len);
    kept->reply_pos = slot->reply_pos;
    keep_answers(kept, device);
    __atomic_store_n(&file->current, next, __ATOMIC_SEQ_CST);
}

static uint8_t *revive_bytes(const uint8_t *from, size_t len, size_t room)
{
    uint8_t *bytes = len ? emu_alloc(room) : NULL;

    if (len)
        memcpy(bytes, from, len);
    return bytes;
}

void emu_revive(struct emu_device *device)
{
    uint32_t current = file ? __atomic_load_n(&file->current, __ATOMIC_SEQ_CST) : 0;
    const struct kept *kept = current ? &file->copies[current % 2] : NULL;
    struct emu_slot *slot = device->slots;
    size_t at = 0, len;

    if (!kept || strcmp(kept->name, device->name) != 0)
        return;
    slot->present = kept->present;
    slot->powered = kept->powered;
    slot->abort_control = kept->abort_control;
    slot->abort_bulk = kept->abort_bulk;
    slot->abort_seq = kept->abort_seq;
    slot->protocol = kept->protocol;
    memcpy(slot->params, kept->params, sizeof slot->params);
    slot->card = kept->card;
    slot->executed = kept->executed;
    slot->powered_up = kept->powered_up;
    memcpy(device->out, kept->out, device->out_len = kept->out_len);
    slot->command = revive_bytes(kept->command, kept->command_len, EMU_APDU_MAX);
    slot->command_len = kept->command_len;
    slot->reply = revive_bytes(kept->reply, kept->reply_len, CCID_VIRTUAL_RESPONSE_MAX);
    slot->reply_len = kept->reply_len;
    slot->reply_pos = kept->reply_pos;
    for (; at < kept->answers_len; at += sizeof len + len) {
        memcpy(&len, kept->answers + at, sizeof len);
        emu_queue(device, 0, kept->answers + at + sizeof len, len, 0);
    }
}
