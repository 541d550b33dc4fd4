#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# transmit.sh - `transmit` and `power` as shells and scripting languages use them.
# shellcheck disable=SC2016  # what is in quotes is for the shell under test
. "$(dirname "$0")/lib.sh"
need_fuse transmit

select=00A4040008F054455354424544

# converse SHELL: what a conversation in that shell says
converse() {
    cat >"$dir/converse" <<'SCRIPT'
exec 3<>transmit
printf '00A4040008F054455354424544\n' >&3; read -r answer <&3; echo "$answer"
echo '80 e2 00 04' >&3; read -r answer <&3; echo "$answer"
echo 80E20002 >&3; cat <&3
echo 00B0000003 >&3; head -1 <&3 2>/dev/null
echo 80E20001 >&3; read -r answer <&3; read -r more <&3 || echo "end:$more"
echo 80E20001 >&3; echo 80E20001 2>/dev/null >&3 || echo 'one at a time'; cat <&3
for wrong in xyz 00A4 00A40400021 ''; do
    echo "$wrong" 2>/dev/null >&3 && echo "taken: $wrong"
done
printf '80E20001\n80E20002\n' 2>/dev/null | cat >&3 2>/dev/null && echo 'two taken'
cat <&3
SCRIPT
    (cd "$mnt/reader0" && "$@" "$dir/converse" 2>/dev/null)
}

conversation='9000
000102039000
00019000
0001029000
end:
one at a time
009000'

step 'the daemon mounts' start_daemon --virtual --virtual=tpdu
reader=$mnt/reader0

for shell in bash dash 'busybox sh'; do
    if ! command -v "${shell%% *}" >/dev/null; then
        echo "SKIP $shell: not installed"
        continue
    fi
    # shellcheck disable=SC2086  # two words for busybox
    is "a conversation in $shell" "$conversation" "$(converse $shell)"
done

is 'two at once have their own answers' '009000 00019000' "$(
    exec 3<>"$reader/transmit" 4<>"$reader/transmit"
    echo 80E20001 >&3
    echo 80E20002 >&4
    read -r second <&4
    read -r first <&3
    echo "$first $second"
)"
is 'a file that was only written to says nothing to another' '' \
    "$(echo $select >"$reader/transmit"; cat "$reader/transmit")"

# --- errors
step 'power: another word is refused' not sh -c 'echo on 2>/dev/null >"$1"' sh "$reader/power"
virtual 'remove reader0'
is 'no card: the read says so, once' 'No medium found, then the end' "$(
    exec 3<>"$reader/transmit"
    echo $select >&3
    printf '%s, ' "$(message cat <&3)"
    if [ -z "$(cat <&3)" ]; then echo 'then the end'; fi
)"
is 'no card: power' off "$(cat "$reader/power")"
virtual 'insert reader0'

# --- power
is 'on' on "$(cat "$reader/atr" >/dev/null; cat "$reader/power")"
step 'off is taken' sh -c 'echo off >"$1"' sh "$reader/power"
is 'off' 'off swallowed' "$(cat "$reader/power") $(cat "$reader/state")"
step 'warm is taken' sh -c 'echo warm >"$1"' sh "$reader/power"
is 'warm' 'on negotiable' "$(cat "$reader/power") $(cat "$reader/state")"
step 'cold is taken' sh -c 'echo cold >"$1"' sh "$reader/power"
is 'cold' 'on negotiable' "$(cat "$reader/power") $(cat "$reader/state")"
is 'a command connects again' 9000 "$(
    exec 3<>"$reader/transmit"
    echo $select >&3
    cat <&3
)"
is 'for good' specific "$(cat "$reader/state")"
is 'power has one inode for all' "$(stat -c %i "$reader/power")" "$(stat -c %i "$reader/power")"

# Two that wait for a reader that is busy: each can be killed.
exec 3<>"$reader/transmit"
echo 80E4EA60 >&3
sh -c 'exec 3>&-; echo warm >"$1"' sh "$reader/power" &
first=$!
eventually 5 waits $first "$reader/power"
sh -c 'exec 3>&-; echo cold >"$1"' sh "$reader/power" &
second=$!
step 'a second one waits in a way that a signal ends' eventually 5 waits $second "$reader/power"
kill -KILL $second
step 'the second is gone at once' eventually 2 ended $second
kill -KILL $first
step 'the first, too' eventually 2 ended $first
exec 3>&- 3<&-
wait $first $second 2>/dev/null
is 'the next user is served' 9000 "$(
    exec 3<>"$reader/transmit"
    echo $select >&3
    cat <&3
)"

# --- T=0: what the host has to do for the card is done
t0() {
    (
        exec 3<>"$mnt/reader1/transmit"
        echo "$1" >&3
        cat <&3
    )
}
is 'T=0: 61xx is fetched' 11229000 "$(t0 80E0000002112202)"
is 'T=0: without Le it comes back' 6102 "$(t0 80E00000021122)"
is 'T=0: 6Cxx is corrected' 000102030405060708090a0b0c0d0e0f9000 "$(t0 80E2001000)"
seven_hundred=$(printf '%0700d%0700d' 5 7)
is 'T=0: ENVELOPE and GET RESPONSE in as many parts as it takes' "${seven_hundred}9000" \
    "$(t0 "80E000000002BC${seven_hundred}0000")"

# --- languages
if command -v python3 >/dev/null; then
    is 'python' 'ok' "$(python3 - "$reader" <<'PYTHON'
import os, sys
reader = sys.argv[1]
for buffering in 0, -1:
    with open(reader + '/transmit', 'r+b', buffering=buffering) as f:
        for n in 1, 2, 3:
            f.write(b'80E2%04X\n' % n)
            f.flush()
            line = f.readline()
            assert line == bytes(range(n)).hex().encode() + b'9000\n', line
data = bytes(i * 7 & 255 for i in range(60000))
echo = bytes([0x80, 0xE0, 0, 0, 0]) + (60000).to_bytes(2, 'big') + data + b'\0\0'
with open(reader + '/control', 'r+b', buffering=0) as f:
    f.write(echo)
    assert f.read(65538) == data + b'\x90\0'
with open(reader + '/transmit', 'r+b') as f:
    f.write(echo.hex(' ').encode() + b'\n')
    f.flush()
    assert f.readline() == data.hex().encode() + b'9000\n'
print('ok')
PYTHON
)"
else
    echo 'SKIP python: not installed'
fi
if command -v perl >/dev/null; then
    is 'perl' 0001029000 "$(perl -e 'use IO::Handle; open(my $f, "+<", $ARGV[0]) or die; $f->autoflush;
        print $f "80E20003\n"; print scalar <$f>' "$reader/transmit")"
else
    echo 'SKIP perl: not installed'
fi

step 'the daemon ends with status 0' stop_daemon
finish
