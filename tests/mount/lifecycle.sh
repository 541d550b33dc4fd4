#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lifecycle.sh - start, second instance, death and restart, options, and the end.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse lifecycle

r=$mnt/reader0

is_mounted() {
    grep -q " $mnt fuse" /proc/self/mounts
}

up_or_ended() {
    test -e "$mnt/version" || ended "$1"
}

# ended_well STATUS LOG
ended_well() {
    [ "$1" -eq 0 ] || { [ "$1" -eq 1 ] && grep -q '^scardfs: ' "$2"; } && return
    echo "     status $1, said: $(cat "$2")"
    return 1
}

closed() {
    "$@" <&- >&- 2>&-
}

# --- SIGTERM
step 'it mounts' start_daemon --virtual
step 'the mount is there' is_mounted
step 'the reader is there' eventually 5 test -d "$r"
is 'power=on is the default' negotiable "$(cat "$r/atr" >"$dir/atr" && cat "$r/state")"
step 'a second instance is refused with a sentence' refuses 1 "$mnt" -f --virtual "$mnt"
is 'the first one works on' 1 "$(cat "$mnt/version")"
cat "$r/events/absent" >"$dir/gone" 2>&1 &
waiter=$!
step 'a waiter waits' eventually 5 waits "$waiter" "$r/events/absent"
step 'SIGTERM ends it with status 0' stop_daemon
step 'the mount is gone' not is_mounted
step 'the waiter is gone' not wait "$waiter"

# --- kill -9
step 'it mounts again' start_daemon --virtual
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
daemon=
step 'killed, it leaves a stale mount' is_mounted
step 'that nobody can use' not test -e "$mnt/version"
step 'the next start cleans it' start_daemon --virtual=2 -o power=lazy
step 'both readers are there' eventually 5 test -d "$mnt/reader1"
is 'power=lazy leaves the card unpowered' swallowed "$(cat "$r/state")"
is 'and atr without data' 'No data available' "$(message cat "$r/atr")"
step 'SIGTERM ends it with status 0' stop_daemon
step 'one mount, not two' not is_mounted

# --- a daemon whose means to unmount somebody has taken
step 'it mounts once more' start_daemon --virtual
kill -KILL "$(pgrep -P "$daemon" -x scardfs-umount)"
stop_daemon
is 'it ends with 1' 1 $?
step 'and says that the mount stays' grep -q "$mnt: cannot be unmounted" "$log"
step 'the next start takes it away' start_daemon --virtual
step 'SIGTERM ends it with status 0' stop_daemon
step 'no mount is left' not is_mounted

# --- strict_atr
wrong=3b88800154455354424544015e # the check character is 5d

# exchange ATR: the card of reader0
exchange() {
    virtual 'remove reader0' && virtual "insert reader0 $1"
}
step 'it mounts' start_daemon --virtual
step 'a card with a wrong check character comes' exchange "$wrong"
is 'it is used' "$wrong" "$(cat "$r/atr")"
is 'its state' negotiable "$(cat "$r/state")"
step 'and the log tells of it' grep -q 'reader0: ATR: wrong check character' "$log"
step 'SIGTERM ends it with status 0' stop_daemon
step 'it mounts with strict_atr' start_daemon --virtual -o strict_atr
step 'the same card comes' exchange "$wrong"
is 'it is refused' 'Wrong medium type' "$(message cat "$r/atr")"
is 'its state' swallowed "$(cat "$r/state")"
step 'the card without the fault comes' exchange "${wrong%5e}5d"
is 'it is used' "${wrong%5e}5d" "$(cat "$r/atr")"
step 'SIGTERM ends it with status 0' stop_daemon

# --- unmounted while somebody waits
step 'it mounts' start_daemon --virtual
step 'the reader is there' eventually 5 test -d "$r"
exec 3<"$r/events/absent"
cat <&3 >"$dir/gone" 2>&1 &
waiter=$!
step 'a waiter waits' eventually 5 waits "$waiter" "$r/events/absent"
umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt"
step 'the mount is gone' not is_mounted
: >"$log"
step 'SIGTERM ends it with status 0' stop_daemon
step 'the waiter is gone' not wait "$waiter"
exec 3<&-
step 'nothing is complained of' not grep -qi 'unmount' "$log"

