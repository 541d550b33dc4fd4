#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# load.sh - many clients at once: threads, processes, and waits while cards come and go.
#
# From the environment, beside lib.sh's: LOAD (load.c).
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse load
[ -n "$LOAD" ] || skip load 'no libpcsclite-dev'

readers=16
cycles=10000
if [ "$SANITIZE" != none ]; then
    cycles=1000 # with its own weight, the daemon is not what is measured
fi

all_there() {
    eventually 10 test -e "$mnt/reader$((readers - 1))/state"
}

# A client that has lost an event waits for it for ever: the limit ends it.
load() {
    LD_LIBRARY_PATH=$PCSC_DIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout 600 "$LOAD" "$@"
}

step 'readers' start_daemon --virtual=$readers
step 'all of them' all_there
step '100 threads with 10 contexts each' load threads 100 10
step '64 processes with transactions' load processes 64
step "32 clients, $cycles removals and insertions" load events 32 $cycles
if [ "$SANITIZE" = none ] && command -v valgrind >/dev/null; then
    step 'valgrind: no error and no leak in any of them' pcsc valgrind -q --leak-check=full \
        --error-exitcode=9 --errors-for-leak-kinds=definite,indirect,possible \
        "$LOAD" events 4 160
    step 'and in 10 threads with 10 contexts each' pcsc valgrind -q --leak-check=full \
        --error-exitcode=9 --errors-for-leak-kinds=definite,indirect,possible \
        "$LOAD" threads 10 10
else
    echo "SKIP leaks: no valgrind, or b_sanitize=$SANITIZE"
fi
step 'the daemon ends' stop_daemon
finish
