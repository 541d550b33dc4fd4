/* SPDX-License-Identifier: BSD-2-Clause */
/* uses_tree.c - readers that come and go, cards that are programs, and all files. */
#include "scenarios.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define COME_MS    1000 /* a reader or a card that has not come by then does not */
#define PCAP_BLOCK 0x0a0d0d0a

static bool exists(struct subject *s, const char *name)
{
    return access(subject_path(s, name), F_OK) == 0;
}

/* The directory of a reader that is not reader0; "": none. */
static const char *other_reader(struct subject *s)
{
    static char name[64];
    DIR *directory = opendir(s->mount);
    struct dirent *entry;

    name[0] = 0;
    while (directory && (entry = readdir(directory)))
        if (!strncmp(entry->d_name, "reader", 6) && strcmp(entry->d_name, "reader0") != 0)
            snprintf(name, sizeof name, "%.60s", entry->d_name);
    if (directory)
        closedir(directory);
    return name;
}

/* ---- emulated readers ------------------------------------------------------------ */

/* reader0 is there: a daemon that has just begun may not have looked at it yet, and the
 * number would go to the other. */
int prepare_unplugged(void *subject)
{
    (void)subject_emulate(subject, "unplug 1-2"); /* where it is there */
    for (int64_t until = now_us() + COME_MS * 1000; now_us() < until; pause_ms(1))
        if (exists(subject, "reader0/state") && !*other_reader(subject))
            return WORKED;
    return FAILED;
}

/* Comes, or the log says why not. */
static int comes(struct subject *s, size_t said)
{
    for (int64_t until = now_us() + COME_MS * 1000; now_us() < until; pause_ms(1)) {
        if (*other_reader(s))
            return WORKED;
        if (subject_said(s) > said)
            return FAILED;
    }
    return FAILED;
}

int use_plug(void *subject)
{
    size_t said = subject_said(subject);

    if (!subject_emulate(subject, "plug 1-2 level=short,card=1,serial=B2"))
        return FAILED;
    return comes(subject, said);
}

int prepare_plugged(void *subject)
{
    if (*other_reader(subject))
        return WORKED;
    if (prepare_unplugged(subject) != WORKED)
        return FAILED;
    return use_plug(subject);
}

int use_unplug(void *subject)
{
    int fd = open(subject_path(subject, "changes"), O_RDONLY | O_CLOEXEC);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool worked = fd >= 0 && poll(&p, 1, 0) >= 0;

    worked = worked && subject_emulate(subject, "unplug 1-2") != NULL;
    for (int64_t until = now_us() + COME_MS * 1000; worked && *other_reader(subject);
         pause_ms(1))
        worked = now_us() < until;
    if (fd >= 0)
        close(fd);
    return worked ? WORKED : FAILED;
}

/* What is plugged in later does not show then; it has said so. */
static bool watches(const struct subject *s)
{
    return !subject_has_said(s, "no hot-plug here") &&
           !subject_has_said(s, "USB cannot be watched");
}

/* said: how much there was in the log when it was plugged in. */
static bool reader_comes(struct subject *s, size_t said)
{
    for (int64_t until = now_us() + COME_MS * 1000; now_us() < until; pause_ms(1))
        if (exists(s, "reader0/state") || subject_said(s) > said)
            break;
    return exists(s, "reader0/state");
}

int use_started_usb(void *subject)
{
    size_t said;

    if (reader_comes(subject, 0))
        return prepare_card(subject) == WORKED ? use_transmit(subject) : FAILED;
    if (!watches(subject))
        return exists(subject, "version") ? WORKED : FAILED;
    said = subject_said(subject);
    return subject_emulate(subject, "unplug 1-1") &&
                   subject_emulate(subject, "plug 1-1 level=ext,card=1,serial=A1") &&
                   reader_comes(subject, said) && prepare_card(subject) == WORKED
               ? use_transmit(subject)
               : FAILED;
}

/* ---- virtual readers ------------------------------------------------------------- */

static bool command(struct subject *s, const char *verb, const char *reader)
{
    char line[128];
    int len = snprintf(line, sizeof line, "%s %s\n", verb, reader);
    int fd = open(subject_path(s, "virtual"), O_WRONLY | O_CLOEXEC);
    bool worked = fd >= 0 && write(fd, line, (size_t)len) == len;

    if (fd >= 0)
        close(fd);
    return worked;
}

