#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# trace.sh - the file `trace`: tshark takes it for USB CCID, every message is there once,
# and no PIN is.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse trace
[ "$(id -u)" -eq 0 ] || skip trace 'only root may trace'
command -v tshark >/dev/null || skip trace 'no tshark'

cap=$dir/cap
pin=393837363534 # wrong, and nowhere else
# VERIFY_PIN_DIRECT: four to eight digits in ASCII within 30 s.
verify=1e008200000804020009040000000005000000
verify=${verify}0020008000

call() {
    "$SCARDCALL" "$mnt/reader0/control" "$@"
}

# matching FILTER: how many packets of the capture
matching() {
    tshark -r "$cap" -Y "$1" 2>/dev/null | wc -l
}

has_pin() {
    od -An -v -tx1 "$cap" | tr -d ' \n' | grep -q "$1"
}

grown() {
    [ "$(wc -c <"$cap")" -gt "$1" ]
}

# record: from now on, into $cap; returns when the trace is open
record() {
    cat "$mnt/reader0/trace" >"$cap" &
    tracer=$!
    eventually 5 grown 48
}

# recorded: once the last message is there
recorded() {
    eventually 5 caught_up
    kill "$tracer"
    wait "$tracer" 2>/dev/null
    true
}

caught_up() {
    matching 'usb.transfer_type == 1' | grep -q 1
}

for shape in '' tpdu tpdu-t1 pinpad; do
    card=${shape:-apdu}
    # tshark may take longer than a card that nobody uses keeps its power
    step "$card: the daemon mounts" start_daemon "--virtual${shape:+=$shape}" \
        -o power_down_timeout=0
    step "$card: the reader appears" eventually 5 test -d "$mnt/reader0"
    step "$card: its card is reset" test -n "$(cat "$mnt/reader0/atr")"
    step "$card: a trace begins" record
    protocol=$(call set_protocol 03000000)
    protocol=${protocol#* }
    before=$(matching 'usbccid.bMessageType == 0x6f')
    for _ in 1 2 3 4 5; do
        is "$card: a command" "00000000 ${protocol}0800000000019000" \
            "$(call transmit "${protocol}0800000000b0000002")"
    done
    is "$card: a PIN" "00000000 ${protocol}0800000063c2" \
        "$(call transmit "${protocol}080000000020008006$pin")"
    if [ "$shape" = pinpad ]; then
        is "$card: one at the PIN pad" '00000000 9000' "$(call 0x313538 "$verify")"
    fi
    step "$card: the card goes" virtual 'remove reader0'
    step "$card: the trace ends" recorded
    is "$card: nothing that tshark does not know" 0 \
        "$(matching '_ws.malformed || usb.transfer_type == 3 && !usbccid')"
    is "$card: the device says what it is" 1 \
        "$(matching 'usb.bDescriptorType == 0x04 && usb.bInterfaceClass == 0x0b')"
    [ "$shape" = tpdu ] || # its T=1 cards are asked for their block size first
        step "$card: commands are there" \
            test "$(matching 'usbccid.bMessageType == 0x6f')" -ge $((before + 6))
    # Time extensions make them more.
    step "$card: every message has its answer" test \
        "$(matching 'usb.endpoint_address == 0x82 && usb.transfer_type == 3')" -ge \
        "$(matching 'usb.endpoint_address == 0x01 && usb.transfer_type == 3')"
    step "$card: no PIN" not has_pin "$pin"
    step "$card: no PIN of the PIN pad" not has_pin 313233343536
    step "$card: an answer is" has_pin 00019000
    step "$card: the daemon ends" stop_daemon
done

step 'the daemon mounts again' start_daemon --virtual
step 'the reader is there' eventually 5 test -d "$mnt/reader0"
is 'its mode' 'root 400' "$(stat -c '%U %a' "$mnt/reader0/trace")"
if command -v setpriv >/dev/null; then
    is 'others may not' 'Permission denied' \
        "$(message setpriv --reuid 65534 --clear-groups cat "$mnt/reader0/trace")"
fi
step 'a trace begins' record
step 'the reader goes' virtual 'unplug reader0'
wait "$tracer"
is 'and the trace ends' 1 $?
step 'the daemon ends' stop_daemon
finish
