/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_bench.c - the bench with the virtual reader on it. */
#include "virtual_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void virtual_bench_begin(struct virtual_bench *v, const char *shape_name, const char *atr)
{
    const struct ccid_virtual_shape *shape = ccid_virtual_shape(shape_name);
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX], bytes[CCID_VIRTUAL_ATR_MAX];
    size_t length = 0;

    memset(v, 0, sizeof(*v));
    assert_non_null(shape);
    virtual_clock_init(&v->clock);
    v->reader = ccid_virtual_reader_new(&v->clock.clock, shape);
    assert_non_null(v->reader);
    if (atr != NULL)
        length = bench_bytes(atr, bytes, sizeof(bytes));
    assert_int_equal(ccid_virtual_reader_insert(v->reader, 0, bytes, length), 0);
    fault_usb_init(&v->faults, ccid_virtual_reader_port(v->reader), &v->clock);
    bench_begin(&v->bench, BENCH_EXTENDED);
    v->bench.port = fault_usb_port(&v->faults);
    length = ccid_virtual_reader_config(shape, config);
    assert_int_equal(ccid_desc_parse(config, length, 0, &v->bench.desc), STATUS_SUCCESS);
    assert_int_equal(bench_try_add(&v->bench), STATUS_SUCCESS);
}

void virtual_bench_end(struct virtual_bench *v)
{
    bench_end(&v->bench);
    ccid_virtual_reader_free(v->reader);
}

NTSTATUS virtual_bench_connect(struct virtual_bench *v)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (bench_state(&v->bench) < SCARD_NEGOTIABLE)
        status = bench_power(&v->bench, SCARD_COLD_RESET);
    if (status == STATUS_SUCCESS && bench_state(&v->bench) == SCARD_NEGOTIABLE) {
        status = bench_set_protocol(&v->bench, SCARD_PROTOCOL_Tx);
        if (status == STATUS_SUCCESS)
            memcpy(&v->bench.protocol, v->bench.reply, sizeof(v->bench.protocol));
    }
    return status;
}

struct ccid_virtual_contact *virtual_bench_contact(struct virtual_bench *v)
{
    return v->reader->slots[0].contact;
}
