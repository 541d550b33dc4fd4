/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates.c - the reader's lists of clocks and data rates (CCID 1.1 §5.3.2 and §5.3.3).
 *
 * Asked for only if the class descriptor announces entries, and for no more than it
 * announces: readers stall, stay silent, or send a tail of rubbish. Without a list the
 * reader's minimum and maximum hold.
 */
#include "ccid/quirks.h"
#include "ccid/slot.h"

#define REQUEST_TYPE_IN 0xA1
#define REQUEST_CLOCKS  0x02
#define REQUEST_RATES   0x03
#define LIST_TIMEOUT_MS 1000
#define FACTOR_MAX      10 /* above ten times the maximum: rubbish */

/* CCID_QUIRK_SECONDARY_RATES: all that the GemCore chip does behind its first slot. */
static uint32_t secondary_rates_bps[] = {10753, 21505, 43011, 125000};

static uint8_t read_list(struct ccid_device *device, uint8_t request, uint8_t announced,
                         uint32_t maximum, uint32_t list[CCID_RATES_MAX])
{
    const struct ccid_usb_port *port = &device->port;
    uint8_t bytes[CCID_RATES_MAX * 4];
    size_t done = 0;
    uint8_t count = 0;

    if (announced == 0)
        return 0;
    if (port->ops->control(
            port->usb, REQUEST_TYPE_IN, request, 0, device->desc.interface_number, bytes,
            (uint16_t)(announced * 4u), &done, LIST_TIMEOUT_MS) != CCID_USB_OK ||
        done > announced * 4u)
        return 0;
    for (size_t at = 0; at + 4 <= done; at += 4) {
        uint32_t value = (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8 |
                         (uint32_t)bytes[at + 2] << 16 | (uint32_t)bytes[at + 3] << 24;

        if (value != 0 && value <= (uint64_t)maximum * FACTOR_MAX)
            list[count++] = value;
    }
    return count;
}

static uint8_t drop_above(uint32_t maximum, uint32_t list[], uint8_t count)
{
    uint8_t kept = 0;

    for (uint8_t i = 0; i < count; i++) {
        if (list[i] <= maximum)
            list[kept++] = list[i];
    }
    return kept;
}

void ccid_rates_read(struct ccid_device *device)
{
    const struct ccid_desc *desc = &device->desc;

    device->clock_count = read_list(device, REQUEST_CLOCKS, desc->clock_count,
                                    desc->maximum_clock_khz, device->clocks_khz);
    device->rate_count = read_list(device, REQUEST_RATES, desc->data_rate_count,
                                   desc->maximum_data_rate_bps, device->rates_bps);
    if (desc->usable_data_rate_bps != 0)
        device->rate_count =
            drop_above(desc->usable_data_rate_bps, device->rates_bps, device->rate_count);
    for (uint8_t i = 0; i < desc->slot_count; i++) {
        SCARD_READER_CAPABILITIES *reader = &device->slots[i]->ext.ReaderCapabilities;

        reader->CLKFrequenciesSupported.List = device->clocks_khz;
        reader->CLKFrequenciesSupported.Entries = device->clock_count;
        reader->DataRatesSupported.List = device->rates_bps;
        reader->DataRatesSupported.Entries = device->rate_count;
        if (i > 0 && (desc->quirks & CCID_QUIRK_SECONDARY_RATES) != 0) {
            reader->DataRatesSupported.List = secondary_rates_bps;
            reader->DataRatesSupported.Entries =
                sizeof(secondary_rates_bps) / sizeof(secondary_rates_bps[0]);
        }
    }
}
