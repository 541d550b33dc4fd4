/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork.c - a child has no contexts and no cards: it would share its parent's open files,
 * and keep a transaction or a connection alive that the parent has ended. So its copies
 * are closed and the numbers forgotten; what it asks with them is SCARD_E_INVALID_HANDLE.
 */
#include "contrib/pcsc/descriptors.h"
#include "contrib/pcsc/library.h"
#include "contrib/pcsc/reader.h"

static void before(void)
{
    pthread_mutex_lock(&contexts.lock);
    pthread_mutex_lock(&cards.lock);
    reader_lock();
    descriptors_lock();
}

static void after(void)
{
    descriptors_unlock();
    reader_unlock();
    pthread_mutex_unlock(&cards.lock);
    pthread_mutex_unlock(&contexts.lock);
}

static void in_child(void)
{
    table_forget_all(&contexts);
    table_forget_all(&cards);
    reader_abandon_all();
    descriptors_close_all_locked();
    after();
}

__attribute__((constructor)) static void at_start(void)
{
    (void)pthread_atfork(before, after, in_child);
}
