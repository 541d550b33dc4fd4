/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - the socket by which a test plugs, inserts and breaks things: one command a
 * line, one answer a line that begins with ok or err (`status` prints its lines before).
 *
 *   plug NAME [OPTIONS]       unplug NAME
 *   insert NAME[@SLOT] [ATR]  remove NAME[@SLOT]     answers: ok T
 *   suspend NAME              wake NAME              power NAME
 *   latency NAME US           mute NAME 0|1
 *   halt NAME 1               the interrupt endpoint, until CLEAR_HALT
 *   stall|drop|timeext|short|badseq NAME N           the next N go wrong
 *   chance NAME N                                    so does each, N in 100,000
 *   status
 *   calls
 *   card NAME                 ok powered P executed N powered_up N left N, of its slot 0
 *   faults [NAME]             injected by chance: of each kind, or NAME's: ok N T
 *   ledger                    ok EXECUTED REPEATED CLIENT NUMBER: ledger.c
 *   heap                      bytes that the program has allocated, in small pieces
 *
 * Where a device has several interfaces NAME may be 1-1/N, interface N of it.
 *
 * T is the time in ns (CLOCK_MONOTONIC) at which the interrupt URB was completed, 0 when
 * none waited.
 */
#include "usbemu.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024
#define REPLY_MAX    16384

static bool number(const char *s, unsigned long max, unsigned *out)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    *out = (unsigned)n;
    return *s && !*end && n <= max;
}

static void status(char *out, size_t room)
{
    struct emu_device *d;
    size_t at = 0;

    for (unsigned i = 0; at < room - 256 && (d = emu_device(&i));)
        at += (size_t)snprintf(
            out + at, room - at,
            "%s bus %03u dev %03u slots %u card0 %d powered0 %d claimed %d "
            "inq %d msgs %lu\n",
            d->name, d->bus, d->address, d->slot_count, d->slots[0].present,
            d->slots[0].powered, d->claimed_by != NULL, d->answers != NULL, d->messages);
    snprintf(out + at, room - at, "ok\n");
}

static const char *set_card(struct emu_device *d, const char *slot_text, bool present,
                            const char *atr)
{
    unsigned slot;

    if (!number(slot_text, EMU_SLOTS_MAX, &slot) || slot >= d->slot_count)
        return "no such slot";
    if (present && *atr && !emu_set_atr(d, slot, atr))
        return "not an ATR";
    emu_last_interrupt_ns = 0;
    emu_set_card(d, slot, present);
    return NULL;
}

/* Commands NAME N. */
static const char *set_number(struct emu_device *d, const char *command,
                              const char *value)
{
    const struct {
        const char *name;
        unsigned *counter;
    } counters[] = {
        {"stall", &d->faults.stall},
        {"drop", &d->faults.drop},
        {"timeext", &d->faults.time_extension},
        {"short", &d->faults.short_answer},
        {"badseq", &d->faults.bad_sequence},
        {"chance", &d->faults.chance},
        {"latency", &d->latency_us},
    };
    unsigned n;

    if (!number(value, 1000000000, &n))
        return "not a number";
    if (!strcmp(command, "mute")) {
        d->faults.mute = n != 0;
        return NULL;
    }
    if (!strcmp(command, "halt")) {
        if (n != 0)
            emu_halt_interrupt(d);
        return NULL;
    }
    for (unsigned i = 0; i < sizeof counters / sizeof *counters; i++) {
        if (!strcmp(command, counters[i].name)) {
            *counters[i].counter = n;
            return NULL;
        }
    }
    return "unknown command";
}

/* "1-1" or, one interface of several, "1-1/1". */
static struct emu_device *find(char *name)
{
    char *interface = strchr(name, '/');
    struct emu_device *d;
    unsigned number_of = 0;

    if (interface)
        *interface++ = 0;
    d = emu_find(name);
    if (interface && !number(interface, EMU_INTERFACES_MAX, &number_of))
        return NULL;
    return d && interface ? emu_interface(d, number_of) : d;
}

static const char *change_card(const char *command, char *name, const char *arg)
{
    char *at = strchr(name, '@');
    struct emu_device *d;

    if (at)
        *at++ = 0;
    d = find(name);
    if (!d)
        return "no such reader";
    return set_card(d, at ? at : "0", command[0] == 'i', arg);
}

static const char *plug(const char *name, const char *options)
{
    const char *error = NULL;
    struct emu_device *d = emu_plug(name, options, &error);

    if (!d)
        return error;
    emu_announce(d, true);
    return NULL;
}

