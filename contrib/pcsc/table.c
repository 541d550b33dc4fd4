/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - numbers for objects. */
#include "contrib/pcsc/table.h"

#include <stdlib.h>
#include <string.h>

/* A number: kind, generation, index. It is positive and fits into an int, in which some
 * programs keep it. */
#define INDEX_BITS      14
#define GENERATION_BITS 15

_Static_assert(TABLE_CHUNK *TABLE_CHUNKS == 1 << INDEX_BITS, "every index has a place");

static long number_of(const struct table *table, const struct table_entry *entry)
{
    return table->kind | (long)entry->generation << INDEX_BITS | (long)entry->index;
}

static struct table_entry *at(struct table *table, unsigned index)
{
    char *chunk = atomic_load(&table->chunks[index / TABLE_CHUNK]);

    return chunk == NULL ? NULL
                         : (void *)(chunk + index % TABLE_CHUNK * table->entry_size);
}

static void next_generation(struct table_entry *entry)
{
    entry->generation = (entry->generation + 1) & ((1u << GENERATION_BITS) - 1);
}

static struct table_entry *unused_locked(struct table *table)
{
    struct table_entry *entry = table->free;
    const unsigned chunk = table->used / TABLE_CHUNK;

    if (entry != NULL) {
        table->free = entry->free_next;
        return entry;
    }
    if (chunk == TABLE_CHUNKS)
        return NULL;
    if (table->used % TABLE_CHUNK == 0) {
        void *memory = calloc(TABLE_CHUNK, table->entry_size);

        if (memory == NULL)
            return NULL;
        atomic_store(&table->chunks[chunk], memory);
    }
    entry = at(table, table->used);
    entry->index = table->used++;
    return entry;
}

struct table_entry *table_new(struct table *table)
{
    struct table_entry *entry;

    pthread_mutex_lock(&table->lock);
    entry = unused_locked(table);
    if (entry != NULL) {
        entry->refs = 1;
        next_generation(entry);
    }
    pthread_mutex_unlock(&table->lock);
    return entry;
}

long table_publish(struct table *table, struct table_entry *entry)
{
    const long number = number_of(table, entry);

    pthread_mutex_lock(&table->lock);
    entry->refs++;
    atomic_store(&entry->number, number);
    pthread_mutex_unlock(&table->lock);
    return number;
}

struct table_entry *table_peek(struct table *table, long number)
{
    const unsigned index = (unsigned)number & ((1u << INDEX_BITS) - 1);
    struct table_entry *entry = at(table, index);

    return entry != NULL && number != 0 && atomic_load(&entry->number) == number ? entry
                                                                                 : NULL;
}

struct table_entry *table_get(struct table *table, long number)
{
    struct table_entry *entry;

    pthread_mutex_lock(&table->lock);
    entry = table_peek(table, number);
    if (entry != NULL)
        entry->refs++;
    pthread_mutex_unlock(&table->lock);
    return entry;
}

void table_put(struct table *table, struct table_entry *entry)
{
    bool last;

    pthread_mutex_lock(&table->lock);
    last = --entry->refs == 0;
    pthread_mutex_unlock(&table->lock);
    if (!last)
        return;
    table->clear(entry);
    pthread_mutex_lock(&table->lock);
    entry->free_next = table->free;
    table->free = entry;
    pthread_mutex_unlock(&table->lock);
}

bool table_withdraw(struct table *table, struct table_entry *entry)
{
    if (atomic_exchange(&entry->number, 0) == 0)
        return false;
    table_put(table, entry);
    return true;
}

bool table_is_empty(struct table *table)
{
    struct table_entry *entry;
    int i = -1;

    entry = table_next(table, &i);
    if (entry != NULL)
        table_put(table, entry);
    return entry == NULL;
}

struct table_entry *table_next(struct table *table, int *index)
{
    struct table_entry *entry = NULL;

    pthread_mutex_lock(&table->lock);
    while (entry == NULL && (unsigned)(*index + 1) < table->used) {
        entry = at(table, (unsigned)++*index);
        if (atomic_load(&entry->number) == 0)
            entry = NULL;
        else
            entry->refs++;
    }
    pthread_mutex_unlock(&table->lock);
    return entry;
}

void table_forget_all(struct table *table)
{
    table->free = NULL;
    for (unsigned i = 0; i < table->used; i++) {
        struct table_entry *entry = at(table, i);

        atomic_store(&entry->number, 0);
        if (entry->refs > 0)
            table->forget(entry);
        entry->refs = 0;
        entry->free_next = table->free;
        table->free = entry;
    }
}
