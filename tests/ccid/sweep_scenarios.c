/* SPDX-License-Identifier: BSD-2-Clause */
/* sweep_scenarios.c - the table of scenarios of sweep.h. */
#include "sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scard_ioctl.h"
#include "shapes.h"

#define ATR_T0 "3B 95 18 40 0A 62 01 02 01 04" /* TA1 18h, WI 10 */
#define ATR_T1 "3B 97 11 81 31 FE 45 73 63 61 72 64 54 31 8F"
#define PIN    "1E 00 82 00 00 08 04 02 00 09 04 00 00 00 00 05 00 00 00 00 20 00 80 00"

#define CHAINED 600 /* bytes of an ECHO that takes several messages or blocks */

/* ---- requests ---------------------------------------------------------------------- */

static NTSTATUS connect(struct sweep *s)
{
    return virtual_bench_connect(&s->v);
}

static NTSTATUS power_on(struct sweep *s)
{
    static const uint8_t atr[] = {0x3b, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                                  0x54, 0x42, 0x45, 0x44, 0x01, 0x5d};
    NTSTATUS status = bench_power(&s->v.bench, SCARD_COLD_RESET);

    if (status == STATUS_SUCCESS && (s->v.bench.reply_length != sizeof(atr) ||
                                     memcmp(s->v.bench.reply, atr, sizeof(atr)) != 0))
        return STATUS_WRONG_ANSWER;
    return status;
}

static NTSTATUS short_command(struct sweep *s)
{
    return sweep_transmit(s, 0, "00 A4 00 00 02 3F 00", "90 00");
}

/* Transparent T=0: what is to be fetched stays to be fetched. */
static NTSTATUS t0_command(struct sweep *s)
{
    return sweep_transmit(s, 0, "80 E0 00 00 03 11 22 33 00", "61 03");
}

static NTSTATUS echo(struct sweep *s, unsigned bytes)
{
    static char command[2 * CHAINED + 32], answer[2 * CHAINED + 32];
    size_t at = (size_t)sprintf(command, "80E0000000%04X", bytes), out = 0;

    for (unsigned i = 0; i < bytes; i++) {
        at += (size_t)sprintf(command + at, "%02X", i * 7 & 0xFF);
        out += (size_t)sprintf(answer + out, "%02X", i * 7 & 0xFF);
    }
    strcpy(command + at, "0000");
    strcpy(answer + out, "9000");
    return sweep_transmit(s, 0, command, answer);
}

static NTSTATUS long_echo(struct sweep *s)
{
    return echo(s, CHAINED);
}

/* The card takes a second and a half, with time extensions on the way. */
static NTSTATUS slow_command(struct sweep *s)
{
    return sweep_transmit(s, 0, "80 E4 05 DC", "90 00");
}

static NTSTATUS vendor(struct sweep *s, ULONG code, const char *in, const char *out)
{
    uint8_t bytes[64], expected[64];
    ULONG in_len = (ULONG)bench_bytes(in, bytes, sizeof(bytes));
    size_t out_len = bench_bytes(out, expected, sizeof(expected));
    NTSTATUS status = bench_ioctl(&s->v.bench, code, bytes, in_len, 64);

    if (status == STATUS_SUCCESS && (s->v.bench.reply_length != out_len ||
                                     memcmp(s->v.bench.reply, expected, out_len) != 0))
        return STATUS_WRONG_ANSWER;
    return status;
}

static NTSTATUS enter_pin(struct sweep *s)
{
    return vendor(s, SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, PIN, "90 00");
}

static NTSTATUS escape(struct sweep *s)
{
    return vendor(s, IOCTL_CCID_ESCAPE, "01 02 03 04", "04 03 02 01");
}

static NTSTATUS both_slots(struct sweep *s)
{
    NTSTATUS first = sweep_transmit(s, 0, "80 E0 00 00 03 0A 0B 0C 00", "0A 0B 0C 90 00");
    NTSTATUS second =
        sweep_transmit(s, 1, "80 E0 00 00 03 1A 1B 1C 00", "1A 1B 1C 90 00");

    if (first == STATUS_WRONG_ANSWER || second == STATUS_WRONG_ANSWER)
        return STATUS_WRONG_ANSWER;
    return first != STATUS_SUCCESS ? first : second;
}

static NTSTATUS eject(struct sweep *s)
{
    NTSTATUS status = bench_ioctl(&s->v.bench, IOCTL_SMARTCARD_EJECT, NULL, 0, 0);

    if (status == STATUS_SUCCESS && !s->v.reader->slots[0].at_mouth)
        return STATUS_WRONG_ANSWER;
    return status;
}

static void change_card(void *context)
{
    struct sweep *s = context;

    virtual_bench_remove(&s->v);
    virtual_bench_insert(&s->v, s->scenario->atr);
    s->counted[0] = 0; /* another card */
}

