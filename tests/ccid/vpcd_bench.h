/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpcd_bench.h - the virtual reader whose card is a program at the other end of a socket.
 * The test is the program, and asks the reader as from the bus.
 */
#ifndef TESTS_CCID_VPCD_BENCH_H
#define TESTS_CCID_VPCD_BENCH_H

#include "ccid/virtual_internal.h"
#include "ccid/vpcd.h"

extern struct vpcd_bench {
    char dir[32], address[128], *path; /* path: of the address, unix:path */
    struct ccid_virtual_reader *reader;
    struct ccid_usb_port port;
    struct ccid_vpcd *vpcd;
    uint8_t in[1024]; /* the last message of the reader */
    size_t in_len;
} vpcd_bench;

/* Of cmocka. */
int vpcd_setup(void **state);
int vpcd_teardown(void **state);

/* ---- the program ----------------------------------------------------------------- */

int vpcd_dial(void);
void vpcd_say(int fd, const void *bytes, size_t len);
/* With the length before it. */
void vpcd_answer(int fd, const uint8_t *bytes, size_t len);
void vpcd_expect(int fd, const char *bytes, size_t len);
/* It is hung up on; what comes before does not matter. */
void vpcd_expect_end(int fd);

/* ---- the bus --------------------------------------------------------------------- */

void vpcd_out(const uint8_t *message, size_t len);
enum ccid_usb_result vpcd_control_abort(uint8_t slot, uint8_t seq);
/* The next message that does not ask for time: its bError. */
uint8_t vpcd_next_error(void);
/* The card is there and gets power. */
void vpcd_power_up(int fd);

#endif
