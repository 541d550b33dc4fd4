#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usb-path.sh - the daemon and an unmodified libusb on an emulated USB reader: arrival,
# files, an APDU, card removal and insertion, unplug, replug.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse usb-path

atr=3b88800154455354424544015d
r=$mnt/reader0

step 'the daemon mounts' start_emulated '1-1:level=short,card=1,serial=A1'
step 'the reader appears' eventually 5 test -d "$r"
is 'its ATR' "$atr" "$(cat "$r/atr")"
is 'its state' negotiable "$(cat "$r/state")"
is 'vendor_name' Emulated "$(cat "$r/attributes/vendor_name")"
is 'its name' 'Emulated CCID Reader 1-1 [CCID interface] (A1) 00 00' "$(cat "$r/name")"
is 'atr_string says the same as atr' "$atr" "$(cat "$r/attributes/atr_string")"

# T=1 before T=0; GET DATA of 8 bytes; a malformed APDU
is 'the protocol is selected' '00000000 02000000' "$("$SCARDCALL" "$r/control" set_protocol 03000000)"
is 'an APDU is answered' '00000000 020000000800000000010203040506079000' \
    "$("$SCARDCALL" "$r/control" transmit 020000000800000000ca000008)"
is 'a malformed one is refused' 'c000000d EINVAL' \
    "$("$SCARDCALL" "$r/control" transmit 020000000800000000ca0000080102)"
is 'its state' specific "$(cat "$r/state")"

cat "$r/events/absent" >"$dir/absent" 2>&1 &
waiter=$!
step 'a reader of events/absent waits' eventually 5 waits "$waiter" "$r/events/absent"
step 'the card is pulled' ctl remove 1-1
step 'its removal wakes the waiter' wait "$waiter"
is 'the state is' absent "$(cat "$r/state")"
is 'atr has no medium' 'No medium found' "$(message cat "$r/atr")"
is 'a transmit has none either' 'c0000178 ENOMEDIUM' \
    "$("$SCARDCALL" "$r/control" transmit 020000000800000000ca000008)"

cat "$r/events/present" >"$dir/present" 2>&1 &
waiter=$!
step 'a reader of events/present waits' eventually 5 waits "$waiter" "$r/events/present"
step 'a card is inserted' ctl insert 1-1
step 'its insertion wakes the waiter' wait "$waiter"
is 'the counter has gone up by one' "$(($(cat "$dir/absent") + 1))" "$(cat "$dir/present")"
is 'its ATR' "$atr" "$(cat "$r/atr")"

cat "$r/events/absent" >"$dir/gone" 2>&1 &
waiter=$!
step 'a reader of events/absent waits' eventually 5 waits "$waiter" "$r/events/absent"
exec 8<>"$r/control"
step 'the reader is unplugged' ctl unplug 1-1
step 'its directory disappears' eventually 5 absent "$r"
step 'the wait ends' not wait "$waiter"
step 'with ENODEV' grep -q 'No such device$' "$dir/gone"
exec 8>&-

step 'it is plugged in again' ctl plug 1-1 level=short,card=1
step 'the reader is back' eventually 5 test -d "$r"
is 'its ATR' "$atr" "$(cat "$r/atr")"
step 'a second one is plugged in' ctl plug 1-2 level=ext,card=1
step 'it appears' eventually 5 test -d "$mnt/reader1"
is 'its ATR' "$atr" "$(cat "$mnt/reader1/atr")"
step 'the daemon ends with status 0' stop_daemon
finish
