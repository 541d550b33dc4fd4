/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_corpus.c - looks a real reader up in ccid-readers.jsonl. The file is somebody's
 * data: what is missing or of another kind than expected makes a line unusable, and lines
 * and lists are bounded. Nothing of it is kept but the row that was asked for.
 */
#include "ccid/virtual_corpus.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ccid/quirks.h"

#define FOLDER_VARIABLE "SCARDFS_TEST_DATA"
#define FOLDER_DEFAULT  "../shared/data"
#define FILE_NAME       "ccid-readers.jsonl"
#define LINE_MAX_BYTES  65536
#define LINES_MAX       100000

/* ---- the name --------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Exactly so many digits. */
static bool hex(const char *text, unsigned digits, uint32_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

bool ccid_virtual_name_parse(const char *text, struct ccid_virtual_name *name)
{
    uint32_t vid, pid, number = 0;
    const char *digit = text + 10;

    if (!hex(text, 4, &vid) || text[4] != ':' || !hex(text + 5, 4, &pid))
        return false;
    *name = (struct ccid_virtual_name){(uint16_t)vid, (uint16_t)pid, -1};
    if (text[9] == '\0')
        return true;
    if (text[9] != ':' || *digit == '\0')
        return false;
    for (; *digit >= '0' && *digit <= '9' && number <= UINT8_MAX; digit++)
        number = number * 10 + (uint32_t)(*digit - '0');
    name->interface_number = (int)number;
    return *digit == '\0' && number <= UINT8_MAX;
}

/* ---- fields of a row --------------------------------------------------------------- */

static bool number(const json_t *row, const char *key, uint32_t max, uint32_t *value)
{
    const json_t *field = json_object_get(row, key);
    json_int_t n = json_integer_value(field);

    if (!json_is_integer(field) || n < 0 || n > max)
        return false;
    *value = (uint32_t)n;
    return true;
}

static bool byte(const json_t *row, const char *key, uint8_t *value)
{
    uint32_t n;

    if (!number(row, key, UINT8_MAX, &n))
        return false;
    *value = (uint8_t)n;
    return true;
}

static bool hex16(const json_t *row, const char *key, uint16_t *value)
{
    const char *text = json_string_value(json_object_get(row, key));
    uint32_t n;

    if (text == NULL || strlen(text) != 4 || !hex(text, 4, &n))
        return false;
    *value = (uint16_t)n;
    return true;
}

/* A name may be missing, or be the number of a string that could not be read. */
static const char *text(const json_t *row, const char *key, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(row, key));

    if (value == NULL || value[strspn(value, "0123456789?")] == '\0')
        return NULL;
    snprintf(out, size, "%s", value);
    return out;
}

/* What is no number, and what is too much, ends the list. */
static size_t list(const json_t *row, const char *key, uint32_t *out)
{
    const json_t *array = json_object_get(row, key);
    size_t count = 0;

    while (count < json_array_size(array) && count < CCID_VIRTUAL_LIST_MAX) {
        const json_t *entry = json_array_get(array, count);
        json_int_t n = json_integer_value(entry);

        if (!json_is_integer(entry) || n < 0 || n > UINT32_MAX)
            break;
        out[count++] = (uint32_t)n;
    }
    return count;
}

static bool descriptor(const json_t *row, uint8_t out[CCID_DESC_LENGTH])
{
    const char *digits = json_string_value(json_object_get(row, "class_descriptor"));
    uint32_t value;

    if (digits == NULL || strlen(digits) != 2 * CCID_DESC_LENGTH)
        return false;
    for (size_t i = 0; i < CCID_DESC_LENGTH; i++) {
        if (!hex(digits + 2 * i, 2, &value))
            return false;
        out[i] = (uint8_t)value;
    }
    return true;
}

/* ---- a row --------------------------------------------------------------------------
 */

/* Whether the driver knows that the reader does more than its descriptor says: then the
 * virtual one does so, too. */
static bool chains(const struct ccid_virtual_shape *shape)
{
    struct ccid_desc desc = {.level = shape->level,
                             .interface_number = shape->interface_number,
                             .pin_support = shape->pin_support};
    const char *reasons[CCID_QUIRK_REASONS_MAX];

    (void)ccid_quirks_apply(&desc, shape->vid, shape->pid, shape->bcd_device, reasons);
    return shape->level == CCID_LEVEL_SHORT_APDU &&
           desc.level == CCID_LEVEL_EXTENDED_APDU;
}

