#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# bad-input.sh - what readers and callers get wrong, through the mount: names (10, 11),
# answers that do not fit (35), killed callers (38), bad lines to `virtual` (39).
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse bad-input

# one line, printable ASCII only
harmless() {
    [ "$(wc -l <"$1")" -eq 1 ] && ! LC_ALL=C grep -q '[^ -~]' "$1"
}

# the directory entries of the mount are the names of scardfs(5) and nothing else
only_readers() {
    find "$mnt" -mindepth 1 -maxdepth 1 ! -name 'reader[0-9]*' ! -name version ! -name changes \
        ! -name virtual ! -name 'by-*' ! -name metrics | grep -q . && return 1
    [ "$(find "$mnt" -mindepth 1 -maxdepth 1 -name 'reader*' | wc -l)" -eq "$1" ]
}

# --- device strings: "../../etc/passwd", newline, escape, NUL and 0xff; empty
slashes=2e2e2f2e2e2f6574632f706173737764
control=410a1b5b316d00ff42
step 'the daemon mounts' start_emulated \
    "1-1:card=1,producthex=$slashes,serialhex=2e2e;1-2:card=1,producthex=$control,serialhex=0a;1-3:card=1,product=,serial="
step 'three readers appear' eventually 5 test -d "$mnt/reader2"
step 'no entry has a name of the device' only_readers 3
for n in 0 1 2; do
    for f in name attributes/vendor_ifd_type attributes/vendor_name; do
        cat "$mnt/reader$n/$f" >"$dir/text"
        step "reader$n/$f is one harmless line" harmless "$dir/text"
    done
done
step 'a newline is shown as \x0a' grep -rqF '\x0a' "$mnt"/reader[012]/name
step 'the daemon ends with status 0' stop_daemon

# --- virtual: names too long, with a newline, dots, half commands
step 'the daemon mounts virtual readers' start_daemon --virtual=2 -o power=lazy
step 'they appear' eventually 5 test -d "$mnt/reader1"
r=$mnt/reader0
long=$(printf '%0300d' 0 | tr 0 a)

# refused LINE: the write fails, and the daemon is well
refused() {
    ! virtual "$1" && [ "$(cat "$r/state")" = swallowed ]
}
for line in 'insert ..' 'insert ../reader0' 'remove .' "remove $long" 'remove' 'remove reader7' \
    'remove reader00' 'remove reader-1' 'remove reader99999999999999999999' 'remove reader0 x' \
    'insert reader0 3' 'insert reader0 zz' "insert reader0 3b$long" 'nonsense reader0' \
    'plug 1234' 'plug ..' "plug $long" "$long"; do
    step "virtual refuses '$(printf '%.40s' "$line")'" refused "$line"
done
long=$(printf '%05000d' 0)
is 'a line of 5,000 bytes' 'Invalid argument' \
    "$(message sh -c "exec echo 'remove reader$long' >'$mnt/virtual'")"
step 'after a bad line the good ones are not done' refused 'remove reader9
remove reader0'
step 'a name with a newline does not exist' not test -e "$mnt/reader0
"
step 'a long name does not exist' not test -e "$mnt/$long"

# --- an answer that does not fit, and the next one (35)
is 'reset' '00000000 3b88800154455354424544015d' "$("$SCARDCALL" "$r/control" power 01000000)"
is 'protocol' '00000000 02000000' "$("$SCARDCALL" "$r/control" set_protocol 03000000)"
is 'an answer of 258 bytes into 100' 'c0000023 ENOBUFS' \
    "$("$SCARDCALL" "$r/control" transmit 020000000800000080e20100 100)"
is 'the next APDU has its own answer' '00000000 0200000008000000aabb9000' \
    "$("$SCARDCALL" "$r/control" transmit 020000000800000080e0000002aabb)"

# --- a caller that is killed while it waits (38)
step 'the card is pulled' virtual 'remove reader0'
"$SCARDCALL" "$r/control" is_present >/dev/null &
waiter=$!
step 'a caller waits for a card' eventually 5 waits "$waiter" "$r/control"
kill -KILL "$waiter"
step 'killed, it disappears at once' eventually 1 ended "$waiter"
wait "$waiter"
is 'the reader answers' absent "$(cat "$r/state")"
"$SCARDCALL" "$r/control" is_present >"$dir/second" &
waiter=$!
step 'another waits' eventually 5 waits "$waiter" "$r/control"
step 'a card is inserted' virtual 'insert reader0'
step 'and wakes it' wait "$waiter"
is 'with success' '00000000 ' "$(cat "$dir/second")"
step 'the daemon ends with status 0' stop_daemon
finish
