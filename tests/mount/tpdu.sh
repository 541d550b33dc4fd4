#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tpdu.sh - commands through readers at TPDU level: emulated USB readers with a T=0 and a
# T=1 card, and the virtual readers of these shapes.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse tpdu

t0=01000000
t1=02000000
pci=08000000

# call READER CODE [INPUT]: NTSTATUS and output
call() {
    reader=$1
    shift
    "$SCARDCALL" "$mnt/$reader/control" "$@"
}

# t0_card READER: the same on every reader with a T=0 card
t0_card() {
    is "$1: T=1 is not for this card" 'c00000bb EOPNOTSUPP' "$(call "$1" set_protocol $t1)"
    is "$1: T=0 is" "00000000 $t0" "$(call "$1" set_protocol 03000000)"
    is "$1: SELECT" "00000000 $t0${pci}9000" "$(call "$1" transmit ${t0}${pci}00a40000023f00)"
    is "$1: GET DATA" "00000000 $t0${pci}000102039000" "$(call "$1" transmit ${t0}${pci}00ca000004)"
    is "$1: 61xx comes back" "00000000 $t0${pci}6102" "$(call "$1" transmit ${t0}${pci}80e00000021122)"
    is "$1: GET RESPONSE" "00000000 $t0${pci}11229000" "$(call "$1" transmit ${t0}${pci}00c0000002)"
    is "$1: 6Cxx comes back" "00000000 $t0${pci}6c10" "$(call "$1" transmit ${t0}${pci}80e2001000)"
    is "$1: a malformed SELECT is refused" 'c000000d EINVAL' "$(call "$1" transmit ${t0}${pci}00a400000800)"
}

t1_card() {
    is "$1: T=0 is not for this card" 'c00000bb EOPNOTSUPP' "$(call "$1" set_protocol $t0)"
    is "$1: T=1 is" "00000000 $t1" "$(call "$1" set_protocol 03000000)"
    is "$1: SELECT" "00000000 $t1${pci}9000" "$(call "$1" transmit ${t1}${pci}00a40000023f00)"
    long=$(call "$1" transmit ${t1}${pci}80e202bc)
    is "$1: 700 bytes in several blocks" "00000000 $t1${pci}000102 1429" "$(printf %.31s "$long") ${#long}"
    is "$1: and the next command" "00000000 $t1${pci}000102039000" "$(call "$1" transmit ${t1}${pci}00ca000004)"
}

# --- emulated USB readers below libusb
step 'the daemon mounts' start_emulated '1-1:level=tpdu,card=1;1-2:level=tpdu,card=1,atr=3B84015445535493'
step 'both readers appear' eventually 5 test -d "$mnt/reader1"
eventually 5 test -d "$mnt/reader0"
# whichever came first
if [ "$(cat "$mnt/reader0/atr")" = 3b0454455354 ]; then first=0; else first=1; fi
is 'the ATR of the T=0 card' 3b0454455354 "$(cat "$mnt/reader$first/atr")"
is 'the ATR of the T=1 card' 3b84015445535493 "$(cat "$mnt/reader$((1 - first))/atr")"
t0_card "reader$first"
t1_card "reader$((1 - first))"
step 'the daemon ends with status 0' stop_daemon

# --- virtual readers, their PPS and S(IFS request) left to the host
step 'the daemon mounts' start_daemon --virtual=tpdu --virtual=tpdu-t1
is 'the ATR of the T=0 card' 3b951840ff6201020104 "$(cat "$mnt/reader0/atr")"
is 'the ATR of the T=1 card' 3b97118131fe45736361726454318f "$(cat "$mnt/reader1/atr")"
t0_card reader0
is 'the rate of the PPS is in force' 12 "$(cat "$mnt/reader0/attributes/current_d")"
t1_card reader1
is 'IFSD was asked for' 254 "$(cat "$mnt/reader1/attributes/current_ifsd")"
is 'a card that falls silent' 'c00000b5 ETIMEDOUT' "$(call reader1 transmit ${t1}${pci}800001000111)"
is 'comes back with a reset' 00000000 "$(call reader1 power 01000000 | cut -c 1-8)"

# --- a reader that moves the card
step 'a reader with mechanics is plugged in' virtual 'plug mechanical'
step 'it appears' eventually 5 test -d "$mnt/reader2"
is 'its card gets power by itself' 3b88800154455354424544015d "$(cat "$mnt/reader2/atr")"
is 'ejected' '00000000 ' "$(call reader2 eject)"
is 'it is at the mouth' present "$(cat "$mnt/reader2/state")"
is 'swallowed' '00000000 ' "$(call reader2 swallow)"
is 'it is in position' swallowed "$(cat "$mnt/reader2/state")"
is 'confiscated' '00000000 ' "$(call reader2 confiscate)"
is 'it is gone' absent "$(cat "$mnt/reader2/state")"
is 'a shape that nobody knows is refused' 1 "$(virtual 'plug cube'; echo $?)"
step 'the daemon ends with status 0' stop_daemon
finish
