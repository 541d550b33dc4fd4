/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge.c - see judge.h.
 *
 * Errors need a reason. That there is no card, or no reader, only when it has gone or
 * come since the session began; what a fault on the bus brings about only on a reader
 * with faults, and not for longer than its recovery may take. A card that was reset by
 * another is told of by ECONNRESET; nothing else may come.
 */
#include "judge.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "daemon.h"
#include "soak.h"

static struct reader *reader_of(const struct judge *j)
{
    return &soak->readers[j->reader];
}

/* Card and reader have been there since the session began. */
static bool is_calm(const struct judge *j)
{
    return j->generation % 2 == 0 && LOAD(&reader_of(j)->generation) == j->generation;
}

void judge_that(const struct judge *j, bool truth, const char *what)
{
    if (!truth)
        violation(client_name(j->client), "%s, on reader %s in %s", what,
                  reader_of(j)->tag, j->call);
}

void judge_turns_to(struct judge *j, int reader)
{
    j->reader = reader;
    j->generation = LOAD(&reader_of(j)->generation);
    j->call = "looking for it";
}

void judge_misses(struct judge *j)
{
    judge_that(j, !is_calm(j), "does not find it");
}

void judge_begins(struct judge *j, const char *call)
{
    j->begun_ms = now_ms();
    j->faults = LOAD(&reader_of(j)->faults);
    j->call = call;
    soak->clients[j->client].call = call;
    STORE(&soak->clients[j->client].call_ms, j->begun_ms);
}

static void take_time(struct judge *j)
{
    const int64_t took_ms = now_ms() - j->begun_ms;

    STORE(&soak->clients[j->client].call_ms, 0);
    if (took_ms > LOAD(&soak->longest_ms)) { /* two at once: one of them counts */
        STORE(&soak->longest_ms, took_ms);
        soak->longest = j->call;
    }
    if (took_ms > CALL_MS)
        violation(client_name(j->client), "%s on reader %s took %lld ms", j->call,
                  reader_of(j)->tag, (long long)took_ms);
}

static bool is_absence(int error)
{
    return error == ENOMEDIUM || error == ENXIO || error == ENODEV || error == ENOENT ||
           error == ESHUTDOWN;
}

static bool is_fault(int error)
{
    return error == EIO || error == EPROTO || error == ETIMEDOUT || error == EBADMSG ||
           error == EMEDIUMTYPE;
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/*
 * There was a fault that has nothing to do with the reader's trouble's beginning. Whoever
 * tells of a failure may come to it late, when the next command has met with its fault
 * already: so two since that call began are enough.
 */
static bool met_another_fault(const struct reader *r, uint64_t trouble, int64_t since)
{
    const uint16_t more = (uint16_t)(LOAD(&r->faults) - (uint16_t)trouble);

    return LOAD(&r->fault_ms) >= since ||
           ((int64_t)(trouble >> 16) == since && more >= 2);
}

/* The first failure begins the reader's trouble; a success must come in time. Another
 * fault gives it more time, but not for ever. */
static void note_trouble(const struct judge *j, int error)
{
    struct reader *r = reader_of(j);
    const int64_t now = now_ms();
    uint64_t trouble = 0;
    int64_t since, until;

    if (__atomic_compare_exchange_n(&r->trouble, &trouble,
                                    (uint64_t)now << 16 | (uint16_t)j->faults, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    since = latest((int64_t)(trouble >> 16), LOAD(&r->settled_ms));
    until = since + NEXT_USE_MS;
    if (met_another_fault(r, trouble, since))
        until = LOAD(&r->fault_ms) + RECOVER_MS;
    if (now > until || now - since > CALL_MS)
        violation(client_name(j->client),
                  "%s on reader %s: %s, and nobody has succeeded for %lld ms", j->call,
                  r->tag, strerror(error), (long long)(now - since));
}

int judge_ends(struct judge *j, int error, bool touches)
{
    struct reader *r = reader_of(j);

    take_time(j);
    if (error == 0) {
        if (touches)
            STORE(&r->trouble, 0);
        return 0;
    }
    if (error == ECONNRESET)
        return error;
    ADD(&soak->failures, 1);
    if (!is_calm(j))
        judge_that(j, is_absence(error) || is_fault(error) || error == EBADFD,
                   strerror(error));
    else if (r->faulty && is_fault(error))
        note_trouble(j, error);
    else
        judge_that(j, false, error < 1000 ? strerror(error) : "an error of PC/SC");
    return error;
}

/* ---- transactions -------------------------------------------------------------------
 */

void judge_comes_in(struct judge *j)
{
    const uint32_t generation = LOAD(&reader_of(j)->generation);
    uint64_t last;

    j->mark = (uint64_t)generation << 8 | (uint64_t)(j->client + 1);
    last = __atomic_exchange_n(&reader_of(j)->inside, j->mark, __ATOMIC_SEQ_CST);
    /* whoever was inside when the card went is not any more, and may not know it yet */
    if (last == 0 || last >> 8 != generation || generation % 2 != 0)
        return;
    judge_that(j, LOAD(&soak->clients[(last & 0xff) - 1].doomed) != 0,
               "has come into another's transaction");
}

void judge_goes_out(struct judge *j)
{
    uint64_t mark = j->mark;

    __atomic_compare_exchange_n(&reader_of(j)->inside, &mark, 0, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}
