/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * desc.c - configuration descriptors: VID, PID, bcdDevice (two bytes each), then the
 * descriptor.
 *
 * Whatever a device says, what is used of it is within the limits of ccid/internal.h, and
 * a refusal has its reason.
 */
#include <stdlib.h>
#include <string.h>

#include "ccid/internal.h"
#include "ccid/quirks.h"
#include "fuzz.h"

static void check_usable(const struct ccid_desc *desc)
{
    FUZZ_CHECK(desc->problem == NULL);
    FUZZ_CHECK(desc->slot_count >= 1 && desc->slot_count <= CCID_SLOTS_MAX);
    FUZZ_CHECK(desc->busy_slot_count >= 1 && desc->busy_slot_count <= desc->slot_count);
    FUZZ_CHECK(desc->message_size >= 64 && desc->message_size <= CCID_MESSAGE_MAX);
    FUZZ_CHECK(desc->ifsd >= 1 && desc->ifsd <= 254);
    FUZZ_CHECK(desc->ifsd + 14 <= desc->message_size);
}

static void check_interface(const struct ccid_desc *desc, uint8_t number)
{
    check_usable(desc);
    FUZZ_CHECK(desc->interface_number == number);
    if (desc->transport == CCID_TRANSPORT_BULK) {
        FUZZ_CHECK((desc->bulk_in.address & 0x80) != 0);
        FUZZ_CHECK(desc->bulk_out.address != 0 && (desc->bulk_out.address & 0x80) == 0);
        FUZZ_CHECK(desc->bulk_in.packet_size >= 8 && desc->bulk_in.packet_size <= 1024);
        FUZZ_CHECK(desc->bulk_out.packet_size >= 8 && desc->bulk_out.packet_size <= 1024);
    } else {
        FUZZ_CHECK(desc->slot_count == 1 && desc->built_in);
        FUZZ_CHECK(desc->message_size < CCID_CONTROL_MAX + 10);
    }
    if (desc->interrupt_in.address != 0)
        FUZZ_CHECK(desc->interrupt_in.packet_size > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint16_t vid = fuzz_u16(&in), pid = fuzz_u16(&in), bcd = fuzz_u16(&in);
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct ccid_desc desc;
    size_t len, count;
    uint8_t *config = fuzz_piece(&in, size, &len);

    count = ccid_desc_interfaces(config, len, vid, pid, numbers);
    FUZZ_CHECK(count <= CCID_INTERFACES_MAX);
    for (size_t i = 0; i <= count; i++) {
        /* Behind those that are CCID: one that may be anything. */
        const uint8_t number = i < count ? numbers[i] : (uint8_t)vid;
        const char *reasons[CCID_QUIRK_REASONS_MAX];
        NTSTATUS status;

        if (i > 0 && i < count)
            FUZZ_CHECK(numbers[i - 1] < numbers[i]);
        status = ccid_desc_parse(config, len, number, &desc);
        if (status != STATUS_SUCCESS) {
            FUZZ_CHECK(status == STATUS_INVALID_PARAMETER);
            FUZZ_CHECK(desc.problem != NULL && desc.problem[0] != '\0');
            continue;
        }
        check_interface(&desc, number);
        FUZZ_CHECK(ccid_quirks_apply(&desc, vid, pid, bcd, reasons) <=
                   CCID_QUIRK_REASONS_MAX);
        check_usable(&desc);
    }
    memset(&desc, 0, sizeof desc);
    if (ccid_desc_parse_class(config, len, &desc) == STATUS_SUCCESS)
        check_usable(&desc);
    free(config);
    return 0;
}
