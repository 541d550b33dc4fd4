/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - see client.h. What it does are sessions: it opens one of the readers in its
 * own way and does some things with the card; after an error it begins another.
 *
 * The card tells what others have done. It counts commands since its reset (80 E8): in a
 * transaction the count goes up by exactly the client's own, so one more is a command of
 * another or one that was executed twice. An echo (80 E0) must come back as it was sent;
 * each carries a number for the ledger of the emulation (tests/usbemu/ledger.c). Each uid
 * knows the PIN of one reader: whoever finds the PIN of another verified (80 E6) has got
 * the card with what somebody else had left in it.
 */
#include "client.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "judge.h"
#include "soak.h"
#include "way.h"

#define WAYS           4
#define ECHO_HEADER    8
#define ECHO_MAX       200
#define ECHO_LONG      1500 /* at T=1; an extended APDU */
#define AGAIN_MAX      5    /* resets by others during one command of a session */
#define THINK_MAX_US   4000
#define OPERATIONS_MAX 8 /* of a session */

static const struct way *const ways[WAYS] = {&way_ioctl, &way_write, &way_text,
                                             &way_pcsc};

struct client {
    int number;
    const struct way *way;
    const char *mount;
    uint32_t random;
    struct judge judge;
    struct access access;
    bool knows_pin;
};

const char *client_name(int number)
{
    static char name[32];

    snprintf(name, sizeof name, "client %d (%s)", number, ways[number % WAYS]->name);
    return name;
}

/* ---- commands -----------------------------------------------------------------------
 */

static int transmit(struct client *c, const uint8_t *command, size_t len, uint8_t *answer,
                    size_t *answer_len)
{
    int error;

    judge_begins(&c->judge, "a command");
    error = c->way->exchange(&c->access, command, len, answer, answer_len);
    if (error == 0)
        ADD(&soak->apdus, 1);
    return judge_ends(&c->judge, error, true);
}

/* With the GET RESPONSE that T=0 may leave to the program. */
static int exchange(struct client *c, const uint8_t *command, size_t len, uint8_t *answer,
                    size_t *answer_len)
{
    int error = transmit(c, command, len, answer, answer_len);

    if (error == 0 && *answer_len == 2 && answer[0] == 0x61) {
        const uint8_t get_response[] = {0x00, 0xc0, 0x00, 0x00, answer[1]};

        error = transmit(c, get_response, sizeof get_response, answer, answer_len);
    }
    return error;
}

/* Outside of a transaction others may reset the card before the client's next command, or
 * between the two of T=0: then the client does what a program does, and has another try.
 * The command may have been executed, so it is given a new number. */
static int again(struct client *c, int error)
{
    if (error != ECONNRESET || c->way->again == NULL)
        return error;
    judge_begins(&c->judge, "a connection again");
    return judge_ends(&c->judge, c->way->again(&c->access), true);
}

/* *at, *len: its data. */
static size_t echo_command(struct client *c, uint8_t *command, size_t *at,
                           size_t *data_len)
{
    const bool is_long = c->judge.reader < USB_READERS && draw(&c->random) % 16 == 0;
    const uint32_t most = is_long ? ECHO_LONG : ECHO_MAX;
    size_t len = ECHO_HEADER + draw(&c->random) % (most - ECHO_HEADER);
    uint32_t number = ++soak->clients[c->number].number;
    uint8_t *p = command;

    memcpy(p, "\x80\xe0\0\0", 4);
    p += 4;
    if (len > 255) {
        *p++ = 0;
        *p++ = (uint8_t)(len >> 8);
    }
    *p++ = (uint8_t)len;
    *at = (size_t)(p - command);
    memcpy(p, "No\0", 3);
    p[3] = (uint8_t)c->number;
    for (int i = 0; i < 4; i++)
        p[4 + i] = (uint8_t)(number >> (24 - 8 * i));
    for (size_t i = ECHO_HEADER; i < len; i++)
        p[i] = (uint8_t)draw(&c->random);
    *data_len = len;
    if (!c->way->follows)
        return *at + len;
    p[len] = p[len + 1] = 0; /* Le: all there is */
    return *at + len + (len > 255 ? 2 : 1);
}

/* At T=0 the two commands of an echo are apart outside of a transaction, and the second
 * may find another's answer. */
static bool may_be_mixed(const struct client *c, bool inside)
{
    return !inside && !c->way->follows && c->judge.reader == READER_T0;
}

static int echo(struct client *c, bool inside)
{
    uint8_t command[ECHO_LONG + 16], answer[ANSWER_ROOM];
    size_t command_len, len, at, answer_len = 0;
    int error;

    for (int tries = 0;; tries++) {
        command_len = echo_command(c, command, &at, &len);
        error = exchange(c, command, command_len, answer, &answer_len);
        if (error != ECONNRESET || inside || tries == AGAIN_MAX)
            break;
        error = again(c, error);
        if (error != 0)
            break;
    }
    if (error == 0 && !may_be_mixed(c, inside))
        judge_that(&c->judge,
                   answer_len == len + 2 && memcmp(answer, command + at, len) == 0 &&
                       answer[answer_len - 2] == 0x90,
                   "has got an answer that is not its own");
    return error;
}

/* SW1, or -1 with *error. */
static int status_of(struct client *c, const uint8_t *command, size_t len, int *error)
{
    uint8_t answer[ANSWER_ROOM];
    size_t answer_len = 0;

    *error = exchange(c, command, len, answer, &answer_len);
    if (*error != 0)
        return -1;
    judge_that(&c->judge, answer_len == 2, "has got an answer to something else");
    return answer[0];
}

