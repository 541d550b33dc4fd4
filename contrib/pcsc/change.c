/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.c - SCardGetStatusChange.
 *
 * THEORY. Each reader is looked at, what is found is held against what the caller knows,
 * and when nothing differs, everything that might is watched (watch.h) and looked at
 * again. A card whose power-up is running is not in yet: it has no ATR, and may turn out
 * to be mute. The high word of a state counts the changes of presence since the
 * reader came: who gives it back learns of a card that was out and in again.
 */
#include "contrib/pcsc/library.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "contrib/pcsc/change.h"
#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/reader.h"
#include "contrib/pcsc/watch.h"

#define NOTIFICATION "\\\\?PnP?\\Notification"
#define LOOKS        3

/* ---- what differs ---------------------------------------------------------------- */

#define LOW_WORD 0xFFFFu

DWORD change_counter(uint32_t counter)
{
    return (DWORD)(counter % LOW_WORD + 1) << 16;
}

DWORD change_state(const struct scard_info *info)
{
    const bool settling = (info->flags & SCARD_INFO_RESETTING) != 0;
    const uint32_t counter = info->counter - (settling && info->counter > 0);
    DWORD state = change_counter(counter);

    if ((info->flags & SCARD_INFO_PRESENT) == 0 || settling)
        return state | SCARD_STATE_EMPTY;
    state |= SCARD_STATE_PRESENT;
    if ((info->flags & SCARD_INFO_MUTE) != 0)
        state |= SCARD_STATE_MUTE;
    if ((info->flags & SCARD_INFO_EXCLUSIVE) != 0)
        state |= SCARD_STATE_EXCLUSIVE;
    else if (info->connections > 0)
        state |= SCARD_STATE_INUSE;
    return state;
}

bool change_is_news(DWORD known, DWORD state)
{
    const DWORD asked = SCARD_STATE_EMPTY | SCARD_STATE_PRESENT | SCARD_STATE_EXCLUSIVE |
                        SCARD_STATE_INUSE | SCARD_STATE_MUTE | SCARD_STATE_UNKNOWN |
                        SCARD_STATE_UNAVAILABLE;
    const DWORD counter = known >> 16;

    if (known == SCARD_STATE_UNAWARE || (counter != 0 && counter != state >> 16))
        return true;
    if ((known & asked & ~state) != 0)
        return true;
    return (known & SCARD_STATE_PRESENT) != 0 && (known & SCARD_STATE_MUTE) == 0 &&
           (state & SCARD_STATE_MUTE) != 0;
}

/* ---- looking --------------------------------------------------------------------- */

static bool is_notification(const SCARD_READERSTATE *state)
{
    return strcasecmp(state->szReader, NOTIFICATION) == 0;
}

static void tell(SCARD_READERSTATE *state, DWORD event, bool news)
{
    state->dwEventState = event | (news ? SCARD_STATE_CHANGED : 0);
}

static void tell_unknown(SCARD_READERSTATE *state)
{
    tell(state, SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE,
         (state->dwCurrentState & SCARD_STATE_UNKNOWN) == 0);
    state->cbAtr = 0;
}

static void tell_of_card(SCARD_READERSTATE *state, const struct scard_info *info)
{
    const DWORD event = change_state(info);

    state->cbAtr = 0;
    if ((event & SCARD_STATE_PRESENT) != 0 && info->atr_len <= sizeof state->rgbAtr) {
        state->cbAtr = info->atr_len;
        memcpy(state->rgbAtr, info->atr, info->atr_len);
    }
    tell(state, event, change_is_news(state->dwCurrentState, event));
}

struct wait {
    struct context *context;
    SCARD_READERSTATE *states;
    DWORD count;
    struct watch_set *set; /* whatever is looked at is watched first; NULL: no wait */
    bool first;            /* the readers have to be there */
    bool heard;            /* arrivals, before */
    bool counts;           /* arrivals, of which there are `now` by that look */
    unsigned long look;
    uint32_t now, arrivals; /* arrivals: that are no news */
};

static int look_at_card(struct wait *wait, struct reader *reader, struct scard_info *info)
{
    int fd = wait->set != NULL ? watch_reader(wait->set, reader) : reader->fd;

    if (fd >= 0)
        return reader_info(reader, fd, info);
    if (fd == -ENOENT || fd == -ENODEV || fd == -ENOTCONN)
        reader_lost(reader); /* the name has to be looked for again */
    return -fd;
}

/* Nothing to look at: what is said of it is true. */
static bool is_unchanged(const struct wait *wait, struct reader *reader)
{
    return !wait->first && wait->set != NULL && watch_is_unchanged(wait->set, reader);
}

/* What a look at one reader has come to, beside an errno. One that this process remembers
 * may have gone, and come back under its name: then its counter is another (reader.h). */
struct found {
    struct scard_info info;
    bool unchanged; /* there is no info */
};

static int look_for_reader(struct wait *wait, const char *name, struct found *found)
{
    int error = ENOENT;

    for (int i = 0; i < LOOKS; i++) {
        struct reader *reader = reader_find(name, &error);

        if (reader == NULL)
            return error;
        found->unchanged = is_unchanged(wait, reader);
        error = found->unchanged ? 0 : look_at_card(wait, reader, &found->info);
        reader_put(reader);
        if (error != ENODEV && error != ENOENT && error != ENOTCONN)
            return error;
    }
    return error;
}

