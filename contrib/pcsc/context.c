/* SPDX-License-Identifier: BSD-2-Clause */
/* context.c - contexts, and the memory that is given to programs. */
#include "contrib/pcsc/library.h"

#include <stdlib.h>
#include <string.h>

#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/watch.h"

static struct context *context_of(struct table_entry *entry)
{
    return (struct context *)entry;
}

/* The gate stays for whoever has the place next. */
static void clear_context(struct table_entry *entry)
{
    struct context *context = context_of(entry);

    gate_close(&context->gate);
    atomic_store(&context->arrivals, 0);
    watch_set_free(atomic_exchange(&context->watches, NULL));
}

static void forget_context(struct table_entry *entry)
{
    struct context *context = context_of(entry);

    atomic_store(&context->gate.cancelling, 0); /* by threads that are not here */
    gate_close(&context->gate);
    gate_init(&context->gate);
    atomic_store(&context->arrivals, 0);
    watch_set_forget(atomic_exchange(&context->watches, NULL));
}

struct table contexts = {.entry_size = sizeof(struct context),
                         .kind = 0x20000000,
                         .clear = clear_context,
                         .forget = forget_context,
                         .lock = PTHREAD_MUTEX_INITIALIZER};

struct context *context_get(SCARDCONTEXT number)
{
    struct table_entry *entry = table_get(&contexts, number);

    return entry != NULL ? context_of(entry) : NULL;
}

void context_put(struct context *context)
{
    table_put(&contexts, &context->entry);
}

bool context_hears(struct context *context, uint32_t arrivals)
{
    const unsigned long now = (unsigned long)arrivals + 1;
    const unsigned long before = atomic_exchange(&context->arrivals, now);

    return before != 0 && before != now;
}

LONG SCardEstablishContext(DWORD dwScope, const void *pvReserved1,
                           const void *pvReserved2, SCARDCONTEXT *phContext)
{
    struct table_entry *entry;

    (void)pvReserved1, (void)pvReserved2;
    if (phContext == NULL)
        return SCARD_E_INVALID_PARAMETER;
    *phContext = 0;
    if (dwScope > SCARD_SCOPE_GLOBAL)
        return SCARD_E_INVALID_VALUE;
    if (!mount_is_there())
        return SCARD_E_NO_SERVICE;
    entry = table_new(&contexts);
    if (entry == NULL)
        return SCARD_E_NO_MEMORY;
    if (!context_of(entry)->made)
        gate_init(&context_of(entry)->gate);
    context_of(entry)->made = true;
    *phContext = table_publish(&contexts, entry);
    table_put(&contexts, entry);
    return SCARD_S_SUCCESS;
}

LONG SCardReleaseContext(SCARDCONTEXT hContext)
{
    struct context *context = context_get(hContext);

    if (context == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (table_withdraw(&contexts, &context->entry)) {
        gate_cancel(&context->gate);
        card_drop_all(hContext);
    }
    context_put(context);
    return SCARD_S_SUCCESS;
}

LONG SCardIsValidContext(SCARDCONTEXT hContext)
{
    return table_peek(&contexts, hContext) != NULL ? SCARD_S_SUCCESS
                                                   : SCARD_E_INVALID_HANDLE;
}

/* Safe in a signal handler. Where the context has just become another's, that one's wait
 * ends: as if its owner had been told to look again. */
LONG SCardCancel(SCARDCONTEXT hContext)
{
    struct table_entry *entry = table_peek(&contexts, hContext);

    if (entry == NULL)
        return SCARD_E_INVALID_HANDLE;
    gate_cancel(&context_of(entry)->gate);
    return SCARD_S_SUCCESS;
}

/* ---- memory ---------------------------------------------------------------------- */

LONG SCardFreeMemory(SCARDCONTEXT hContext, const void *pvMem)
{
    if (table_peek(&contexts, hContext) == NULL)
        return SCARD_E_INVALID_HANDLE;
    free((void *)(uintptr_t)pvMem);
    return SCARD_S_SUCCESS;
}

LONG give_bytes(const void *bytes, size_t len, void *out, DWORD *room)
{
    DWORD had;

    if (room == NULL)
        return SCARD_S_SUCCESS;
    had = *room;
    *room = len;
    if (out == NULL)
        return had == SCARD_AUTOALLOCATE ? SCARD_E_INVALID_PARAMETER : SCARD_S_SUCCESS;
    if (had == SCARD_AUTOALLOCATE) {
        void *memory = malloc(len > 0 ? len : 1);

        if (memory == NULL)
            return SCARD_E_NO_MEMORY;
        memcpy(out, &memory, sizeof memory);
        out = memory;
    } else if (had < len) {
        return SCARD_E_INSUFFICIENT_BUFFER;
    }
    if (len > 0)
        memcpy(out, bytes, len);
    return SCARD_S_SUCCESS;
}
