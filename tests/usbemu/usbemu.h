/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usbemu.h - software USB CCID readers below an unmodified libusb-1.0.
 *
 * THEORY STATEMENT
 *
 * The module is preloaded (LD_PRELOAD) into a program that uses libusb with its udev
 * backend. It answers the libudev calls (libudev.c), the opening of usbfs nodes and sysfs
 * attributes (libc.c, usbfs.c) and the usbfs ioctls (usbfs.c, urb.c). Everything that is
 * not a device of ours goes to the C library untouched. The readers live in the process:
 * each process has its own, and they vanish with it.
 *
 * A usbfs handle is the write end of a pipe that holds one byte while no URB can be
 * reaped: the kernel's own poll and epoll then report POLLOUT exactly when one can, and
 * POLLERR once the read end is closed by an unplug, as real usbfs does. poll is not
 * interposed. Nothing wakes up without a reason: the clock thread (urb.c) exists only
 * once an answer was delayed and sleeps until one is due; the control thread sleeps in
 * accept.
 *
 * A device computes its answers inside SUBMITURB (ccid.c), so with latency 0 it costs
 * nothing but the caller's own work. Answers wait in a queue ordered by the time they are
 * due; URBs wait in one list per endpoint; urb.c brings them together.
 *
 * One lock, emu_lock, guards everything but the card's pure functions. It is never held
 * while something of the program under test runs. A function whose name does not say
 * otherwise expects it to be held.
 *
 * A device has one interface or several alike, each a CCID function of its own with three
 * endpoints, slots and queues: a chain of struct emu_device through next_interface, whose
 * first member stands for the device. The others are not in the list of devices.
 *
 * Autosuspend (USBDEVFS_ALLOW_SUSPEND and its like): a device that is allowed to sleep
 * does so when the test says so (control socket), as the kernel would after its delay:
 * its URBs end with -ESHUTDOWN. A card that comes or goes wakes it up.
 *
 * An unplugged device stays allocated (its queues do not) until the last handle or udev
 * object of the program that points at it has gone.
 *
 * Not done: isochronous transfers, streams, several configurations, sharing between
 * processes, static programs, the timing of a real bus beyond `latency`.
 */
#ifndef USBEMU_H
#define USBEMU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/usbdevice_fs.h>

#include "tpdu.h"

#define EMU_EXPORT __attribute__((visibility("default")))

#define EMU_DEVICES_MAX 100 /* at a time; there are 126 addresses */
#define EMU_SLOTS_MAX   16
#define EMU_MESSAGE_MAX                                                                  \
    65556 /* CCID header 10 and an extended APDU, rounded as readers do */
#define EMU_STRING_MAX 126 /* characters in a USB string descriptor */

/* Of interface 0; those of interface N are EMU_EP_STEP * N above. */
#define EMU_EP_OUT       0x02
#define EMU_EP_IN        0x81
#define EMU_EP_INTERRUPT 0x83
#define EMU_EP_STEP      3

#define EMU_INTERFACES_MAX 4

enum emu_level { EMU_CHARACTER, EMU_TPDU, EMU_SHORT_APDU, EMU_EXTENDED_APDU };

/* bInterfaceProtocol: bulk endpoints, or a token without them */
enum emu_iccd { EMU_CCID, EMU_ICCD_A, EMU_ICCD_B };

/* Bytes that the device will give on bulk-IN. */
struct emu_answer {
    struct emu_answer *next;
    int64_t due_ns; /* CLOCK_MONOTONIC; 0: now */
    unsigned slot;
    size_t len, pos;
    uint8_t bytes[];
};

/* A URB submitted and not yet reaped. */
struct emu_urb {
    struct emu_urb *next;
    struct usbdevfs_urb *urb; /* the program's */
    struct emu_handle *handle;
};

struct emu_urb_list {
    struct emu_urb *first;
};

struct emu_slot {
    bool present, powered, changed;
    uint8_t protocol; /* 0 or 1 */
    uint8_t params[7];
    int64_t busy_until_ns;
    /* An abort needs the control request and the bulk message of one number. */
    bool abort_control, abort_bulk;
    uint8_t abort_seq;
    struct ccid_virtual_card card;
    struct emu_t0 t0;
    struct emu_t1 t1;
    uint8_t *command; /* extended APDU level: the command being collected */
    size_t command_len;
    uint8_t *reply; /* and the reply being handed out */
    size_t reply_len, reply_pos;
    bool token_ready;                   /* version B: DATA_BLOCK has something to give, */
    uint8_t token_type;                 /* and its bResponseType */
    unsigned long executed, powered_up; /* APDUs (not at TPDU level), times */
};

