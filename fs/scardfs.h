/* SPDX-License-Identifier: BSD-2-Clause */
/* scardfs.h - the daemon as main.c, or a test in its place, starts it. */
#ifndef SCARDFS_H
#define SCARDFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wdm.h"

#include "fs/config.h"

/* The built-in driver below, and what the file `virtual` asks of it. */
struct scfs_driver {
    DRIVER_INITIALIZE *entry;
    NTSTATUS (*watch)(PDRIVER_OBJECT driver); /* real readers; NULL: none */
    NTSTATUS (*virtual_start)(PDRIVER_OBJECT driver);
    NTSTATUS (*plug)(const char *shape); /* NULL: the usual shape */
    int (*insert)(PDEVICE_OBJECT device, const uint8_t *atr, size_t atr_len);
    int (*remove)(PDEVICE_OBJECT device);
    int (*unplug)(PDEVICE_OBJECT device);
    int (*type)(PDEVICE_OBJECT device, const char *keys);
};

#define SCFS_SHAPES_MAX  127 /* as many as a USB bus has room for */
#define SCFS_DRIVERS_MAX 16
#define SCFS_LISTEN_MAX  16

/* What the kernel refuses to the process once it is mounted (confine.h). */
enum scfs_confine {
    SCFS_CONFINE_USUAL, /* as far as this kernel can */
    SCFS_CONFINE_ON,    /* or it does not start */
    SCFS_CONFINE_LOG,   /* nothing, but the kernel logs what it would */
    SCFS_CONFINE_OFF,
};

struct scfs_user; /* privileges.h */

struct scfs_options {
    const char *mount_point;
    bool foreground;
    bool with_virtual;
    const char *shapes[SCFS_SHAPES_MAX]; /* of virtual readers; NULL: the usual one */
    unsigned shape_count;
    const char *drivers[SCFS_DRIVERS_MAX]; /* files with more drivers */
    unsigned driver_count;
    const char *listen[SCFS_LISTEN_MAX]; /* folders where drivers may make sockets */
    unsigned listen_count;
    enum scfs_confine confine;
    const char *virtual_folder; /* what describes shapes of virtual readers is there */
    bool power_on;              /* reset cards when they come */
    bool power_demand;          /* or when their ATR is read; neither: lazy */
    uint32_t power_down_s;      /* for a card without users; 0: never */
    uint32_t idle_limit_s;      /* for a holder while others wait; 0: none */
    bool share_state;           /* no reset between users */
    unsigned handles_max;       /* open files of one user; 0: any number */
    unsigned waits_max;         /* waiting requests of one user; 0: any number */
    bool strict_atr;
    bool escape;
    bool debug;
    uint32_t debug_level; /* DEBUG_* */
    struct scfs_access access;
    const struct scfs_config *config;  /* rules for single readers; NULL: none */
    const struct scfs_user *user;      /* to become once it is mounted; NULL: to stay */
    const struct scfs_user *mount_for; /* only to mount, for his daemon; NULL: to serve */
    unsigned stop_limit_ms;            /* how long drivers may take to end what runs */
    char **fuse_options;               /* "allow_other", "max_read=4096": as after -o */
    unsigned fuse_option_count;
};

/* The values without any option. */
void scfs_options_init(struct scfs_options *options);

/*
 * Mounts, serves until a signal or an unmount, and unmounts. Returns the exit status: 0;
 * after a sentence on stderr 1, or 2 for an option that FUSE does not know. In the
 * background unless options->foreground: then the first process returns as soon as the
 * mount is live and its readers have been looked for.
 */
int scfs_run(const struct scfs_options *options, const struct scfs_driver *driver);

#endif
