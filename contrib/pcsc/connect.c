/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c - SCardConnect, SCardReconnect, SCardDisconnect.
 *
 * THEORY. A handle is an open `control` with a connection that hears of resets
 * (SCARD_CONNECT_TELL_RESETS). Its card is lost to it with the card's removal, and its
 * state with a reset by somebody else: each call says so until SCardReconnect, which
 * connects again.
 */
#include "contrib/pcsc/library.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/reader.h"

#define POWER_DOWN 0u
#define COLD_RESET 1u

#define OPEN_TRIES 3

/* ---- the table ------------------------------------------------------------------- */

static struct card *card_of(struct table_entry *entry)
{
    return (struct card *)entry;
}

static void close_control(struct card *card)
{
    if (card->fd >= 0)
        mount_close(card->fd);
    card->fd = -1;
    if (card->reader != NULL)
        reader_put(card->reader);
    card->reader = NULL;
}

static void clear_card(struct table_entry *entry)
{
    close_control(card_of(entry));
}

static void forget_card(struct table_entry *entry)
{
    struct card *card = card_of(entry);

    card->reader = NULL; /* reader_abandon_all */
    card->fd = -1;       /* closed already */
    pthread_mutex_init(&card->lock, NULL);
}

struct table cards = {.entry_size = sizeof(struct card),
                      .kind = 0x40000000,
                      .clear = clear_card,
                      .forget = forget_card,
                      .lock = PTHREAD_MUTEX_INITIALIZER};

struct card *card_get(SCARDHANDLE number)
{
    struct table_entry *entry = table_get(&cards, number);

    if (entry == NULL)
        return NULL;
    pthread_mutex_lock(&card_of(entry)->lock);
    if (atomic_load(&entry->number) == number)
        return card_of(entry);
    card_put(card_of(entry)); /* ended while this thread waited */
    return NULL;
}

void card_put(struct card *card)
{
    pthread_mutex_unlock(&card->lock);
    table_put(&cards, &card->entry);
}

int card_hears(struct card *card, int error)
{
    if (error == ECANCELED)
        card->begun = 0;
    return error;
}

int card_power(struct card *card, DWORD disposition)
{
    return mount_power(card->fd,
                       disposition == SCARD_RESET_CARD ? COLD_RESET : POWER_DOWN);
}

static struct card *card_new(void)
{
    struct table_entry *entry = table_new(&cards);
    struct card *card = card_of(entry);

    if (entry == NULL)
        return NULL;
    if (!card->made)
        pthread_mutex_init(&card->lock, NULL);
    card->made = true;
    card->fd = -1;
    card->begun = 0;
    return card;
}

/* ---- connect --------------------------------------------------------------------- */

/* `control` of the reader with the card's name: an errno. *used: reader.h. */
static int open_control(struct card *card, bool *used)
{
    int error = ENOENT;

    for (int i = 0; i < OPEN_TRIES; i++) {
        struct reader *reader = reader_find(card->name, &error);
        bool gone;

        if (reader == NULL)
            return error;
        card->fd = reader_take_control(reader, used);
        if (card->fd >= 0) {
            card->reader = reader;
            return 0;
        }
        error = -card->fd;
        card->fd = -1;
        gone = error == ENOENT || error == ENODEV || error == ENOTCONN;
        if (gone)
            reader_lost(reader); /* the number of one that has been removed */
        reader_put(reader);
        if (!gone)
            return error;
    }
    return error;
}

static int connect_call(struct card *card, DWORD share, uint32_t protocols)
{
    struct scard_connect call = {
        .share = (uint32_t)share,
        .protocols = protocols,
        .flags = share != SCARD_SHARE_DIRECT ? SCARD_CONNECT_TELL_RESETS : 0};
    struct scard_info info;
    int error = mount_connect(card->fd, &call);

    if (error != 0)
        return error;
    card->share = share;
    if (share != SCARD_SHARE_DIRECT)
        card->protocol = convert_protocol(call.protocol);
    else /* what others have selected */
        card->protocol = mount_info(card->fd, &info) == 0
                             ? convert_protocol(info.protocol)
                             : SCARD_PROTOCOL_UNDEFINED;
    return 0;
}

