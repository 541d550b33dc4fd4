/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.c - one CCID command and the message that answers it.
 *
 * An answer is taken only if slot, sequence number and type are those of the command
 * (CCID 1.1 §6.1.1); otherwise the late answer of one caller's command would become the
 * answer to another's. What may come before it is bounded in count and time: 2 empty
 * transfers, 16 messages of others, 4096 time extensions; ten minutes where a card or a
 * user is at work, else twice the time of the command.
 *
 * Framing: the first read takes exactly one packet, because a message whose length is a
 * multiple of the packet size may or may not be followed by an empty packet; what is
 * missing then is read in a second transfer, rounded up to whole packets so that a
 * reader that sends too much is seen as such.
 *
 * A command that failed half-way is never sent again. Only the reader's own "not now"
 * (E0h, F2h), which says that nothing was executed, is waited out.
 */
#include "ccid/quirks.h"
#include "ccid/service.h"
#include "ccid/trace.h"

#define EMPTY_MAX       2
#define DISCARDED_MAX   16
#define EXTENSIONS_MAX  4096
#define BUSY_FIRST_MS   20
#define BUSY_LONGEST_MS 200
#define BUSY_TOTAL_MS   5000

/* One command under way. */
struct exchange {
    struct ccid_slot *slot;
    struct ccid_device *device;
    struct ccid_command *command;
    uint8_t *in;
    size_t in_size; /* whole packets */
    size_t packet;
    size_t got; /* bytes of the message being read */
    uint8_t seq;
    uint64_t give_up_ms;  /* whatever the reader says */
    uint64_t deadline_ms; /* of the next message */
    unsigned int empty, discarded, extensions;
    bool unsent; /* it did not come to anything */
    const char *problem;
};

static NTSTATUS transfer_status(struct exchange *x, enum ccid_usb_result result)
{
    return ccid_cmd_transfer(x->slot, result, &x->problem);
}

static NTSTATUS violation(struct exchange *x, const char *problem)
{
    x->problem = problem;
    ccid_trouble_violation(x->slot);
    return STATUS_IO_DEVICE_ERROR;
}

/* 0: none; the deadline may have gone by before anything was sent. */
static uint32_t time_left_ms(const struct exchange *x)
{
    const struct ccid_usb_port *port = &x->slot->port;
    uint64_t now = port->ops->now_ms(port->usb);

    return now < x->deadline_ms ? (uint32_t)(x->deadline_ms - now) : 0;
}

static NTSTATUS read_more(struct exchange *x, size_t length)
{
    const struct ccid_usb_port *port = &x->slot->port;
    uint32_t left_ms = time_left_ms(x);
    enum ccid_usb_result result;
    size_t more = 0;

    if (left_ms == 0)
        return transfer_status(x, CCID_USB_TIMEOUT);
    result = port->ops->bulk_in(port->usb, x->in + x->got, length, &more, left_ms);
    if (result == CCID_USB_OK)
        x->got += more;
    return transfer_status(x, result);
}

static NTSTATUS read_next(struct exchange *x)
{
    x->got = 0;
    return read_more(x, x->packet);
}

/* What the first packet of a message promises and has not delivered. */
static NTSTATUS read_rest(struct exchange *x)
{
    uint64_t total = (uint64_t)CCID_HEADER_LENGTH + ccid_msg_length(x->in);
    size_t missing;

    if (total > x->in_size)
        return violation(x, "dwLength larger than any message of this reader");
    if (total <= x->got || x->got % x->packet != 0)
        return STATUS_SUCCESS; /* complete, or ended early: the decoder tells */
    missing = (size_t)total - x->got;
    return read_more(x, (missing + x->packet - 1) / x->packet * x->packet);
}

/* CCID 1.1 §6.2.6: bError multiplies the waiting time, of the base each time. */
static NTSTATUS extend(struct exchange *x)
{
    const struct ccid_usb_port *port = &x->slot->port;
    uint64_t now = port->ops->now_ms(port->usb);
    uint8_t factor = x->command->answer.error;

    if (++x->extensions > EXTENSIONS_MAX || now >= x->give_up_ms) {
        x->problem = "time extensions without end";
        return STATUS_IO_TIMEOUT;
    }
    x->deadline_ms = now + (uint64_t)x->command->timeout_ms * (factor == 0 ? 1 : factor);
    if (x->deadline_ms > x->give_up_ms)
        x->deadline_ms = x->give_up_ms;
    return STATUS_SUCCESS;
}

