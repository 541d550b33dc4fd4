/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_transaction.c - transactions, and who waits for their end. */
#include "behaviour.h"

static LONG transmit(struct other *other)
{
    static const unsigned char command[] = {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00};
    unsigned char answer[MAX_BUFFER_SIZE];
    DWORD len = sizeof answer;

    return SCardTransmit(other->card, SCARD_PCI_T1, command, sizeof command, NULL, answer,
                         &len);
}

static LONG begin(struct other *other)
{
    LONG code = SCardBeginTransaction(other->card);

    if (code == SCARD_S_SUCCESS)
        code = SCardEndTransaction(other->card, SCARD_LEAVE_CARD);
    return code;
}

static LONG reconnect(struct other *other)
{
    DWORD protocol;

    return SCardReconnect(other->card, SCARD_SHARE_SHARED, 3, SCARD_LEAVE_CARD,
                          &protocol);
}

static LONG connect_another(struct other *other)
{
    SCARDHANDLE card;
    DWORD protocol;
    LONG code =
        SCardConnect(other->context, reader, SCARD_SHARE_SHARED, 3, &card, &protocol);

    if (code == SCARD_S_SUCCESS)
        code = SCardDisconnect(card, SCARD_LEAVE_CARD);
    return code;
}

static LONG connect_exclusively(struct other *other)
{
    SCARDHANDLE card;
    DWORD protocol;

    return SCardConnect(other->context, reader, SCARD_SHARE_EXCLUSIVE, 3, &card,
                        &protocol);
}

static LONG ask_card(SCARDHANDLE card)
{
    DWORD state;

    return SCardStatus(card, NULL, NULL, &state, NULL, NULL, NULL);
}

static LONG ask(struct other *other)
{
    return ask_card(other->card);
}

static LONG attribute(struct other *other)
{
    unsigned char value[MAX_ATR_SIZE];
    DWORD len = sizeof value;

    return SCardGetAttrib(other->card, SCARD_ATTR_ATR_STRING, value, &len);
}

/* While the holder has his transaction; then it ends. */
static void during(const char *name, SCARDHANDLE holder, struct other *other,
                   LONG (*work)(struct other *other))
{
    bool over;

    other->work = work;
    need(SCardBeginTransaction(holder), "a transaction");
    begin_other(other);
    over = is_over(other);
    need(SCardEndTransaction(holder, SCARD_LEAVE_CARD), "the end of a transaction");
    end_other(other);
    step(other->code, name, "%s", over ? " at once" : " after the end");
}

static void run_nesting(SCARDHANDLE card)
{
    group("transaction");
    step(SCardBeginTransaction(12345), "of no handle begins", "%s", "");
    step(SCardEndTransaction(12345, SCARD_LEAVE_CARD), "of no handle ends", "%s", "");
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "ends before it begins", "%s", "");
    step(SCardBeginTransaction(card), "begins", "%s", "");
    step(SCardBeginTransaction(card), "begins in itself", "%s", "");
    select_step("transmits", card);
    step(SCardEndTransaction(card, 9), "disposition 9", "%s", "");
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "the inner one ends", "%s", "");
    select_step("transmits in the outer one", card);
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "the outer one ends", "%s", "");
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "ends once too often", "%s", "");
}

static void run_inner_dispositions(SCARDHANDLE card, SCARDHANDLE other)
{
    group("inner end, reset");
    step(SCardBeginTransaction(card), "begin", "%s", "");
    step(SCardBeginTransaction(card), "begin in it", "%s", "");
    step(SCardEndTransaction(card, SCARD_RESET_CARD), "the inner one ends", "%s", "");
    step(ask_card(card), "the holder", "%s", "");
    power_again(card);
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "the outer one ends", "%s", "");
    status_step("the other one", other);
    renew(other);
    select_step("the holder after reconnect", card);
    select_step("the other one after reconnect", other);
}

static void run_dispositions(SCARDHANDLE card, SCARDHANDLE other)
{
    static const struct {
        DWORD disposition;
        const char *name;
    } ends[] = {{SCARD_RESET_CARD, "end, reset"}, {SCARD_UNPOWER_CARD, "end, unpower"}};

    for (unsigned i = 0; i < 2; i++) {
        group(ends[i].name);
        step(SCardBeginTransaction(card), "begin", "%s", "");
        step(SCardEndTransaction(card, ends[i].disposition), "end", "%s", "");
        select_step("the holder transmits", card);
        select_step("the other one transmits", other);
        power_again(card);
        renew(other);
        select_step("the holder after reconnect", card);
        select_step("the other one after reconnect", other);
    }
}

void run_transaction(void)
{
    SCARDCONTEXT context = new_context(), second = new_context();
    SCARDHANDLE card = new_card(context);
    struct other other = {.context = second, .card = new_card(second)};

    run_nesting(card);
    group("during a transaction");
    during("transmit", card, &other, transmit);
    during("begin", card, &other, begin);
    during("reconnect", card, &other, reconnect);
    during("connect", card, &other, connect_another);
    during("connect, exclusive", card, &other, connect_exclusively);
    during("status", card, &other, ask);
    during("attribute", card, &other, attribute);
    run_dispositions(card, other.card);
    run_inner_dispositions(card, other.card);

    group("a holder who goes");
    step(SCardBeginTransaction(card), "begin", "%s", "");
    step(SCardDisconnect(card, SCARD_LEAVE_CARD), "disconnect", "%s", "");
    select_step("the other one transmits", other.card);
    step(SCardBeginTransaction(other.card), "the other one begins", "%s", "");
    step(SCardEndTransaction(other.card, SCARD_LEAVE_CARD), "the other one ends", "%s",
         "");
    card = new_card(context);
    step(SCardBeginTransaction(card), "begin again", "%s", "");
    step(SCardReleaseContext(context), "release of the context", "%s", "");
    step(SCardBeginTransaction(card), "the handle is used", "%s", "");
    step(SCardDisconnect(card, SCARD_LEAVE_CARD), "the handle is left", "%s", "");
    need(SCardReleaseContext(second), "the end of the context");
}
