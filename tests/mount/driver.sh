#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# driver.sh - the example driver of contrib/examples, loaded by -o driver=FILE: its reader,
# cards that connect, answer, misbehave and die; and files that are not drivers.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse driver
command -v python3 >/dev/null || skip driver 'no python3, which the card is written in'

atr=3b88800154455354424544015d
r=$mnt/reader0
VPICC_LISTEN=unix:$dir/vpicc.sock
export VPICC_LISTEN
card=
target=$mnt # of refuses_driver

# start_card [MODE]: in the background
start_card() {
    python3 "$(dirname "$0")/vpicc_card.py" "$VPICC_LISTEN" "$@" >>"$log" 2>&1 &
    card=$!
}

kill_card() {
    kill -KILL "$card"
    wait "$card" 2>/dev/null
    eventually 5 state_is absent
}

state_is() {
    [ "$(cat "$r/state")" = "$1" ]
}

call() {
    "$SCARDCALL" "$r/control" "$@"
}

# apdu HEX: by T=1; what follows the SCARD_IO_REQUEST in the answer, or the whole complaint
apdu() {
    call transmit "0200000008000000$1" 9000 | sed 's/^00000000 0200000008000000//'
}

# with_card MODE: connects one, powered up and with T=1
with_card() {
    start_card "$@"
    eventually 5 state_is negotiable && call set_protocol 02000000 >"$dir/out"
}

# refuses_driver FILE PATTERN: the daemon does not start, and says why in a sentence
refuses_driver() {
    refuses 1 "$2" -f -o "listen=$dir,driver=$1" "$target" && ! grep -q " $target fuse" /proc/self/mounts
}

# --- the reader
step 'the daemon mounts' start_daemon -o listen="$dir",driver="$VPICC_READER"
step 'the reader is there' eventually 5 test -d "$r"
is 'its name' 'vpicc Socket Reader 00 00' "$(cat "$r/name")"
is 'its vendor' vpicc "$(cat "$r/attributes/vendor_name")"
is 'its state' absent "$(cat "$r/state")"
is 'a reset without a card' 'c0000178 ENOMEDIUM' "$(call power 01000000)"

# --- a card
cat "$r/events/present" >"$dir/present" 2>&1 &
waiter=$!
step 'a reader of events/present waits' eventually 5 waits "$waiter" "$r/events/present"
start_card
step 'a card that connects wakes it' wait "$waiter"
is 'its ATR' "$atr" "$(cat "$r/atr")"
is 'it has been reset' negotiable "$(cat "$r/state")"
is 'a cold reset' "00000000 $atr" "$(call power 01000000)"
is 'a protocol' '00000000 02000000' "$(call set_protocol 03000000)"
is 'SELECT' 9000 "$(apdu 00a4040008f054455354424544)"
is 'ECHO' aabb9000 "$(apdu 80e0000002aabb)"
is 'GET DATA' 00010203040506079000 "$(apdu 00ca000008)"
is 'an unknown command' 6d00 "$(apdu 00ff0000)"
is 'one byte, which would be an order' 'c000000d EINVAL' "$(apdu ff)"
long=$(printf '%016000d' 0)
is 'ECHO, extended' "${long}9000" "$(apdu "80e00000001f40$long")"
is 'a warm reset' "00000000 $atr" "$(call power 02000000)"
is 'the protocol is to be selected again' 'c0000184 EBADFD' "$(apdu 00ca000008)"
is 'it is' '00000000 02000000' "$(call set_protocol 02000000)"
is 'the card has seen three resets' 000000039000 "$(apdu 80e80000)"
is 'power down' '00000000 ' "$(call power 00000000)"
is 'its state' swallowed "$(cat "$r/state")"

# --- hanging up
is 'a cold reset' "00000000 $atr" "$(call power 01000000)"
is 'T=0 this time' '00000000 01000000' "$(call set_protocol 01000000)"
cat "$r/events/absent" >"$dir/absent" 2>&1 &
waiter=$!
step 'a reader of events/absent waits' eventually 5 waits "$waiter" "$r/events/absent"
"$SCARDCALL" "$r/control" transmit 010000000800000080e42710 >"$dir/running" &
running=$!
step 'an APDU of 10 s runs' eventually 5 waits "$running" "$r/control"
step 'the card is killed' kill_card
step 'events/absent ends' wait "$waiter"
step 'the APDU ends' not wait "$running"
is 'without a medium' 'c0000178 ENOMEDIUM' "$(cat "$dir/running")"
is 'the counter has gone up by one' "$(($(cat "$dir/present") + 1))" "$(cat "$dir/absent")"
is 'atr has no medium' 'No medium found' "$(message cat "$r/atr")"

