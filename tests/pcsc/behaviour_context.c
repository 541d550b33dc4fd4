/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_context.c - contexts, lists of readers, memory. */
#include "behaviour.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_HANDLE 12345

static void run_contexts(void)
{
    SCARDCONTEXT context = 0, second = 0;
    LONG code;

    group("context");
    step(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, NULL), "no place for it",
         "%s", "");
    step(SCardEstablishContext(SCARD_SCOPE_USER, NULL, NULL, &context), "of a user", "%s",
         "");
    step(SCardReleaseContext(context), "released", "%s", "");
    step(SCardReleaseContext(context), "released twice", "%s", "");
    step(SCardIsValidContext(context), "released is valid", "%s", "");
    step(SCardEstablishContext(9, NULL, NULL, &context), "of scope 9", "%s", "");
    step(SCardEstablishContext(SCARD_SCOPE_TERMINAL, NULL, NULL, &context),
         "of a terminal", "%s", "");
    code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &second);
    step(code, "a second one", "%s", context != second ? " differs" : " is the same");
    step(SCardIsValidContext(second), "is valid", "%s", "");
    step(SCardIsValidContext(NO_HANDLE), "that is none is valid", "%s", "");
    step(SCardReleaseContext(NO_HANDLE), "that is none released", "%s", "");
    step(SCardCancel(NO_HANDLE), "that is none cancelled", "%s", "");
    step(SCardCancel(second), "cancelled without a wait", "%s", "");
    step(SCardFreeMemory(NO_HANDLE, NULL), "that is none frees", "%s", "");
    step(SCardFreeMemory(second, NULL), "frees nothing", "%s", "");
    need(SCardReleaseContext(context), "the end of the context");
    need(SCardReleaseContext(second), "the end of the context");
}

/* All readers' names, with one end too many. */
static const char *judge(DWORD len, DWORD all)
{
    return len == all ? " all" : len == 0 ? " none" : " other";
}

void run_context(void)
{
    SCARDCONTEXT context;
    char text[4096];
    DWORD all = 0, len;
    char *given = NULL;
    LONG code;

    run_contexts();
    context = new_context();
    group("list");
    code = SCardListReaders(context, NULL, NULL, &all);
    step(code, "length", "%s", all > strlen(reader) + 1 ? " plausible" : " too short");
    len = 3;
    code = SCardListReaders(context, NULL, text, &len);
    step(code, "too small", "%s", judge(len, all));
    len = sizeof text;
    code = SCardListReaders(context, NULL, text, &len);
    step(code, "all", "%s%s", judge(len, all),
         strcmp(text, reader) == 0 ? " the reader first" : "");
    len = SCARD_AUTOALLOCATE;
    code = SCardListReaders(context, NULL, (char *)&given, &len);
    step(code, "allocated", "%s%s", judge(len, all), given != NULL ? " given" : "");
    step(SCardFreeMemory(context, given), "freed", "%s", "");
    len = SCARD_AUTOALLOCATE;
    step(SCardListReaders(context, NULL, NULL, &len), "allocated nowhere", "%s", "");
    step(SCardListReaders(context, NULL, text, NULL), "no length", "%s", "");
    len = sizeof text;
    code = SCardListReaders(context, "Unheard\0", text, &len);
    step(code, "of a group", "%s", judge(len, all));
    len = sizeof text;
    step(SCardListReaders(NO_HANDLE, NULL, text, &len), "without a context", "%s", "");
    len = 0;
    code = SCardListReaderGroups(context, NULL, &len);
    step(code, "groups' length", " %lu", len);
    len = 1;
    code = SCardListReaderGroups(context, text, &len);
    step(code, "groups too small", " %lu", len);
    len = sizeof text;
    code = SCardListReaderGroups(context, text, &len);
    step(code, "groups", " %s", text);
    step(SCardListReaderGroups(NO_HANDLE, text, &len), "groups without a context", "%s",
         "");
    need(SCardReleaseContext(context), "the end of the context");
}

static void in_child(SCARDCONTEXT context, SCARDHANDLE card)
{
    SCARDCONTEXT own;
    DWORD protocol = 0;
    SCARDHANDLE own_card = 0;

    select_step("a card of the parent", card);
    status_step("a card of the parent is asked", card);
    step(SCardBeginTransaction(card), "a transaction of the parent", "%s", "");
    step(SCardDisconnect(card, SCARD_LEAVE_CARD), "a card of the parent is left", "%s",
         "");
    step(SCardIsValidContext(context), "the context of the parent", "%s", "");
    step(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &own), "an own context",
         "%s", "");
    step(SCardConnect(own, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY, &own_card,
                      &protocol),
         "an own card", "%s", "");
    select_step("an own card answers", own_card);
}

void run_fork(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);
    pid_t child;
    int status = 0;

    group("fork");
    child = fork();
    if (child == 0) {
        in_child(context, card);
        _exit(0);
    }
    waitpid(child, &status, 0);
    step(status, "the child ends", "%s", "");
    select_step("the card of the parent", card);
    status_step("the card of the parent is asked", card);
    step(SCardReleaseContext(context), "the context of the parent ends", "%s", "");
}
