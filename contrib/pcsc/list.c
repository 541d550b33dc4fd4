/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c - SCardListReaders, SCardListReaderGroups. There is one group, of all readers.
 */
#include "contrib/pcsc/library.h"

#include <stdlib.h>
#include <string.h>

#include "contrib/pcsc/mount.h"

#define GROUPS "SCard$DefaultReaders\0"

/* The names as a multi-string; its length. */
static size_t names_of(const unsigned *numbers, unsigned count, char *names)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++) {
        char name[MOUNT_NAME_ROOM];

        /* One that goes in this moment has no name. */
        if (mount_text((int)numbers[i], "name", name, sizeof name) != 0 ||
            name[0] == '\0')
            continue;
        memcpy(names + len, name, strlen(name) + 1);
        len += strlen(name) + 1;
    }
    names[len++] = '\0';
    return len;
}

static LONG list_readers(char *out, DWORD *room)
{
    unsigned numbers[MOUNT_READERS_MAX];
    const unsigned count = mount_readers(numbers);
    char *names = malloc(count * (size_t)MOUNT_NAME_ROOM + 1);
    size_t len;
    LONG result;
    int error;

    if (names == NULL)
        return SCARD_E_NO_MEMORY;
    len = names_of(numbers, count, names);
    if (len > 1)
        result = give_bytes(names, len, out, room);
    else if ((error = mount_check()) == 0)
        result = SCARD_E_NO_READERS_AVAILABLE;
    else
        result = convert_error(error);
    free(names);
    return result;
}

LONG SCardListReaders(SCARDCONTEXT hContext, const char *mszGroups, char *mszReaders,
                      DWORD *pcchReaders)
{
    struct context *context;
    unsigned long look;
    uint32_t arrivals;
    LONG result;

    (void)mszGroups;
    if (pcchReaders == NULL)
        return SCARD_E_INVALID_PARAMETER;
    context = context_get(hContext);
    if (context == NULL)
        return SCARD_E_INVALID_HANDLE;
    if (context_look(context, &look, &arrivals) == 0) /* before the list is made */
        context_hears(context, look, arrivals);
    result = list_readers(mszReaders, pcchReaders);
    context_put(context);
    return result;
}

LONG SCardListReaderGroups(SCARDCONTEXT hContext, char *mszGroups, DWORD *pcchGroups)
{
    struct context *context;
    LONG result;

    if (pcchGroups == NULL)
        return SCARD_E_INVALID_PARAMETER;
    context = context_get(hContext);
    if (context == NULL)
        return SCARD_E_INVALID_HANDLE;
    result = give_bytes(GROUPS, sizeof GROUPS, mszGroups, pcchGroups);
    context_put(context);
    return result;
}
