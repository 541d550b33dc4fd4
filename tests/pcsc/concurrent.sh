#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# concurrent.sh - calls of several threads and processes, each case in its own order, on
# a virtual reader.
#
# From the environment, beside lib.sh's: CONCURRENT (concurrent.c).
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse concurrent
[ -n "$CONCURRENT" ] || skip concurrent 'no libpcsclite-dev'

one_reader() {
    start_daemon --virtual "$@" && eventually 10 grep -q . "$mnt/reader0/atr"
}

step 'a reader' one_reader -o idle_limit=1
step 'readers come and go while threads wait' pcsc "$CONCURRENT" changes
step 'signals interrupt every call' pcsc "$CONCURRENT" signals
step 'transactions that are taken away, contexts that end' pcsc "$CONCURRENT" transactions
step 'children, and programs that close files' pcsc "$CONCURRENT" forks
step 'the daemon ends' stop_daemon
finish
