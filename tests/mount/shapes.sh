#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shapes.sh - virtual readers that look like real ones: --virtual=VID:PID and plug VID:PID.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse shapes

: "${SCARDFS_TEST_DATA:=$(dirname "$0")/../../../shared/data}"
export SCARDFS_TEST_DATA
data=$SCARDFS_TEST_DATA/ccid-readers.jsonl

# --- without the data
SCARDFS_TEST_DATA=$dir "$SCARDFS" --virtual=03EB:6011 "$mnt" 2>"$dir/complaint"
is 'without descriptions the daemon does not start' 1 $?
is 'and says what is missing' \
    "scardfs: virtual reader 03EB:6011: cannot read $dir/ccid-readers.jsonl: No such file or directory (SCARDFS_TEST_DATA names its folder)" \
    "$(head -n 1 "$dir/complaint")"
[ -r "$data" ] || skip shapes "$data: not there (SCARDFS_TEST_DATA names the folder)"

t1=02000000
pci=08000000

call() {
    reader=$1
    shift
    "$SCARDCALL" "$mnt/$reader/control" "$@"
}

# answers READER: the state, the ATR, and an APDU
answers() {
    is "$1: state" negotiable "$(cat "$mnt/$1/state")"
    is "$1: ATR" 3b88800154455354424544015d "$(cat "$mnt/$1/atr")"
    is "$1: T=1" "00000000 $t1" "$(call "$1" set_protocol $t1)"
    is "$1: SELECT" "00000000 $t1${pci}9000" "$(call "$1" transmit ${t1}${pci}00a40000023f00)"
    is "$1: GET DATA" "00000000 $t1${pci}000102039000" "$(call "$1" transmit ${t1}${pci}00ca000004)"
}

step 'a reader at TPDU level, and one with three slots' \
    start_daemon --virtual=03EB:6011 --virtual=076b:5400
step 'their slots appear' eventually 5 test -e "$mnt/reader3/state"
step 'a reader at short APDU level is plugged in' virtual 'plug 046a:00A3:1'
step 'it appears' eventually 5 test -e "$mnt/reader4/state"
for number in 0 1 2 3 4; do
    answers "reader$number"
done
is 'the maker of the first' Atmel "$(cat "$mnt/reader0/attributes/vendor_name")"
is 'of the second' 'HID Global' "$(cat "$mnt/reader3/attributes/vendor_name")"
step 'the card in the second slot goes' virtual 'remove reader2'
is 'it is absent' absent "$(cat "$mnt/reader2/state")"
answers_again=$(call reader1 transmit ${t1}${pci}00ca000001)
is 'the others are not' "00000000 $t1${pci}009000" "$answers_again"
step 'unplugged' virtual 'unplug reader1'
step 'all three slots go' eventually 5 absent "$mnt/reader3"
step 'the second, too' eventually 5 absent "$mnt/reader2"
is 'the first stays' 00000000 "$(call reader0 get_state | cut -c 1-8)"
is 'one that nobody has described is refused' 1 "$(virtual 'plug 1209:FFFF'; echo $?)"
step 'the daemon ends with status 0' stop_daemon
finish
