/* SPDX-License-Identifier: BSD-2-Clause */
/* row.c - see row.h. The fields are named as in CCID 1.1 table 5.1-1. */
#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a line must say before anything else is asked of it. */
static bool identity_of(const json_t *json, struct ccid_virtual_name *name)
{
    const char *vid = json_string_value(json_object_get(json, "vid"));
    const char *pid = json_string_value(json_object_get(json, "pid"));
    const json_t *number = json_object_get(json, "bInterfaceNumber");
    json_int_t n = json_integer_value(number);
    char text[16];

    if (vid == NULL || pid == NULL || strlen(vid) != 4 || strlen(pid) != 4 ||
        !json_is_integer(number) || n < 0 || n > UINT8_MAX)
        return false;
    snprintf(text, sizeof(text), "%s:%s:%u", vid, pid, (unsigned)(uint8_t)n);
    return ccid_virtual_name_parse(text, name);
}

bool row_read(const char *line, size_t len, struct row *row,
              char problem[ROW_PROBLEM_MAX])
{
    struct ccid_virtual_name name;
    json_error_t error;
    const char *file;
    NTSTATUS status;

    memset(row, 0, sizeof(*row));
    row->json = json_loadb(line, len, 0, &error);
    if (row->json == NULL) {
        snprintf(problem, ROW_PROBLEM_MAX, "no JSON: %.100s", error.text);
        return false;
    }
    if (!identity_of(row->json, &name)) {
        snprintf(problem, ROW_PROBLEM_MAX, "no vid, pid and bInterfaceNumber");
        row_free(row);
        return false;
    }
    file = json_string_value(json_object_get(row->json, "file"));
    snprintf(row->name, sizeof(row->name), "%04X:%04X:%d %.100s", name.vid, name.pid,
             name.interface_number, file != NULL ? file : "");
    status = ccid_virtual_row_parse(line, len, &name, &row->model);
    if (status == STATUS_SUCCESS)
        return true;
    snprintf(problem, ROW_PROBLEM_MAX,
             status == STATUS_NOT_SUPPORTED
                 ? "no virtual reader can be like that: slots or endpoints"
                 : "no description of a reader, or a class descriptor against the rules");
    row_free(row);
    return false;
}

void row_free(struct row *row)
{
    json_decref(row->json);
    row->json = NULL;
}

/* ---- fields -------------------------------------------------------------------------
 */

/* A number, or four hexadecimal digits. */
static bool field(const struct row *row, const char *name, uint64_t *value)
{
    const json_t *json = json_object_get(row->json, name);
    const char *text = json_string_value(json);
    char *end;

    if (json_is_integer(json)) {
        *value = (uint64_t)json_integer_value(json);
        return true;
    }
    if (text == NULL || strlen(text) != 4)
        return false;
    *value = strtoul(text, &end, 16);
    return *end == 0;
}

static const char *level_of(const struct ccid_desc *desc)
{
    if ((desc->features & CCID_FEATURE_EXTENDED_APDU) != 0)
        return "extended-apdu";
    if ((desc->features & CCID_FEATURE_SHORT_APDU) != 0)
        return "short-apdu";
    return (desc->features & CCID_FEATURE_TPDU) != 0 ? "tpdu" : "character";
}

static bool compare(const struct row *row, const struct ccid_desc *desc,
                    char problem[ROW_PROBLEM_MAX])
{
    uint64_t endpoints = (desc->bulk_in.address != 0 ? 1u : 0u) +
                         (desc->bulk_out.address != 0 ? 1u : 0u) +
                         (desc->interrupt_in.address != 0 ? 1u : 0u);
    const struct {
        const char *name;
        uint64_t read;
    } fields[] = {
        {"bInterfaceNumber", desc->interface_number},
        {"bInterfaceClass", desc->interface_class},
        {"bInterfaceProtocol", desc->interface_protocol},
        {"bNumEndpoints", endpoints},
        {"bcdCCID", desc->bcd_ccid},
        {"bMaxSlotIndex", desc->max_slot_index},
        {"bVoltageSupport", desc->voltage_support},
        {"dwProtocols", desc->protocols},
        {"dwDefaultClock", desc->default_clock_khz},
        {"dwMaximumClock", desc->maximum_clock_khz},
        {"bNumClockSupported", desc->clock_count},
        {"dwDataRate", desc->data_rate_bps},
        {"dwMaxDataRate", desc->maximum_data_rate_bps},
        {"bNumDataRatesSupported", desc->data_rate_count},
        {"dwMaxIFSD", desc->max_ifsd},
        {"dwSynchProtocols", desc->synch_protocols},
        {"dwMechanical", desc->mechanical},
        {"dwFeatures", desc->features},
        {"dwMaxCCIDMessageLength", desc->max_message_length},
        {"bClassGetResponse", desc->class_get_response},
        {"bClassEnvelope", desc->class_envelope},
        {"wLcdLayout", desc->lcd_layout},
        {"bPINSupport", desc->pin_support},
        {"bMaxCCIDBusySlots", desc->max_busy_slots},
    };
    const char *level = json_string_value(json_object_get(row->json, "exchange_level"));

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        uint64_t said;

        if (!field(row, fields[i].name, &said)) {
            snprintf(problem, ROW_PROBLEM_MAX, "the row has no %s", fields[i].name);
            return false;
        }
        if (said != fields[i].read) {
            snprintf(problem, ROW_PROBLEM_MAX, "%s is %llu and was read as %llu",
                     fields[i].name, (unsigned long long)said,
                     (unsigned long long)fields[i].read);
            return false;
        }
    }
    if (level != NULL && strcmp(level, level_of(desc)) != 0) {
        snprintf(problem, ROW_PROBLEM_MAX, "level %.20s was read as %s", level,
                 level_of(desc));
        return false;
    }
    return true;
}

bool row_parses_as_it_says(const struct row *row, char problem[ROW_PROBLEM_MAX])
{
    const struct ccid_virtual_shape *shape = &row->model.shape;
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    struct ccid_desc desc;
    NTSTATUS status = ccid_desc_parse(config, ccid_virtual_reader_config(shape, config),
                                      shape->interface_number, &desc);

    if (status == STATUS_SUCCESS)
        return compare(row, &desc, problem);
    snprintf(problem, ROW_PROBLEM_MAX, "the descriptor is refused: %.100s", desc.problem);
    return false;
}
