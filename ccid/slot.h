/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.h - the driver's record of a device and of its slots, and the steps that work on
 * them. driver.c has the theory.
 *
 * "Executor only" marks what is touched by the one thread that drives the device: the
 * thread inside a callback, or the one that starts, suspends or resumes it.
 */
#ifndef CCID_SLOT_H
#define CCID_SLOT_H

#include "ccid/health.h"
#include "ccid/internal.h"
#include "ccid/msg.h"
#include "ccid/mux.h"
#include "ccid/polling.h"

#define CCID_RATES_MAX 255 /* SCARD_READER_CAPABILITIES counts in a byte */

struct ccid_slot;

/* The interrupt endpoint (notify.c). */
struct ccid_listening {
    enum ccid_hearing {
        CCID_HEARS,
        CCID_HALTED,  /* it delivers nothing until it is started again */
        CCID_SWAMPED, /* it delivers too much and is not listened to for a while */
        CCID_HARD_OF_HEARING, /* it halted too often */
    } state;                  /* read without the lock, too */
    bool stopped;             /* swamped */
    bool restarting;          /* some slot's turn is at it */
    struct ccid_history restarts;
    uint64_t second_ms; /* messages are counted from here */
    uint32_t messages;
    uint64_t swamped_until_ms;
};

struct ccid_device {
    struct ccid_usb_port port;
    struct ccid_desc desc;
    struct smc_device_identity identity;
    PDEVICE_OBJECT physical;

    struct ccid_mux *mux; /* of a device whose slots are busy at once, else NULL */

    /* Executor only; with a mux, of the lane that has paused the others. */
    uint8_t next_seq; /* without a mux */
    bool started;
    bool refuses_abort; /* the control request ABORT was stalled once */
    bool was_reset;     /* a port reset has been tried for this failure */

    bool pin_entry; /* atomic: on one of the slots the user is typing */

    bool gone; /* atomic: no transfer makes sense any more */

    unsigned rests; /* atomic: calls of ccid_device_rest not heeded yet */

    /* Guards what follows; a leaf lock, for a few instructions. */
    pthread_mutex_t lock;
    struct ccid_slot *slots[CCID_SLOTS_MAX];
    struct ccid_health health;
    struct ccid_listening listening;
    bool quarantine_untold; /* atomic: not in the log yet */

    /* Of the thread that delivers interrupt messages. */
    uint64_t started_ms;
    bool notified;

    uint32_t clocks_khz[CCID_RATES_MAX];
    uint32_t rates_bps[CCID_RATES_MAX];
    uint8_t clock_count;
    uint8_t rate_count;
};

/* The device extension of a slot's function device. */
struct ccid_slot {
    SMARTCARD_EXTENSION ext;
    struct ccid_device *device;
    struct ccid_usb_port port; /* its way to the device */
    PDEVICE_OBJECT object;
    UNICODE_STRING interface_name;
    uint8_t index;
    bool open;           /* atomic: between CREATE and CLOSE */
    bool suspended;      /* executor only, like the rest */
    bool out_of_step;    /* the last command failed half-way: resynchronise first */
    bool may_be_powered; /* whatever CurrentState says: resync had no time to see to it */
    uint8_t voltage;     /* bPowerSelect of the last power-on that worked */
    bool trying;         /* a quarantined device may be spoken to */
    bool secret;         /* the card's command at work may bring a PIN (trace.h) */
    struct ccid_poll poll;
    uint64_t turn_ms; /* a turn was asked for then; 0: none, as far as is known */
    bool look;        /* atomic: the next turn looks for a card in any case */

    /* The rate that was agreed on with the card (agreed_rate.c). */
    bool rate_unproven;         /* nothing has come from the card at it yet */
    uint8_t rate_failures;      /* of the card that was in when changes was ... */
    uint32_t rate_failed_bps;   /* the lowest of them */
    uint32_t rate_card_changes; /* ... this */

