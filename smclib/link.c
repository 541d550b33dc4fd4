/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c - the names SCReader0, SCReader1 ... that drivers older than device interfaces
 * ask for. The numbers are kept apart here; what a name is worth is the client's affair.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

#define LINK_PREFIX "\\DosDevices\\SCReader"
#define LINK_MAX    256
#define NAME_SIZE   (sizeof LINK_PREFIX + 10) /* with any unsigned number */

static pthread_mutex_t link_lock = PTHREAD_MUTEX_INITIALIZER;
static bool link_used[LINK_MAX];

bool smc_string_make(PUNICODE_STRING string, const char *text)
{
    size_t len = strlen(text);

    string->Buffer = calloc(len + 1, sizeof(WCHAR));
    if (string->Buffer == NULL)
        return false;
    for (size_t i = 0; i < len; i++)
        string->Buffer[i] = (UCHAR)text[i];
    string->Length = (USHORT)(len * sizeof(WCHAR));
    string->MaximumLength = (USHORT)(string->Length + sizeof(WCHAR));
    return true;
}

/* LINK_MAX when all are taken. */
static unsigned number_take(void)
{
    unsigned number = 0;

    pthread_mutex_lock(&link_lock);
    while (number < LINK_MAX && link_used[number])
        number++;
    if (number < LINK_MAX)
        link_used[number] = true;
    pthread_mutex_unlock(&link_lock);
    return number;
}

static bool number_release(unsigned number)
{
    bool used;

    pthread_mutex_lock(&link_lock);
    used = link_used[number];
    link_used[number] = false;
    pthread_mutex_unlock(&link_lock);
    return used;
}

static void name_make(char name[NAME_SIZE], unsigned number)
{
    snprintf(name, NAME_SIZE, LINK_PREFIX "%u", number);
}

NTSTATUS SmartcardCreateLink(PUNICODE_STRING LinkName, PUNICODE_STRING DeviceName)
{
    char name[NAME_SIZE];
    unsigned number;

    if (LinkName == NULL)
        return STATUS_INVALID_PARAMETER_1;
    if (DeviceName == NULL)
        return STATUS_INVALID_PARAMETER_2;
    number = number_take();
    if (number == LINK_MAX)
        return STATUS_INSUFFICIENT_RESOURCES;
    name_make(name, number);
    if (!smc_string_make(LinkName, name)) {
        number_release(number);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    smc_io_link(name, true);
    return STATUS_SUCCESS;
}

/* The number in a name that SmartcardCreateLink made; LINK_MAX for any other. */
static unsigned number_of(const UNICODE_STRING *name)
{
    size_t prefix = sizeof LINK_PREFIX - 1;
    size_t count = name->Length / sizeof(WCHAR);
    unsigned number = 0;

    if (name->Buffer == NULL || count <= prefix || count > prefix + 3)
        return LINK_MAX;
    for (size_t i = 0; i < prefix; i++) {
        if (name->Buffer[i] != (UCHAR)LINK_PREFIX[i])
            return LINK_MAX;
    }
    for (size_t i = prefix; i < count; i++) {
        if (name->Buffer[i] < '0' || name->Buffer[i] > '9')
            return LINK_MAX;
        number = number * 10 + (unsigned)(name->Buffer[i] - '0');
    }
    return number < LINK_MAX ? number : LINK_MAX;
}

NTSTATUS SmartcardDeleteLink(PUNICODE_STRING LinkName)
{
    char name[NAME_SIZE];
    unsigned number;

    if (LinkName == NULL)
        return STATUS_INVALID_PARAMETER;
    number = number_of(LinkName);
    if (number == LINK_MAX || !number_release(number))
        return STATUS_NO_SUCH_DEVICE;
    name_make(name, number);
    smc_io_link(name, false);
    return STATUS_SUCCESS;
}
