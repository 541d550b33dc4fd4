# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2317  # many functions are called through step
#
# lib.sh - what the mount scripts share: steps that print "ok" or "FAIL", a daemon on a
# temporary mount point, and the end of both. Sourced; runs under any POSIX shell.
#
# From the environment: SCARDFS, and where a script needs them USBEMU, USBEMU_CTL_PROGRAM
# and SCARDCALL.

failures=0
dir=$(mktemp -d)
mnt=$dir/mnt
log=$dir/log
emu=$dir/emu.sock
daemon=
# An unused card keeps its power for so long: between two steps on a busy machine, too.
power_down_s=300
mkdir "$mnt"
LC_ALL=C
export LC_ALL

ok() {
    printf 'ok   %s\n' "$*"
}

fail() {
    printf 'FAIL %s\n' "$*"
    failures=$((failures + 1))
}

# step WHAT COMMAND...: the command must succeed
step() {
    what=$1
    shift
    if "$@"; then ok "$what"; else fail "$what"; fi
}

# is WHAT EXPECTED ACTUAL
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: expected '$2', got '$3'"; fi
}

# skip CASE REASON...: the whole script
skip() {
    name=$1
    shift
    printf 'SKIP %s: %s\n' "$name" "$*"
    exit 77
}

need_fuse() {
    if ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; then skip "$1" 'no /dev/fuse'; fi
}

# eventually SECONDS COMMAND...: until it succeeds
eventually() {
    tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

absent() {
    ! [ -e "$1" ]
}

# message COMMAND...: the last words of its complaint
message() {
    "$@" 2>&1 | sed 's/.*: //'
}

not() {
    ! "$@"
}

ended() {
    ! kill -0 "$1" 2>/dev/null
}

# waits PID FILE: the process has FILE open and sleeps, so it waits in a read of it
waits() {
    read -r _ _ state _ <"/proc/$1/stat" && [ "$state" = S ] &&
        find "/proc/$1/fd" -lname "$2" | grep -q .
}

# start_daemon ARGUMENT...: in the foreground of a job; returns once it is mounted and,
# where one was asked for, the first virtual reader is there
start_daemon() {
    "$SCARDFS" -f -o "power_down_timeout=$power_down_s" "$@" "$mnt" 2>>"$log" &
    daemon=$!
    case $* in
    *--virtual*) eventually 10 test -e "$mnt/reader0/state" ;;
    *) eventually 10 test -e "$mnt/version" ;;
    esac
}

# start_emulated DEVICES ARGUMENT...: the same on emulated USB readers, whose control socket
# is in $dir
start_emulated() {
    devices=$1
    shift
    USBEMU_DEVICES=$devices USBEMU_CTL=$emu LD_PRELOAD=$USBEMU \
        ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 \
        "$SCARDFS" -f -o "listen=$dir,power_down_timeout=$power_down_s" "$@" "$mnt" \
        2>>"$log" &
    daemon=$!
    eventually 10 test -e "$mnt/version"
}

# virtual LINE: to the file `virtual`, in one write; says nothing when it is refused
virtual() {
    { printf '%s\n' "$1" >"$mnt/virtual"; } 2>/dev/null
}

ctl() {
    "$USBEMU_CTL_PROGRAM" "$emu" "$@" >/dev/null
}

# stop_daemon: SIGTERM; its exit status
stop_daemon() {
    kill -TERM "$daemon" 2>/dev/null
    wait "$daemon"
    result=$?
    daemon=
    return $result
}

# refuses STATUS PATTERN ARGUMENT...: the daemon ends with that status and one such sentence
refuses() {
    wanted=$1
    pattern=$2
    shift 2
    timeout 10 "$SCARDFS" "$@" >"$dir/said" 2>&1
    got=$?
    [ "$got" -eq "$wanted" ] && grep -qi -- "$pattern" "$dir/said" && return
    echo "     status $got, said: $(cat "$dir/said")"
    return 1
}

cleanup() {
    status=$?
    trap - EXIT
    [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null
    umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt" 2>/dev/null
    if [ "$failures" -gt 0 ] && [ -s "$log" ]; then
        echo "--- the daemon's log:"
        cat "$log"
    fi
    rm -rf --one-file-system "$dir"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# finish: the script's last line
finish() {
    [ "$failures" -eq 0 ]
    exit $?
}
