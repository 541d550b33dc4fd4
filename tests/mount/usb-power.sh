#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usb-power.sh - autosuspend on the emulated bus: a reader without a card may sleep, its
# remote wake-up brings the news of a card, and every permission is taken back in time.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse usb-power

r=$mnt/reader0
atr=3b88800154455354424544015d

# power: asleep, allowed, and how often it was allowed and forbidden
power() {
    "$USBEMU_CTL_PROGRAM" "$emu" power 1-1 |
        sed 's/^ok asleep \([0-9]*\) allowed \([0-9]*\) allows \([0-9]*\) forbids \([0-9]*\).*/\1 \2 \3 \4/'
}

power_is() {
    [ "$(power)" = "$1" ]
}

# awake, not allowed to sleep, and forbidden as often as allowed
balanced() {
    power | {
        read -r asleep allowed allows forbids
        [ "$asleep $allowed" = '0 0' ] && [ "$allows" = "$forbids" ]
    }
}

state_is() {
    [ "$(cat "$r/state")" = "$1" ]
}

# Those of libfuse, of which there may be more when there has been more to do, do not count:
# they wait for the kernel's next request, which only root can see.
threads() {
    for task in "/proc/$daemon/task"/*; do
        grep -q fuse_dev "$task/wchan" 2>/dev/null || echo "$task"
    done | wc -l
}

threads_are() {
    [ "$(threads)" -le "$1" ]
}

plugged() {
    step "plugged in: $1" ctl plug 1-1 "$1"
    step 'it appears' eventually 5 test -d "$r"
}

unplugged() {
    step 'unplugged' ctl unplug 1-1
    step 'gone' eventually 5 absent "$r"
}

step 'the daemon mounts' start_emulated ''

plugged level=short,card=0,wake=1
step 'empty, it may sleep' eventually 5 power_is '0 1 1 0'
before=$(threads)
if [ "$(id -u)" = 0 ]; then spare=1; else spare=2; fi # one waits for work, one of libfuse
step 'it does' ctl suspend 1-1
is 'it sleeps' '1 1 1 0' "$(power)"
step 'a card comes' ctl insert 1-1
step 'and is seen' eventually 5 state_is negotiable
is 'its ATR' "$atr" "$(cat "$r/atr")"
step 'the reader may not sleep any more' eventually 5 balanced
is 'nor does it' 1 "$(ctl suspend 1-1; echo $?)"
is 'a command works' '00000000 02000000' "$("$SCARDCALL" "$r/control" set_protocol 03000000)"
step 'the card goes' ctl remove 1-1
step 'and is seen to' eventually 5 state_is absent
step 'the reader may sleep again' eventually 5 ctl suspend 1-1
step 'somebody else wakes it up' ctl wake 1-1
step 'it may sleep again' eventually 5 ctl suspend 1-1
step 'a card comes' ctl insert 1-1
step 'and is seen' eventually 5 state_is negotiable
step 'nothing waits any more' eventually 5 threads_are "$((before + spare))"
step 'the card goes' ctl remove 1-1
step 'the reader sleeps' eventually 5 ctl suspend 1-1
unplugged

plugged level=short,card=0,wake=1
step 'empty, it may sleep' eventually 5 power_is '0 1 1 0'
step 'its interrupt endpoint halts' ctl halt 1-1 1
step 'it may sleep once that is started again' eventually 5 power_is '0 1 2 1'
step 'it does' ctl suspend 1-1
step 'a card comes' ctl insert 1-1
step 'and is seen' eventually 5 state_is negotiable
unplugged

plugged level=short,card=0
is 'without remote wake-up it may not sleep' '0 0 0 0' "$(power)"
step 'a card comes' ctl insert 1-1
step 'and is seen' eventually 5 state_is negotiable
unplugged
plugged level=short,card=0,wake=1,intr=0
is 'nor without an interrupt endpoint' '0 0 0 0' "$(power)"
unplugged
plugged level=short,card=0,wake=1,vid=0783,pid=0003
is 'nor one that does not survive it' '0 0 0 0' "$(power)"
unplugged

plugged level=short,card=0,wake=1
step 'asleep' eventually 5 ctl suspend 1-1
step 'the daemon ends with status 0' stop_daemon
finish