/* A sanitizer has a heap of its own. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* But for what malloc maps by itself. */
static size_t heap_used(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

/* left: bytes of a command that is not whole, and of an answer that was not fetched */
static void describe_card(const struct emu_device *d, char *out, size_t room)
{
    const struct emu_slot *slot = d->slots;
    size_t left = d->out_len + slot->reply_len - slot->reply_pos;

    for (const struct emu_answer *a = d->answers; a; a = a->next)
        left += a->len - a->pos;
    snprintf(out, room, "ok powered %d executed %lu powered_up %lu left %zu\n",
             slot->powered, slot->executed, slot->powered_up, left);
}

static void run(const char *line, char *out, size_t room)
{
    char command[32] = "", name[48] = "", arg[LINE_MAX_LEN] = "";
    const char *error = NULL;
    struct emu_device *d;
    bool card;

    sscanf(line, "%31s %47s %1023s", command, name, arg);
    card = !strcmp(command, "insert") || !strcmp(command, "remove");
    pthread_mutex_lock(&emu_lock);
    if (!strcmp(command, "status")) {
        status(out, room);
        pthread_mutex_unlock(&emu_lock);
        return;
    }
    if (!strcmp(command, "heap")) {
        snprintf(out, room, "ok %zu\n", heap_used());
        pthread_mutex_unlock(&emu_lock);
        return;
    }
    if (!strcmp(command, "calls")) {
        snprintf(out, room, "ok %lu %lu\n", emu_ioctl_count, emu_pipe_count);
        pthread_mutex_unlock(&emu_lock);
        return;
    }
    if (!strcmp(command, "ledger") || (!strcmp(command, "faults") && !*name)) {
        (command[0] == 'l' ? emu_ledger_tell : emu_faults_tell)(out, room);
        pthread_mutex_unlock(&emu_lock);
        return;
    }
    if (!strcmp(command, "plug")) {
        error = plug(name, arg);
    } else if (card) {
        error = change_card(command, name, arg);
    } else if (!(d = find(name))) {
        error = "no such reader";
    } else if (!strcmp(command, "suspend")) {
        error = emu_suspend(d) ? NULL : "it is not allowed to";
    } else if (!strcmp(command, "wake")) {
        emu_resume(d);
    } else if (!strcmp(command, "power")) {
        snprintf(out, room, "ok asleep %d allowed %u allows %u forbids %u waits %u\n",
                 d->asleep, d->sleep_allowed, d->allows, d->forbids, d->waits);
        pthread_mutex_unlock(&emu_lock);
        return;
    } else if (!strcmp(command, "card")) {
        describe_card(d, out, room);
        pthread_mutex_unlock(&emu_lock);
        return;
    } else if (!strcmp(command, "faults")) {
        snprintf(out, room, "ok %u %lld\n", d->faults.injected,
                 (long long)d->faults.injected_ns);
        pthread_mutex_unlock(&emu_lock);
        return;
    } else if (!strcmp(command, "unplug")) {
        emu_unplug(d);
    } else {
        error = set_number(d, command, arg);
    }
    emu_keep();
    if (error)
        snprintf(out, room, "err %s\n", error);
    else if (card)
        snprintf(out, room, "ok %lld\n", (long long)emu_last_interrupt_ns);
    else
        snprintf(out, room, "ok\n");
    pthread_mutex_unlock(&emu_lock);
}

static bool send_all(int fd, const char *s)
{
    size_t len = strlen(s);

    while (len) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        s += n;
        len -= (size_t)n;
    }
    return true;
}

/* Serves one client until it goes or sends a line that is too long. */
static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char line[LINE_MAX_LEN];
    char *reply = emu_alloc(REPLY_MAX);
    size_t n = 0;
    ssize_t got;
    bool alive = true;

    while (alive && n < sizeof line - 1 &&
           (got = recv(fd, line + n, sizeof line - 1 - n, 0)) > 0) {
        char *end;

        n += (size_t)got;
        line[n] = 0;
        while (alive && (end = strchr(line, '\n'))) {
            *end = 0;
            run(line, reply, REPLY_MAX);
            alive = send_all(fd, reply);
            n -= (size_t)(end + 1 - line);
            memmove(line, end + 1, n + 1);
        }
    }
    free(reply);
    close(fd);
    return NULL;
}

static void start_thread(void *(*function)(void *), int fd)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, (void *)(intptr_t)fd) == 0)
        pthread_detach(thread);
    else
        close(fd);
}

static void *accept_clients(void *arg)
{
    int listening = (int)(intptr_t)arg, fd;

    while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        start_thread(serve, fd);
    return NULL;
}

void emu_control_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "usbemu: %s: too long for a socket\n", path);
        return;
    }
    strcpy(address.sun_path, path);
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16)) {
        perror(path);
        close(fd);
        return;
    }
    start_thread(accept_clients, fd);
}