/* With the file of an earlier connection, if there is one: whose reader may have gone. */
static int open_and_connect(struct card *card, DWORD share, uint32_t protocols)
{
    bool used = true;
    int error = ENODEV;

    while (used && (error == ENODEV || error == ENOTCONN || error == ECONNABORTED)) {
        if (card->reader != NULL)
            reader_lost(card->reader);
        close_control(card);
        error = open_control(card, &used);
        if (error != 0)
            return error;
        error = connect_call(card, share, protocols);
    }
    return error;
}

static LONG connect_error(int error)
{
    switch (error) {
    case EOPNOTSUPP:
        return SCARD_E_PROTO_MISMATCH;
    case ETIMEDOUT:
    case EMEDIUMTYPE:
    case EIO:
    case EPROTO:
    case EBADMSG:
        return SCARD_W_UNRESPONSIVE_CARD;
    default:
        return convert_error(error);
    }
}

static LONG check_modes(DWORD share, DWORD protocols)
{
    if (share < SCARD_SHARE_EXCLUSIVE || share > SCARD_SHARE_DIRECT)
        return SCARD_E_INVALID_VALUE;
    if (share != SCARD_SHARE_DIRECT && convert_to_protocols(protocols) == 0)
        return SCARD_E_PROTO_MISMATCH;
    return SCARD_S_SUCCESS;
}

static LONG connect_new(SCARDCONTEXT context, const char *name, DWORD share,
                        DWORD protocols, SCARDHANDLE *handle, DWORD *protocol)
{
    struct card *card = card_new();
    int error;

    if (card == NULL)
        return SCARD_E_NO_MEMORY;
    card->context = context;
    memcpy(card->name, name, strlen(name) + 1);
    error = open_and_connect(card, share, convert_to_protocols(protocols));
    if (error == 0) {
        *protocol = card->protocol;
        *handle = table_publish(&cards, &card->entry);
        /* Released meanwhile: whoever did has not seen this one, or has seen to it. */
        if (table_peek(&contexts, context) == NULL) {
            (void)table_withdraw(&cards, &card->entry);
            *handle = 0;
            *protocol = SCARD_PROTOCOL_UNDEFINED;
            error = ECANCELED;
        }
    }
    table_put(&cards, &card->entry);
    return error == ECANCELED ? SCARD_E_INVALID_HANDLE : connect_error(error);
}

