#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# systemd-vm.sh - tests/mount/systemd.sh in a guest kernel: there is a USB reader, which the
# daemon may open because udev and the unit's DeviceAllow= say so. From the environment:
# SCARDFS, LIBSMCLIB, UNIT, SYSUSERS, UDEV_RULES.
# shellcheck disable=SC2317  # functions are called through step
here=$(cd "$(dirname "$0")" && pwd -P)

# ---- on the host: boot, and run this script again in the guest ---------------------
if [ -z "$TESTBED_GUEST" ]; then
    skip() {
        printf 'SKIP vm systemd: %s\n' "$1"
        exit 77
    }
    [ "$(uname -m)" = x86_64 ] || skip 'the guest is for amd64'
    # An emulated processor starts a systemd in one to five minutes, or not in time.
    [ -n "${SCARDFS_VM_SYSTEMD:-}" ] || skip 'takes minutes: SCARDFS_VM_SYSTEMD=1'
    [ "${SANITIZE:-none}" = none ] || skip "with b_sanitize=$SANITIZE nothing is confined"
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    [ -x /lib/systemd/systemd ] || skip 'no systemd on this machine'
    command -v apt-get >/dev/null || skip 'needs Debian packages'
    free_kib=$(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo)
    [ "$free_kib" -gt 1228800 ] || skip "$((free_kib / 1024)) MiB of free memory, needs 1200"
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
    TESTBED_CACHE=${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/scard-testbed}
    export TESTBED_CACHE
    "$here/vm-setup" >"$said" 2>&1 || skip "vm-setup: $(tail -n 1 "$said")"
    TESTBED_NO_SETUP=1
    export TESTBED_NO_SETUP
    # a guest that cannot boot says nothing of the unit
    "$here/vm-run" --timeout 180 -- true >"$said" 2>&1 ||
        skip "no guest boots here: $(head -n 1 "$said")"
    "$here/vm-run" --reader 1 --timeout 300 -e SCARDFS -e LIBSMCLIB -e UNIT -e SYSUSERS \
        -e UDEV_RULES -- sh "$0"
    exit
fi

# ---- in the guest ------------------------------------------------------------------
. "$here/../mount/lib.sh"
. "$here/../mount/unit.sh"

step 'the unit is installed' install_unit ''
cp "$UDEV_RULES" /etc/udev/rules.d/60-scardfs.rules
udevadm control --reload
udevadm trigger --action=add --subsystem-match=usb
udevadm settle --timeout=20
# This guest has another init: systemd is the first process of a name space.
mount -t cgroup2 none /sys/fs/cgroup
container=guest unshare --pid --fork --mount --mount-proc --propagation unchanged \
    /lib/systemd/systemd --unit=scardfs-test.target --log-target=console \
    >"$dir/systemd" 2>&1 &

first_process() {
    init=$(pgrep -x -o systemd) && target_active
}
qmp() {
    vm-qmp "$@" >/dev/null
}

step 'systemd is up' eventually 60 first_process
unit_starts || finish
unit_is_confined
step 'the card is pulled' qmp card-remove r0
step 'which is seen' eventually 20 inside grep -q absent "$r/state"
step 'it is put in again' qmp card-insert r0
step 'its ATR' eventually 20 served
step 'the reader is unplugged' qmp reader-del r0
step 'its directory disappears' eventually 20 inside test ! -e "$r"
step 'it is plugged in again' qmp reader-add r0
step 'the reader is back' eventually 30 served

unit_ends
kill -KILL "$init"
finish