/* How many of the next messages or transfers go wrong, and how. */
struct emu_faults {
    unsigned stall, drop, time_extension, short_answer, bad_sequence;
    bool mute;
    unsigned
        chance; /* of each message, in EMU_CHANCE_ONE; 0: none goes wrong by chance */
    uint32_t random;
    unsigned injected;   /* by chance, */
    int64_t injected_ns; /* and when the last one (CLOCK_MONOTONIC) */
};

#define EMU_CHANCE_ONE 100000

#define EMU_CLASS_LEN 54 /* CCID 1.1 table 5.1-1 */

struct emu_string {
    size_t len; /* bytes; each becomes one UTF-16 unit */
    uint8_t bytes[EMU_STRING_MAX + 1];
};

struct emu_device {
    struct emu_device *next_interface; /* NULL: the last */
    unsigned interface_number;
    char name[32]; /* "1-1" */
    unsigned bus, address;
    bool gone;
    unsigned users; /* the first interface's: being there, handles, udev objects */
    enum emu_level level;
    enum emu_iccd iccd;
    bool high_speed, interrupt_endpoint;
    unsigned packet_size; /* of the bulk endpoints */
    unsigned class_len;   /* of the class descriptor */
    bool class_after;     /* it comes behind the endpoints */
    bool class_given;
    uint8_t class_bytes[EMU_CLASS_LEN]; /* if so */
    bool remote_wakeup;                 /* it can */
    bool wakeup_enabled;                /* the host has asked it to; ends with a resume */
    unsigned busy_slots;                /* bMaxCCIDBusySlots */
    unsigned vid, pid;
    uint32_t max_message;
    struct emu_string serial, product;
    uint32_t latency_us;
    struct emu_faults faults;
    uint8_t descriptors[512]; /* device, then configuration */
    size_t descriptors_len;

    unsigned slot_count;
    struct emu_slot *slots; /* NULL once gone */

    uint8_t *out; /* a command that came in several transfers */
    size_t out_len;
    struct emu_answer *answers;        /* by due_ns */
    struct emu_urb_list in, interrupt; /* waiting URBs */
    bool interrupt_pending;
    bool halted_in, halted_out, halted_interrupt;
    struct emu_handle *claimed_by;
    bool asleep;                     /* the first interface's, for the device */
    unsigned sleep_allowed;          /* handles that allow it */
    unsigned allows, forbids, waits; /* ioctls that had an effect; waits that ended */
    unsigned long messages;
};

/* An open usbfs node. */
struct emu_handle {
    struct emu_device *device;
    int fd;      /* write end of the pipe: the program's */
    int read_fd; /* read end; -1 after an unplug */
    bool full;   /* the pipe holds its byte: nothing to reap */
    size_t position;
    bool may_sleep, not_yet_resumed; /* as in the kernel's usb_dev_state */
    struct emu_urb *done, **done_tail;
};

extern pthread_mutex_t emu_lock;

/* device.c: the readers there are. */
void emu_start(void); /* not held; once: plugs USBEMU_DEVICES, listens on USBEMU_CTL */
/* NULL and *error says why. */
struct emu_device *emu_plug(const char *name, const char *options, const char **error);
/* And says so to the program. */
void emu_unplug(struct emu_device *device);
/* The first interface, from being freed. */
void emu_device_hold(struct emu_device *device);
void emu_device_let_go(struct emu_device *device);
struct emu_device *emu_find(const char *name);
struct emu_device *emu_find_address(unsigned bus, unsigned address);
/* The interface of that number, or that has the endpoint; NULL: none. */
struct emu_device *emu_interface(struct emu_device *device, unsigned number);
struct emu_device *emu_interface_of(struct emu_device *device, unsigned endpoint);
/* Every device that is there, for (i = 0; (d = emu_device(&i));). */
struct emu_device *emu_device(unsigned *i);
/* false: not an ATR (hexadecimal, 2 to 33 bytes). NULL or "": the reader's default. */
bool emu_set_atr(struct emu_device *device, unsigned slot, const char *hex);
/* Returns how many bytes, at most room; -1 for anything but pairs of hex digits. */
int emu_unhex(const char *hex, uint8_t *out, size_t room);