# --- hardly any files to open
for limit in 5 6 7 8 9 10 11 12 13 14 15 16; do
    (
        # shellcheck disable=SC3045  # every shell of Debian has it
        ulimit -n "$limit"
        exec "$SCARDFS" -f --virtual "$mnt"
    ) 2>"$dir/said" &
    daemon=$!
    eventually 10 up_or_ended "$daemon"
    stop_daemon
    status=$?
    step "with $limit files the daemon ends with 0, or 1 and a sentence" \
        ended_well "$status" "$dir/said"
    step 'and leaves no mount' not is_mounted
done

# --- in the background
step 'without -f it returns once it is mounted' "$SCARDFS" --virtual "$mnt"
step 'the mount is live' test -e "$mnt/version"
umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"
step 'an unmount ends it' eventually 5 not is_mounted

# --- by a parent who has left something behind, or taken it away
"$SCARDFS" -f --virtual "$mnt" </dev/null >&- 2>&- &
daemon=$!
step 'it serves without an output' eventually 10 test -e "$r/state"
step 'SIGTERM ends it with status 0' stop_daemon
step 'in the background without any descriptor' closed "$SCARDFS" --virtual "$mnt"
step 'the mount is live' test -e "$mnt/version"
umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"
step 'an unmount ends it' eventually 5 not is_mounted
env --block-signal=USR1 "$SCARDFS" -f --virtual "$mnt" 2>>"$log" &
daemon=$!
step 'it serves with a signal blocked' eventually 10 test -e "$r/state"
step 'SIGTERM ends it with status 0' stop_daemon
if [ "${SANITIZE:-none}" != none ]; then
    printf 'SKIP lifecycle confined: b_sanitize=%s needs what is forbidden\n' "$SANITIZE"
elif "$SCARDFS" --virtual -o confine=on "$mnt" 2>"$dir/said"; then
    umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"
    step 'an unmount ends it' eventually 5 not is_mounted
    env SCARDFS_TEST_DATA="$SCARDFS" "$SCARDFS" -f --virtual -o confine=on "$mnt" 2>>"$log" &
    daemon=$!
    step 'test data that are a file leave it confined' eventually 10 test -e "$r/state"
    step 'SIGTERM ends it with status 0' stop_daemon
else
    printf 'SKIP lifecycle confined: %s\n' "$(cat "$dir/said")"
fi

# --- what it refuses
step 'no mount point' refuses 2 . -f
step 'a folder for sockets that is none' refuses 2 'names no folder: /dev/null' \
    -f -o listen=/dev/null "$mnt"
step 'an unknown option' refuses 2 nonsense -f -o nonsense "$mnt"
step 'a bad power policy' refuses 2 power -f -o power=sideways "$mnt"
step 'a bad number of readers' refuses 2 '1 to 127: 1x' -f --virtual=1x "$mnt"
step 'a shape that nobody knows' refuses 1 'no shape "cube"; there are tpdu' -f --virtual=cube "$mnt"
step 'no readers' refuses 2 '1 to 127: 0' -f --virtual=0 "$mnt"
step 'too many readers' refuses 2 '1 to 127: 128' -f --virtual=128 "$mnt"
step 'the shape of a real reader' refuses 1 NOT_SUPPORTED -f --virtual=08e6:3437 "$mnt"
step 'a mount point that is not there' refuses 1 "$dir/none" -f --virtual "$dir/none"
: >"$dir/file"
step 'a mount point that is a file' refuses 1 "$dir/file" -f --virtual "$dir/file"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    # The build may be where only root comes; the mount point is root's, and an ordinary
    # user may not mount there.
    chmod 711 "$dir"
    mkdir "$dir/bin"
    cp "$SCARDFS" "$dir/bin/scardfs"
    cp -L "$LIBSMCLIB" "$dir/bin/libsmclib.so.0"
    LD_LIBRARY_PATH=$dir/bin setpriv --reuid=65534 --regid=65534 --clear-groups \
        timeout 10 "$dir/bin/scardfs" -f --virtual "$mnt" >"$dir/said" 2>&1
    status=$?
    is 'a user without permission is refused' 1 "$status"
    step 'with a sentence' grep -q "$mnt" "$dir/said"
else
    printf 'SKIP lifecycle user without permission: needs root and setpriv\n'
fi
finish