    /* Under ext.OsData->SpinLock. */
    bool present;     /* the last thing heard of the card */
    uint32_t changes; /* goes up whenever the card came, went or was exchanged */
    bool unknown;     /* the device is quarantined: CurrentState stays SCARD_UNKNOWN */
    struct ccid_history news;
    bool telling; /* a thread is between such news and the tracker's completion */
    struct {
        bool any, present, exchanged;
        bool urgent; /* not held for coming too fast */
    } held;          /* news that the tracker is told later */

    /* Cancelling the request in progress (cancel.c). */
    PIRP running;
    KEVENT cancel_done;

    struct ccid_slot *next_unit; /* unit.c */
};

static inline struct ccid_slot *ccid_slot_of(PSMARTCARD_EXTENSION ext)
{
    return CONTAINING_RECORD(ext, struct ccid_slot, ext);
}

static inline bool ccid_device_is_gone(const struct ccid_device *device)
{
    return __atomic_load_n(&device->gone, __ATOMIC_SEQ_CST);
}

/* ---- cmd.c: one command and its answer ------------------------------------------- */

struct ccid_command {
    uint8_t type;
    uint8_t p1, p2, p3;
    uint8_t answer_type;
    uint32_t length;           /* of the data already at ccid_slot_data */
    uint32_t timeout_ms;       /* for each message of the answer */
    uint32_t total_ms;         /* for all of them; 0: see cmd.c */
    struct ccid_answer answer; /* out: valid when answered */
    bool answered;             /* out: the reader answered, perhaps with a failure */
};

/* No command takes longer, whatever reader and card ask for. */
#define CCID_COMMAND_MAX_MS (10u * 60u * 1000u)

/* Where a command's data goes: behind the place of the header. */
static inline uint8_t *ccid_slot_data(struct ccid_slot *slot)
{
    return slot->ext.SmartcardRequest.Buffer + CCID_HEADER_LENGTH;
}

/*
 * Sends the command and waits for its answer. STATUS_SUCCESS: done. When the reader
 * answered with a failure, command->answered is set and the status is that of bError.
 * Otherwise the exchange itself failed; it was logged, the slot has been (or will be,
 * before its next command) resynchronised, and its card is unpowered.
 */
NTSTATUS ccid_cmd(struct ccid_slot *slot, struct ccid_command *command);

/* One attempt without repairs and retries; what resync.c is made of. */
NTSTATUS ccid_cmd_once(struct ccid_slot *slot, struct ccid_command *command);

/* A number (bSeq) for a message of the slot, until done. Waits while too many other slots
 * are busy. */
enum ccid_usb_result ccid_cmd_number(struct ccid_slot *slot, uint8_t *seq);
void ccid_cmd_number_done(struct ccid_slot *slot);

/* ---- cmd_log.c ------------------------------------------------------------------- */

/* One log line for a failed command. */
void ccid_cmd_log(struct ccid_slot *slot, const struct ccid_command *command,
                  NTSTATUS status, const char *problem);

/* The status of a transfer; *problem is what went wrong, for the log. */
NTSTATUS ccid_cmd_transfer(const struct ccid_slot *slot, enum ccid_usb_result result,
                           const char **problem);
/* Lets so much time pass; a cancel and the end of the reader cut it short. */
NTSTATUS ccid_cmd_sleep(struct ccid_slot *slot, uint32_t ms);

/* ---- iccd.c: the same to a token without bulk endpoints --------------------------- */

/* STATUS_SUCCESS: command->answer is filled. Otherwise *problem says why not. */
NTSTATUS ccid_iccd_run(struct ccid_slot *slot, struct ccid_command *command,
                       const char **problem);

/* ---- resync.c -------------------------------------------------------------------- */

/*
 * Brings reader and driver back in step (CCID 1.1 §5.3.1, Abort) within budget_ms and
 * powers the card off. STATUS_SUCCESS, STATUS_DEVICE_REMOVED, or the status of the last
 * step: then slot->out_of_step stays set.
 */
NTSTATUS ccid_resync(struct ccid_slot *slot, uint32_t budget_ms);

/* Reads and drops what is queued. */
void ccid_drain(struct ccid_slot *slot);

#define CCID_RESYNC_NOW_MS   1000 /* at the end of the command that failed */
#define CCID_RESYNC_LATER_MS 5000 /* before the next one, if that was not enough */

