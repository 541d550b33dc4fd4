/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usbemu-ctl SOCKET COMMAND [ARGUMENT ...] - sends one command to the emulation (see
 * control.c) and prints the answer. 0: ok, 1: refused, 2: no answer.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        perror(path);
        close(fd);
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    int fd, verdict = 2;
    char line[2048];
    FILE *stream;

    if (argc < 3) {
        fprintf(stderr, "usage: usbemu-ctl SOCKET COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    fd = dial(argv[1]);
    if (fd < 0)
        return 2;
    for (int i = 2; i < argc; i++)
        dprintf(fd, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    stream = fdopen(fd, "r");
    while (verdict == 2 && stream && fgets(line, sizeof line, stream)) {
        fputs(line, stdout);
        if (!strncmp(line, "ok", 2))
            verdict = 0;
        else if (!strncmp(line, "err", 3))
            verdict = 1;
    }
    if (stream)
        fclose(stream);
    return verdict;
}
