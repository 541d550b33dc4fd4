/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - one line per event: on stderr in the foreground, to syslog in the background,
 * where those of libfuse go, too. A driver's lines are limited per reader; how many were
 * left out is said before the next one, and at the latest when the reader goes. The last
 * one that tells of a failure is the reader's `last_error`.
 */
#include "fs/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define LINES_PER_SECOND 10

static bool to_stderr = true;

/* Set before libfuse has threads. */
static void (*request_lost)(void *context);
static void *lost_context;

void scfs_log_open(bool foreground)
{
    to_stderr = foreground;
    if (!foreground)
        openlog("scardfs", LOG_PID, LOG_DAEMON);
}

__attribute__((format(printf, 2, 0))) static void write_line(int priority,
                                                             const char *format,
                                                             va_list arguments)
{
    char text[1024];
    size_t len;

    vsnprintf(text, sizeof text, format, arguments);
    len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    if (to_stderr)
        fprintf(stderr, "scardfs: %s\n", text);
    else
        syslog(priority, "%s", text);
}

void scfs_log(int priority, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(priority, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 0))) static void libfuse_line(enum fuse_log_level level,
                                                               const char *format,
                                                               va_list arguments)
{
    _Static_assert(FUSE_LOG_EMERG == LOG_EMERG && FUSE_LOG_DEBUG == LOG_DEBUG,
                   "libfuse counts as syslog does");
    write_line((int)level, format, arguments);
    if (request_lost != NULL && strstr(format, "failed to allocate request") != NULL)
        request_lost(lost_context);
}

void scfs_log_libfuse(void (*lost)(void *context), void *context)
{
    request_lost = lost;
    lost_context = context;
    fuse_set_log_func(libfuse_line);
}

/* Whether a line may be written now, and how many have been left out before it. */
static bool admit(struct scfs_reader *reader, unsigned *suppressed)
{
    uint64_t now = reader->fs->timer.now_ms();
    bool yes;

    *suppressed = 0;
    pthread_mutex_lock(&reader->lock);
    if (reader->gone) { /* scfs_log_left_out has been: nothing may be left out any more */
        pthread_mutex_unlock(&reader->lock);
        return true;
    }
    if (reader->log.lines == 0 || now - reader->log.since_ms >= 1000) {
        *suppressed = reader->log.suppressed;
        reader->log.since_ms = now;
        reader->log.lines = 0;
        reader->log.suppressed = 0;
    }
    yes = reader->log.lines < LINES_PER_SECOND;
    if (yes)
        reader->log.lines++;
    else
        reader->log.suppressed++;
    pthread_mutex_unlock(&reader->lock);
    return yes;
}

static void say_left_out(const struct scfs_reader *reader, unsigned lines)
{
    if (lines > 0)
        scfs_log(LOG_WARNING, "reader%u: %u more lines", reader->number, lines);
}

void scfs_log_left_out(struct scfs_reader *reader)
{
    unsigned lines;

    pthread_mutex_lock(&reader->lock);
    lines = reader->log.suppressed;
    reader->log.suppressed = 0;
    pthread_mutex_unlock(&reader->lock);
    say_left_out(reader, lines);
}

static void remember(struct scfs_reader *reader, NTSTATUS status, const char *text)
{
    char line[sizeof reader->last_error];

    if (text[0] != '\0')
        snprintf(line, sizeof line, "%s: %s", smc_status_name(status), text);
    else
        snprintf(line, sizeof line, "%s", smc_status_name(status));
    pthread_mutex_lock(&reader->lock);
    memcpy(reader->last_error, line, sizeof line);
    pthread_mutex_unlock(&reader->lock);
}

void scfs_log_driver(struct scfs *fs, PDEVICE_OBJECT device, NTSTATUS status,
                     const char *text)
{
    int priority = NT_SUCCESS(status) ? LOG_INFO : LOG_WARNING;
    const char *name = NT_SUCCESS(status) ? "" : smc_status_name(status);
    const char *between = name[0] != '\0' && text[0] != '\0' ? ": " : "";
    char clean[512];
    struct scfs_reader *reader;
    unsigned suppressed;

    /* Device strings may be in it: one line stays one line. */
    scfs_text_printable(clean, sizeof clean, (const uint8_t *)text, strcspn(text, "\n"));
    reader = device != NULL ? scfs_registry_by_device(fs, device) : NULL;
    if (reader == NULL) {
        const char *where = device != NULL ? smc_io_identity(device)->path : "";

        scfs_log(priority, "%s%s%s%s%s", where, where[0] != '\0' ? ": " : "", name,
                 between, clean);
        return;
    }
    if (!NT_SUCCESS(status))
        remember(reader, status, clean);
    if (admit(reader, &suppressed)) {
        say_left_out(reader, suppressed);
        scfs_log(priority, "reader%u: %s%s%s", reader->number, name, between, clean);
    }
    scfs_reader_put(reader);
}
