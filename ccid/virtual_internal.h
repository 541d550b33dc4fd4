/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_internal.h - the inside of the virtual reader: virtual_transfer.c carries
 * bytes, virtual_command.c executes messages. */
#ifndef CCID_VIRTUAL_INTERNAL_H
#define CCID_VIRTUAL_INTERNAL_H

#include "ccid/msg.h"
#include "ccid/virtual_card.h"
#include "ccid/virtual_contact.h"
#include "ccid/virtual_pinpad.h"
#include "ccid/virtual_reader.h"

/* The longest message that the device takes, and sends. Readers that say 263 do take a
 * block of 261 bytes. */
static inline uint32_t virtual_message_limit(const struct ccid_virtual_shape *shape)
{
    return shape->max_message_length == 263 ? 271 : shape->max_message_length;
}

/* The level at which it works. */
static inline enum ccid_level virtual_level(const struct ccid_virtual_shape *shape)
{
    return shape->chains ? CCID_LEVEL_EXTENDED_APDU : shape->level;
}

/* The longest APDU: header, 3 bytes Lc, 65535 of data, 2 bytes Le. */
#define VIRTUAL_APDU_MAX 65544

/*
 * No message is taken from the host while VIRTUAL_QUEUE_FULL answers wait. Beyond that a
 * slot adds at most three by itself: an answer that was running, and two of an abort.
 */
#define VIRTUAL_QUEUE_FULL 16
#define VIRTUAL_QUEUE_MAX  (VIRTUAL_QUEUE_FULL + 3 * CCID_VIRTUAL_SLOTS_MAX + 1)

/* A Bulk-IN message. The data stays where it is made until the message is taken. */
struct virtual_message {
    uint8_t header[CCID_HEADER_LENGTH];
    const uint8_t *data;
    size_t data_len;
    uint8_t slot;
    bool ends; /* the command; a time extension does not */
};

/* The contacts at character level (virtual_character.c). */
struct virtual_character {
    bool single;    /* the card asks for each byte of data by itself */
    unsigned nulls; /* before each of its procedure bytes */
    uint8_t command[CCID_VIRTUAL_T0_COMMAND_MAX]; /* at T=0, as far as it has come */
    size_t command_len;
    uint8_t said[4 * CCID_VIRTUAL_CONTACT_MAX]; /* by the card */
    size_t said_len, said_at;
    unsigned slow_nulls; /* of what is next: they take their time */
};

enum virtual_far_wants { VIRTUAL_FAR_NOTHING, VIRTUAL_FAR_ATR, VIRTUAL_FAR_ANSWER };

struct virtual_slot {
    bool present;
    bool at_mouth; /* of a reader with mechanics: not in position */
    bool active;
    bool changed; /* since the last notification */
    struct ccid_virtual_card card;
    struct ccid_virtual_contact *contact;
    struct virtual_character character;
    struct ccid_virtual_far far; /* send NULL: the card is `card` */
    enum virtual_far_wants far_wants;
    unsigned far_asked; /* messages that are answered, since it came in */

    uint8_t protocol; /* of the parameters: 0 or 1 */
    uint8_t parameters[7];
    uint32_t clock_khz; /* in force, where the host has to set them (virtual_rate.c) */
    uint32_t rate_bps;
    bool clock_stopped;
    struct ccid_virtual_pad pad;

    /* The command that has no answer yet, or whose answer has not been taken. */
    bool busy;
    uint8_t busy_seq;
    uint8_t busy_answer; /* the type that answers it */
    /* The card is at work until finish_ms. */
    bool running;
    uint64_t finish_ms;
    uint64_t extension_ms;
    uint8_t finish_error; /* bError with which it ends then; 0: it answers */

    /* The halves of an abort that have arrived (CCID 1.1 §5.3.1, §6.1.13). */
    bool abort_control, abort_message;
    uint8_t abort_control_seq, abort_message_seq;

    uint8_t class_get_response, class_envelope; /* T0APDU */

    /* Chaining at the extended APDU level (CCID 1.1 §6.1.4, §6.2.1). */
    bool collecting;
    uint8_t *command;
    size_t command_len;
    uint8_t *response; /* and ATR, and parameters: whatever is answered */
    size_t response_len;
    size_t response_sent;
};

/* What a token of version A is doing with a command (virtual_iccd.c). */
struct virtual_iccd {
    bool header_in; /* and the data is still to come */
    uint8_t tpdu[CCID_VIRTUAL_T0_COMMAND_MAX];
    size_t given; /* of the answer's data */
};

struct ccid_virtual_reader {
    struct ccid_clock *clock;
    struct ccid_virtual_shape shape;
    pthread_mutex_t lock; /* a leaf lock over all below */
    pthread_cond_t changed;
    bool gone;
    bool cancelled;
    bool held[2]; /* by enum ccid_usb_pipe */
    bool in_use;  /* the host has sent a message: from now on cards *change* */

