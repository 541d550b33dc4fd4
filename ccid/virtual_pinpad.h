/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_pinpad.h - the PIN pad of a virtual reader, and its user. */
#ifndef CCID_VIRTUAL_PINPAD_H
#define CCID_VIRTUAL_PINPAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CCID_VIRTUAL_KEYS_MAX    47 /* three PINs of fifteen digits, and what is between */
#define CCID_VIRTUAL_PIN_COMMAND 300

struct ccid_virtual_pad {
    /* What the user is going to do; "": he types 123456 wherever he is asked. */
    char keys[CCID_VIRTUAL_KEYS_MAX + 1];
    /* Somebody is being asked; then the command with the PIN in it is ready below. */
    bool asking;
    uint16_t status_word; /* of the reader's own, in place of the command; or 0 */
    uint8_t prologue[3];
    uint8_t command[CCID_VIRTUAL_PIN_COMMAND];
    size_t command_len;
    /* T=1: the block that went out last. */
    uint8_t block[CCID_VIRTUAL_PIN_COMMAND + 5];
    size_t block_len;
};

/* Whether the text is "cancel", "timeout", or PINs of digits with slashes between. */
bool ccid_virtual_pad_keys(const char *text);

#endif