/* Judges what has been read. STATUS_MORE_PROCESSING_REQUIRED: not the answer yet. */
static NTSTATUS take_message(struct exchange *x)
{
    struct ccid_answer *answer = &x->command->answer;
    const char *problem;
    NTSTATUS status;

    if (x->got == 0) {
        if (++x->empty > EMPTY_MAX)
            return violation(x, "empty transfers instead of an answer");
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    if (x->got == x->packet && x->got < CCID_HEADER_LENGTH) {
        status = read_more(x, x->packet); /* of 8 bytes: the header takes two */
        if (status != STATUS_SUCCESS)
            return status;
    }
    if (x->got >= CCID_HEADER_LENGTH) {
        status = read_rest(x);
        if (status != STATUS_SUCCESS)
            return status;
    }
    problem = ccid_msg_decode(x->in, x->got, answer);
    if (ccid_traced(x->slot))
        ccid_trace_in(x->slot, x->in, x->got, x->command->type,
                      problem == NULL && answer->slot == x->slot->index &&
                          answer->seq == x->seq);
    if (problem != NULL)
        return violation(x, problem);
    if (answer->slot != x->slot->index || answer->seq != x->seq) {
        RtlSecureZeroMemory(x->in, x->got); /* what comes now may be shorter */
        ccid_trouble_discard(x->device);
        if (x->discarded++ == 0)
            ccid_cmd_log(x->slot, x->command, STATUS_SUCCESS,
                         "an answer to something else was discarded");
        if (x->discarded > DISCARDED_MAX)
            return violation(x, "answers to other commands only");
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    if (!ccid_msg_type_fits(answer, x->command->answer_type))
        return violation(x, "answer of the wrong type");
    if (answer->outcome == CCID_TIME_EXTENSION) {
        status = extend(x);
        return status == STATUS_SUCCESS ? STATUS_MORE_PROCESSING_REQUIRED : status;
    }
    return STATUS_SUCCESS;
}

/* The message, in two transfers where the reader would lose it in one. */
static enum ccid_usb_result send(struct exchange *x, const uint8_t *out, size_t length)
{
    const struct ccid_usb_port *port = &x->slot->port;
    uint32_t left_ms = time_left_ms(x);

    if (left_ms != 0 && (x->device->desc.quirks & CCID_QUIRK_NOT_64) != 0 &&
        length % 64 == 0) {
        enum ccid_usb_result result =
            port->ops->bulk_out(port->usb, out, length - 1, left_ms);

        if (result != CCID_USB_OK)
            return result;
        out += length - 1;
        length = 1;
        left_ms = time_left_ms(x);
    }
    if (left_ms == 0)
        return CCID_USB_TIMEOUT;
    return port->ops->exchange(port->usb, out, length, x->in, x->packet, &x->got,
                               left_ms);
}

/* How long the answer may be put off. */
static uint32_t most_ms(const struct ccid_command *command)
{
    uint32_t most_ms = CCID_COMMAND_MAX_MS;

    if (command->type != CCID_XFR_BLOCK && command->type != CCID_SECURE &&
        command->type != CCID_ESCAPE_OUT && command->type != CCID_MECHANICAL &&
        command->timeout_ms < most_ms / 2)
        most_ms = 2 * command->timeout_ms;
    if (command->total_ms != 0 && command->total_ms < most_ms)
        most_ms = command->total_ms;
    return most_ms;
}

static NTSTATUS transact(struct exchange *x)
{
    const struct ccid_usb_port *port = &x->slot->port;
    struct ccid_command *command = x->command;
    uint8_t *out = x->slot->ext.SmartcardRequest.Buffer;
    uint64_t now = port->ops->now_ms(port->usb);
    NTSTATUS status;

    x->give_up_ms = now + most_ms(command);
    x->deadline_ms = now + command->timeout_ms;
    if (x->deadline_ms > x->give_up_ms)
        x->deadline_ms = x->give_up_ms;
    ccid_msg_header(out, command->type, command->length, x->slot->index, x->seq,
                    command->p1, command->p2, command->p3);
    if (ccid_traced(x->slot))
        ccid_trace_out(x->slot, out, CCID_HEADER_LENGTH + command->length);
    status = transfer_status(x, send(x, out, CCID_HEADER_LENGTH + command->length));
    while (status == STATUS_SUCCESS) {
        status = take_message(x);
        if (status != STATUS_MORE_PROCESSING_REQUIRED)
            break;
        status = read_next(x);
    }
    return status;
}

enum ccid_usb_result ccid_cmd_number(struct ccid_slot *slot, uint8_t *seq)
{
    if (slot->device->mux != NULL)
        return ccid_mux_begin(slot->port.usb, seq);
    *seq = slot->device->next_seq++;
    return CCID_USB_OK;
}

void ccid_cmd_number_done(struct ccid_slot *slot)
{
    if (slot->device->mux != NULL)
        ccid_mux_end(slot->port.usb);
}

static NTSTATUS run(struct exchange *x)
{
    enum ccid_usb_result result = ccid_cmd_number(x->slot, &x->seq);
    NTSTATUS status;

    if (result != CCID_USB_OK) {
        x->unsent = true;
        status = transfer_status(x, result);
        if (result != CCID_USB_TIMEOUT)
            return status;
        x->problem = "the other slots keep the reader busy";
        return STATUS_DEVICE_BUSY;
    }
    status = transact(x);
    ccid_cmd_number_done(x->slot);
    return status;
}

NTSTATUS ccid_cmd_once(struct ccid_slot *slot, struct ccid_command *command)
{
    struct exchange x = {
        .slot = slot,
        .device = slot->device,
        .command = command,
        .in = slot->ext.SmartcardReply.Buffer,
        .packet = slot->device->desc.bulk_in.packet_size,
    };
    uint32_t changes = ccid_state_changes(slot);
    NTSTATUS status;

    command->answered = false;
    if (ccid_device_is_gone(slot->device))
        return STATUS_DEVICE_REMOVED;
    if (ccid_trouble_quarantined(slot->device) && !slot->trying)
        return STATUS_IO_DEVICE_ERROR;
    if (slot->device->desc.transport != CCID_TRANSPORT_BULK) {
        status = ccid_iccd_run(slot, command, &x.problem);
    } else {
        x.in_size = slot->ext.SmartcardReply.BufferSize / x.packet * x.packet;
        status = run(&x);
    }
    if (status != STATUS_SUCCESS) {
        RtlSecureZeroMemory(slot->ext.SmartcardReply.Buffer,
                            slot->ext.SmartcardReply.BufferSize);
        if (!x.unsent)
            slot->out_of_step = true;
        if (status == STATUS_DEVICE_REMOVED)
            ccid_cancel_for_ever(slot->device); /* the bus will say so in its own time */
        else if (status != STATUS_CANCELLED)
            ccid_cmd_log(slot, command, status, x.problem);
        return status;
    }
    command->answered = true;
    if (command->answer.icc == CCID_ICC_ABSENT &&
        (slot->device->desc.quirks & CCID_QUIRK_NO_DETECTOR) == 0)
        ccid_service_absent(slot, changes);
    if (command->answer.outcome == CCID_FAILED)
        return ccid_msg_status(command->answer.error, command->answer.icc);
    return STATUS_SUCCESS;
}

static bool says_busy(const struct ccid_command *command)
{
    return command->answered && command->answer.outcome == CCID_FAILED &&
           (command->answer.error == CCID_ERROR_SLOT_BUSY ||
            command->answer.error == CCID_ERROR_AUTO_SEQUENCE);
}

/* Waits until the reader has time for the command. */
static NTSTATUS insist(struct ccid_slot *slot, struct ccid_command *command)
{
    uint32_t waited_ms = 0, delay_ms = BUSY_FIRST_MS;
    NTSTATUS status = ccid_cmd_once(slot, command);

    while (says_busy(command) && waited_ms < BUSY_TOTAL_MS) {
        status = ccid_cmd_sleep(slot, delay_ms);
        if (status != STATUS_SUCCESS) {
            command->answered = false;
            slot->out_of_step = true;
            return status;
        }
        waited_ms += delay_ms;
        delay_ms = 2 * delay_ms < BUSY_LONGEST_MS ? 2 * delay_ms : BUSY_LONGEST_MS;
        status = ccid_cmd_once(slot, command);
    }
    return status;
}

/* Commands that mean nothing to a card that has lost its state. */
static bool needs_state(uint8_t type)
{
    return type == CCID_XFR_BLOCK || type == CCID_SECURE || type == CCID_SET_PARAMETERS ||
           type == CCID_ICC_CLOCK;
}

NTSTATUS ccid_cmd(struct ccid_slot *slot, struct ccid_command *command)
{
    NTSTATUS status;

    command->answered = false;
    if (slot->out_of_step) {
        status = ccid_resync(slot, CCID_RESYNC_LATER_MS);
        if (status != STATUS_SUCCESS)
            return status;
        if (needs_state(command->type))
            return STATUS_INVALID_DEVICE_STATE;
    }
    status = insist(slot, command);
    if (slot->out_of_step && !ccid_device_is_gone(slot->device)) {
        ccid_cancel_disarm(slot);
        (void)ccid_resync(slot, CCID_RESYNC_NOW_MS);
    }
    return status;
}
