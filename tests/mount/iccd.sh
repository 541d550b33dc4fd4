#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# iccd.sh - tokens that are their own card, without bulk endpoints, through an unmodified
# libusb: version A by T=0, version B with APDUs in parts.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse iccd

atr=3b88800154455354424544015d
t0=01000000
t1=02000000
pci=08000000
control=$mnt/reader0/control

# apdu PROTOCOL HEX: what comes back behind the SCARD_IO_REQUEST
apdu() {
    "$SCARDCALL" "$control" transmit "$1$pci$2" 16000 | sed "s/^00000000 $1$pci//"
}

# bytes N: of zeros, in hex
bytes() {
    printf "%0$(($1 * 2))d" 0
}

# seconds COMMAND...: how long it takes, rounded down
seconds() {
    started=$(date +%s)
    "$@" >/dev/null
    echo $(($(date +%s) - started))
}

# token OPTIONS PROTOCOL: plugged in, its card powered
token() {
    step 'plugged in' ctl plug 1-1 "$1"
    step 'it appears' eventually 5 test -d "$mnt/reader0"
    is 'its ATR' $atr "$(cat "$mnt/reader0/atr")"
    is 'its state' negotiable "$(cat "$mnt/reader0/state")"
    is 'the protocol' "00000000 $2" "$("$SCARDCALL" "$control" set_protocol 03000000)"
    is 'case 1' 6d00 "$(apdu "$2" 00ff0000)"
    is 'case 2' 000102039000 "$(apdu "$2" 00ca000004)"
    is 'case 3' 9000 "$(apdu "$2" 00a4040008f054455354424544)"
}

unplugged() {
    step 'unplugged' ctl unplug 1-1
    step 'gone' eventually 5 absent "$mnt/reader0"
}

# recovers PROTOCOL: a request that is stalled ends one command and no other
recovers() {
    step 'the token stalls' ctl stall 1-1 1
    is 'the command fails' 'c0000185 EIO' "$(apdu "$1" 00ca000004)"
    is 'its card is off' swallowed "$(cat "$mnt/reader0/state")"
    is 'a reset brings it back' 00000000 \
        "$("$SCARDCALL" "$control" power 01000000 | cut -c 1-8)"
    is 'the protocol' "00000000 $1" "$("$SCARDCALL" "$control" set_protocol 03000000)"
    is 'the next command is answered' 000102039000 "$(apdu "$1" 00ca000004)"
}

step 'the daemon mounts' start_emulated ''

echo '--- version A'
token card=1,iccd=a $t0
is 'case 4' 6102 "$(apdu $t0 80e00000021122)"
is 'and its GET RESPONSE' 11229000 "$(apdu $t0 00c0000002)"
is '6Cxx comes back' 6c10 "$(apdu $t0 80e2001000)"
is '256 bytes' "$((2 * 258))" "$(printf %s "$(apdu $t0 80e2010000)" | wc -c)"
is 'a command that takes two seconds' 9000 "$(apdu $t0 80e407d0)"
recovers $t0
unplugged

for interrupt in 0 1; do
    echo "--- version B, interrupt endpoints: $interrupt"
    token "card=1,iccd=b,intr=$interrupt" $t1
    is 'case 4' 11229000 "$(apdu $t1 80e0000002112200)"
    is 'an answer in parts' "$((2 * 1002))" "$(printf %s "$(apdu $t1 80e203e8)" | wc -c)"
    is '7,000 bytes each way' "$(bytes 7000)9000" \
        "$(apdu $t1 "80e00000001b58$(bytes 7000)0000")"
    is 'a command that takes two seconds' 9000 "$(apdu $t1 80e407d0)"
    recovers $t1
    unplugged
done

echo '--- at its longest'
token card=1,iccd=b,level=ext,maxmsg=4095 $t1
is '7,000 bytes each way' "$(bytes 7000)9000" \
    "$(apdu $t1 "80e00000001b58$(bytes 7000)0000")"

"$SCARDCALL" "$control" transmit "$t1${pci}80e42710" >"$dir/answer" 2>&1 &
waiter=$!
step 'a command is under way' eventually 5 waits "$waiter" "$control"
is 'unplugged, it ends at once' 0 "$(seconds unplugged)"
step 'the caller ends' not wait "$waiter"
step 'the daemon ends with status 0' stop_daemon
finish
