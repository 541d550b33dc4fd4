#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# vpcd.sh - cards that are programs of the vpicc protocol (--vpcd), good and bad ones.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse vpcd
command -v python3 >/dev/null || skip vpcd 'no python3'
r=$mnt/reader0
atr=3b88800154455354424544015d
socket=$dir/cards/socket
mkdir "$dir/cards"
cards=

# card ARGUMENT...: connects to the socket
card() {
    python3 "$(dirname "$0")/vpicc_card.py" "unix:$socket" "$@" >>"$log" 2>&1 &
    card=$!
    cards="$cards $card"
}

apdu() {
    exec 3<>"$r/transmit" && echo "$1" >&3 && read -r answer <&3
    result=$?
    exec 3>&-
    echo "$answer"
    return $result
}

gone() {
    kill -KILL "$card" 2>/dev/null
    eventually 10 grep -q absent "$r/state"
}

is_in() {
    eventually 10 grep -q "$atr" "$r/atr"
}

# mute WHAT MODE: a card of that mode has no ATR
mute() {
    card "$2"
    step "$1: a card is in" timeout 10 sh -c "cat '$r/events/present' >/dev/null"
    step "$1: without an ATR" not cat "$r/atr" 2>/dev/null
    step "$1: goes" gone
}

step 'the daemon listens' start_daemon "--vpcd=unix:$socket"
step 'the reader is there' eventually 10 test -e "$r/state"
is 'without a card' absent "$(cat "$r/state")"
is 'its name' 'scardfs Virtual PCD (0000) 00 00' "$(cat "$r/name")"

card
step 'a card connects' is_in
is 'it answers' 0102039000 "$(apdu 80E0000003010203)"
long=$(printf '%016000d' 0)
is 'a command of 8,007 bytes' "${long}9000" "$(apdu "80e00000001f40$long")"
step 'it goes' gone
is 'no ATR' 'No medium found' "$(message cat "$r/atr")"

mute 'no ATR' no-atr
mute 'an ATR of 34 bytes' long-atr

card chatty
step 'a card that speaks unasked is thrown out' eventually 10 ended "$card"
step 'and is out' eventually 10 grep -q absent "$r/state"

card short
step 'a card that answers a byte comes' is_in
step 'its answer is an error' not apdu 80E0000003010203
step 'it goes' gone

card half
step 'a card that hangs up comes' is_in
step 'its answer is an error' not apdu 80E0000003010203
step 'and it is out' eventually 10 grep -q absent "$r/state"

card
step 'a good one is good again' is_in
is 'it answers' 0102039000 "$(apdu 80E0000003010203)"
card
step 'the daemon ends with two of them connected' stop_daemon
step 'and leaves no socket' absent "$socket"

# ---- addresses -------------------------------------------------------------------------

step 'any port' start_daemon --vpcd=0
port=$(sed -n 's/.*cards may connect to port //p' "$log" | tail -n 1)
python3 "$(dirname "$0")/vpicc_card.py" "$port" >>"$log" 2>&1 &
cards="$cards $!"
step "a card connects to port $port" is_in
step 'the daemon ends' stop_daemon
for wrong in port 65536 unix: unix:relative unix:/nowhere/at/all; do
    step "--vpcd=$wrong is refused" refuses 1 . -f "--vpcd=$wrong" "$mnt"
done
for pid in $cards; do
    kill -KILL "$pid" 2>/dev/null
done
finish
