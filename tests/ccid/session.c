/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - see session.h. */
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scard_ioctl.h"
#include "shapes.h"

#define ATR_T0      "3B 95 18 40 0A 62 01 02 01 04" /* TA1 18h, WI 10 */
#define ATR_T1      "3B 97 11 81 31 FE 45 73 63 61 72 64 54 31 8F"
#define ATR_T1_CRC  "3B 91 11 81 71 FE 45 01 00 1A"
#define ATR_T0_SLOW "3B 08 54 45 53 54 42 45 44 01"

#define PIN "1E 00 82 00 00 08 04 02 00 09 04 00 00 00 00 05 00 00 00 00 20 00 80 00"

#define BYTES_40                                                                         \
    "101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F3031323334353637"

/* More than one message of 74 bytes, or one block of 32. */
#define ECHO_120 "80 E0 00 00 78" BYTES_40 BYTES_40 BYTES_40 "00"

static void chained_74(struct ccid_virtual_shape *shape)
{
    shape->max_message_length = 74;
}

static void small_packets(struct ccid_virtual_shape *shape)
{
    shape->packet_size = 64;
}

#define COLD                                                                             \
    {                                                                                    \
        .kind = STEP_POWER, .in = "01000000"                                             \
    }
#define WARM                                                                             \
    {                                                                                    \
        .kind = STEP_POWER, .in = "02000000"                                             \
    }
#define OFF                                                                              \
    {                                                                                    \
        .kind = STEP_POWER, .in = "00000000"                                             \
    }
#define PROTOCOL                                                                         \
    {                                                                                    \
        .kind = STEP_PROTOCOL, .in = "03000000"                                          \
    }
#define T(bytes)                                                                         \
    {                                                                                    \
        .kind = STEP_TRANSMIT, .in = bytes                                               \
    }
#define SELECT   T("00 A4 00 00 02 3F 00")
#define VERIFY   T("00 20 00 80 06 31 32 33 34 35 36")
#define VERIFIED T("80 E6 00 00")
#define COUNT    T("80 E8 00 00 04")

const struct session sessions[] = {
    {.scenario = {.name = "extended APDU", .change = chained_74, .from = SWEEP_UNPOWERED},
     .steps = {COLD,
               PROTOCOL,
               SELECT,
               VERIFY,
               T(ECHO_120),
               T("80 E4 04 00"),
               COUNT,
               {.kind = STEP_CANCEL, .in = "80 E4 27 10"},
               COLD,
               PROTOCOL,
               T("80 E2 00 90"),
               WARM,
               PROTOCOL,
               VERIFIED,
               OFF}},
    {.scenario = {.name = "short APDU",
                  .change = shape_short_apdu,
                  .from = SWEEP_UNPOWERED},
     .steps = {COLD, PROTOCOL, SELECT, T("00 B0 00 00 20"), COUNT}},
    {.scenario = {.name = "T=0", .base = "tpdu", .atr = ATR_T0, .from = SWEEP_UNPOWERED},
     .steps = {COLD, PROTOCOL, SELECT, VERIFY, T("80 E0 00 00 03 11 22 33"),
               T("00 C0 00 00 03"), T("00 B0 00 00 10"), T("80 E4 04 00"), VERIFIED,
               OFF}},
    {.scenario = {.name = "T=1", .base = "tpdu-t1", .from = SWEEP_UNPOWERED},
     .checked = true,
     .steps = {COLD, PROTOCOL, SELECT, VERIFY, T("80 E0 00 00 03 11 22 33 00"),
               T("80 E4 04 00"), VERIFIED, COUNT, OFF}},
    {.scenario = {.name = "T=1, CRC, packets of 64 bytes",
                  .base = "tpdu-t1",
                  .atr = ATR_T1_CRC,
                  .change = small_packets,
                  .from = SWEEP_UNPOWERED},
     .checked = true,
     .steps = {COLD, PROTOCOL, T(ECHO_120), COUNT}},
    {.scenario = {.name = "T=0, characters",
                  .base = "tpdu",
                  .atr = ATR_T0,
                  .change = shape_character,
                  .from = SWEEP_UNPOWERED},
     .steps = {COLD, PROTOCOL, SELECT, T("80 E0 00 00 03 11 22 33"), T("00 C0 00 00 03"),
               T("00 B0 00 00 10"), OFF}},
    {.scenario = {.name = "T=1, characters",
                  .base = "tpdu-t1",
                  .atr = ATR_T1,
                  .change = shape_character,
                  .from = SWEEP_UNPOWERED},
     .checked = true,
     .steps = {COLD, PROTOCOL, SELECT, T("80 E0 00 00 03 11 22 33 00"), COUNT}},
    {.scenario = {.name = "PIN, escape, clock",
                  .base = "pinpad",
                  .from = SWEEP_UNPOWERED},
     .steps = {{.kind = STEP_IOCTL, .code = IOCTL_CCID_ESCAPE, .in = "01 02 03 04"},
               COLD,
               PROTOCOL,
               {.kind = STEP_IOCTL, .code = SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, .in = PIN},
               VERIFIED,
               {.kind = STEP_IOCTL, .code = SCFS_IOCTL_CCID_ICC_CLOCK, .in = "01000000"},
               {.kind = STEP_IOCTL, .code = SCFS_IOCTL_CCID_ICC_CLOCK, .in = "00000000"},
               SELECT,
               OFF}},
    {.scenario = {.name = "eject", .base = "mechanical", .from = SWEEP_UNPOWERED},
     .steps = {COLD,
               PROTOCOL,
               SELECT,
               {.kind = STEP_IOCTL, .code = IOCTL_SMARTCARD_EJECT, .in = ""},
               COLD,
               PROTOCOL,
               SELECT}},
    {.scenario = {.name = "two slots at once",
                  .change = shape_two_slots_at_once,
                  .from = SWEEP_UNPOWERED},
     .steps = {COLD,
               PROTOCOL,
               {.kind = STEP_CONNECT_1},
               {.kind = STEP_SLOT_1, .in = "80 E0 00 00 02 AA BB 00"},
               T("80 E0 00 00 02 CC DD 00"),
               {.kind = STEP_SLOT_1, .in = "80 E8 00 00 04"},
               COUNT}},
    {.scenario = {.name = "ICCD A",
                  .atr = ATR_T0_SLOW,
                  .change = shape_token_a,
                  .from = SWEEP_UNPOWERED},
     .steps = {COLD, PROTOCOL, SELECT, T("80 E0 00 00 03 11 22 33"), T("00 C0 00 00 03"),
               T("00 B0 00 00 10"), OFF}},
    {.scenario = {.name = "ICCD B", .change = shape_token_b, .from = SWEEP_UNPOWERED},
     .steps = {COLD, PROTOCOL, SELECT, T("80 E0 00 00 03 11 22 33 00"), T("80 E4 04 00"),
               COUNT, OFF}},
};

