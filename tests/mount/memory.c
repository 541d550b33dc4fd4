/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c - secrets that are looked for where they should not be. */
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TABLE_SIZE 65536 /* of places for secrets, far more than there are secrets */
#define PIECE      (1 << 20)
#define HEX_LEN    (2 * SECRET_LEN)

struct secrets {
    unsigned count;
    uint8_t (*all)[SECRET_LEN];
    uint32_t table[TABLE_SIZE]; /* number + 1; 0: free */
};

static unsigned hash(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return (unsigned)(word * UINT64_C(0x9E3779B97F4A7C15) >> 48);
}

/* The number, or -1. *place: where it is, or would be. */
static int find(const struct secrets *secrets, const uint8_t *bytes, unsigned *place)
{
    unsigned at = hash(bytes);

    while (secrets->table[at] != 0 &&
           memcmp(secrets->all[secrets->table[at] - 1], bytes, SECRET_LEN) != 0)
        at = (at + 1) % TABLE_SIZE;
    *place = at;
    return (int)secrets->table[at] - 1;
}

struct secrets *secrets_new(unsigned count, unsigned symbols)
{
    struct secrets *secrets = calloc(1, sizeof *secrets);

    if (secrets == NULL || count > TABLE_SIZE / 4)
        abort();
    secrets->all = calloc(count, sizeof *secrets->all);
    if (secrets->all == NULL)
        abort();
    while (secrets->count < count) {
        uint8_t *bytes = secrets->all[secrets->count];
        unsigned place;

        if (getrandom(bytes, SECRET_LEN, 0) != SECRET_LEN)
            abort();
        for (unsigned i = 0; i < SECRET_LEN; i++)
            bytes[i] = (uint8_t)('0' + bytes[i] % symbols);
        if (find(secrets, bytes, &place) < 0)
            secrets->table[place] = ++secrets->count;
    }
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    free(secrets->all);
    free(secrets);
}

const uint8_t *secret(const struct secrets *secrets, unsigned number)
{
    return secrets->all[number];
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const uint8_t *text, uint8_t bytes[SECRET_LEN])
{
    for (unsigned i = 0; i < SECRET_LEN; i++) {
        const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void note(struct found *found, int number, uint64_t at, bool in_hex)
{
    if (found->count < PLACES_MAX)
        found->places[found->count] =
            (struct place){.at = at, .number = number, .in_hex = in_hex};
    found->count++;
}

void secrets_look(const struct secrets *secrets, const uint8_t *bytes, size_t len,
                  uint64_t at, struct found *found)
{
    found->bytes += len;
    for (size_t i = 0; i + SECRET_LEN <= len; i++) {
        uint8_t read[SECRET_LEN];
        unsigned place;
        int number = find(secrets, bytes + i, &place);

        if (number >= 0)
            note(found, number, at + i, false);
        if (i + HEX_LEN > len || !from_hex(bytes + i, read))
            continue;
        number = find(secrets, read, &place);
        if (number >= 0)
            note(found, number, at + i, true);
    }
}

/* In pieces that overlap by what a secret may take. */
static void look_in_range(const struct secrets *secrets, int fd, uint64_t from,
                          uint64_t to, struct found *found)
{
    static uint8_t piece[PIECE];

    while (from < to) {
        const size_t want = to - from < PIECE ? (size_t)(to - from) : PIECE;
        const ssize_t got = pread(fd, piece, want, (off_t)from);

        if (got <= 0) /* a guard page, or what only the kernel sees */
            return;
        secrets_look(secrets, piece, (size_t)got, from, found);
        if ((size_t)got < want || want < PIECE)
            return;
        from += PIECE - HEX_LEN;
    }
}

bool secrets_look_in_process(const struct secrets *secrets, pid_t pid,
                             struct found *found)
{
    char path[64], line[512];
    FILE *maps;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    if (fd < 0 || maps == NULL)
        return false;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned next = found->count;
        unsigned long from, to;
        char rights[8], name[128] = "";

        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %127s", &from, &to, rights, name) < 3 ||
            rights[0] != 'r')
            continue;
        look_in_range(secrets, fd, from, to, found);
        for (; next < found->count && next < PLACES_MAX; next++)
            snprintf(found->places[next].map, sizeof found->places[next].map, "%.60s",
                     name);
    }
    fclose(maps);
    close(fd);
    return found->bytes > 0;
}

bool secrets_look_in_file(const struct secrets *secrets, const char *path,
                          struct found *found)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const off_t len = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

    if (len >= 0)
        look_in_range(secrets, fd, 0, (uint64_t)len, found);
    if (fd >= 0)
        close(fd);
    return len >= 0 && found->bytes > 0;
}