/* descriptors.c: what the device says of itself. */
void emu_build_descriptors(struct emu_device *device);
/* Control endpoint; data has len bytes. Returns bytes moved or -errno. */
int emu_control(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                size_t len);
/* A sysfs attribute, malloc'ed and terminated; NULL: none of that name. */
char *emu_attribute(struct emu_device *device, bool interface, const char *name,
                    size_t *len);

/* iccd.c: a class request to a token; data has len bytes, sent or to be filled. Returns
 * bytes moved or -errno. */
int emu_iccd_control(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                     size_t len);

/* ccid.c and slot.c: the reader behind the endpoints. */
void emu_bulk_out(struct emu_device *device, const uint8_t *data, size_t len);
void emu_abort_control(struct emu_device *device, unsigned slot, uint8_t seq);
void emu_set_card(struct emu_device *device, unsigned slot, bool present);
void emu_reset(struct emu_device *device);
size_t emu_slot_change(const struct emu_device *device,
                       uint8_t message[1 + EMU_SLOTS_MAX / 4]);
/* Forgets everything of the exchange; the slot is idle then. */
void emu_slot_clear(struct emu_slot *slot);

/* urb.c: queues, completion, time. */
int64_t emu_now_ns(void);
void emu_queue(struct emu_device *device, unsigned slot, const uint8_t *bytes, size_t len,
               int64_t delay_us);
/* Forgets what the slot has not said yet; EMU_SLOTS_MAX: all slots. */
void emu_forget(struct emu_device *device, unsigned slot);
void emu_notify(struct emu_device *device); /* NotifySlotChange is due */
int emu_submit(struct emu_handle *handle, struct usbdevfs_urb *urb);
/* The interrupt endpoint stalls until CLEAR_HALT. */
void emu_halt_interrupt(struct emu_device *device);
int emu_discard(struct emu_handle *handle, struct usbdevfs_urb *urb);
struct usbdevfs_urb *emu_reap(struct emu_handle *handle); /* NULL: nothing done */
/* All of an interface end with that status: it is unplugged, or asleep. */
void emu_end_urbs(struct emu_device *device, int status);
void emu_drop_urbs(struct emu_handle *handle); /* the handle is closed */
extern pthread_cond_t emu_reapable;
extern int64_t emu_last_interrupt_ns; /* when an interrupt URB was last completed */

/* power.c: autosuspend. Return 0 or -errno. */
int emu_allow_suspend(struct emu_handle *handle);
int emu_forbid_suspend(struct emu_handle *handle);
int emu_wait_for_resume(int fd);             /* waits with the lock given up */
bool emu_suspend(struct emu_device *device); /* false: somebody does not allow it */
void emu_resume(struct emu_device *device);
void emu_power_forget(struct emu_handle *handle); /* it is closed */

/* usbfs.c: handles. emu_handle_* take the lock themselves. */
int emu_handle_open(unsigned bus, unsigned address);
struct emu_handle *emu_handle_of(int fd); /* the lock is held */
bool emu_handle_is(int fd);               /* cheap, for every call of the program */
/* A duplicate means the same handle until the first descriptor is closed. */
void emu_handle_duplicated(int fd, int other);
void emu_handle_close(int fd);
int emu_handle_ioctl(int fd, unsigned long request, void *arg); /* -errno */
/* For who counts system calls: the ioctls answered here, which would be some, and reads
 * and writes of pipes made here, which would not. */
extern unsigned long emu_ioctl_count, emu_pipe_count;
ptrdiff_t emu_handle_read(int fd, void *buffer, size_t len, int64_t offset);
int64_t emu_handle_seek(int fd, int64_t offset, int whence);
void emu_handles_hang_up(struct emu_device *device); /* POLLERR; the lock is held */
/* Each open handle of the device, with the lock held. */
void emu_handles_each(struct emu_device *device, void (*visit)(struct emu_handle *));

/* kept.c: the first reader, over the end of the program. */
void emu_keep(void);
void emu_revive(struct emu_device *device); /* a new one */

/* libudev.c */
void emu_announce(struct emu_device *device, bool arrived);

/* faults.c: faults by chance. */
void emu_faults_seed(struct emu_device *device, uint32_t seed);
void emu_faults_draw(struct emu_device *device); /* for the message that has come */
void emu_faults_tell(char *out, size_t room);

/* ledger.c: numbered commands that cards have executed. */
void emu_ledger_tell(char *out, size_t room);

/* control.c */
void emu_control_listen(const char *path);

#endif
