/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atr.c - a card's ATR, on a reader of any rates: four bytes of the reader, the room for
 * an attribute (one byte), then the ATR.
 *
 * What is read from it stays within it and within its tables; the library's values,
 * times, parameters and attributes follow for every protocol without a division by zero
 * or a state that is none.
 */
#include <stdlib.h>
#include <string.h>

#include "../smclib/fake_reader.h"
#include "fuzz.h"
#include "smclib/internal.h"

static struct fake_reader reader;

static void check_parsed(const struct smc_atr *atr, size_t len)
{
    FUZZ_CHECK((size_t)atr->historical_at + atr->historical_len + atr->surplus <= len);
    FUZZ_CHECK(atr->historical_len <= 15);
    FUZZ_CHECK(atr->fl < 16 && smc_clock_rates[atr->fl].F != 0);
    FUZZ_CHECK(atr->dl < 16 && smc_bit_rates[atr->dl].DNumerator != 0);
    FUZZ_CHECK(atr->ifsc >= 1 && atr->ifsc <= 254);
    FUZZ_CHECK(atr->cwi <= 15 && atr->bwi <= 9 && atr->wi > 0);
    FUZZ_CHECK((atr->protocols & ~(ULONG)SCARD_PROTOCOL_Tx) == 0);
}

static void set_rates(struct fuzz_input *in)
{
    static ULONG clocks[2], rates[2];
    SCARD_READER_CAPABILITIES *caps = &reader.ext.ReaderCapabilities;
    const uint8_t clock = fuzz_u8(in), rate = fuzz_u8(in), ifsd = fuzz_u8(in),
                  lists = fuzz_u8(in);

    caps->CLKFrequency.Default = clock * 100u;
    caps->CLKFrequency.Max = clock * 400u;
    caps->DataRate.Default = rate * 200u;
    caps->DataRate.Max = rate * 16000u;
    caps->MaxIFSD = ifsd;
    clocks[0] = clock * 100u;
    clocks[1] = clock * 125u;
    rates[0] = rate * 200u;
    rates[1] = UINT32_MAX - rate;
    caps->CLKFrequenciesSupported.List = clocks;
    caps->CLKFrequenciesSupported.Entries = lists & 3 ? 2 : 0;
    caps->DataRatesSupported.List = rates;
    caps->DataRatesSupported.Entries = lists & 12 ? 2 : 0;
    caps->SupportedProtocols = lists >> 4 & 3;
}

static void check_parameters(ULONG protocol)
{
    const PTS_DATA *pts = &reader.ext.CardCapabilities.PtsData;

    for (UCHAR type = PTS_TYPE_DEFAULT; type <= PTS_TYPE_OPTIMAL; type++) {
        reader.ext.CardCapabilities.PtsData.Type = PTS_TYPE_DEFAULT;
        smc_caps_select(&reader.ext, type, protocol);
        FUZZ_CHECK(smc_clock_rates[pts->Fl & 15].F != 0);
        FUZZ_CHECK(smc_bit_rates[pts->Dl & 15].DNumerator != 0);
        if (type == PTS_TYPE_DEFAULT)
            FUZZ_CHECK(pts->Fl == 1 && pts->Dl == 1);
        FUZZ_CHECK(pts->StopBits == 1 || pts->StopBits == 2);
    }
    FUZZ_CHECK(reader.ext.CardCapabilities.GT > 0);
    FUZZ_CHECK(reader.ext.CardCapabilities.etu > 0);
}

/* Every attribute: not a byte more than there is room for. */
static void check_attributes(ULONG room)
{
    static const UCHAR classes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x09};
    UCHAR value[UINT8_MAX + 1];

    memset(value, 0xA5, sizeof value);
    for (size_t i = 0; i < sizeof classes; i++) {
        for (ULONG id = 0; id < 0x30; id++) {
            ULONG len = 0;

            if (smc_attr_get(&reader.ext, (ULONG)classes[i] << 16 | 0x0100 | id, value,
                             room, &len) == STATUS_SUCCESS)
                FUZZ_CHECK(len <= room);
            FUZZ_CHECK(value[room] == 0xA5);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    SCARD_CARD_CAPABILITIES *card = &reader.ext.CardCapabilities;
    struct smc_atr parsed;
    NTSTATUS status;
    uint8_t *atr, room;
    size_t len;

    fake_reader_setup(&reader);
    set_rates(&in);
    room = fuzz_u8(&in);
    atr = fuzz_piece(&in, SCARD_ATR_LENGTH + 4, &len);
    if (smc_atr_parse(atr, len, &parsed) == STATUS_SUCCESS)
        check_parsed(&parsed, len);
    if (len <= SCARD_ATR_LENGTH) {
        fake_reader_set_state(&reader, SCARD_POWERED);
        memcpy(card->ATR.Buffer, atr, len);
        card->ATR.Length = (UCHAR)len;
        status = SmartcardUpdateCardCapabilities(&reader.ext);
        FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_UNRECOGNIZED_MEDIA);
        if (status == STATUS_SUCCESS) {
            const ULONG state = reader.ext.ReaderCapabilities.CurrentState;

            FUZZ_CHECK(state == SCARD_NEGOTIABLE || state == SCARD_SPECIFIC);
            FUZZ_CHECK(card->Protocol.Supported != SCARD_PROTOCOL_UNDEFINED);
            FUZZ_CHECK(card->HistoricalChars.Length <= 15);
            check_parameters(SCARD_PROTOCOL_T0);
            check_parameters(SCARD_PROTOCOL_T1);
        } else {
            FUZZ_CHECK(card->Protocol.Supported == SCARD_PROTOCOL_UNDEFINED);
        }
        card->Protocol.Selected = card->Protocol.Supported & SCARD_PROTOCOL_T1
                                      ? SCARD_PROTOCOL_T1
                                      : SCARD_PROTOCOL_T0;
        check_attributes(room);
    }
    free(atr);
    fake_reader_teardown(&reader);
    return 0;
}
