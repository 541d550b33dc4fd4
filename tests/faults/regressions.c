/* SPDX-License-Identifier: BSD-2-Clause */
/* regressions.c - faults that once did harm, by name; swept however thin the sweep is. */
#include "injection.h"

#define ONCE(f, n)                                                                       \
    {                                                                                    \
        .function = FAULT_##f, .nth = n                                                  \
    }
#define STAYS(f, n)                                                                      \
    {                                                                                    \
        .function = FAULT_##f, .nth = n, .sticky = true                                  \
    }

const struct regression regressions[] = {
    {"test_start_without_memory_for_the_path_is_refused", "start-user",
     ONCE(realpath, 1)},
    {"test_stop_unmounts_when_the_list_of_mounts_cannot_be_read", "stop",
     ONCE(fopen64, 1)},
    {"test_stop_unmounts_when_the_list_of_mounts_is_cut_off", "stop",
     ONCE(__getdelim, 1)},
    {"test_start_without_memory_for_the_loop_ends_in_order", "start",
     ONCE(fuse_loop_cfg_create, 1)},
    {"test_start_in_background_says_why_it_cannot_serve", "start-background",
     ONCE(fuse_session_loop_mt, 1)},
    {"test_start_in_background_says_that_it_has_lost_a_request", "start-background",
     ONCE(calloc, 10)},
    {"test_events_go_on_when_the_interrupt_transfer_cannot_be_submitted", "events-poll",
     ONCE(libusb_submit_transfer, 1)},
    {"test_abort_that_cannot_be_submitted_is_tried_again", "interrupt",
     ONCE(libusb_submit_transfer, 10)},
    {"test_plug_of_a_reader_that_cannot_be_looked_at_is_logged", "plug",
     ONCE(libusb_get_device_descriptor, 1)},
    {"test_lock_that_libfuse_cannot_give_back_ends_the_daemon_in_order", "lock",
     ONCE(calloc, 15)},
    {"test_start_without_memory_for_the_session_says_why", "start", ONCE(calloc, 3)},
    {"test_unplug_without_a_thread_is_tried_again", "unplug", STAYS(pthread_create, 1)},
};

const unsigned regression_count = sizeof regressions / sizeof *regressions;
