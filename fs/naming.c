/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naming.c - the number that tells equal readers apart.
 *
 * Places are kept as hashes: two that collide share a preference, and no harm is done,
 * since a number that is taken is never given.
 */
#include "fs/naming.h"

#include <string.h>

#include "fs/text.h"

#define NUMBER_MAX 0xFF /* as long as it has two digits; beyond, names are not unique */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t hash(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * FNV_PRIME;
    return hash;
}

static uint64_t hash_place(const struct smc_device_identity *identity)
{
    char name[SCFS_TEXT_MAX];
    uint64_t result;

    scfs_text_name(name, sizeof name, identity, 0, 0);
    result = hash(FNV_BASIS, name, strlen(name) + 1);
    result = hash(result, identity->path, strnlen(identity->path, sizeof identity->path));
    return hash(result, &identity->interface_number, sizeof identity->interface_number);
}

static struct scfs_place *find(struct scfs_naming *naming, uint64_t hash)
{
    for (unsigned i = 0; i < naming->used; i++) {
        if (naming->places[i].hash == hash)
            return &naming->places[i];
    }
    return NULL;
}

static struct scfs_place *remember(struct scfs_naming *naming, uint64_t hash)
{
    struct scfs_place *place = &naming->places[naming->next];

    naming->next = (naming->next + 1) % SCFS_PLACES_MAX;
    if (naming->used < SCFS_PLACES_MAX)
        naming->used++;
    place->hash = hash;
    return place;
}

unsigned scfs_naming_number(struct scfs_naming *naming,
                            const struct smc_device_identity *identity,
                            bool (*taken)(void *context,
                                          const struct smc_device_identity *identity,
                                          unsigned number),
                            void *context)
{
    const uint64_t hash = hash_place(identity);
    struct scfs_place *place = find(naming, hash);
    unsigned number = 0;

    if (place != NULL && !taken(context, identity, place->number))
        return place->number;
    while (number < NUMBER_MAX && taken(context, identity, number))
        number++;
    if (place == NULL)
        place = remember(naming, hash);
    place->number = number;
    return number;
}
