/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - numbers for objects: SCARDCONTEXT and SCARDHANDLE.
 *
 * A number is never used for a second object (until 32,768 have had its place), so that
 * a stale one is recognised. The memory of objects is never given back, only used again:
 * a signal handler may look one up without a lock.
 */
#ifndef PCSC_TABLE_H
#define PCSC_TABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define TABLE_CHUNK  64
#define TABLE_CHUNKS 256

/* The head of an object. */
struct table_entry {
    atomic_long number; /* 0: nobody has it */
    unsigned refs;      /* the table's lock */
    unsigned index, generation;
    struct table_entry *free_next;
};

struct table {
    size_t entry_size;
    long kind;                                 /* a bit that the numbers of others lack */
    void (*clear)(struct table_entry *entry);  /* the last reference is gone */
    void (*forget)(struct table_entry *entry); /* in the child after a fork */
    pthread_mutex_t lock;
    _Atomic(void *) chunks[TABLE_CHUNKS];
    unsigned used; /* entries that have been in use */
    struct table_entry *free;
};

/* A new object, all zero but for what clear has left of an earlier one. The reference is
 * the caller's. NULL: no memory. */
struct table_entry *table_new(struct table *table);
/* Its number, which has a reference of its own. */
long table_publish(struct table *table, struct table_entry *entry);

/* NULL: there is none of that number. */
struct table_entry *table_get(struct table *table, long number);
void table_put(struct table *table, struct table_entry *entry);
/* Takes the number away and gives its reference back. False: it had none. */
bool table_withdraw(struct table *table, struct table_entry *entry);

/* Without lock and reference, for signal handlers: it may become another's at any time.
 */
struct table_entry *table_peek(struct table *table, long number);

/* No object has a number. */
bool table_is_empty(struct table *table);
/* The next object with a number behind index, with a reference; *index < 0 to begin. */
struct table_entry *table_next(struct table *table, int *index);

/* All objects lose their numbers and what they own in this process. */
void table_forget_all(struct table *table);

#endif
