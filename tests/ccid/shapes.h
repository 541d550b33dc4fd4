/* SPDX-License-Identifier: BSD-2-Clause */
/* shapes.h - changes that make a virtual reader of another kind. */
#ifndef TESTS_CCID_SHAPES_H
#define TESTS_CCID_SHAPES_H

#include "ccid/virtual_shape.h"

void shape_chained(struct ccid_virtual_shape *shape); /* messages of 271 bytes */
void shape_short_apdu(struct ccid_virtual_shape *shape);
void shape_character(struct ccid_virtual_shape *shape);
void shape_token_a(struct ccid_virtual_shape *shape);
void shape_token_b(struct ccid_virtual_shape *shape);
void shape_two_slots(struct ccid_virtual_shape *shape);
void shape_two_slots_at_once(struct ccid_virtual_shape *shape);

#endif
