/* SPDX-License-Identifier: BSD-2-Clause */
/* test-pcapng.c - blocks of a capture: their lengths, padding and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fs/pcapng.h"

static uint32_t le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void test_begin_is_two_whole_blocks(void **state)
{
    uint8_t out[SCFS_PCAPNG_BEGIN];

    (void)state;
    scfs_pcapng_begin(out);
    assert_int_equal(le32(out), 0x0A0D0D0A);
    assert_int_equal(le32(out + 4), 28);
    assert_int_equal(le32(out + 8), 0x1A2B3C4D);
    assert_int_equal(le32(out + 24), 28);
    assert_int_equal(le32(out + 28), 1);
    assert_int_equal(le32(out + 32), 20);
    assert_int_equal(out[36] | out[37] << 8, 220);
    assert_int_equal(le32(out + 44), 20);
}

static void test_packet_says_its_size_before_and_behind(void **state)
{
    static const ULONG lengths[] = {0, 1, 2, 3, 4, 10, 65555};
    static const uint32_t lost[] = {0, 1, 4294967295};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t k = 0; k < sizeof lost / sizeof lost[0]; k++) {
            struct smc_trace_packet packet = {.event = SMC_TRACE_COMPLETED,
                                              .length = lengths[i]};
            struct scfs_pcapng_place place = {0};
            uint8_t head[SCFS_PCAPNG_HEAD], tail[SCFS_PCAPNG_TAIL_MAX];
            size_t size = scfs_pcapng_size(&packet, lost[k]), len;

            scfs_pcapng_head(head, &packet, &place, lost[k]);
            len = scfs_pcapng_tail(tail, &packet, lost[k]);
            assert_true(len <= sizeof tail);
            assert_int_equal(size % 4, 0);
            assert_int_equal(size, sizeof head + lengths[i] + len);
            assert_int_equal(le32(head + 4), size);
            assert_int_equal(le32(tail + len - 4), size);
            assert_int_equal(le32(head + 20), 64 + lengths[i]);
            assert_int_equal(memmem(tail, len, " packets lost", 13) != NULL, lost[k] > 0);
        }
    }
}

static void test_packet_carries_setup_place_and_status(void **state)
{
    static const uint8_t setup[8] = {0x80, 6, 0, 2, 0, 0, 93, 0};
    const struct smc_trace_packet asked = {.event = SMC_TRACE_SUBMITTED,
                                           .transfer = SMC_TRACE_CONTROL,
                                           .endpoint = 0x80,
                                           .setup = setup};
    const struct smc_trace_packet failed = {.event = SMC_TRACE_COMPLETED,
                                            .transfer = SMC_TRACE_BULK,
                                            .endpoint = 0x82,
                                            .status = -32};
    const struct scfs_pcapng_place place = {
        .bus = 3, .device = 7, .id = 9, .time_us = UINT64_C(5000000123)};
    uint8_t head[SCFS_PCAPNG_HEAD];
    const uint8_t *usb = head + 28;

    (void)state;
    scfs_pcapng_head(head, &asked, &place, 0);
    assert_int_equal(le32(head + 12), 1); /* 5000000123 = 1 * 2^32 + 705032827 */
    assert_int_equal(le32(head + 16), 705032827);
    assert_int_equal(le32(usb), 9);
    assert_int_equal(usb[8], 'S');
    assert_int_equal(usb[9], 2);
    assert_int_equal(usb[10], 0x80);
    assert_int_equal(usb[11], 7);
    assert_int_equal(usb[12], 3);
    assert_int_equal(usb[14], 0);
    assert_int_equal(usb[15], '<');
    assert_int_equal(le32(usb + 16), 5000);
    assert_int_equal(le32(usb + 24), 123);
    assert_int_equal((int32_t)le32(usb + 28), -115);
    assert_memory_equal(usb + 40, setup, sizeof setup);
    scfs_pcapng_head(head, &failed, &place, 0);
    assert_int_equal(usb[8], 'C');
    assert_int_equal(usb[14], '-');
    assert_int_equal(usb[15], '>');
    assert_int_equal((int32_t)le32(usb + 28), -32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_is_two_whole_blocks),
        cmocka_unit_test(test_packet_says_its_size_before_and_behind),
        cmocka_unit_test(test_packet_carries_setup_place_and_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