# --- an APDU that is given up
step 'another card' with_card
"$SCARDCALL" "$r/control" transmit 020000000800000080e403e8 >"$dir/running" &
running=$!
step 'an APDU of 1 s runs' eventually 5 waits "$running" "$r/control"
kill -TERM "$running"
step 'its caller is killed' eventually 1 ended "$running"
wait "$running" 2>/dev/null
is 'its late answer is not that of the next' aabb9000 "$(apdu 80e0000002aabb)"
is 'it has been reset once' 000000019000 "$(apdu 80e80000)"
first=$card
before=$(cat "$r/events/present")
start_card
kill -KILL "$first"
wait "$first" 2>/dev/null
step 'a second card comes when the first has gone' \
    eventually 5 sh -c "[ \"\$(cat $r/events/present)\" = $((before + 2)) ]"
is 'and is reset' "$atr" "$(cat "$r/atr")"
is 'T=1' '00000000 02000000' "$(call set_protocol 02000000)"
"$SCARDCALL" "$r/control" transmit 020000000800000080e4ea60 >"$dir/running" &
running=$!
step 'an APDU of 60 s runs' eventually 5 waits "$running" "$r/control"
kill -TERM "$daemon"
step 'a daemon that is told to end ends it' eventually 10 ended "$running"
not wait "$running"
is 'with ENODEV' 'c00002b6 ENODEV' "$(cat "$dir/running")"
step 'and ends' stop_daemon
kill -KILL "$card" # it still works on the APDU
wait "$card" 2>/dev/null
step 'and leaves no socket' absent "$dir/vpicc.sock"

# --- cards that misbehave; -o power=lazy, so that each is asked for its ATR here
step 'the daemon mounts' start_daemon -o power=lazy,listen="$dir",driver="$VPICC_READER"
step 'the reader is there' eventually 5 test -d "$r"
for mode in no-atr long-atr; do
    start_card "$mode"
    step "a card ($mode)" eventually 5 state_is swallowed
    is 'is not understood' 'c0000014 EMEDIUMTYPE' "$(call power 01000000)"
    is 'and stays in, unpowered' swallowed "$(cat "$r/state")"
    step 'it is taken out' kill_card
done
# misbehaves MODE STATUS: the answer to an APDU
misbehaves() {
    start_card "$1"
    step "a card ($1)" eventually 5 state_is swallowed
    call power 01000000 >"$dir/out"
    call set_protocol 02000000 >>"$dir/out"
    is 'gives a clear error' "$2" "$(apdu 80e0000001aa)"
}
misbehaves short 'c0000186 EPROTO'
step 'its reader remembers it' grep -q 'without a status word' "$r/last_error"
step 'it is taken out' kill_card
misbehaves half 'c0000178 ENOMEDIUM'
step 'it has hung up' eventually 5 state_is absent
wait "$card"
misbehaves chatty 'c0000186 EPROTO'
step 'it is thrown out' eventually 5 state_is absent
kill "$card" 2>/dev/null
wait "$card" 2>/dev/null
step 'a good card is served' start_card
step 'it is in' eventually 5 state_is swallowed
is 'its ATR' "00000000 $atr" "$(call power 01000000)"

# --- a killed daemon, and virtual readers beside
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
wait "$card" 2>/dev/null
daemon=
step 'a killed daemon leaves its socket' test -S "$dir/vpicc.sock"
step 'the next one takes it over' start_daemon --virtual -o listen="$dir",driver="$VPICC_READER"
step 'both readers are there' eventually 5 test -d "$mnt/reader1"
is 'the socket comes first' 'vpicc Socket Reader 00 00' "$(cat "$r/name")"
is 'the virtual card' "$atr" "$(cat "$mnt/reader1/atr")"
step 'virtual is not for the readers of others' not virtual 'insert reader0'
is 'which stay as they are' absent "$(cat "$r/state")"
step 'but for its own' virtual 'remove reader1'
step 'the daemon ends with status 0' stop_daemon

# --- by TCP
VPICC_LISTEN=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
step 'the daemon mounts' start_daemon -o listen="$dir",driver="$VPICC_READER"
step 'a card by TCP' with_card
is 'ECHO' aabb9000 "$(apdu 80e0000002aabb)"
step 'it is taken out' kill_card
mkdir "$dir/other"
target=$dir/other
step 'a second driver finds the port taken' refuses_driver "$VPICC_READER" 'Address already in use'
target=$mnt
step 'the daemon ends with status 0' stop_daemon

# --- what is not a driver
step 'a file that is not there' refuses_driver "$dir/none.so" "$dir/none.so: No such file"
echo nonsense >"$dir/text.so"
step 'a file that is no shared object' refuses_driver "$dir/text.so" "$dir/text.so cannot be loaded"
step 'a library without DriverEntry' refuses_driver "$LIBSMCLIB" 'has no DriverEntry'
VPICC_LISTEN=nonsense
step 'a DriverEntry that fails' refuses_driver "$VPICC_READER" "failed to start: STATUS_INVALID_PARAMETER"
step 'for a reason that is told' grep -q 'VPICC_LISTEN=nonsense' "$dir/said"
step 'no name at all' not timeout 10 "$SCARDFS" -f -o driver= "$mnt" 2>"$dir/said"
finish
