/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - how values are written in text files. */
#include "fs/text.h"

#include <stdio.h>
#include <string.h>

#include "smcnt.h"

void scfs_text_hex(char *out, size_t size, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < len && used + 3 <= size; i++) {
        out[used++] = digits[bytes[i] >> 4];
        out[used++] = digits[bytes[i] & 15];
    }
    out[used] = '\0';
}

void scfs_text_printable(char *out, size_t size, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
            if (used + 2 > size)
                break;
            out[used++] = (char)bytes[i];
        } else {
            if (used + 5 > size)
                break;
            used += (size_t)snprintf(out + used, 5, "\\x%02x", bytes[i]);
        }
    }
    out[used] = '\0';
}

const char *scfs_text_state(uint32_t state)
{
    static const char *const names[] = {"unknown", "absent",     "present", "swallowed",
                                        "powered", "negotiable", "specific"};

    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

/* Appends a part with what goes around it, and a blank. */
static void part(char *out, size_t size, const char *before, const char *text,
                 size_t room, const char *after)
{
    char clean[4 * sizeof((struct smc_device_identity *)0)->vendor];
    size_t used = strlen(out);

    if (text[0] == '\0')
        return;
    scfs_text_printable(clean, sizeof clean, (const uint8_t *)text, strnlen(text, room));
    snprintf(out + used, size - used, "%s%s%s ", before, clean, after);
}

int scfs_text_name(char *out, size_t size, const struct smc_device_identity *identity,
                   unsigned device, unsigned slot)
{
    char name[SCFS_TEXT_MAX - 16] = "";

    part(name, sizeof name, "", identity->vendor, sizeof identity->vendor, "");
    part(name, sizeof name, "", identity->product, sizeof identity->product, "");
    if (name[0] == '\0')
        snprintf(name, sizeof name, "USB %04x:%04x ", identity->vid, identity->pid);
    part(name, sizeof name, "[", identity->interface_name,
         sizeof identity->interface_name, "]");
    part(name, sizeof name, "(", identity->serial, sizeof identity->serial, ")");
    return snprintf(out, size, "%s%02x %02x\n", name, device & 0xff, slot & 0xff);
}