static NTSTATUS change(struct sweep *s)
{
    NTSTATUS status;

    virtual_clock_at(&s->v.clock, s->v.clock.now_ms + 700, change_card, s);
    status = slow_command(s);
    if (s->v.clock.appointment_count != 0) { /* it ended before that */
        s->v.clock.appointment_count = 0;
        change_card(s);
    }
    return status;
}

static NTSTATUS plug(struct sweep *s)
{
    return bench_try_add(&s->v.bench);
}

/* ---- the time that each may take: its own, and a second for the repair ---------------
 */

#define REPAIR_MS  1000
#define POWER_MS   (30000 + REPAIR_MS)
#define APDU_MS    (60000 + REPAIR_MS)
#define CHAINED_MS (APDU_MS + 10000)    /* and the time of its characters */
#define T0_MS      (234000 + REPAIR_MS) /* 258 waiting times of WI 10 */
#define T1_MS      (5000 + REPAIR_MS)
#define PIN_MS     (90000 + 2000 + REPAIR_MS) /* and the typing */
#define ESCAPE_MS  (30000 + REPAIR_MS)
#define EJECT_MS   (30000 + REPAIR_MS)
#define PLUG_MS    (7000 + REPAIR_MS)

/* ---- the table --------------------------------------------------------------------- */

#define ONE_COMMAND .commands = {1, 0}

const struct scenario sweep_scenarios[] = {
    {.name = "power on", .from = SWEEP_UNPOWERED, .run = power_on, .limit_ms = POWER_MS},
    {.name = "PPS and parameters",
     .base = "tpdu",
     .from = SWEEP_UNPOWERED,
     .run = connect,
     .limit_ms = POWER_MS},
    {.name = "short APDU",
     .change = shape_short_apdu,
     .run = short_command,
     ONE_COMMAND,
     .limit_ms = APDU_MS},
    {.name = "time extensions",
     .run = slow_command,
     ONE_COMMAND,
     .limit_ms = APDU_MS + 2000},
    {.name = "T=0",
     .base = "tpdu",
     .atr = ATR_T0,
     .run = t0_command,
     ONE_COMMAND,
     .limit_ms = T0_MS},
    {.name = "T=1 chained",
     .base = "tpdu-t1",
     .run = long_echo,
     ONE_COMMAND,
     .limit_ms = T1_MS},
    {.name = "T=0, characters",
     .base = "tpdu",
     .atr = ATR_T0,
     .change = shape_character,
     .run = t0_command,
     ONE_COMMAND,
     .limit_ms = T0_MS},
    {.name = "T=1, characters",
     .base = "tpdu-t1",
     .atr = ATR_T1,
     .change = shape_character,
     .run = short_command,
     ONE_COMMAND,
     .limit_ms = T1_MS},
    {.name = "extended chained",
     .change = shape_chained,
     .run = long_echo,
     ONE_COMMAND,
     .limit_ms = CHAINED_MS},
    {.name = "PIN", .base = "pinpad", .run = enter_pin, ONE_COMMAND, .limit_ms = PIN_MS},
    {.name = "escape", .base = "pinpad", .run = escape, .limit_ms = ESCAPE_MS},
    {.name = "ICCD A",
     .atr = "3B 08 54 45 53 54 42 45 44 01",
     .change = shape_token_a,
     .run = t0_command,
     ONE_COMMAND,
     .limit_ms = T0_MS},
    {.name = "ICCD B",
     .change = shape_token_b,
     .unmarked = true,
     .run = long_echo,
     ONE_COMMAND,
     .limit_ms = CHAINED_MS},
    {.name = "two slots",
     .change = shape_two_slots,
     .run = both_slots,
     .commands = {1, 1},
     .limit_ms = 2 * APDU_MS},
    {.name = "two slots at once",
     .change = shape_two_slots_at_once,
     .run = both_slots,
     .commands = {1, 1},
     .limit_ms = 2 * APDU_MS},
    {.name = "eject", .base = "mechanical", .run = eject, .limit_ms = EJECT_MS},
    {.name = "card change in mid-APDU",
     .run = change,
     ONE_COMMAND,
     .expected = STATUS_NO_MEDIA,
     .limit_ms = APDU_MS + 2000},
    {.name = "plug", .from = SWEEP_UNPLUGGED, .run = plug, .limit_ms = PLUG_MS},
    {.name = "plug, two slots at once",
     .change = shape_two_slots_at_once,
     .from = SWEEP_UNPLUGGED,
     .run = plug,
     .limit_ms = PLUG_MS},
};

const size_t sweep_scenario_count = sizeof(sweep_scenarios) / sizeof(sweep_scenarios[0]);
