#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sleep.sh - the machine sleeps and wakes up, as logind tells it on a private bus: cards
# lose their power in time, requests during the sleep are refused, and afterwards a card
# counts as a new one. FAKE_LOGIND names the program that plays logind.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse sleep
[ -n "$FAKE_LOGIND" ] || skip sleep 'built without libsystemd'
command -v dbus-daemon >/dev/null || skip sleep 'no dbus-daemon'

r=$mnt/reader0
t1=0200000008000000
bus=
logind=

kill_bus() {
    status=$?
    [ -z "$bus" ] || kill "$bus" 2>/dev/null
    [ -z "$logind" ] || kill "$logind" 2>/dev/null
    (exit "$status")
    cleanup
}
trap kill_bus EXIT

start_bus() {
    cat >"$dir/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$dir/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
CONF
    dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile 2>>"$log" &
    bus=$!
    eventually 5 test -S "$dir/bus"
}

start_logind() {
    "$FAKE_LOGIND" <"$dir/ask" >"$dir/answer" 2>>"$log" &
    logind=$!
}

# ask COMMAND: what logind answers
ask() {
    echo "$1" >&6
    read -r answer <&7
    echo "$answer"
}

holds() {
    [ "$(ask locks)" = "locks $1" ]
}

call() {
    "$SCARDCALL" "$r/control" "$@"
}

state_is() {
    [ "$(cat "$r/state")" = "$1" ]
}

DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus
export DBUS_SYSTEM_BUS_ADDRESS
mkfifo "$dir/ask" "$dir/answer"
step 'a bus starts' start_bus
start_logind
exec 6>"$dir/ask" 7<"$dir/answer"
read -r answer <&7
is 'logind is there' ready "$answer"

step 'the daemon mounts' start_daemon --virtual
step 'it holds a delay lock' eventually 5 holds 1
is 'the card is powered' 3b88800154455354424544015d "$(cat "$r/atr")"
is 'a protocol is selected' '00000000 02000000' "$(call set_protocol 03000000)"
is 'its state' specific "$(cat "$r/state")"
before=$(head -n 1 "$r/events/present")

# --- asleep
is 'the machine sleeps when the card is off' asleep "$(ask sleep)"
is 'the state is' swallowed "$(cat "$r/state")"
is 'the ATR stays readable' 3b88800154455354424544015d "$(cat "$r/atr")"
is 'a reset is refused' '8000000f EHOSTDOWN' "$(call power 00000000)"
is 'the state is still' swallowed "$(cat "$r/state")"
is 'nothing is counted yet' "$before" "$(head -n 1 "$r/events/present")"
cat "$r/events/absent" >"$dir/absent" 2>&1 &
waiter=$!
step 'somebody waits for a removal' eventually 5 waits "$waiter" "$r/events/absent"

# --- awake: the card that is still there counts as taken out and put in
is 'the machine wakes up' awake "$(ask wake)"
step 'the card is powered again' eventually 5 state_is negotiable
is 'presence has changed twice' "$((before + 2))" "$(head -n 1 "$r/events/present")"
is 'a protocol is to be selected again' 'c0000184 EBADFD' "$(call transmit ${t1}80e8000004)"
is 'it is' '00000000 02000000' "$(call set_protocol 03000000)"
is 'and works: the card has had a reset' "00000000 ${t1}000000019000" \
    "$(call transmit ${t1}80e8000004)"
step 'the lock is taken again' eventually 5 holds 1
kill "$waiter" 2>/dev/null
wait "$waiter" 2>/dev/null

# --- nothing in before and after: nothing has changed
step 'the card is taken out' virtual 'remove reader0'
step 'it is' state_is absent
before=$(head -n 1 "$r/events/absent")
is 'an empty reader sleeps' asleep "$(ask sleep)"
is 'and wakes up' awake "$(ask wake)"
step 'the lock is taken again' eventually 5 holds 1
is 'without a change' "$before" "$(head -n 1 "$r/events/absent")"

# --- a card put in during the sleep
is 'it sleeps again' asleep "$(ask sleep)"
step 'a card is put in meanwhile' virtual 'insert reader0'
is 'it wakes up' awake "$(ask wake)"
step 'the card is powered' eventually 5 state_is negotiable

# --- a reader that is busy does not keep the machine awake for ever
is 'a protocol is selected' '00000000 02000000' "$(call set_protocol 03000000)"
step 'the lock is taken again' eventually 5 holds 1
"$SCARDCALL" "$r/control" transmit ${t1}80e41388 >"$dir/long" &
long=$!
step 'a command of 5 s runs' eventually 5 waits "$long" "$r/control"
is 'the machine sleeps within the delay' asleep "$(ask sleep)"
is 'it wakes up' awake "$(ask wake)"
step 'the command ends' wait "$long"
is 'with its answer' "00000000 ${t1}9000" "$(cat "$dir/long")"
step 'the card gets its reset then' eventually 5 state_is negotiable

# --- the bus goes
kill "$bus"
wait "$bus" 2>/dev/null
bus=
step 'without a bus there is a line in the log' eventually 5 grep -q 'system bus is gone' "$log"
is 'the reader works on' '00000000 02000000' "$(call set_protocol 03000000)"
step 'the daemon ends with status 0' stop_daemon
finish
