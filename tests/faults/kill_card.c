/* SPDX-License-Identifier: BSD-2-Clause */
/* kill_card.c - see kill_card.h. */
#include "kill_card.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LONG_LEN 1000 /* of a command: four messages each way */

struct sent *sent;

const char *const kill_verdicts[KILL_VERDICTS] = {
    NULL, "the first answer, or the power-up before it, is wrong",
    "the PIN is still verified", "the long command is not answered"};

/* True: the answer is that one. */
static bool apdu(int fd, const uint8_t *command, size_t len, const uint8_t *wanted,
                 size_t wanted_len)
{
    static uint8_t answer[LONG_LEN + 16];
    ssize_t n;

    atomic_fetch_add(&sent->begun, 1);
    if (write(fd, command, len) != (ssize_t)len)
        return false;
    n = read(fd, answer, sizeof answer);
    if (n < 0)
        return false;
    atomic_fetch_add(&sent->answered, 1);
    return (size_t)n == wanted_len && memcmp(answer, wanted, wanted_len) == 0;
}

#define APDU(fd, command, wanted)                                                        \
    apdu(fd, (const uint8_t *)(command), sizeof(command) - 1, (const uint8_t *)(wanted), \
         sizeof(wanted) - 1)

static bool long_apdu(int fd)
{
    static uint8_t command[7 + LONG_LEN + 2] = {0x80,          0xe0,           0, 0, 0,
                                                LONG_LEN >> 8, LONG_LEN & 0xff};
    static uint8_t wanted[LONG_LEN + 2];

    for (size_t i = 0; i < LONG_LEN; i++)
        command[7 + i] = wanted[i] = (uint8_t)(i * 13);
    wanted[LONG_LEN] = 0x90;
    return apdu(fd, command, sizeof command, wanted, sizeof wanted);
}

static int open_control(struct subject *s)
{
    return open(subject_path(s, "reader0/control"), O_RDWR | O_CLOEXEC);
}

int use_card(void *argument)
{
    int fd = open_control(argument);
    bool good = fd >= 0 &&
                APDU(fd, "\x00\x20\x00\x80\x06\x31\x32\x33\x34\x35\x36", "\x90\x00") &&
                APDU(fd, "\x80\xe6\x00\x00", "\x90\x00") && long_apdu(fd) &&
                APDU(fd, "\x80\xe0\x00\x00\x01\x61\x00", "\x61\x90\x00");

    if (fd >= 0)
        close(fd);
    return good ? 0 : 1;
}

int use_new_card(void *argument)
{
    int fd = open_control(argument), verdict = 0;

    if (fd < 0 || !APDU(fd, "\x80\xe8\x00\x00\x04", "\x00\x00\x00\x01\x90\x00"))
        verdict = 1;
    else if (!APDU(fd, "\x80\xe6\x00\x00", "\x69\x82"))
        verdict = 2;
    else if (!long_apdu(fd))
        verdict = 3;
    if (fd >= 0)
        close(fd);
    return verdict;
}

bool card_of(struct subject *s, struct card *card)
{
    const char *answer = subject_emulate(s, "card 1-1");

    return answer &&
           sscanf(answer, "ok powered %u executed %lu powered_up %lu left %lu",
                  &card->powered, &card->executed, &card->powered_up, &card->left) == 4;
}
