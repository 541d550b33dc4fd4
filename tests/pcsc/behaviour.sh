#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# behaviour.sh - the same program on this library over the mount, and on Debian's pcscd
# with its own: every code and state is compared (behaviour_compare.py), with the same card
# program in a virtual reader on both sides. behaviour.differences says what differs, why.
#
# From the environment: SCARDFS, PCSC_DIR (of libpcsclite.so.1), BEHAVIOUR, BEHAVIOUR_SYSTEM
# (the program, as linked for each side).
# shellcheck disable=SC2317  # functions are called through step
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../mount/vpicc_card.py
port=35963 # where pcscd's reader listens

# In name spaces of its own: /run/pcscd beside the machine's, and a port of its own.
if [ "${1:-}" = with-pcscd ]; then
    mount -t tmpfs none /run && mkdir /run/pcscd && ip link set lo up || exit 1
    pcscd --foreground >"$2/pcscd.log" 2>&1 &
    pcscd=$!
    tries=0
    until [ -S /run/pcscd/pcscd.comm ] || [ "$tries" -gt 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    python3 "$program" --control "$2/card-pcscd" "$port" >/dev/null &
    until [ -S "$2/card-pcscd" ] || [ "$tries" -gt 400 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    timeout 100 "$BEHAVIOUR_SYSTEM" "$2/card-pcscd" >"$2/theirs"
    status=$?
    kill "$pcscd" $!
    exit $status
fi

. "$here/lib.sh"
need_fuse behaviour
for needed in python3 pcscd unshare ip; do
    command -v $needed >/dev/null || skip behaviour "no $needed"
done
[ -n "${BEHAVIOUR_SYSTEM:-}" ] || skip behaviour 'no libpcsclite-dev'
[ -n "$(find /usr/lib/pcsc -name 'libifdvpcd*' 2>/dev/null)" ] ||
    skip behaviour 'no vsmartcard-vpcd'
unshare -mn true 2>/dev/null || skip behaviour 'no name spaces of its own can be had here'

ours() {
    pcsc "$BEHAVIOUR" "$dir/card-ours" >"$dir/ours"
}

step 'a reader whose card is a program' start_daemon "--vpcd=unix:$dir/vpicc.sock"
python3 "$program" --control "$dir/card-ours" "unix:$dir/vpicc.sock" >>"$log" 2>&1 &
card_program=$!
step 'the card is ready' eventually 10 test -S "$dir/card-ours"
step 'all calls on the mount' ours
kill "$card_program"
step 'the daemon ends' stop_daemon
step 'all calls on pcscd' env -u LD_LIBRARY_PATH -u PCSCLITE_CSOCK_NAME \
    unshare -mn "$0" with-pcscd "$dir"
step 'both behave the same, but for what is listed' python3 "$here/behaviour_compare.py" \
    "$dir/ours" "$dir/theirs" "$here/behaviour.differences"
finish
