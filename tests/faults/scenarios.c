/* SPDX-License-Identifier: BSD-2-Clause */
/* scenarios.c - the list of them. */
#include "scenarios.h"

#define USB "1-1:level=ext,maxmsg=271,card=1,serial=A1"

static const char *const none[] = {0};
static const char *const virtual[] = {"--virtual", 0};
static const char *const program[] = {"--vpcd=unix:", 0};
static const char *const user[] = {
    "--virtual", "--user",  "nobody", "-o", "gid=daemon,uid=nobody,mode=0640",
    "-o",        "config=", 0};

#define LIVE(name_, options_, devices_, prepare_, run_)                                  \
    {                                                                                    \
        .name = name_, .kind = SCENARIO_LIVE,                                            \
        .launch = {.options = options_, .devices = devices_}, .prepare = prepare_,       \
        .run = run_                                                                      \
    }

const struct scenario scenarios[] = {
    {.name = "start",
     .kind = SCENARIO_START,
     .launch = {.options = none, .devices = USB},
     .run = use_started_usb},
    {.name = "start-virtual",
     .kind = SCENARIO_START,
     .launch = {.options = virtual, .devices = ""},
     .run = use_started_virtual},
    {.name = "start-user",
     .kind = SCENARIO_START,
     .launch = {.options = user, .devices = ""},
     .run = use_started_virtual},
    {.name = "start-background",
     .kind = SCENARIO_START,
     .launch = {.options = virtual, .devices = "", .background = true},
     .run = use_started_virtual},
    {.name = "stop",
     .kind = SCENARIO_STOP,
     .launch = {.options = none, .devices = USB},
     .run = use_transmit},
    LIVE("plug", none, USB, prepare_unplugged, use_plug),
    LIVE("unplug", none, USB, prepare_plugged, use_unplug),
    LIVE("connect", none, USB, prepare_card, use_connect),
    LIVE("transmit", none, USB, prepare_card, use_transmit),
    LIVE("transmit-long", none, USB, prepare_card, use_long),
    LIVE("transmit-text", none, USB, prepare_card, use_hex),
    LIVE("interrupt", none, USB, prepare_card, use_interrupt),
    LIVE("power", none, USB, prepare_card, use_power),
    LIVE("events-poll", none, USB, prepare_card, use_poll),
    LIVE("events-read", none, USB, prepare_card, use_wait),
    LIVE("transaction", none, USB, prepare_card, use_transaction),
    LIVE("lock", none, USB, prepare_card, use_lock),
    LIVE("trace", none, USB, prepare_card, use_trace),
    LIVE("files", none, USB, prepare_card, use_files),
    LIVE("virtual", virtual, "", prepare_one_virtual, use_virtual),
    LIVE("card-program", program, "", prepare_no_card_program, use_card_program),
};

const unsigned scenario_count = sizeof scenarios / sizeof *scenarios;
