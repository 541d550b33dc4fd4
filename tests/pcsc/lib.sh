# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2317,SC2034  # sourced
#
# lib.sh - what the scripts of this folder share beyond ../mount/lib.sh: programs that find
# this library, and two readers: reader0 with the built-in card, reader1 with a card that
# is another process.
#
# From the environment: SCARDFS, PCSC_DIR (of libpcsclite.so.1), SANITIZE.
. "$(dirname "$0")/../mount/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
vpicc_card=$here/../mount/vpicc_card.py
card=

# Nobody shall be helped by a pcscd that may run on this machine.
PCSCLITE_CSOCK_NAME=$dir/nobody
SCARDFS_MOUNT=$mnt
export PCSCLITE_CSOCK_NAME SCARDFS_MOUNT

# pcsc COMMAND...: a program that finds this library
pcsc() {
    LD_LIBRARY_PATH=$PCSC_DIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout 60 "$@"
}

# A program without a sanitizer does not load a library with one.
need_plain() {
    [ "$SANITIZE" = none ] || skip "$1" "programs from packages, with b_sanitize=$SANITIZE"
}

# insert_card: a card process is connected and its ATR known
insert_card() {
    python3 "$vpicc_card" "unix:$dir/vpicc.sock" >>"$log" 2>&1 &
    card=$!
    eventually 10 grep -q . "$mnt/reader1/atr"
}

start_two_readers() {
    start_daemon --virtual "--vpcd=unix:$dir/vpicc.sock" "$@" &&
        eventually 10 test -S "$dir/vpicc.sock" && insert_card
}

stop_two_readers() {
    kill "$card"
    stop_daemon
}