/* ---- icc.c: commands to the card slot -------------------------------------------- */

NTSTATUS ccid_icc_status(struct ccid_slot *slot, uint32_t timeout_ms, enum ccid_icc *icc);
NTSTATUS ccid_icc_power_off(struct ccid_slot *slot);
enum ccid_reset {
    CCID_RESET_FIRST, /* the card has no power */
    CCID_RESET_COLD,  /* it may have: off first */
    CCID_RESET_WARM,  /* it has, and keeps its voltage */
};
/* Tries the voltages. *atr points into the answer; *atr_length is 2 ... 33. */
NTSTATUS ccid_icc_power_on(struct ccid_slot *slot, enum ccid_reset kind,
                           const uint8_t **atr, uint32_t *atr_length);
/* The same at one of the voltages (bPowerSelect), after power off. */
NTSTATUS ccid_icc_power_at(struct ccid_slot *slot, uint8_t select, const uint8_t **atr,
                           uint32_t *atr_length);
/* bProtocolNum of the active parameters, 0 or 1, and their bmFindexDindex; fidi may be
 * NULL. */
NTSTATUS ccid_icc_get_protocol(struct ccid_slot *slot, uint8_t *protocol, uint8_t *fidi);
/* What the card capabilities say about protocol (0 or 1) with the given Fi and Di; *fidi
 * becomes the reader's own where it insists on that. */
NTSTATUS ccid_icc_set_parameters(struct ccid_slot *slot, uint8_t protocol, uint8_t *fidi);
/* For readers that do not take the rate from the parameters. */
NTSTATUS ccid_icc_set_rate(struct ccid_slot *slot, uint32_t clock_khz, uint32_t bps);

/* ---- state.c: presence and power ------------------------------------------------- */

/*
 * The reader says whether a card is in; exchanged: it was taken out and put back since.
 * Updates state and ATR and completes the tracker when something changed.
 */
void ccid_state_report(struct ccid_slot *slot, bool present, bool exchanged);
/* The same from an answer to a command that was sent when changes was as given: newer
 * news from the interrupt endpoint win. */
void ccid_state_sampled(struct ccid_slot *slot, bool present, uint32_t changes);
/* The same from a look at the slot, which may also have shown another card. */
void ccid_state_looked(struct ccid_slot *slot, bool present, bool exchanged,
                       uint32_t changes);
/* As ccid_state_report, for a reader that may say too much: after 20 changes in a second
 * the rest is put together and held back, and a turn asked for that releases it. */
void ccid_state_heard(struct ccid_slot *slot, bool present, bool exchanged);
/* Passes on what was held back, if it is time. */
void ccid_state_release(struct ccid_slot *slot);
/* Whatever is heard, CurrentState is SCARD_UNKNOWN, until known. While another thread
 * tells the tracker of other news, CurrentState follows; so in all of these. */
void ccid_state_unknown(struct ccid_slot *slot);
void ccid_state_known(struct ccid_slot *slot);
uint32_t ccid_state_changes(struct ccid_slot *slot);
/* SCARD_UNKNOWN ... SCARD_SPECIFIC. */
ULONG ccid_state_current(struct ccid_slot *slot);
/* What is known of the card at the moment: without an ATR and a protocol if it has gone,
 * which the event thread may find out at any time. */
SCARD_CARD_CAPABILITIES ccid_state_card(struct ccid_slot *slot);
/* The card, if there is one, has no power. */
void ccid_state_unpowered(struct ccid_slot *slot);
/* After a callback has set a state: undoes it when the card went meanwhile, and says so.
 */
NTSTATUS ccid_state_settle(struct ccid_slot *slot, uint32_t changes);

/* A card that the reader has moved is in another state, unless it has gone since changes
 * were as given: STATUS_NO_MEDIA. */
NTSTATUS ccid_state_moved(struct ccid_slot *slot, uint32_t changes, ULONG state);
/* It is in the reader and nobody gets it any more. */
void ccid_state_confiscated(struct ccid_slot *slot);

/* ---- notify.c -------------------------------------------------------------------- */

