#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# systemd-vm.sh - the unit under a real systemd, in a guest kernel with a QEMU reader: the
# mount is seen outside of the unit, the card works, the daemon has what it should and no
# more; it comes back after SIGKILL, and stop leaves nothing. From the environment: SCARDFS,
# LIBSMCLIB, UNIT, SYSUSERS, UDEV_RULES.
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
    [ -n "${SCARDFS_VM_SYSTEMD:-}" ] || skip 'takes minutes: SCARDFS_VM_SYSTEMD=1, or contrib/check --all'
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
atr=3b88800154455354424544015d
r=/run/scard/reader0

# What is installed, where systemd and the user come to it.
mkdir -p /opt/scardfs/fs /opt/scardfs/smclib
cp "$SCARDFS" /opt/scardfs/fs/scardfs
cp -L "$LIBSMCLIB" /opt/scardfs/smclib/libsmclib.so.0
sed 's|[^ =+]*/scardfs |/opt/scardfs/fs/scardfs |' "$UNIT" >/etc/systemd/system/scardfs.service
mkdir /etc/systemd/system/scardfs.service.d
# What else this machine would start before it is not our concern, and takes its time.
printf '[Unit]\nDefaultDependencies=no\n[Service]\nStandardError=append:%s\n' "$log" \
    >/etc/systemd/system/scardfs.service.d/test.conf
systemd-sysusers "$SYSUSERS" 2>/dev/null
cp "$UDEV_RULES" /etc/udev/rules.d/60-scardfs.rules
udevadm control --reload
udevadm trigger --action=add --subsystem-match=usb
udevadm settle --timeout=20
cat >/etc/systemd/system/scardfs-test.target <<'TARGET'
[Unit]
DefaultDependencies=no
TARGET
# This guest has another init: systemd is the first process of a name space.
mount -t cgroup2 none /sys/fs/cgroup
container=guest unshare --pid --fork --mount --mount-proc --propagation unchanged \
    /lib/systemd/systemd --unit=scardfs-test.target --log-target=console \
    >"$dir/systemd" 2>&1 &

# inside COMMAND...: a process like any other of that system, outside of the unit
inside() {
    nsenter -t "$init" -m -p "$@"
}
first_process() {
    init=$(pgrep -x -o systemd) && inside systemctl is-active -q scardfs-test.target
}
property() {
    inside systemctl show --value -p "$1" scardfs.service
}
qmp() {
    vm-qmp "$@" >/dev/null
}
# status FIELD: of the daemon, in /proc
status() {
    inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status"
}
served() {
    [ "$(inside cat "$r/atr")" = "$atr" ]
}
apdu() {
    # shellcheck disable=SC2016  # for that shell
    inside timeout 20 sh -c 'exec 4<>"$1" && echo "$2" >&4 && read -r answer <&4 &&
        echo "$answer"' - "$r/transmit" "$1"
}
mounts() {
    inside grep -c ' /run/scard fuse' /proc/self/mounts
}
restarted() {
    [ "$(property NRestarts)" = 1 ] && [ "$(property ActiveState)" = active ]
}

step 'systemd is up' eventually 60 first_process
inside timeout 60 systemctl start scardfs.service || fail 'the unit does not start'
is 'it is active' active "$(property ActiveState)"
if [ "$failures" -ne 0 ]; then
    inside systemctl show -p Result -p ExecStartPre -p ExecStart scardfs.service
    tail -n 30 "$dir/systemd"
    finish
fi
is 'the mount is seen outside of it, once' 1 "$(mounts)"
step 'the ATR of the card' eventually 20 served
is 'a command' 9000 "$(apdu 00a4040008f054455354424544)"
is 'the user is' "$(id -u scardfs)" "$(status Uid | cut -f 4)"
is 'the group is' "$(getent group scard | cut -d : -f 3)" "$(status Gid | cut -f 4)"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
    is "it has no $set" 0000000000000000 "$(status "$set")"
done
is 'no new privileges' 1 "$(status NoNewPrivs)"
is 'seccomp filters calls' 2 "$(status Seccomp)"
is 'nothing is left with systemd' 0 "$(property NFileDescriptorStore)"
step 'it has a mount name space of its own' test \
    "$(inside readlink "/proc/$(property MainPID)/ns/mnt")" != "$(inside readlink /proc/1/ns/mnt)"
step 'the card is pulled' qmp card-remove r0
step 'which is seen' eventually 20 inside grep -q absent "$r/state"
step 'it is put in again' qmp card-insert r0
step 'its ATR' eventually 20 served
step 'the reader is unplugged' qmp reader-del r0
step 'its directory disappears' eventually 20 inside test ! -e "$r"
step 'it is plugged in again' qmp reader-add r0
step 'the reader is back' eventually 30 served

step 'the daemon is killed' inside systemctl kill -s KILL scardfs.service
step 'systemd starts it again' eventually 30 restarted
step 'the reader is back' eventually 30 served
is 'one mount' 1 "$(mounts)"
step 'systemctl stop' inside timeout 60 systemctl stop scardfs.service
is 'no mount is left' 0 "$(mounts)"
step 'no process' not pgrep -x scardfs
is 'it has not failed' success "$(property Result)"
kill -KILL "$init"
finish