static int look_at_reader(struct wait *wait, SCARD_READERSTATE *state)
{
    struct found found = {.unchanged = false};
    int error = look_for_reader(wait, state->szReader, &found);

    if (error == 0 && found.unchanged)
        return 0;
    if (error == 0)
        tell_of_card(state, &found.info);
    if (wait->first || (error != ENOENT && error != ENODEV))
        return error;
    tell_unknown(state);
    return watch_arrivals(wait->set);
}

/* Arrivals and departures since the context heard of them last, in this call's view:
 * what other threads hear meanwhile takes nothing away from it. */
static int look_for_arrivals(struct wait *wait, SCARD_READERSTATE *state)
{
    int error = wait->set != NULL ? watch_arrivals(wait->set) : 0;

    if (error == 0)
        error = context_look(wait->context, &wait->look, &wait->now);
    if (error != 0)
        return error;
    if (!wait->counts && !wait->heard)
        wait->arrivals = wait->now;
    wait->counts = true;
    tell(state, 0, wait->now != wait->arrivals);
    return 0;
}

static bool is_ignored(const SCARD_READERSTATE *state)
{
    return (state->dwCurrentState & SCARD_STATE_IGNORE) != 0 ||
           state->szReader[0] == '\0';
}

static bool all_are_ignored(const struct wait *wait)
{
    for (DWORD i = 0; i < wait->count; i++) {
        if (!is_ignored(&wait->states[i]))
            return false;
    }
    return true;
}

/* An errno; *news: there is something to tell, or nothing that could change. */
static int look(struct wait *wait, bool *news)
{
    *news = all_are_ignored(wait);
    if (*news) /* and nothing is said of them */
        return 0;
    for (DWORD i = 0; i < wait->count; i++) {
        SCARD_READERSTATE *state = &wait->states[i];
        int error;

        if (is_ignored(state)) {
            state->dwEventState = 0;
            continue;
        }
        error = is_notification(state) ? look_for_arrivals(wait, state)
                                       : look_at_reader(wait, state);
        if (error != 0)
            return error;
        *news = *news || (state->dwEventState & SCARD_STATE_CHANGED) != 0;
    }
    wait->first = false;
    return 0;
}

/* ---- waiting --------------------------------------------------------------------- */

static int wait_in(struct wait *wait, struct gate *gate, int cancel_fd,
                   uint64_t deadline_ms)
{
    bool news = false;
    int error = 0;

    watch_set_renew(wait->set);
    for (;;) {
        watch_set_begin(wait->set);
        error = look(wait, &news);
        if (error != 0 || news)
            return error;
        if (watch_is_over(deadline_ms)) /* whatever the files say */
            return ETIMEDOUT;
        error = watch_wait(wait->set, cancel_fd, deadline_ms);
        if (error == ECANCELED && !gate_is_cancelled(gate))
            gate_calm(gate);
        else if (error != 0)
            return error;
    }
}

/* The streams of the last wait are used again; those of a daemon that has gone fail. */
static int wait_for_news(struct context *context, struct wait *wait, uint64_t deadline_ms)
{
    const int cancel_fd = gate_enter(&context->gate);
    bool again = true;
    int error;

    if (cancel_fd < 0)
        return EMFILE;
    do {
        wait->set = atomic_exchange(&context->watches, NULL);
        if (wait->set == NULL) {
            wait->set = watch_set_new();
            again = false;
        }
        error = wait->set != NULL ? wait_in(wait, &context->gate, cancel_fd, deadline_ms)
                                  : ENOMEM;
        if (error == 0 || error == ETIMEDOUT || error == ECANCELED)
            wait->set = atomic_exchange(&context->watches, wait->set);
        watch_set_free(wait->set);
    } while (error == ENOTCONN && again);
    gate_leave(&context->gate);
    return error;
}

static LONG check(const SCARD_READERSTATE *states, DWORD count)
{
    if (states == NULL && count > 0)
        return SCARD_E_INVALID_PARAMETER;
    for (DWORD i = 0; i < count; i++) {
        if (states[i].szReader == NULL)
            return SCARD_E_INVALID_VALUE;
    }
    return SCARD_S_SUCCESS;
}

static LONG change_error(int error)
{
    switch (error) {
    case ETIMEDOUT:
        return SCARD_E_TIMEOUT;
    case ECANCELED:
        return SCARD_E_CANCELLED;
    default:
        return convert_error(error);
    }
}

LONG SCardGetStatusChange(SCARDCONTEXT hContext, DWORD dwTimeout,
                          SCARD_READERSTATE *rgReaderStates, DWORD cReaders)
{
    struct wait wait = {.states = rgReaderStates, .count = cReaders, .first = true};
    const uint64_t start_ms = dwTimeout != 0 ? watch_now_ms() : 0;
    struct context *context;
    LONG result = check(rgReaderStates, cReaders);
    bool news = false;
    int error;

    if (result != SCARD_S_SUCCESS)
        return result;
    context = context_get(hContext);
    if (context == NULL)
        return SCARD_E_INVALID_HANDLE;
    wait.context = context;
    wait.heard = context_heard(context, &wait.arrivals);
    if (dwTimeout == 0) {
        error = look(&wait, &news);
        if (error == 0 && !news)
            error = ETIMEDOUT;
    } else {
        error = wait_for_news(
            context, &wait, dwTimeout >= INFINITE ? WATCH_FOREVER : start_ms + dwTimeout);
    }
    if ((error == 0 || error == ETIMEDOUT) && wait.counts)
        context_hears(context, wait.look, wait.now);
    context_put(context);
    return change_error(error);
}
