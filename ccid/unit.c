/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit.c - SCARD_ATTR_DEVICE_UNIT: tells slots of one vendor and type apart. The
 * smallest number that no other such slot has; given back when the slot goes.
 */
#include "ccid/slot.h"

#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf */
static struct ccid_slot *slots;

static bool same_type(const VENDOR_ATTR *a, const VENDOR_ATTR *b)
{
    return a->VendorName.Length == b->VendorName.Length &&
           a->IfdType.Length == b->IfdType.Length &&
           memcmp(a->VendorName.Buffer, b->VendorName.Buffer, a->VendorName.Length) ==
               0 &&
           memcmp(a->IfdType.Buffer, b->IfdType.Buffer, a->IfdType.Length) == 0;
}

static bool is_taken(const VENDOR_ATTR *attributes, ULONG unit)
{
    for (const struct ccid_slot *s = slots; s != NULL; s = s->next_unit) {
        if (s->ext.VendorAttr.UnitNo == unit && same_type(&s->ext.VendorAttr, attributes))
            return true;
    }
    return false;
}

void ccid_unit_take(struct ccid_slot *slot)
{
    ULONG unit = 0;

    pthread_mutex_lock(&lock);
    while (is_taken(&slot->ext.VendorAttr, unit))
        unit++;
    slot->ext.VendorAttr.UnitNo = unit;
    slot->next_unit = slots;
    slots = slot;
    pthread_mutex_unlock(&lock);
}

void ccid_unit_give_back(struct ccid_slot *slot)
{
    pthread_mutex_lock(&lock);
    for (struct ccid_slot **s = &slots; *s != NULL; s = &(*s)->next_unit) {
        if (*s == slot) {
            *s = slot->next_unit;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}
