/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_file.c - the file `virtual`: plugs and unplugs virtual readers and cards.
 *
 * A write holds one command or several, each on a line of its own, and is carried out
 * line by line. It returns how much it has carried out, or why the first line was not:
 * what follows a line that fails is written again by the shell, and then gets the error.
 * So does the end of a long write that may be cut off within a line.
 */
#include "fs/virtual_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "fs/hexline.h"
#include "fs/internal.h"

#define WORDS_MAX    3
#define WORD_SIZE    80
#define LINE_LEN_MAX 4096

/* ---- parser ---------------------------------------------------------------------- */

/* Splits at blanks; the number of words or -errno. */
static int split(const char *text, size_t len, char words[WORDS_MAX][WORD_SIZE])
{
    int count = 0;
    size_t i = 0;

    for (;;) {
        size_t start;

        while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
            i++;
        if (i == len)
            return count;
        if (count == WORDS_MAX)
            return -EINVAL;
        for (start = i; i < len && text[i] != ' ' && text[i] != '\t' && text[i] != '\r';
             i++) {
            if (!isprint((unsigned char)text[i]))
                return -EINVAL;
        }
        if (i - start >= WORD_SIZE)
            return -EINVAL;
        memcpy(words[count], text + start, i - start);
        words[count][i - start] = '\0';
        count++;
    }
}

static int parse_atr(const char *hex, struct scfs_virtual_line *line)
{
    ssize_t len = scfs_hexline_read(hex, strlen(hex), line->atr, sizeof line->atr);

    if (len < 0)
        return -EINVAL;
    line->atr_len = (size_t)len;
    return 0;
}

/* VID:PID, perhaps with the number of an interface behind. */
static bool is_vid_pid(const char *text)
{
    size_t digits;

    for (int i = 0; i < 9; i++) {
        if (i == 4 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    if (text[9] != ':')
        return text[9] == '\0';
    digits = strspn(text + 10, "0123456789");
    return digits >= 1 && digits <= 3 && text[10 + digits] == '\0';
}

bool scfs_virtual_is_shape(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (is_vid_pid(text))
        return true;
    return word < SCFS_VIRTUAL_SHAPE_MAX && text[word] == '\0' &&
           strspn(text, letters) > 0;
}

static int parse_shape(const char *text, struct scfs_virtual_line *line)
{
    if (!scfs_virtual_is_shape(text))
        return -EINVAL;
    memcpy(line->shape, text, strlen(text) + 1);
    return 0;
}

/* Digits, or a word; the driver knows which there are. */
static int parse_keys(const char *text, struct scfs_virtual_line *line)
{
    size_t len = strlen(text);

    if (len >= sizeof line->keys)
        return -EINVAL;
    memcpy(line->keys, text, len + 1);
    return 0;
}

static int parse_words(char words[WORDS_MAX][WORD_SIZE], int count,
                       struct scfs_virtual_line *line)
{
    static const struct {
        const char *word;
        enum scfs_virtual_verb verb;
        int words_min, words_max;
    } verbs[] = {
        {"insert", SCFS_VIRTUAL_INSERT, 2, 3}, {"remove", SCFS_VIRTUAL_REMOVE, 2, 2},
        {"plug", SCFS_VIRTUAL_PLUG, 1, 2},     {"unplug", SCFS_VIRTUAL_UNPLUG, 2, 2},
        {"type", SCFS_VIRTUAL_TYPE, 3, 3},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(words[0], verbs[i].word) != 0)
            continue;
        if (count < verbs[i].words_min || count > verbs[i].words_max)
            return -EINVAL;
        line->verb = verbs[i].verb;
        if (line->verb == SCFS_VIRTUAL_PLUG)
            return count == 2 ? parse_shape(words[1], line) : 0;
        if (!scfs_reader_number(words[1], &line->number))
            return -ENODEV;
        if (line->verb == SCFS_VIRTUAL_TYPE)
            return parse_keys(words[2], line);
        return count == 3 ? parse_atr(words[2], line) : 0;
    }
    return -EINVAL;
}

int scfs_virtual_parse(const char *text, size_t len, struct scfs_virtual_line *line)
{
    char words[WORDS_MAX][WORD_SIZE];
    int count = len <= LINE_LEN_MAX ? split(text, len, words) : -EINVAL;
    int error = count < 0 ? count : -EINVAL;

    *line = (struct scfs_virtual_line){0};
    if (count > 0)
        error = parse_words(words, count, line);
    RtlSecureZeroMemory(words, sizeof words); /* the keys of a PIN pad */
    return error;
}

/* ---- execution ------------------------------------------------------------------- */

static int ask_driver(const struct scfs_driver *driver, struct scfs_reader *reader,
                      const struct scfs_virtual_line *line)
{
    switch (line->verb) {
    case SCFS_VIRTUAL_INSERT:
        return driver->insert(reader->device, line->atr, line->atr_len);
    case SCFS_VIRTUAL_TYPE:
        return driver->type != NULL ? driver->type(reader->device, line->keys)
                                    : -EOPNOTSUPP;
    default:
        return driver->remove(reader->device);
    }
}

static int execute(struct scfs *fs, const struct scfs_virtual_line *line)
{
    const struct scfs_driver *driver = fs->driver;
    struct scfs_reader *reader;
    int result = -ENODEV;

    if (line->verb == SCFS_VIRTUAL_PLUG) {
        if (scfs_registry_count(fs, &fs->driver_object) >= SCFS_SHAPES_MAX)
            return -ENOSPC;
        return -smc_status_errno(
            driver->plug(line->shape[0] != '\0' ? line->shape : NULL));
    }

    reader = scfs_registry_by_number(fs, line->number);
    if (reader == NULL)
        return -ENODEV;
    if (reader->device->DriverObject != &fs->driver_object) {
        result = -ENODEV; /* of a driver that has no virtual readers */
    } else if (line->verb == SCFS_VIRTUAL_UNPLUG) {
        result = scfs_reader_unplug(reader, driver->unplug);
    } else if (scfs_reader_enter(reader)) {
        result = ask_driver(driver, reader, line);
        scfs_reader_leave(reader);
    }
    scfs_reader_put(reader);
    return result;
}

ssize_t scfs_virtual_write(struct scfs *fs, const char *text, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const char *newline = memchr(text + done, '\n', len - done);
        size_t end = newline != NULL ? (size_t)(newline - text) : len;
        struct scfs_virtual_line line;
        int error;

        if (newline == NULL && done > 0 && len > LINE_LEN_MAX)
            break;
        error = scfs_virtual_parse(text + done, end - done, &line);

        if (error == 0)
            error = execute(fs, &line);
        RtlSecureZeroMemory(&line, sizeof line);
        if (error != 0)
            return done > 0 ? (ssize_t)done : error;
        done = newline != NULL ? end + 1 : len;
    }
    return (ssize_t)done;
}
