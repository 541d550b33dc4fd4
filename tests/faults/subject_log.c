/* SPDX-License-Identifier: BSD-2-Clause */
/* subject_log.c - what the daemon has said since it was started; see subject.h. */
#include "subject.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN 600 /* bytes, the last */

size_t subject_said(const struct subject *s)
{
    struct stat st;

    return stat(s->log, &st) == 0 ? (size_t)(st.st_size - s->log_begin) : 0;
}

static char *log_text(const struct subject *s)
{
    size_t len = subject_said(s);
    char *text = calloc(1, len + 1);
    int fd = open(s->log, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && pread(fd, text, len, s->log_begin) < 0)
        perror(s->log);
    close(fd);
    return text;
}

bool subject_has_said(const struct subject *s, const char *words)
{
    char *text = log_text(s);
    bool yes = strstr(text, words) != NULL;

    free(text);
    return yes;
}

void subject_print_log(const struct subject *s)
{
    char *text = log_text(s);
    size_t len = strlen(text);

    printf("     it has said: %s%s", len > SHOWN ? "..." : "",
           len > SHOWN ? text + len - SHOWN : text);
    printf("%s", len == 0 ? "nothing\n" : "");
    free(text);
}