    struct virtual_slot slots[CCID_VIRTUAL_SLOTS_MAX];
    struct virtual_message queue[VIRTUAL_QUEUE_MAX];
    unsigned queue_count;
    size_t head_sent; /* bytes of queue[0] that the host has */

    struct virtual_iccd iccd;

    ccid_usb_notify *notify;
    void *notify_context;
    bool notifying; /* some thread is in notify */
};

static inline struct ccid_virtual_reader *virtual_from_usb(struct ccid_usb *usb)
{
    return (struct ccid_virtual_reader *)(void *)usb;
}

static inline uint64_t virtual_now_ms(struct ccid_virtual_reader *reader)
{
    return reader->clock->now_ms(reader->clock);
}

/* ---- virtual_notify.c: the ops start and stop ------------------------------------- */

enum ccid_usb_result virtual_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                   void *context);
void virtual_stop(struct ccid_usb *usb);

/* Tells the host of changes; the lock is let go on the way. */
void virtual_notify_locked(struct ccid_virtual_reader *reader);

/* A Bulk-OUT message to a slot, whose answer it makes busy. */
struct virtual_request {
    struct ccid_virtual_reader *reader;
    struct virtual_slot *slot;
    uint8_t slot_index;
    const uint8_t *header;
    const uint8_t *data;
    size_t data_len;
};

/* bError as the index of the offending byte (CCID 1.1 table 6.2-2). */
#define VIRTUAL_AT_LENGTH      1
#define VIRTUAL_AT_SLOT        5
#define VIRTUAL_AT_BYTE_7      7
#define VIRTUAL_AT_LEVEL       8
#define VIRTUAL_AT_PARAMETER_0 10 /* bmFindexDindex */
#define VIRTUAL_AT_PARAMETER_1 11 /* bmTCCKS */

/* ---- virtual_command.c, all with the lock held ----------------------------------- */

/* Ends a command. Data is the slot's response; extra is byte 9 of the answer. */
void virtual_done(const struct virtual_request *request, uint8_t extra, size_t data_len);
void virtual_failed(const struct virtual_request *request, uint8_t error);

/* An APDU for the card of the slot, whose command it answers. */
void virtual_card_run(const struct virtual_request *request, const uint8_t *apdu,
                      size_t len);

/* One Bulk-OUT message, whole. */
void virtual_command_locked(struct ccid_virtual_reader *reader, const uint8_t *message,
                            size_t len);

/* ---- virtual_slot.c, all with the lock held --------------------------------------- */

/* Power-up of the card and its loss. */
void virtual_slot_activate(struct ccid_virtual_reader *reader, struct virtual_slot *slot);
void virtual_slot_deactivate(struct virtual_slot *slot);
/* Contacts: a card has come, has gone, has lost its supply. */
void virtual_card_in_locked(struct ccid_virtual_reader *reader, unsigned slot);
void virtual_card_out_locked(struct ccid_virtual_reader *reader, unsigned slot);
void virtual_reset_locked(struct ccid_virtual_reader *reader);

/* ---- virtual_far.c, all with the lock held; of slots whose card is far ------------ */

void virtual_far_power_on(struct virtual_request *request);
void virtual_far_power_off(struct virtual_slot *slot);
void virtual_far_run(const struct virtual_request *request, const uint8_t *apdu,
                     size_t len);
/* It is not in any more. Of every slot. */
void virtual_far_thrown_out(struct virtual_slot *slot);

/* ---- virtual_parameters.c, all with the lock held ---------------------------------- */

/* The parameters that hold after a reset of the card, and what the reader then does with
 * the card by itself. */
void virtual_parameters_reset(struct ccid_virtual_reader *reader,
                              struct virtual_slot *slot);
void virtual_parameters_get(struct virtual_request *request);
void virtual_parameters_set(struct virtual_request *request);
void virtual_parameters_to_default(struct virtual_request *request);

/* ---- virtual_rate.c, all with the lock held ---------------------------------------- */

/* Whether the reader has the rate that a card with this TA1 takes. */
bool virtual_rate_offered(const struct ccid_virtual_shape *shape, uint8_t fidi);
void virtual_rate_reset(const struct ccid_virtual_shape *shape,
                        struct virtual_slot *slot);
/* Fi and Di at which the reader speaks; 0: at a rate that no card understands. */
uint8_t virtual_rate_fidi(const struct ccid_virtual_shape *shape,
                          const struct virtual_slot *slot);
void virtual_rate_set(struct virtual_request *request);
void virtual_rate_clock(struct virtual_request *request);

/* ---- virtual_transfer.c: the ops of the bulk endpoints ----------------------------- */

enum ccid_usb_result virtual_exchange(struct ccid_usb *usb, const uint8_t *out,
                                      size_t out_len, uint8_t *in, size_t in_size,
                                      size_t *in_len, uint32_t timeout_ms);
enum ccid_usb_result virtual_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                      size_t out_len, uint32_t timeout_ms);
enum ccid_usb_result virtual_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms);

