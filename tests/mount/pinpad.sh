#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pinpad.sh - PIN entry and escape commands through the mount, as a program finds them:
# by the list of features.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse pinpad

t1=02000000
pci=08000000
# Four to eight digits in ASCII within 30 s; a command without a place for them.
verify=1e008200000804020009040000000005000000
verify=${verify}0020008000
# The present PIN, the new one and the new one again.
modify=1e0082000000000804030203090400010200000005000000
modify=${modify}0024008000

# call CODE [INPUT]: NTSTATUS and output
call() {
    "$SCARDCALL" "$mnt/reader0/control" "$@"
}

# feature TAG: the control code that the list has for it
feature() {
    list=$(call 0x313520)
    list=${list#* }
    while [ -n "$list" ]; do
        rest=${list#????????????}
        entry=${list%"$rest"}
        case $entry in
        "$1"04*) echo "0x${entry#????}" ;;
        esac
        list=$rest
    done
}

verified() {
    call transmit ${t1}${pci}80e60000
}

step 'the daemon mounts' start_daemon --virtual=pinpad
step 'the reader appears' eventually 5 test -d "$mnt/reader0"
is 'T=1' "00000000 $t1" "$(call set_protocol 03000000)"
is 'VERIFY_PIN_DIRECT is offered' 0x00313538 "$(feature 06)"
is 'MODIFY_PIN_DIRECT is' 0x0031353c "$(feature 07)"
is 'IFD_PIN_PROPERTIES are' 0x00313548 "$(feature 0a)"
is 'escape is not' '' "$(feature 13)"
is 'two lines of 16 characters' '00000000 10020700' "$(call "$(feature 0a)")"
is 'nothing is verified' "00000000 $t1${pci}6982" "$(verified)"
is 'the user types' '00000000 9000' "$(call "$(feature 06)" $verify)"
is 'the card says verified' "00000000 $t1${pci}9000" "$(verified)"
step 'he will type a wrong one' virtual 'type reader0 111111'
is 'the card says so' '00000000 63c2' "$(call "$(feature 06)" $verify)"
step 'he will cancel' virtual 'type reader0 cancel'
is 'SW 6401' '00000000 6401' "$(call "$(feature 06)" $verify)"
step 'he will change it' virtual 'type reader0 123456/4321/4321'
is 'changed' '00000000 9000' "$(call "$(feature 07)" $modify)"
step 'he will type the new one' virtual 'type reader0 4321'
is 'verified' '00000000 9000' "$(call "$(feature 06)" $verify)"
is 'a structure that lies' 'c000000d EINVAL' "$(call "$(feature 06)" ${verify}00)"
is 'a structure that is too short' 'c000000d EINVAL' "$(call "$(feature 06)" 1e00)"
is 'escape is refused' 'c0000022 EACCES' "$(call 0x3136b0 0102)"
is 'the clock stops' '00000000 ' "$(call 0x3136b4 01000000)"
is 'and starts' '00000000 ' "$(call 0x3136b4 00000000)"
is 'the card has noticed nothing' "00000000 $t1${pci}9000" "$(verified)"

# --- a caller that is killed while the user types
step 'he will not type' virtual 'type reader0 timeout'
"$SCARDCALL" "$mnt/reader0/control" "$(feature 06)" $verify >"$dir/killed" 2>&1 &
caller=$!
# in_call: it has opened the file, so that it sleeps in nothing but the call
in_call() {
    [ "$(readlink "/proc/$caller/fd/3")" = "$mnt/reader0/control" ] &&
        grep -q '^State:.[SD]' "/proc/$caller/status"
}
step 'the caller waits' eventually 5 in_call
kill -9 $caller
wait $caller 2>/dev/null
is 'the entry is over, and the card without power' swallowed \
    "$(eventually 5 grep -q swallowed "$mnt/reader0/state"; cat "$mnt/reader0/state")"
is 'the next caller has his turn' 00000000 "$(call power 01000000 | cut -c 1-8)"
step 'the daemon ends with status 0' stop_daemon

step 'the daemon mounts with escape' start_daemon --virtual -o escape
step 'the reader appears' eventually 5 test -d "$mnt/reader0"
is 'escape is offered' 0x003136b0 "$(feature 13)"
is 'a PIN pad is not' '' "$(feature 06)"
is 'bytes come back' '00000000 030201' "$(call "$(feature 13)" 010203)"
step 'the card goes' virtual 'remove reader0'
is 'without a card, too' '00000000 0201' "$(call "$(feature 13)" 0102)"
step 'the daemon ends with status 0' stop_daemon
finish