static void take_rest(const json_t *row, struct ccid_virtual_model *model)
{
    struct ccid_virtual_shape *shape = &model->shape;
    uint32_t blocks = 1;

    shape->vendor = text(row, "iManufacturer", model->vendor, sizeof(model->vendor));
    shape->product = text(row, "iProduct", model->product, sizeof(model->product));
    shape->interface_name =
        text(row, "iInterface", model->interface_name, sizeof(model->interface_name));
    shape->clock_list_length = list(row, "clocks_khz", model->clocks_khz);
    shape->clocks_khz = model->clocks_khz;
    shape->rate_list_length = list(row, "data_rates_bps", model->rates_bps);
    shape->rates_bps = model->rates_bps;
    /* Its other interfaces that are readers, and all that are numbered before it. */
    number(row, "blocks", UINT8_MAX, &blocks);
    if (blocks <= shape->interface_number)
        blocks = shape->interface_number + 1u;
    shape->interface_count = (uint8_t)(blocks > UINT8_MAX ? UINT8_MAX : blocks);
}

static NTSTATUS take_row(const json_t *row, const struct ccid_virtual_name *name,
                         struct ccid_virtual_model *model)
{
    struct ccid_virtual_interface interface;
    uint8_t bytes[CCID_DESC_LENGTH];
    uint16_t vid, pid, bcd_device;
    NTSTATUS status;

    if (!hex16(row, "vid", &vid) || !hex16(row, "pid", &pid) ||
        !byte(row, "bInterfaceNumber", &interface.number))
        return STATUS_INVALID_PARAMETER;
    if (vid != name->vid || pid != name->pid ||
        (name->interface_number >= 0 && interface.number != name->interface_number))
        return STATUS_NO_SUCH_DEVICE;
    if (!hex16(row, "bcdDevice", &bcd_device) ||
        !byte(row, "bInterfaceClass", &interface.class_code) ||
        !byte(row, "bInterfaceSubClass", &interface.subclass) ||
        !byte(row, "bInterfaceProtocol", &interface.protocol) ||
        !byte(row, "bNumEndpoints", &interface.endpoint_count) || !descriptor(row, bytes))
        return STATUS_INVALID_PARAMETER;
    status = ccid_virtual_shape_of(bytes, sizeof(bytes), &interface, &model->shape);
    if (!NT_SUCCESS(status))
        return status;
    model->shape.vid = vid;
    model->shape.pid = pid;
    model->shape.bcd_device = bcd_device;
    model->shape.chains = chains(&model->shape);
    take_rest(row, model);
    return STATUS_SUCCESS;
}

NTSTATUS ccid_virtual_row_parse(const char *line, size_t len,
                                const struct ccid_virtual_name *name,
                                struct ccid_virtual_model *model)
{
    json_t *row = json_loadb(line, len, 0, NULL);
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (row != NULL)
        status = take_row(row, name, model);
    json_decref(row);
    return status;
}

/* ---- the file -----------------------------------------------------------------------
 */

/* STATUS_NO_SUCH_DEVICE: it is not in the file. A line that cannot be read is none. */
static NTSTATUS search(FILE *file, const struct ccid_virtual_name *name,
                       struct ccid_virtual_model *model)
{
    char *line = malloc(LINE_MAX_BYTES);
    NTSTATUS status = STATUS_NO_SUCH_DEVICE;

    if (line == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (unsigned i = 0; i < LINES_MAX && fgets(line, LINE_MAX_BYTES, file) != NULL;
         i++) {
        status = ccid_virtual_row_parse(line, strlen(line), name, model);
        if (status == STATUS_SUCCESS || status == STATUS_NOT_SUPPORTED)
            break;
        status = STATUS_NO_SUCH_DEVICE;
    }
    free(line);
    return status;
}

const char *ccid_virtual_folder(void)
{
    const char *folder = getenv(FOLDER_VARIABLE);

    return folder != NULL ? folder : FOLDER_DEFAULT;
}

NTSTATUS ccid_virtual_corpus_find(const char *text, struct ccid_virtual_model **out)
{
    struct ccid_virtual_name name;
    char path[4096];
    NTSTATUS status;
    FILE *file;

    *out = NULL;
    if (!ccid_virtual_name_parse(text, &name))
        return STATUS_NOT_SUPPORTED;
    snprintf(path, sizeof(path), "%s/%s", ccid_virtual_folder(), FILE_NAME);
    file = fopen(path, "re");
    if (file == NULL) {
        SmcLog(NULL, STATUS_NOT_SUPPORTED,
               "virtual reader %s: cannot read %s: %s (" FOLDER_VARIABLE
               " names its folder)",
               text, path, strerror(errno));
        return STATUS_NOT_SUPPORTED;
    }
    *out = calloc(1, sizeof(**out));
    status = *out == NULL ? STATUS_INSUFFICIENT_RESOURCES : search(file, &name, *out);
    fclose(file);
    if (status == STATUS_SUCCESS)
        return STATUS_SUCCESS;
    free(*out);
    *out = NULL;
    if (status == STATUS_INSUFFICIENT_RESOURCES)
        return status;
    SmcLog(NULL, STATUS_NOT_SUPPORTED, "virtual reader %s: %s %s", text,
           status == STATUS_NO_SUCH_DEVICE ? "there is none in"
                                           : "a virtual reader cannot be like that in",
           path);
    return STATUS_NOT_SUPPORTED;
}
