/* SPDX-License-Identifier: BSD-2-Clause */
/* shapes.c - see shapes.h. */
#include "shapes.h"

void shape_chained(struct ccid_virtual_shape *shape)
{
    shape->max_message_length = 271;
}

void shape_short_apdu(struct ccid_virtual_shape *shape)
{
    shape->level = CCID_LEVEL_SHORT_APDU;
    shape->max_message_length = 271;
}

void shape_character(struct ccid_virtual_shape *shape)
{
    shape->level = CCID_LEVEL_CHARACTER;
}

static void token(struct ccid_virtual_shape *shape, enum ccid_transport transport)
{
    bool a = transport == CCID_TRANSPORT_ICCD_A;

    shape->transport = transport;
    shape->interface_protocol = a ? 1 : 2;
    shape->interrupt = false;
    shape->level = a ? CCID_LEVEL_CHARACTER : CCID_LEVEL_SHORT_APDU;
    shape->max_message_length = a ? 263 : 271;
}

void shape_token_a(struct ccid_virtual_shape *shape)
{
    token(shape, CCID_TRANSPORT_ICCD_A);
}

void shape_token_b(struct ccid_virtual_shape *shape)
{
    token(shape, CCID_TRANSPORT_ICCD_B);
}

void shape_two_slots(struct ccid_virtual_shape *shape)
{
    shape->slot_count = 2;
}

void shape_two_slots_at_once(struct ccid_virtual_shape *shape)
{
    shape->slot_count = 2;
    shape->max_busy_slots = 2;
}
