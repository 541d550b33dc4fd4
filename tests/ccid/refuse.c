/* SPDX-License-Identifier: BSD-2-Clause */
/* refuse.c - see refuse.h. */
#include "refuse.h"

#include <pthread.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    const char *call;
    unsigned at, seen;
    int error;
} refused = {.lock = PTHREAD_MUTEX_INITIALIZER};

void refuse(const char *call, unsigned at, int error)
{
    pthread_mutex_lock(&refused.lock);
    refused.call = call;
    refused.at = at;
    refused.seen = 0;
    refused.error = error;
    pthread_mutex_unlock(&refused.lock);
}

unsigned refuse_calls(void)
{
    unsigned seen;

    pthread_mutex_lock(&refused.lock);
    seen = refused.seen;
    pthread_mutex_unlock(&refused.lock);
    return seen;
}

bool refuse_this(const char *call)
{
    bool this = false;

    pthread_mutex_lock(&refused.lock);
    if (refused.call != NULL && strcmp(refused.call, call) == 0) {
        refused.seen++;
        this = refused.at == 0 || refused.at == refused.seen;
    }
    pthread_mutex_unlock(&refused.lock);
    return this;
}

int refuse_error(void)
{
    int error;

    pthread_mutex_lock(&refused.lock);
    error = refused.error;
    pthread_mutex_unlock(&refused.lock);
    return error;
}
