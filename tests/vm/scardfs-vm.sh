#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# scardfs-vm.sh - the daemon in a guest kernel with real USB: a QEMU usb-ccid reader appears,
# its card is pulled, it is unplugged and plugged in again, it comes by usbip. From the environment:
# SCARDFS, SCARDCALL.
#
# QEMU's reader is TPDU level, T=0 only: what its card is told goes out as TPDUs.
# shellcheck disable=SC2317  # functions are called through step
here=$(cd "$(dirname "$0")" && pwd -P)

# ---- on the host: boot, and run this script again in the guest ---------------------
if [ -z "$TESTBED_GUEST" ]; then
    skip() {
        printf 'SKIP vm: %s\n' "$1"
        exit 77
    }
    [ -n "$SCARDFS" ] || skip 'SCARDFS does not name the daemon'
    [ -n "$SCARDCALL" ] || skip 'SCARDCALL does not name its caller'
    [ "$(uname -m)" = x86_64 ] || skip 'the guest is for amd64'
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    command -v apt-get >/dev/null || skip 'needs Debian packages'
    free_kib=$(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo)
    [ "$free_kib" -gt 1228800 ] || skip "$((free_kib / 1024)) MiB of free memory, needs 1200"
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
    TESTBED_CACHE=${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/scard-testbed}
    export TESTBED_CACHE
    if ! "$here/vm-setup" >"$said" 2>&1; then
        skip "vm-setup: $(tail -n 1 "$said")"
    fi
    TESTBED_NO_SETUP=1
    export TESTBED_NO_SETUP
    # a guest that cannot boot says nothing of the daemon
    if ! "$here/vm-run" --timeout 180 -- true >"$said" 2>&1; then
        skip "no guest boots here: $(head -n 1 "$said")"
    fi
    "$here/vm-run" --reader 1 --vhci --timeout 300 \
        -e SCARDFS -e SCARDCALL -e LD_LIBRARY_PATH -e ASAN_OPTIONS -- sh "$0"
    exit
fi

# ---- in the guest ------------------------------------------------------------------
. "$here/../mount/lib.sh"
atr=3b88800154455354424544015d
r=$mnt/reader0

qmp() {
    vm-qmp "$@" >/dev/null
}

step 'the daemon mounts' start_daemon
step 'the reader appears' eventually 20 test -d "$r"
is 'its ATR' "$atr" "$(cat "$r/atr")"
is 'its state' negotiable "$(cat "$r/state")"
is 'vendor_name' QEMU "$(cat "$r/attributes/vendor_name")"

t0=0100000008000000
is 'T=0 is selected' '00000000 01000000' "$("$SCARDCALL" "$r/control" set_protocol 03000000)"
is 'SELECT is answered' "00000000 ${t0}9000" \
    "$("$SCARDCALL" "$r/control" transmit ${t0}00a40000023f00)"
is 'GET DATA, too' "00000000 ${t0}000102039000" "$("$SCARDCALL" "$r/control" transmit ${t0}00ca000004)"
is 'its state' specific "$(cat "$r/state")"

cat "$r/events/absent" >"$dir/absent" 2>&1 &
waiter=$!
step 'a reader of events/absent waits' eventually 20 waits "$waiter" "$r/events/absent"
step 'the card is pulled' qmp card-remove r0
step 'its removal wakes the waiter' wait "$waiter"
is 'the state is' absent "$(cat "$r/state")"
is 'atr has no medium' 'No medium found' "$(message cat "$r/atr")"

# --- the empty reader sleeps, where the kernel and the controller let it
for device in /sys/bus/usb/devices/*; do
    [ "$(cat "$device/idVendor" 2>/dev/null)" = 08e6 ] && usb=$device
done
sleeps() {
    [ "$(cat "$usb/power/runtime_status")" = suspended ]
}
echo on >"$usb/power/control" # other rules of the machine may have said auto
is 'with power/control=on it is awake' active "$(cat "$usb/power/runtime_status")"
echo 100 >"$usb/power/autosuspend_delay_ms"
echo auto >"$usb/power/control"
step 'with auto it sleeps' eventually 20 sleeps
is 'it is still there, and empty' absent "$(cat "$r/state")"

cat "$r/events/present" >"$dir/present" 2>&1 &
waiter=$!
step 'a reader of events/present waits' eventually 20 waits "$waiter" "$r/events/present"
step 'a card is inserted' qmp card-insert r0
step 'its insertion wakes the waiter' wait "$waiter"
is 'the counter has gone up by one' "$(($(cat "$dir/absent") + 1))" "$(cat "$dir/present")"
is 'its ATR' "$atr" "$(cat "$r/atr")"
is 'with a card it is awake' active "$(cat "$usb/power/runtime_status")"

cat "$r/events/absent" >"$dir/gone" 2>&1 &
waiter=$!
step 'a reader of events/absent waits' eventually 20 waits "$waiter" "$r/events/absent"
step 'the reader is unplugged' qmp reader-del r0
step 'its directory disappears' eventually 20 absent "$r"
step 'the wait ends' not wait "$waiter"
step 'with ENODEV' grep -q 'No such device$' "$dir/gone"

step 'it is plugged in again' qmp reader-add r0
step 'the reader is back' eventually 20 test -d "$r"
is 'its ATR' "$atr" "$(cat "$r/atr")"

# --- over the network, which here is the same machine: exported, and attached again
export_reader() {
    modprobe usbip_host && usbipd -D && usbip bind -b "$(usb_id)" >/dev/null 2>&1
}
usb_id() {
    grep -lx 08e6 /sys/bus/usb/devices/*/idVendor | sed 's|/idVendor$||; s|.*/||'
}
attach() {
    usbip attach -r 127.0.0.1 -b "$exported"
}
if command -v usbipd >/dev/null; then
    exported=$(usb_id)
    step 'the reader has its place' test -e "$mnt/by-path/usb-$exported-if0-slot0"
    step 'usbip takes the reader' export_reader
    step 'its directory disappears' eventually 20 absent "$r"
    step 'usbip attaches it' eventually 20 attach
    step 'the reader is back' eventually 20 test -d "$r"
    is 'its ATR' "$atr" "$(cat "$r/atr")"
    step 'it is at another place' not test -e "$mnt/by-path/usb-$exported-if0-slot0"
    is 'SELECT is answered' 9000 "$(sh -c 'exec 4<>"$1" && echo 00a4040008f054455354424544 >&4 &&
        read -r answer <&4 && echo "$answer"' - "$r/transmit")"
    step 'usbip detaches it' usbip detach -p 0
    step 'its directory disappears' eventually 20 absent "$r"
else
    printf 'SKIP vm usbip: no usbipd in the guest\n'
fi
step 'the daemon ends with status 0' stop_daemon
finish
