#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usb-levels.sh - emulated USB readers of every kind through an unmodified libusb: TPDU by
# T=0 and T=1, short and extended APDUs, several slots one after the other and at once,
# several interfaces, the class descriptor in an odd place.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse usb-levels

t0=01000000
t1=02000000
pci=08000000

# call READER CODE [INPUT]: NTSTATUS and output
call() {
    reader=$1
    shift
    "$SCARDCALL" "$mnt/$reader/control" "$@"
}

# apdu READER PROTOCOL HEX: what comes back behind the SCARD_IO_REQUEST
apdu() {
    call "$1" transmit "$2$pci$3" 16000 | sed "s/^00000000 $2$pci//"
}

readers() {
    n=0
    for reader in "$mnt"/reader*; do
        [ -d "$reader" ] && n=$((n + 1))
    done
    echo "$n"
}

are() {
    [ "$(readers)" = "$1" ]
}

# bytes N: of zeros, in hex
bytes() {
    printf "%0$(($1 * 2))d" 0
}

# card READER PROTOCOL: state, ATR, a protocol, commands of every case
card() {
    step "$1: its card has an ATR" test -n "$(cat "$mnt/$1/atr")"
    is "$1: its state" negotiable "$(cat "$mnt/$1/state")"
    is "$1: the protocol" "00000000 $2" "$(call "$1" set_protocol 03000000)"
    is "$1: case 1" 6d00 "$(apdu "$1" "$2" 00ff0000)"
    is "$1: case 2" 000102039000 "$(apdu "$1" "$2" 00ca000004)"
    is "$1: case 3" 9000 "$(apdu "$1" "$2" 00a4040008f054455354424544)"
    if [ "$2" = $t0 ]; then
        is "$1: case 4" 6102 "$(apdu "$1" "$2" 80e00000021122)"
        is "$1: and its GET RESPONSE" 11229000 "$(apdu "$1" "$2" 00c0000002)"
    else
        is "$1: case 4" 11229000 "$(apdu "$1" "$2" 80e0000002112200)"
    fi
    is "$1: its state" specific "$(cat "$mnt/$1/state")"
}

# reader WHAT OPTIONS PROTOCOL: one alone
reader() {
    echo "--- $1"
    step 'plugged in' ctl plug 1-1 "$2"
    step 'it appears' eventually 5 are 1
    card reader0 "$3"
}

unplugged() {
    step 'unplugged' ctl unplug 1-1
    step 'gone' eventually 5 are 0
}

# echoes N: so many bytes there and back in one extended APDU at T=1
echoes() {
    is "$1 bytes each way" "$(bytes "$1")9000" \
        "$(apdu reader0 $t1 "$(printf '80e0000000%04x' "$1")$(bytes "$1")0000")"
}

step 'the daemon mounts' start_emulated ''

reader 'TPDU, T=0' level=tpdu,card=1 $t0
unplugged
reader 'TPDU, T=1' level=tpdu,card=1,atr=3B84015445535493 $t1
echoes 300
unplugged
reader 'short APDUs' level=short,card=1 $t1
is '255 bytes each way' "$(bytes 255)9000" "$(apdu reader0 $t1 "80e00000ff$(bytes 255)00")"
unplugged
reader 'extended APDUs' level=ext,card=1 $t1
echoes 7000
unplugged
reader 'extended APDUs in messages of 271 bytes' level=ext,card=1,maxmsg=271 $t1
echoes 7000
unplugged
reader 'full speed, the class descriptor behind the endpoints' level=short,card=1,hs=0,after=1 $t1
unplugged
# bytes of CCID 1.1 table 5.1-1: one slot, 5 and 3 V, T=0 and T=1, 3.58 MHz, short APDUs
reader 'a class descriptor byte by byte' "card=1,class=$(printf %s \
    3621 1001 00 03 03000000 fc0d0000 fc0d0000 00 00260000 00260000 00 fe000000 \
    00000000 00000000 ba040200 0f010000 ff ff 0000 00 01)" $t1
is 'its clock' 3580 "$(cat "$mnt/reader0/attributes/default_clk")"
unplugged

# --- no interrupt endpoint: the reader is asked
echo '--- no interrupt endpoint'
step 'plugged in' ctl plug 1-1 level=short,card=0,intr=0
step 'it appears' eventually 5 are 1
is 'it is empty' absent "$(cat "$mnt/reader0/state")"
cat "$mnt/reader0/events/present" >"$dir/present" 2>&1 &
waiter=$!
step 'somebody waits for a card' eventually 5 waits "$waiter" "$mnt/reader0/events/present"
step 'a card is put in' ctl insert 1-1
step 'it is noticed' wait "$waiter"
card reader0 $t1
cat "$mnt/reader0/events/absent" >"$dir/absent" 2>&1 &
waiter=$!
step 'somebody waits for its removal' eventually 5 waits "$waiter" "$mnt/reader0/events/absent"
step 'it is taken out' ctl remove 1-1
step 'that is noticed' wait "$waiter"
unplugged

# --- several slots: each has its card, its state, its answers
for busy in 1 2; do
    echo "--- four slots, $busy at once"
    step 'plugged in' ctl plug 1-1 "level=short,slots=4,card=3,busy=$busy"
    step 'four readers appear' eventually 5 are 4
    for n in 0 1 2; do
        card reader$n $t1
    done
    is 'the fourth is empty' absent "$(cat "$mnt/reader3/state")"
    step 'a card is put into it' ctl insert 1-1@3
    step 'it has come' eventually 5 test "$(head -n 1 "$mnt/reader3/events/present")" -gt 0
    card reader3 $t1
    # a command of 1.5 s in one slot, then a short one in another
    "$SCARDCALL" "$mnt/reader0/control" transmit "$t1${pci}80e405dc" >"$dir/long" &
    long=$!
    step 'a command runs in the first' eventually 5 waits "$long" "$mnt/reader0/control"
    is 'the second answers' 000102039000 "$(apdu reader1 $t1 00ca000004)"
    if [ $busy = 1 ]; then
        step 'after the first' eventually 1 ended "$long"
    else
        step 'before the first' not ended "$long"
    fi
    step 'the first answers' wait "$long"
    is 'as it should' "00000000 $t1${pci}9000" "$(cat "$dir/long")"
    step 'a card is taken out' ctl remove 1-1@1
    step 'its reader says so' grep -q . "$mnt/reader1/events/absent"
    is 'the others work on' 000102039000 "$(apdu reader2 $t1 00ca000004)"
    unplugged
done

# --- two interfaces: two readers of one slot each
echo '--- two interfaces'
step 'plugged in' ctl plug 1-1 level=short,card=1,interfaces=2
step 'two readers appear' eventually 5 are 2
card reader0 $t1
card reader1 $t1
"$SCARDCALL" "$mnt/reader0/control" transmit "$t1${pci}80e405dc" >"$dir/long" &
long=$!
step 'a command runs in one' eventually 5 waits "$long" "$mnt/reader0/control"
is 'the other answers' 000102039000 "$(apdu reader1 $t1 00ca000004)"
step 'before the first' not ended "$long"
step 'the first answers' wait "$long"
step 'a card is taken out of one' ctl remove 1-1
step 'one of the readers is empty' eventually 5 grep -q absent "$mnt/reader0/state" "$mnt/reader1/state"
unplugged

step 'the daemon ends with status 0' stop_daemon
finish
