#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# systemd takes the unit, the users and the directories as they are meant.
# usage: units.sh SCARDFS UNIT SYSUSERS TMPFILES
set -u

for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
    command -v "$tool" >/dev/null && continue
    echo "SKIP units: no $tool"
    exit 77
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

# is WHAT PATTERN TEXT
is() {
    # shellcheck disable=SC2254  # a pattern is meant
    case $3 in
    $2) echo "ok   $1" ;;
    *) echo "FAIL $1: $3" && failed=1 ;;
    esac
}

# The program is not where it will be installed.
sed "s|[^ =+]*/scardfs |$1 |" "$2" >"$dir/scardfs.service"
said=$(SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no "$dir/scardfs.service" 2>&1 |
    grep scardfs)
is 'nothing is wrong with the unit' '' "$said"
is 'it starts what was built' "*ExecStartPre=+*$1 --mount-for scard *ExecStart=$1 -f *" \
    "$(cat "$dir/scardfs.service")"

# exposure UNIT: in tenths, as systemd 252 counts
exposure() {
    systemd-analyze security --offline=yes --no-pager "$1" 2>/dev/null |
        sed -n 's/.*level for .*: \([0-9]*\)\.\([0-9]\).*/\1\2/p' | sed 's/^0*//'
}
limit=10
reached=$(exposure "$dir/scardfs.service")
if [ -z "$reached" ]; then
    echo 'SKIP units exposure: this systemd-analyze cannot say'
elif [ "$reached" -le "$limit" ]; then
    echo "ok   its exposure is $reached, of 100 (pcscd.service here: $(exposure \
        /lib/systemd/system/pcscd.service))"
else
    echo "FAIL its exposure is $reached, more than $limit of 100"
    systemd-analyze security --offline=yes --no-pager "$dir/scardfs.service" | grep -v '^✓'
    failed=1
fi

mkdir -p "$dir/root/etc"
said=$(systemd-sysusers --root="$dir/root" "$3" 2>&1)
is 'the group is made' '*scard:x:*' "$(cat "$dir/root/etc/group")"
group=$(sed -n 's/^scard:x:\([0-9]*\):.*/\1/p' "$dir/root/etc/group")
is 'the user is made, with that group first' "*scard:x:*:$group:*nologin*" \
    "$(cat "$dir/root/etc/passwd")"

if [ "$(id -u)" -eq 0 ]; then
    printf 'root:x:0:0::/:/bin/sh\n' >>"$dir/root/etc/passwd"
    printf 'root:x:0:\n' >>"$dir/root/etc/group"
    systemd-tmpfiles --create --root="$dir/root" "$4"
    is 'the mount point is made, for root' '755 0' "$(stat -c '%a %u' "$dir/root/run/scard")"
fi
exit "$failed"