const size_t session_count = sizeof(sessions) / sizeof(sessions[0]);

/* ---- requests ---------------------------------------------------------------------- */

static void request_done(PIRP irp, PVOID context)
{
    struct session_reply *reply = context;

    reply->status = irp->IoStatus.Status;
    reply->length = (ULONG)irp->IoStatus.Information;
}

static void cancel(void *context)
{
    (void)IoCancelIrp(context);
}

static void request(struct sweep *s, unsigned slot, ULONG code, ULONG in_length,
                    ULONG room, bool cancelled, struct session_reply *reply)
{
    IRP irp;

    reply->status = STATUS_PENDING;
    smc_irp_init_ioctl(&irp, s->v.bench.slots[slot], NULL, code, reply->bytes, in_length,
                       room, request_done, reply);
    if (cancelled)
        virtual_clock_at(&s->v.clock, s->v.clock.now_ms + 100, cancel, &irp);
    (void)IoCallDriver(s->v.bench.slots[slot], &irp);
    s->v.clock.appointment_count = 0;
    assert_int_not_equal(reply->status, STATUS_PENDING);
}

static void transmit(struct sweep *s, const struct session_step *step,
                     struct session_reply *reply)
{
    const SCARD_IO_REQUEST header = {s->v.bench.protocol, sizeof(header)};
    const size_t room = sizeof(reply->bytes) - sizeof(header);
    size_t length;

    memcpy(reply->bytes, &header, sizeof(header));
    length = bench_bytes(step->in, reply->bytes + sizeof(header), room);
    request(s, step->kind == STEP_SLOT_1 ? 1 : 0, IOCTL_SMARTCARD_TRANSMIT,
            (ULONG)(sizeof(header) + length), sizeof(reply->bytes),
            step->kind == STEP_CANCEL, reply);
    if (reply->status != STATUS_SUCCESS)
        return;
    assert_memory_equal(reply->bytes, &header, sizeof(header));
    reply->length -= (ULONG)sizeof(header);
    memmove(reply->bytes, reply->bytes + sizeof(header), reply->length);
}

void session_step(struct sweep *s, const struct session_step *step,
                  struct session_reply *reply)
{
    ULONG length;

    memset(reply, 0, sizeof(*reply));
    switch (step->kind) {
    case STEP_POWER:
        length = (ULONG)bench_bytes(step->in, reply->bytes, sizeof(reply->bytes));
        request(s, 0, IOCTL_SMARTCARD_POWER, length, 33, false, reply);
        break;
    case STEP_PROTOCOL:
        length = (ULONG)bench_bytes(step->in, reply->bytes, sizeof(reply->bytes));
        request(s, 0, IOCTL_SMARTCARD_SET_PROTOCOL, length, 4, false, reply);
        if (reply->status == STATUS_SUCCESS)
            memcpy(&s->v.bench.protocol, reply->bytes, sizeof(s->v.bench.protocol));
        break;
    case STEP_CONNECT_1:
        length = (ULONG)bench_bytes("01000000", reply->bytes, sizeof(reply->bytes));
        request(s, 1, IOCTL_SMARTCARD_POWER, length, 33, false, reply);
        reply->length = 0;
        if (reply->status == STATUS_SUCCESS)
            reply->status = sweep_connect(s, 1);
        break;
    case STEP_SLOT_1:
    case STEP_TRANSMIT:
    case STEP_CANCEL:
        transmit(s, step, reply);
        break;
    case STEP_IOCTL:
        length = (ULONG)bench_bytes(step->in, reply->bytes, sizeof(reply->bytes));
        request(s, 0, step->code, length, 64, false, reply);
        break;
    case STEP_END:
        break;
    }
}