/* With the lock held: CCID_USB_OK, or why nothing can be transferred now. */
enum ccid_usb_result virtual_obstacle_locked(const struct ccid_virtual_reader *reader);
/* With the lock held: the host has the first message of the queue. */
void virtual_pop_locked(struct ccid_virtual_reader *reader);

/* ---- virtual_iccd.c ---------------------------------------------------------------- */

/* How the reader inside a token is, where its shape says that it is a token. */
void virtual_iccd_shape(struct ccid_virtual_shape *shape);
/* A request to a token, with the lock held; as virtual_control_locked. */
bool virtual_iccd_locked(struct ccid_virtual_reader *reader, uint8_t request_type,
                         uint8_t request, uint16_t value, uint8_t *data,
                         uint16_t data_len, size_t *done);

/* ---- virtual_control.c, with the lock held ------------------------------------------
 */

/* A class request (CCID 1.1 §5.3): *done says how much of data it filled. False: it is
 * stalled. */
bool virtual_control_locked(struct ccid_virtual_reader *reader, uint8_t request_type,
                            uint8_t request, uint16_t value, uint16_t index,
                            uint8_t *data, uint16_t data_len, size_t *done);

/* ---- virtual_tpdu.c, all with the lock held --------------------------------------- */

/* Whether the reader agrees with the card by itself: then it does at APDU level. */
bool virtual_reader_negotiates(const struct ccid_virtual_shape *shape);
/* Whether reader and card speak the same protocol at the same rate. */
bool virtual_contact_hears(const struct ccid_virtual_reader *reader,
                           const struct virtual_slot *slot);
/* XfrBlock of an active slot. */
void virtual_tpdu_block(struct ccid_virtual_reader *reader, uint8_t slot_index,
                        uint8_t bwi, const uint8_t *data, size_t len);
/* The waiting time of the parameters in force. */
uint32_t virtual_waiting_ms(const struct virtual_slot *slot);
/* The slot's response, or an error, comes after that time, without time extensions. */
void virtual_later(struct ccid_virtual_reader *reader, struct virtual_slot *slot,
                   uint64_t ms, uint8_t error);
/* The reader notices after the waiting time that the card says nothing. */
void virtual_mute(struct ccid_virtual_reader *reader, uint8_t slot_index, uint8_t factor);

/* ---- virtual_character.c, all with the lock held ---------------------------------- */

/* A reset of the card; what it was told to do stays. */
void virtual_character_reset(struct virtual_character *line);
/* XfrBlock of an active slot; expected is wLevelParameter. */
void virtual_character_block(struct virtual_request *request, unsigned expected);

/* ---- virtual_pinpad.c, virtual_escape.c, all with the lock held -------------------- */

/* Secure. */
void virtual_pinpad(struct virtual_request *request);
/* What he has typed, and the command that came of it. */
void virtual_pinpad_forget(struct ccid_virtual_pad *pad);
/* The user is ready: the card gets its command. */
void virtual_pinpad_typed(struct ccid_virtual_reader *reader, uint8_t slot_index);
/* Escape. */
void virtual_escape(struct virtual_request *request);

/* ---- virtual_answer.c, all with the lock held ------------------------------------- */

/* A message that does not end the command of its slot. The data is borrowed. */
void virtual_put(struct ccid_virtual_reader *reader, uint8_t slot_index, uint8_t type,
                 uint8_t seq, enum ccid_outcome outcome, uint8_t error, uint8_t extra,
                 const uint8_t *data, size_t data_len);
/* The bytes of an answer that has gone, or will not go. */
void virtual_forget_message(struct ccid_virtual_reader *reader,
                            const struct virtual_message *message);
/* What has come of a command. */
void virtual_forget_command(struct virtual_slot *slot);
/* What is not yet in a message. */
void virtual_forget_response(struct virtual_slot *slot);
/* The answer that ends the command of a busy slot; its data is the slot's response. */
void virtual_end(struct ccid_virtual_reader *reader, uint8_t slot_index,
                 enum ccid_outcome outcome, uint8_t error, uint8_t extra,
                 size_t data_len);
/* The answer with the next part of the card's response, or all of it. */
void virtual_respond(struct ccid_virtual_reader *reader, uint8_t slot_index);
/* The slot's response comes after that time, with time extensions on the way. */
void virtual_work(struct ccid_virtual_reader *reader, uint8_t slot_index,
                  uint32_t delay_ms);

/* The control request ABORT. False: no such slot. */
bool virtual_abort_locked(struct ccid_virtual_reader *reader, uint8_t slot, uint8_t seq);
/* Ends the abort of a slot if both of its halves have come. */
void virtual_finish_abort(struct ccid_virtual_reader *reader, uint8_t slot_index);
/* Answers and time extensions that are due. */
void virtual_tick_locked(struct ccid_virtual_reader *reader, uint64_t now_ms);
/* When the next one is, or CCID_CLOCK_NEVER. */
uint64_t virtual_next_tick_locked(const struct ccid_virtual_reader *reader);

#endif
