#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# systemd.sh - the unit under a real systemd, in a container that is this machine seen
# through an overlay, with a virtual reader: the mount is seen outside of the unit, the
# card works, the daemon has what it should and no more; it comes back after SIGKILL, and
# stop leaves nothing. From the environment: SCARDFS, LIBSMCLIB, UNIT, SYSUSERS.
# shellcheck disable=SC2317  # functions are called through step
if [ -z "$SYSTEMD_SH_INSIDE" ] && [ "$(id -u)" -eq 0 ]; then
    # What is mounted here ends with this script.
    SYSTEMD_SH_INSIDE=yes exec unshare --mount "$0"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/unit.sh"
need_fuse systemd
[ "$(id -u)" -eq 0 ] || skip systemd 'needs root'
[ "${SANITIZE:-none}" = none ] || skip systemd "with b_sanitize=$SANITIZE nothing is confined"
command -v systemd-nspawn >/dev/null || skip systemd 'no systemd-container'
[ -x /lib/systemd/systemd ] || skip systemd 'no systemd on this machine'

leave() {
    status=$?
    [ -z "$container" ] || kill -KILL "$container" 2>/dev/null
    umount -l "$dir/root" "$dir/tmp" 2>/dev/null
    (exit "$status")
    cleanup
}
container=
trap leave EXIT
mkdir "$dir/tmp"
{
    mount -t tmpfs tmpfs "$dir/tmp" && mkdir "$dir/tmp/upper" "$dir/tmp/work" "$dir/root" &&
        mount -t overlay overlay "$dir/root" \
            -o "lowerdir=/,upperdir=$dir/tmp/upper,workdir=$dir/tmp/work"
} 2>"$dir/why" || skip systemd "no overlay: $(cat "$dir/why")"
rm -f "$dir/root/etc/machine-id" # two with the same one would share their journal
step 'the unit is installed' install_unit "$dir/root" ExecStart= \
    'ExecStart=/opt/scardfs/fs/scardfs -f -o confine=on --virtual=1 /dev/fd/3'

# A container may not confine itself further unless it is told that it may.
systemd-nspawn --register=no --keep-unit --console=pipe --bind=/dev/fuse \
    --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' \
    --directory="$dir/root" --boot -- --unit=scardfs-test.target --log-target=console \
    </dev/null >"$dir/systemd" 2>&1 &
container=$!

first_process() {
    init=$(pgrep -P "$container" -x systemd) && target_active
}
order() {
    inside sh -c "echo $* >/run/scard/virtual"
}
if ! eventually 30 first_process && ! kill -0 "$container"; then
    skip systemd "no container starts here: $(tail -n 1 "$dir/systemd")"
fi
step 'systemd is up' target_active

if unit_starts; then
    unit_is_confined
    step 'the card is pulled' order remove reader0
    step 'which is seen' eventually 20 inside grep -q absent "$r/state"
    step 'it is put in again' order insert reader0
    step 'its ATR' eventually 20 served
    unit_ends
fi
kill -KILL "$init"
wait "$container"
finish
