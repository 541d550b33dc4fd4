#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# idle.sh - an idle daemon with one reader that has an interrupt endpoint makes no system
# call at all.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse idle
command -v strace >/dev/null || skip idle 'no strace'
case $SANITIZE in
*thread*) skip idle 'ThreadSanitizer has a thread that wakes up' ;;
esac
seconds=${IDLE_SECONDS:-10}
power_down_s=5

step 'the daemon mounts' start_emulated '1-1:level=short,card=1'
step 'the reader appears' eventually 5 test -d "$mnt/reader0"
step 'its card is powered' test -n "$(cat "$mnt/reader0/atr")"
step 'without users it is powered down' eventually 10 grep -q swallowed "$mnt/reader0/state"
cat "$mnt/reader0/events/absent" >/dev/null 2>&1 &
waiter=$!
step 'somebody waits for a removal' eventually 5 waits "$waiter" "$mnt/reader0/events/absent"

# calls that were blocked when strace came and went are not made in between
timeout -s INT "$seconds" strace -f -qq -o "$dir/calls" -p "$daemon" 2>"$dir/strace"
if ! [ -e "$dir/calls" ] || grep -qi 'not permitted' "$dir/strace"; then
    kill "$waiter"
    skip idle "strace: $(head -n 1 "$dir/strace")"
fi
step 'strace saw the blocked threads' test -s "$dir/calls"
grep -v -e 'unfinished' -e 'restart_syscall(<\.\.\. resuming' -e '---' -e 'detached' \
    "$dir/calls" >"$dir/made"
printf '     %s threads: %s calls made, %s blocked from before the %s s until after them\n' \
    "$(cut -d ' ' -f 1 "$dir/calls" | sort -u | wc -l)" "$(wc -l <"$dir/made")" \
    "$(($(wc -l <"$dir/calls") - $(wc -l <"$dir/made")))" "$seconds"
is "system calls in $seconds s" 0 "$(wc -l <"$dir/made")"
[ -s "$dir/made" ] && head -n 20 "$dir/made"
step 'a removal still wakes the waiter' ctl remove 1-1
step 'it ends' wait "$waiter"
step 'the daemon ends with status 0' stop_daemon
finish
