# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154,SC2317  # sourced by who has sourced lib.sh
#
# unit.sh - the unit under a real systemd, which is the first process of a container or of
# a guest's name space: what is installed for it, and what is asked of it. $init is that
# process, $root the folder that its system sees as /. From the environment: SCARDFS,
# LIBSMCLIB, UNIT, SYSUSERS.

atr=3b88800154455354424544015d
r=/run/scard/reader0

# install_unit ROOT [LINE...]: what is built, where systemd and the user come to it, with
# these lines more in [Service]; and a target that wants nothing else
install_unit() {
    root=$1
    shift
    units=$root/etc/systemd/system
    mkdir -p "$root/opt/scardfs/fs" "$root/opt/scardfs/smclib" "$units/scardfs.service.d" &&
        cp "$SCARDFS" "$root/opt/scardfs/fs/scardfs" &&
        cp -L "$LIBSMCLIB" "$root/opt/scardfs/smclib/libsmclib.so.0" &&
        sed 's|[^ =+]*/scardfs |/opt/scardfs/fs/scardfs |' "$UNIT" >"$units/scardfs.service" &&
        systemd-sysusers --root="${root:-/}" - <"$SYSUSERS" >/dev/null 2>&1 || return 1
    # What else a machine would start before it is not our concern.
    printf '[Unit]\nDefaultDependencies=no\n' |
        tee "$units/scardfs-test.target" >"$units/scardfs.service.d/test.conf"
    printf '%s\n' '[Service]' 'StandardError=append:/scardfs.log' "$@" \
        >>"$units/scardfs.service.d/test.conf"
}

# inside COMMAND...: a process like any other of that system, outside of the unit
inside() {
    nsenter -t "$init" -m -p "$@"
}
target_active() {
    inside systemctl is-active -q scardfs-test.target
}
property() {
    inside systemctl show --value -p "$1" scardfs.service
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
filters() {
    sed -n 's/^Seccomp_filters:[[:space:]]*//p' "$1"
}

# From the start of the unit to its daemon at work.
unit_starts() {
    inside timeout 60 systemctl start scardfs.service || fail 'the unit does not start'
    is 'it is active' active "$(property ActiveState)"
    if [ "$failures" -ne 0 ]; then
        inside systemctl show -p Result -p ExecStartPre -p ExecStart scardfs.service
        tail -n 30 "$root/scardfs.log" "$dir/systemd"
        return 1
    fi
    is 'the mount is seen outside of it, once' 1 "$(mounts)"
    step 'the ATR of the card' eventually 20 served
    is 'a command' 9000 "$(apdu 00a4040008f054455354424544)"
}

unit_is_confined() {
    is 'the user is' "$(inside id -u scard)" "$(status Uid | cut -f 4)"
    is 'the group is' "$(inside id -g scard)" "$(status Gid | cut -f 4)"
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        is "it has no $set" 0000000000000000 "$(status "$set")"
    done
    is 'no new privileges' 1 "$(status NoNewPrivs)"
    is 'seccomp filters calls' 2 "$(status Seccomp)"
    step "more than the first process's" test \
        "$(status Seccomp_filters)" -gt "$(filters "/proc/$init/status")"
    is 'nothing is left with systemd' 0 "$(property NFileDescriptorStore)"
    step 'it has a mount name space of its own' test \
        "$(inside readlink "/proc/$(property MainPID)/ns/mnt")" != \
        "$(inside readlink /proc/1/ns/mnt)"
}

# The daemon is killed, comes back and is stopped.
unit_ends() {
    step 'the daemon is killed' inside systemctl kill -s KILL scardfs.service
    step 'systemd starts it again' eventually 30 restarted
    step 'the reader is back' eventually 30 served
    is 'one mount' 1 "$(mounts)"
    step 'systemctl stop' inside timeout 60 systemctl stop scardfs.service
    is 'no mount is left' 0 "$(mounts)"
    step 'no process' not inside pgrep -x scardfs
    is 'it has not failed' success "$(property Result)"
}
