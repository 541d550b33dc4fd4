/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c - what becomes of bytes in names and files: which of them (enum text), one byte,
 * then the bytes.
 *
 * Strings of devices come out as printable ASCII, names of directories without a slash or
 * a dot in front, values as one line; nothing is longer than its room, and what is read
 * back is what was written.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccid/usb.h"
#include "fs/attributes.h"
#include "fs/hexline.h"
#include "fs/links.h"
#include "fs/naming.h"
#include "fs/node.h"
#include "fs/text.h"
#include "fs/virtual_file.h"
#include "fuzz.h"
#include "smcnt.h"

enum text {
    TEXT_STRING,
    TEXT_NAME,
    TEXT_ATTRIBUTE,
    TEXT_HEX,
    TEXT_VIRTUAL,
    TEXT_NODE,
    TEXTS
};

/* One line of printable ASCII, of that length. */
static void check_line(const char *text, size_t len)
{
    FUZZ_CHECK(len > 0 && text[len] == '\0' && text[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++)
        FUZZ_CHECK(text[i] >= 0x20 && text[i] < 0x7F);
}

static void string(const uint8_t *bytes, size_t len)
{
    char text[104];

    memset(text, 'x', sizeof text);
    usb_string_decode(bytes, len, text, sizeof text);
    FUZZ_CHECK(memchr(text, '\0', sizeof text) != NULL);
    for (const char *c = text; *c != '\0'; c++)
        FUZZ_CHECK(*c >= 0x20 && *c < 0x7F);
}

static void check_link(const char *name)
{
    FUZZ_CHECK(strlen(name) < SCFS_LINK_NAME_SIZE);
    FUZZ_CHECK(name[0] != '.');
    for (const char *c = name; *c != '\0'; c++)
        FUZZ_CHECK(isalnum((unsigned char)*c) || strchr("+-._", *c) != NULL);
}

static bool nobody(void *context, const struct smc_device_identity *identity,
                   unsigned number)
{
    (void)context, (void)identity;
    return number == 0;
}

/* Strings are not ended by anybody but their length. */
static void name(struct fuzz_input *in)
{
    struct scfs_naming naming = {0};
    struct smc_device_identity identity, other;
    char text[SCFS_TEXT_MAX], link[SCFS_LINK_NAME_SIZE];
    int len;

    fuzz_read(in, &identity, sizeof identity);
    other = identity;
    other.path[0] ^= 1;
    len = scfs_text_name(text, sizeof text, &identity, identity.vid, identity.pid);
    FUZZ_CHECK(len > 0 && (size_t)len < sizeof text);
    check_line(text, (size_t)len);
    scfs_link_name(link, SCFS_LINK_ID, &identity, identity.slot_count);
    check_link(link);
    scfs_link_name(link, SCFS_LINK_PATH, &identity, identity.slot_count);
    check_link(link);
    FUZZ_CHECK(!scfs_link_conflict(SCFS_LINK_ID, &identity, &identity));
    FUZZ_CHECK(scfs_link_conflict(SCFS_LINK_ID, &identity, &other) ==
               scfs_link_conflict(SCFS_LINK_ID, &other, &identity));
    FUZZ_CHECK(scfs_naming_number(&naming, &identity, nobody, NULL) >= 1);
}

static void attribute(struct fuzz_input *in)
{
    const struct scfs_attribute *which =
        &scfs_attributes[fuzz_u8(in) % scfs_attribute_count];
    char text[SCFS_TEXT_MAX];
    size_t len;
    uint8_t *value = fuzz_piece(in, 100, &len);
    int written = scfs_attribute_text(text, sizeof text, which, value, len);

    if (written < 0) {
        FUZZ_CHECK(written == -EIO);
        FUZZ_CHECK(len > SCFS_ATTRIBUTE_MAX || which->type == SCFS_NUMBER ||
                   which->type == SCFS_MASK);
    } else {
        FUZZ_CHECK((size_t)written < sizeof text);
        check_line(text, (size_t)written);
    }
    free(value);
}

static void hex(struct fuzz_input *in)
{
    const size_t room = fuzz_u8(in);
    size_t len, got;
    char *text = (char *)fuzz_piece(in, 600, &len);
    uint8_t *bytes = malloc(room + 1);
    char line[SCFS_HEXLINE_LEN(UINT8_MAX)];
    ssize_t count = scfs_hexline_read(text, len, bytes, room);

    FUZZ_CHECK(count <= (ssize_t)room);
    if (count < 0) {
        FUZZ_CHECK(count == -EINVAL || count == -EMSGSIZE);
    } else {
        uint8_t again[UINT8_MAX];

        got = scfs_hexline_write(line, sizeof line, 0, bytes, (size_t)count);
        FUZZ_CHECK(got == SCFS_HEXLINE_LEN(count));
        FUZZ_CHECK(scfs_hexline_read(line, got, again, sizeof again) == count);
        FUZZ_CHECK(memcmp(again, bytes, (size_t)count) == 0);
        /* In two reads it is the same line. */
        FUZZ_CHECK(scfs_hexline_write(line, 3, 1, bytes, (size_t)count) <= 3);
    }
    if (room > 0) {
        char *small = malloc(room); /* text files cut what does not fit */

        FUZZ_CHECK(small != NULL);
        scfs_text_printable(small, room, (const uint8_t *)text, len);
        FUZZ_CHECK(strlen(small) < room);
        scfs_text_hex(small, room, (const uint8_t *)text, len);
        FUZZ_CHECK(strlen(small) < room && strlen(small) % 2 == 0);
        free(small);
    }
    free(bytes);
    free(text);
}

static void virtual_line(const char *text, size_t len)
{
    struct scfs_virtual_line line;
    const int error = scfs_virtual_parse(text, len, &line);

    FUZZ_CHECK(error == 0 || error == -EINVAL || error == -ENODEV);
    if (error != 0)
        return;
    FUZZ_CHECK(line.atr_len <= SCFS_VIRTUAL_ATR_MAX);
    FUZZ_CHECK(memchr(line.shape, '\0', sizeof line.shape) != NULL);
    FUZZ_CHECK(memchr(line.keys, '\0', sizeof line.keys) != NULL);
    FUZZ_CHECK(line.shape[0] == '\0' || scfs_virtual_is_shape(line.shape));
}

static void node(const char *text)
{
    char again[SCFS_READER_NAME_SIZE];
    unsigned number;

    if (scfs_reader_number(text, &number)) {
        scfs_reader_name(again, number);
        FUZZ_CHECK(strcmp(again, text) == 0);
    }
    for (int parent = 0; parent < SCFS_ATTRIBUTE; parent++) {
        const enum scfs_kind child = scfs_node_child((enum scfs_kind)parent, text);

        if (child != SCFS_NONE)
            FUZZ_CHECK(strcmp(scfs_node_name(child), text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint8_t which = fuzz_u8(&in) % TEXTS;
    size_t len;
    char *text;

    if (which == TEXT_NAME) {
        name(&in);
    } else if (which == TEXT_ATTRIBUTE) {
        attribute(&in);
    } else if (which == TEXT_HEX) {
        hex(&in);
    } else {
        text = (char *)fuzz_piece(&in, size, &len);
        if (which == TEXT_STRING) {
            string((const uint8_t *)text, len);
        } else if (which == TEXT_VIRTUAL) {
            virtual_line(text, len);
        } else {
            char *ended = strndup(text, len);

            FUZZ_CHECK(ended != NULL);
            node(ended);
            free(ended);
        }
        free(text);
    }
    return 0;
}