static bool state_is(struct subject *s, const char *reader, const char *wanted)
{
    char name[128], text[32] = "";
    int fd;

    snprintf(name, sizeof name, "%s/state", reader);
    fd = open(subject_path(s, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    if (fd >= 0)
        close(fd);
    return strncmp(text, wanted, strlen(wanted)) == 0;
}

int prepare_one_virtual(void *subject)
{
    const char *reader;

    if (!exists(subject, "reader0") && !command(subject, "plug", ""))
        return FAILED;
    while (*(reader = other_reader(subject)))
        if (!command(subject, "unplug", reader))
            return FAILED;
    return exists(subject, "reader0/state") ? WORKED : FAILED;
}

int use_virtual(void *subject)
{
    char reader[64];

    if (!command(subject, "plug", ""))
        return FAILED;
    snprintf(reader, sizeof reader, "%s", other_reader(subject));
    if (!*reader || !command(subject, "remove", reader))
        return FAILED;
    if (!state_is(subject, reader, "absent")) /* or it cannot be read */
        return FAILED;
    return command(subject, "insert", reader) && !state_is(subject, reader, "absent") &&
                   command(subject, "unplug", reader)
               ? WORKED
               : FAILED;
}

int use_started_virtual(void *subject)
{
    return exists(subject, "reader0") || command(subject, "plug", "")
               ? use_transmit(subject)
               : FAILED;
}

/* ---- a card that is a program ---------------------------------------------------- */

static bool all(int fd, void *data, size_t len, bool out)
{
    uint8_t *at = data;

    while (len > 0) {
        ssize_t n = out ? send(fd, at, len, MSG_NOSIGNAL) : recv(fd, at, len, 0);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The vpicc protocol: each message has its length, of two bytes, in front. A command of
 * one byte is 0 off, 1 on, 2 reset, 4 the ATR; this card echoes what 80 E0 brings. */
static void *be_card(void *argument)
{
    static const uint8_t atr[] = {0,    13,   0x3b, 0x88, 0x80, 0x01, 0x54, 0x45,
                                  0x53, 0x54, 0x42, 0x45, 0x44, 0x01, 0x5d};
    int fd = *(int *)argument;
    uint8_t message[512], answer[516];

    while (all(fd, message, 2, false)) {
        size_t len = (size_t)message[0] << 8 | message[1], data;

        if (len > sizeof message || !all(fd, message, len, false))
            return NULL;
        if (len == 1 && message[0] == 4) {
            memcpy(answer, atr, sizeof atr);
            if (!all(fd, answer, sizeof atr, true))
                return NULL;
        }
        if (len < 5)
            continue;
        data = message[4];
        memcpy(answer + 2, message + 5, data);
        answer[0] = 0;
        answer[1] = (uint8_t)(data + 2);
        answer[2 + data] = 0x90;
        answer[3 + data] = 0;
        if (!all(fd, answer, data + 4, true))
            return NULL;
    }
    return NULL;
}

int prepare_no_card_program(void *subject)
{
    for (int64_t until = now_us() + COME_MS * 1000; now_us() < until; pause_ms(1))
        if (state_is(subject, "reader0", "absent"))
            return WORKED;
    return FAILED;
}

int use_card_program(void *subject)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct subject *s = subject;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int outcome = FAILED;
    pthread_t thread;
    bool in = false;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", s->card);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        pthread_create(&thread, NULL, be_card, &fd) != 0)
        return FAILED;
    for (int64_t until = now_us() + COME_MS * 1000; !in && now_us() < until; pause_ms(1))
        in = !state_is(subject, "reader0", "absent");
    if (in)
        outcome = use_hex(subject);
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    return outcome;
}

/* ---- files ----------------------------------------------------------------------- */

/* Until a block of pcapng that holds a packet has come. */
int use_trace(void *subject)
{
    int fd = open(subject_path(subject, "reader0/trace"), O_RDONLY | O_CLOEXEC);
    uint32_t block[16384];
    int outcome = FAILED;
    ssize_t n;

    if (fd < 0)
        return FAILED;
    n = read(fd, block, sizeof block); /* the header is there at once */
    if (n >= 4 && block[0] != PCAP_BLOCK)
        outcome = WRONG;
    else if (n >= 4 && use_transmit(subject) == WORKED &&
             read(fd, block, sizeof block) > 0)
        outcome = WORKED;
    close(fd);
    return outcome;
}

/* Reading these waits, or is for others. */
static bool waits_or_writes(const char *name)
{
    static const char *const names[] = {"events",  "changes",  "trace",
                                        "control", "transmit", "power",
                                        "virtual", "by-id",    "by-path"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool read_all(const char *path, int depth)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool worked = directory != NULL;

    errno = 0;
    while (worked && (entry = readdir(directory))) {
        char name[512], text[4096];
        int fd;

        if (entry->d_name[0] == '.' || waits_or_writes(entry->d_name))
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR) {
            worked = depth == 0 || read_all(name, depth - 1);
            errno = 0;
            continue;
        }
        fd = open(name, O_RDONLY | O_CLOEXEC);
        worked = fd >= 0 && (read(fd, text, sizeof text) >= 0 || errno == ENODATA);
        if (fd >= 0)
            close(fd);
        errno = 0;
    }
    if (directory) {
        worked &= errno == 0;
        closedir(directory);
    }
    return worked;
}

int use_files(void *subject)
{
    const struct subject *s = subject;
    char target[256];

    if (readlink(subject_path(subject, "by-id"), target, sizeof target) >= 0)
        return WRONG; /* it is a directory */
    return read_all(s->mount, 3) ? WORKED : FAILED;
}
