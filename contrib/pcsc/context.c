/* SPDX-License-Identifier: BSD-2-Clause */
/* context.c - contexts, and the memory that is given to programs. */
#include "contrib/pcsc/library.h"

#include <stdlib.h>
#include <string.h>

#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/reader.h"
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
    context->heard_look = 0;
    watch_set_free(atomic_exchange(&context->watches, NULL));
    if (table_is_empty(&contexts)) /* nor is any call under way in this one */
        reader_forget_all();
}

static void forget_context(struct table_entry *entry)
{
    struct context *context = context_of(entry);

    atomic_store(&context->gate.cancelling, 0); /* by threads that are not here */
    gate_close(&context->gate);
    gate_init(&context->gate);
    pthread_mutex_init(&context->lock, NULL);
    context->heard_look = 0;
    atomic_store(&context->watches,
                 NULL); /* perhaps half changed; its files are closed */
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

bool context_heard(struct context *context, uint32_t *count)
{
    bool any;

    pthread_mutex_lock(&context->lock);
    any = context->heard_look != 0;
    *count = context->heard;
    pthread_mutex_unlock(&context->lock);
    return any;
}

int context_look(struct context *context, unsigned long *look, uint32_t *count)
{
    int error;

    pthread_mutex_lock(&context->lock);
    *look = ++context->looks;
    error = mount_arrivals(count);
    pthread_mutex_unlock(&context->lock);
    return error;
}

void context_hears(struct context *context, unsigned long look, uint32_t count)
{
    pthread_mutex_lock(&context->lock);
    if (look > context->heard_look) {
        context->heard_look = look;
        context->heard = count;
    }
    pthread_mutex_unlock(&context->lock);
}

LONG SCardEstablishContext(DWORD dwScope, const void *pvReserved1,
                           const void *pvReserved2, SCARDCONTEXT *phContext)
{
    struct table_entry *entry;
    int error;

    (void)pvReserved1, (void)pvReserved2;
    if (phContext == NULL)
        return SCARD_E_INVALID_PARAMETER;
    *phContext = 0;
    if (dwScope > SCARD_SCOPE_GLOBAL)
        return SCARD_E_INVALID_VALUE;
    error = mount_check();
    if (error != 0)
        return convert_error(error);
    entry = table_new(&contexts);
    if (entry == NULL)
        return SCARD_E_NO_MEMORY;
    if (!context_of(entry)->made) {
        gate_init(&context_of(entry)->gate);
        pthread_mutex_init(&context_of(entry)->lock, NULL);
    }
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
