#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# forbidden.sh - what a driver that was taken over tries from inside the daemon
# (forbidden_driver.c), and that the kernel refuses all of it: to root's daemon, to one
# with --user, and that the same goes through where nothing is refused. FORBIDDEN_DRIVER
# names the driver.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse forbidden
[ "$(id -u)" -eq 0 ] || skip forbidden 'needs root'
[ "$SANITIZE" = none ] || skip forbidden "b_sanitize=$SANITIZE needs what is forbidden"
chmod 755 "$dir"
mkdir "$dir/for-nobody" "$dir/bin"
# The user must be able to read what is loaded after he is one.
cp "$FORBIDDEN_DRIVER" "$dir/bin/driver.so"
FORBIDDEN_DIR=$dir/for-nobody
export FORBIDDEN_DIR FORBIDDEN_GO=8 FORBIDDEN_SAID=9 FORBIDDEN_VICTIM FORBIDDEN_PROGRAM
mkfifo "$dir/go"
exec 8<>"$dir/go"

at_an_end() {
    grep -q '^end$' "$dir/said"
}

whole() {
    is 'the file' 'content 600' "$(cat "$FORBIDDEN_DIR/file") $(stat -c %a "$FORBIDDEN_DIR/file")"
    is 'nothing beside it' file "$(ls -A "$FORBIDDEN_DIR")"
}

# status FIELD: of the daemon, in /proc
status() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$daemon/status"
}

# attempts OPTION...: a daemon in the background, which is ready when it returns; its driver
# tries all. Sets refused and done.
attempts() {
    echo content >"$FORBIDDEN_DIR/file"
    chmod 600 "$FORBIDDEN_DIR/file"
    chown nobody "$FORBIDDEN_DIR" "$FORBIDDEN_DIR/file"
    setpriv --reuid=nobody --clear-groups sleep 600 &
    FORBIDDEN_VICTIM=$!
    : >"$dir/said"
    step "it mounts: $*" "$SCARDFS" --virtual "$@" -o driver="$dir/bin/driver.so" "$mnt" \
        9>>"$dir/said"
    daemon=$(find /proc/[0-9]*/fd/9 -lname "$dir/said" 2>/dev/null | cut -d / -f 3)
    echo >&8
    step 'the driver comes to its end' eventually 20 at_an_end
    refused=$(grep -cE ': (EPERM|EACCES)$' "$dir/said")
    other=$(grep -cvE ': (EPERM|EACCES)$|^end$' "$dir/said")
}

over() {
    kill "$daemon"
    eventually 10 ended "$daemon"
    umount -l "$mnt" 2>/dev/null
    kill -KILL "$FORBIDDEN_VICTIM" 2>/dev/null
    daemon=
}

"$SCARDFS" --virtual -o confine=on "$mnt" 2>"$dir/refused" ||
    skip forbidden "$(cat "$dir/refused")"
umount "$mnt"

FORBIDDEN_PROGRAM=/bin/true
for who in 'user' root; do
    case $who in
    user) attempts -o confine=on --user nobody ;;
    root) attempts -o confine=on ;;
    esac
    grep -v '^end$' "$dir/said"
    printf '     %s: %s attempts\n' "$who" "$refused"
    is 'nothing goes through' 0 "$other"
    step 'and every attempt is refused' test "$refused" -ge 80
    is "$who: seccomp filters" 2:2 "$(status Seccomp):$(status Seccomp_filters)"
    is "$who: no new privileges" 1 "$(status NoNewPrivs)"
    step "$who: the victim lives" kill -0 "$FORBIDDEN_VICTIM"
    whole
    is "$who: the daemon serves" negotiable "$(cat "$mnt/reader0/atr" >/dev/null &&
        cat "$mnt/reader0/state")"
    over
done

# --- the same, unconfined: the attempts are real
FORBIDDEN_PROGRAM=/nowhere/true
attempts -o confine=off
is 'unconfined: seccomp filters' 0 "$(status Seccomp_filters)"
step "unconfined: $other attempts reach the kernel, $refused do not" test "$other" -ge 50
step 'the victim is dead' eventually 5 ended "$FORBIDDEN_VICTIM"
over
finish