/* The slot with an entry in its remove lock, or NULL when it is going away. */
struct ccid_slot *ccid_slot_hold(struct ccid_device *device, uint8_t index);

/* ---- cancel.c -------------------------------------------------------------------- */

/* Makes the current request cancellable; STATUS_CANCELLED when it already was. */
NTSTATUS ccid_cancel_arm(struct ccid_slot *slot);
/* Ends that; afterwards no cancel is in force or under way. */
void ccid_cancel_disarm(struct ccid_slot *slot);
/* Ends the transfers of a device that is gone, for ever. Any thread. */
void ccid_cancel_for_ever(struct ccid_device *device);

/* ---- card.c, protocol.c, atr.c: callbacks ---------------------------------------- */

NTSTATUS ccid_card_power(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_transmit(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_tracking(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_set_protocol(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_parse_atr(PSMARTCARD_EXTENSION ext);
/* Brackets the use of the device by a callback. */
NTSTATUS ccid_card_enter(struct ccid_slot *slot);
void ccid_card_leave(struct ccid_slot *slot);
/* Resets the card and takes its ATR over; the state follows from it. */
NTSTATUS ccid_card_reset(struct ccid_slot *slot, enum ccid_reset kind);
/* Tells the reader about a card whose ATR fixes the protocol (TA2). */
NTSTATUS ccid_protocol_specific(struct ccid_slot *slot);
/* Resets the card and agrees on the protocol once more, before any command was out. */
NTSTATUS ccid_protocol_again(struct ccid_slot *slot, uint32_t changes);
/* The card's bytes, from the message to where the library looks for them. */
void ccid_card_take_answer(struct ccid_slot *slot, const struct ccid_answer *answer);
/* After a failed XfrBlock: logs it and notes a card that has lost its power. Returns
 * status. */
NTSTATUS ccid_card_failed(struct ccid_slot *slot, const struct ccid_command *command,
                          NTSTATUS status);

/* ---- apdu.c ---------------------------------------------------------------------- */

NTSTATUS ccid_apdu_transmit(struct ccid_slot *slot);
/* The card's answer, of which command has brought all or, at extended level, the first
 * part; the rest has until end_ms. *got counts what did not fit, too. */
NTSTATUS ccid_apdu_receive(struct ccid_slot *slot, const struct ccid_command *command,
                           uint64_t end_ms, UCHAR *answer, uint32_t room, uint32_t *got);

/* ---- mechanical.c ---------------------------------------------------------------- */

/* Registers what the reader can do (dwMechanical). Before SmartcardInitialize. */
void ccid_mechanical_init(struct ccid_slot *slot);
/* A card that is not in position has no contact: to be called before a reset. */
NTSTATUS ccid_mechanical_swallow(struct ccid_slot *slot);
NTSTATUS ccid_card_swallow(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_eject(PSMARTCARD_EXTENSION ext);
NTSTATUS ccid_card_confiscate(PSMARTCARD_EXTENSION ext);

/* ---- vendor.c -------------------------------------------------------------------- */

NTSTATUS ccid_card_vendor(PSMARTCARD_EXTENSION ext);

/* ---- device.c, rates.c, unit.c, driver.c ----------------------------------------- */

/* Slot for a new function device of the device: extension filled, library ready. */
NTSTATUS ccid_slot_create(PDRIVER_OBJECT driver, struct ccid_device *device,
                          uint8_t index, struct ccid_slot **out);
/* The end of IRP_MN_REMOVE_DEVICE, or of a slot that was never announced. */
void ccid_slot_delete(struct ccid_slot *slot);
/* First use of the device: drain, interrupt endpoint, slot states, rates. */
NTSTATUS ccid_device_start(struct ccid_device *device);
/* A card has come or gone, or nobody uses the device any more: without a card in any slot
 * it may be suspended. Any thread, also while an executor is in. */
void ccid_device_rest(struct ccid_device *device);
void ccid_rates_read(struct ccid_device *device);
/* Smallest number that no other slot with this vendor and type has. */
void ccid_unit_take(struct ccid_slot *slot);
void ccid_unit_give_back(struct ccid_slot *slot);

#endif