static int look_for_pin(struct client *c)
{
    static const uint8_t command[] = {0x80, 0xe6, 0, 0};
    int error, sw1 = status_of(c, command, sizeof command, &error);

    if (error == 0)
        judge_that(&c->judge, c->knows_pin || sw1 == 0x69,
                   "has found a PIN verified that it does not know");
    return error;
}

static int verify_pin(struct client *c)
{
    static const uint8_t command[] = {0,    0x20, 0,    0x80, 6,   0x31,
                                      0x32, 0x33, 0x34, 0x35, 0x36};
    int error, sw1 = status_of(c, command, sizeof command, &error);

    if (error == 0)
        judge_that(&c->judge, sw1 == 0x90, "had its PIN refused");
    return error;
}

static int count(struct client *c, uint32_t *commands)
{
    static const uint8_t command[] = {0x80, 0xe8, 0, 0, 4};
    uint8_t a[ANSWER_ROOM];
    size_t len = 0;
    int error = exchange(c, command, sizeof command, a, &len);

    if (error != 0)
        return error;
    judge_that(&c->judge, len == 6, "has got an answer to something else");
    *commands = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
    return 0;
}

/* ---- operations ---------------------------------------------------------------------
 */

static int inside(struct client *c)
{
    const uint32_t echoes = draw(&c->random) % 5;
    uint32_t before = 0, after = 0;
    int error = look_for_pin(c);

    if (error == 0 && c->knows_pin)
        error = verify_pin(c);
    if (error == 0)
        error = count(c, &before);
    for (uint32_t i = 0; i < echoes && error == 0; i++)
        error = echo(c, true);
    if (error == 0)
        error = count(c, &after);
    if (error == 0)
        judge_that(&c->judge, after == before + echoes + 1,
                   "was not alone in its transaction, or a command ran twice");
    return error;
}

static int transaction(struct client *c)
{
    int error;

    judge_begins(&c->judge, "the beginning of a transaction");
    error = judge_ends(&c->judge, c->way->begin(&c->access), false);
    if (error != 0)
        return again(c, error);
    judge_comes_in(&c->judge);
    ADD(&soak->transactions, 1);
    error = inside(c);
    if (error == ECONNRESET && (error = again(c, error)) == 0)
        error = inside(c);
    judge_goes_out(&c->judge);
    if (error != 0 || draw(&c->random) % 8 == 0)
        return error != 0 ? error : -1; /* the session's end is the transaction's */
    judge_begins(&c->judge, "the end of a transaction");
    return judge_ends(&c->judge, c->way->end(&c->access, draw(&c->random) % 3), false);
}

static int operation(struct client *c)
{
    int error;

    ADD(&soak->operations, 1);
    switch (draw(&c->random) % 8) {
    case 0:
    case 1:
    case 2:
        return echo(c, false);
    case 3:
        return again(c, look_for_pin(c));
    case 4:
        return c->knows_pin ? again(c, verify_pin(c)) : 0;
    case 5:
        if (c->way->reset == NULL || draw(&c->random) % 4 != 0)
            return 0;
        judge_begins(&c->judge, "a reset");
        error = judge_ends(&c->judge, c->way->reset(&c->access), true);
        return again(c, error);
    default:
        return transaction(c);
    }
}

static void think(struct client *c)
{
    const struct timespec pause = {.tv_nsec = 1000 * (draw(&c->random) % THINK_MAX_US)};

    nanosleep(&pause, NULL);
}

static void session(struct client *c)
{
    const int number = (int)(draw(&c->random) % READERS);
    const uint32_t operations = 1 + draw(&c->random) % OPERATIONS_MAX;
    int directory, error;

    judge_turns_to(&c->judge, number);
    directory = reader_open(c->mount, soak->readers[number].tag, NULL, 0);
    if (directory < 0) {
        judge_misses(&c->judge);
        return;
    }
    c->access = (struct access){.fd = -1};
    c->knows_pin = c->judge.uid < 0 || c->judge.uid % READERS == number;
    judge_begins(&c->judge, "open");
    error = c->way->open(&c->access, directory, soak->readers[number].tag);
    error = judge_ends(&c->judge, error, false);
    close(directory);
    if (error != 0)
        return;
    for (uint32_t i = 0; i < operations && error == 0 && !LOAD(&soak->stop); i++) {
        error = operation(c);
        think(c);
    }
    judge_begins(&c->judge, "close");
    c->way->close(&c->access);
    (void)judge_ends(&c->judge, 0, false);
    if (error <= 0)
        soak->clients[c->number].sessions++;
}

_Noreturn void client_run(int number, const char *mount, uint32_t seed, bool uids)
{
    struct client c = {.number = number,
                       .way = ways[number % WAYS],
                       .mount = mount,
                       .random = seed != 0 ? seed : 1,
                       .judge = {.client = number, .uid = uids ? number / WAYS : -1}};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails takes it with it */
    if (uids && (setgroups(0, NULL) != 0 || setgid(UID_BASE + (gid_t)c.judge.uid) != 0 ||
                 setuid(UID_BASE + (uid_t)c.judge.uid) != 0))
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* which a change of uid takes back */
    setenv("SCARDFS_MOUNT", mount, 1);
    while (!LOAD(&soak->stop)) {
        session(&c);
        think(&c);
    }
    _exit(0);
}
