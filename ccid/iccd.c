/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd.c - commands to a token that is its own card (USB ICCD 1.0): control requests in
 * place of messages.
 *
 * THEORY. Everything above cmd.c speaks struct ccid_command and sees no difference: a
 * command is done here, in as many requests as it takes, and what a CCID message would
 * have answered is written into command->answer, its data where a message has it. A
 * command that has no request (parameters, escape, mechanics ...) is answered as a reader
 * does that does not know it.
 *
 *   started -request-> ended well | 80h, 40h: wait, ask again | failed half-way
 *
 * A command that failed half-way (stall, silence, cancel, an answer against the rules) is
 * not sent again; resync.c then switches the card off, which also ends what the token was
 * doing. There are no sequence numbers: an answer is only asked for by the command it
 * belongs to, and forgotten by the token when it is switched off.
 *
 * Bounds: a request moves 4096 bytes at most; each answer of the token renews the time of
 * a block, but 4096 times at most and not beyond its total. The token says how long
 * to wait before it is asked again; we wait a second at most, and a thirty-second of the
 * time so far at least, so that a short delay does not use the number up.
 *
 * Deliberately not done: presence is never asked for (a token does not lose its card; an
 * answer that says so is believed), and there is no abort: ICCD has none.
 */
#include "ccid/iccd.h"

#include "ccid/service.h"
#include "ccid/trace.h"

#define TO_INTERFACE   0x21
#define FROM_INTERFACE 0xA1

#define POLLS_MAX       4096
#define POLL_MS         10 /* where the token leaves it to us */
#define POLL_LONGEST_MS 1000
#define POLL_PART       32 /* of the time so far */

static const struct ccid_usb_port *port_of(const struct iccd *x)
{
    return &x->slot->port;
}

static uint64_t now_ms(const struct iccd *x)
{
    return port_of(x)->ops->now_ms(port_of(x)->usb);
}

NTSTATUS iccd_violation(struct iccd *x, const char *problem)
{
    x->problem = problem;
    ccid_trouble_violation(x->slot);
    return STATUS_IO_DEVICE_ERROR;
}

void iccd_done(struct iccd *x, enum ccid_icc icc, uint8_t extra, uint32_t length)
{
    x->command->answer = (struct ccid_answer){
        .type = x->command->answer_type,
        .slot = x->slot->index,
        .icc = icc,
        .outcome = CCID_DONE,
        .extra = extra,
        .length = length,
        .data = iccd_data(x),
    };
}

void iccd_failed(struct iccd *x, enum ccid_icc icc, uint8_t error)
{
    iccd_done(x, icc, 0, 0);
    x->command->answer.outcome = CCID_FAILED;
    x->command->answer.error = error;
}

/* ---- requests -------------------------------------------------------------------- */

static NTSTATUS control(struct iccd *x, uint8_t type, uint8_t request, uint16_t value,
                        uint8_t *data, uint16_t length, size_t *done)
{
    const struct ccid_usb_port *port = port_of(x);
    enum ccid_usb_result result;
    uint64_t now = now_ms(x);

    *done = 0;
    if (now >= x->deadline_ms)
        return ccid_cmd_transfer(x->slot, CCID_USB_TIMEOUT, &x->problem);
    result = port->ops->control(port->usb, type, request, value,
                                x->slot->device->desc.interface_number, data, length,
                                done, (uint32_t)(x->deadline_ms - now));
    if (ccid_traced(x->slot))
        ccid_trace_control(x->slot, type, request, value, data, length,
                           *done < length ? *done : length, result);
    return ccid_cmd_transfer(x->slot, result, &x->problem);
}

NTSTATUS iccd_out(struct iccd *x, uint8_t request, uint16_t value, uint8_t *data,
                  uint32_t length)
{
    size_t done;
    NTSTATUS status;

    if (length > CCID_CONTROL_MAX)
        return iccd_violation(x, "more data than a request carries");
    status = control(x, TO_INTERFACE, request, value, data, (uint16_t)length, &done);
    if (status == STATUS_SUCCESS && done != length)
        return iccd_violation(x, "the token took a part of the data");
    return status;
}

NTSTATUS iccd_in(struct iccd *x, uint8_t request, uint8_t *data, uint16_t room,
                 uint32_t *got)
{
    size_t done;
    NTSTATUS status = control(x, FROM_INTERFACE, request, 0, data, room, &done);

    *got = 0;
    if (status != STATUS_SUCCESS)
        return status;
    if (done == 0)
        return iccd_violation(x, "an empty answer");
    if (done > room)
        return iccd_violation(x, "more data than the token was asked for");
    *got = (uint32_t)done;
    return STATUS_SUCCESS;
}

NTSTATUS iccd_wait(struct iccd *x, uint32_t asked_ms)
{
    const struct ccid_usb_port *port = port_of(x);
    uint64_t now = now_ms(x);
    uint64_t least_ms = (now - x->begin_ms) / POLL_PART;
    uint64_t delay_ms = asked_ms != 0 ? asked_ms : POLL_MS;
    NTSTATUS status;

    if (++x->polls > POLLS_MAX || now >= x->give_up_ms) {
        x->problem = "the token is at work without end";
        return STATUS_IO_TIMEOUT;
    }
    if (delay_ms < least_ms)
        delay_ms = least_ms;
    if (delay_ms > POLL_LONGEST_MS)
        delay_ms = POLL_LONGEST_MS;
    if (delay_ms > x->give_up_ms - now)
        delay_ms = x->give_up_ms - now;
    status = ccid_cmd_transfer(
        x->slot, port->ops->sleep_ms(port->usb, (uint32_t)delay_ms), &x->problem);
    x->deadline_ms = now_ms(x) + x->command->timeout_ms;
    if (x->deadline_ms > x->give_up_ms)
        x->deadline_ms = x->give_up_ms;
    return status;
}

/* ---- commands -------------------------------------------------------------------- */

static NTSTATUS run(struct iccd *x)
{
    bool a = x->slot->device->desc.transport == CCID_TRANSPORT_ICCD_A;

    switch (x->command->type) {
    case CCID_GET_SLOT_STATUS:
        return a ? iccd_a_status(x) : iccd_b_status(x);
    case CCID_ICC_POWER_ON:
        return a ? iccd_a_power_on(x) : iccd_b_power_on(x);
    case CCID_ICC_POWER_OFF:
        return a ? iccd_a_power_off(x) : iccd_b_power_off(x);
    case CCID_XFR_BLOCK:
        return a ? iccd_a_block(x) : iccd_b_block(x);
    default:
        iccd_failed(x,
                    ccid_state_current(x->slot) > SCARD_SWALLOWED ? CCID_ICC_ACTIVE
                                                                  : CCID_ICC_INACTIVE,
                    CCID_ERROR_NOT_SUPPORTED);
        return STATUS_SUCCESS;
    }
}

NTSTATUS ccid_iccd_run(struct ccid_slot *slot, struct ccid_command *command,
                       const char **problem)
{
    struct iccd x = {.slot = slot, .command = command};
    uint32_t total_ms = CCID_COMMAND_MAX_MS;
    NTSTATUS status;

    if (command->type != CCID_XFR_BLOCK)
        total_ms = command->timeout_ms; /* nobody's work is worth more than that */
    else if (command->total_ms != 0 && command->total_ms < total_ms)
        total_ms = command->total_ms;
    x.begin_ms = now_ms(&x);
    x.give_up_ms = x.begin_ms + total_ms;
    x.deadline_ms =
        x.begin_ms + (command->timeout_ms < total_ms ? command->timeout_ms : total_ms);
    status = run(&x);
    *problem = x.problem;
    return status;
}