LONG SCardConnect(SCARDCONTEXT hContext, const char *szReader, DWORD dwShareMode,
                  DWORD dwPreferredProtocols, SCARDHANDLE *phCard,
                  DWORD *pdwActiveProtocol)
{
    struct context *context;
    LONG result;

    if (phCard == NULL || pdwActiveProtocol == NULL)
        return SCARD_E_INVALID_PARAMETER;
    *phCard = 0;
    *pdwActiveProtocol = SCARD_PROTOCOL_UNDEFINED;
    if (szReader == NULL)
        return SCARD_E_UNKNOWN_READER;
    if (strnlen(szReader, MAX_READERNAME) == MAX_READERNAME)
        return SCARD_E_INVALID_VALUE;
    context = context_get(hContext);
    if (context == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = check_modes(dwShareMode, dwPreferredProtocols);
    if (result == SCARD_S_SUCCESS)
        result = connect_new(hContext, szReader, dwShareMode, dwPreferredProtocols,
                             phCard, pdwActiveProtocol);
    context_put(context);
    return result;
}

/* ---- reconnect ------------------------------------------------------------------- */

/* The card or the daemon has gone since: whatever is there now is taken. */
static int make_ready(struct card *card, DWORD share)
{
    struct scard_info info;
    bool used;
    int error = card->fd >= 0 ? mount_info(card->fd, &info) : ENODEV;

    if (error == 0) {
        if ((info.flags & SCARD_INFO_LOST) != 0) {
            if ((info.flags & SCARD_INFO_PRESENT) == 0 && share != SCARD_SHARE_DIRECT)
                return ENOMEDIUM; /* and the handle goes on saying so */
            card->begun = 0;
            (void)mount_end(card->fd, SCARD_DISPOSITION_LEAVE);
            error = mount_disconnect(card->fd, SCARD_DISPOSITION_LEAVE);
        }
        return error;
    }
    if (card->reader != NULL)
        reader_lost(card->reader);
    close_control(card);
    card->begun = 0;
    return open_control(card, &used);
}

static int reconnect(struct card *card, DWORD share, DWORD protocols,
                     DWORD initialization)
{
    const uint32_t any =
        convert_to_protocols(SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1 | SCARD_PROTOCOL_RAW);
    int error = make_ready(card, share);

    /* A share mode that cannot be had must not cost the card its state. */
    if (error == 0 && initialization != SCARD_LEAVE_CARD) {
        error = connect_call(card, share, any);
        if (error == 0)
            error = card_power(card, initialization);
        if (error == ENOMEDIUM && share == SCARD_SHARE_DIRECT)
            error = 0; /* a direct connection needs no card */
    }
    return error != 0 ? error
                      : connect_call(card, share, convert_to_protocols(protocols));
}

LONG SCardReconnect(SCARDHANDLE hCard, DWORD dwShareMode, DWORD dwPreferredProtocols,
                    DWORD dwInitialization, DWORD *pdwActiveProtocol)
{
    struct card *card;
    LONG result;

    if (pdwActiveProtocol == NULL)
        return SCARD_E_INVALID_PARAMETER;
    *pdwActiveProtocol = SCARD_PROTOCOL_UNDEFINED;
    result = check_modes(dwShareMode, dwPreferredProtocols);
    if (result == SCARD_S_SUCCESS && dwInitialization > SCARD_UNPOWER_CARD)
        result = SCARD_E_INVALID_VALUE;
    card = card_get(hCard);
    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (result == SCARD_S_SUCCESS)
        result = connect_error(card_hears(
            card, reconnect(card, dwShareMode, dwPreferredProtocols, dwInitialization)));
    if (result == SCARD_S_SUCCESS)
        *pdwActiveProtocol = card->protocol;
    card_put(card);
    return result;
}

/* ---- disconnect ------------------------------------------------------------------ */

/* The mount leaves a card alone that others are connected to; PC/SC programs that ask for
 * a reset get one. */
static int disconnect(struct card *card, uint32_t disposition)
{
    struct scard_info info;

    if (card->begun > 0)
        (void)mount_end(card->fd, disposition);
    else if (disposition != SCARD_DISPOSITION_LEAVE && mount_info(card->fd, &info) == 0 &&
             info.connections > 1 && (info.flags & SCARD_INFO_LOST) == 0)
        (void)card_power(card, disposition);
    else
        return mount_disconnect(card->fd, disposition);
    card->begun = 0;
    return mount_disconnect(card->fd, SCARD_DISPOSITION_LEAVE);
}

LONG SCardDisconnect(SCARDHANDLE hCard, DWORD dwDisposition)
{
    struct card *card = card_get(hCard);

    if (card == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (dwDisposition > SCARD_EJECT_CARD) {
        card_put(card);
        return SCARD_E_INVALID_VALUE;
    }
    /* What becomes of the card, the handle is gone. */
    if (card->fd >= 0 && disconnect(card, (uint32_t)dwDisposition) == 0) {
        reader_give_control(card->reader, card->fd);
        card->fd = -1;
    }
    (void)table_withdraw(&cards, &card->entry);
    card_put(card);
    return SCARD_S_SUCCESS;
}

void card_drop_all(SCARDCONTEXT context)
{
    struct table_entry *entry;

    for (int i = -1; (entry = table_next(&cards, &i)) != NULL;) {
        if (card_of(entry)->context == context)
            (void)table_withdraw(&cards, entry);
        table_put(&cards, entry);
    }
}
