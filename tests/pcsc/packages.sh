#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# packages.sh - programs of Debian's packages, as they are, find readers and cards: the
# built-in card, and one that is another process. There is no pcscd.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse packages
need_plain packages
python=/usr/bin/python3
builtin='scardfs Virtual Reader (0000) 00 00'
process='scardfs Virtual PCD (0001) 00 00'
atr='3b:88:80:01:54:45:53:54:42:45:44:01:5d'
select=00A4040008F054455354424544

# has PATTERN COMMAND...: its output matches the shell pattern
has() {
    pattern=$1
    shift
    output=$(pcsc "$@" 2>&1)
    # shellcheck disable=SC2254 # a pattern is meant
    case $output in
    $pattern) return 0 ;;
    esac
    printf '     said: %s\n' "$output"
    return 1
}

# tool NAME: whether it is there; else says so
tool() {
    command -v "$1" >/dev/null && return
    echo "SKIP $1: not installed"
    return 1
}

order() {
    python3 - "$dir/card.orders" "$1" <<'EOF'
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(sys.argv[2].encode() + b"\n")
assert link.recv(16) == b"done\n"
EOF
}

# A card that takes orders.
insert_card() {
    python3 "$vpicc_card" --control "$dir/card.orders" "unix:$dir/vpicc.sock" \
        >>"$log" 2>&1 &
    card=$!
    eventually 10 grep -q . "$mnt/reader1/atr"
}

step 'two readers, one with a card in another process' start_two_readers

if tool opensc-tool; then
    step 'opensc-tool -l' has "*0*Yes*$builtin*1*Yes*$process*" opensc-tool -l
    for number in 0 1; do
        step "opensc-tool -a, reader $number" has "$atr" opensc-tool -r $number -a
        step "opensc-tool -s, reader $number" has '*Received (SW1=0x90, SW2=0x00)*' \
            opensc-tool -r $number -s $select
    done
    step 'opensc-tool, no such reader' not pcsc opensc-tool -r 7 -a
fi

# scanned NAME: an ATR under the heading of that reader
scanned() {
    awk -v name="$1" -v atr='ATR: 3B 88 80 01 54 45 53 54 42 45 44 01 5D' '
        /Reader [0-9]+: / { mine = index($0, name) > 0 }
        mine && index($0, atr) > 0 { found = 1 }
        END { exit !found }' "$dir/scan"
}

# It follows what happens until it is ended.
scans() {
    LD_LIBRARY_PATH=$PCSC_DIR timeout 60 pcsc_scan -n >"$dir/scan" 2>&1 &
    scan=$!
    eventually 20 scanned "$builtin" && eventually 20 scanned "$process" &&
        virtual 'remove reader0' && eventually 20 grep -q 'Card removed' "$dir/scan" &&
        virtual 'insert reader0'
    result=$?
    kill "$scan"
    wait "$scan"
    return "$result"
}
if tool pcsc_scan; then
    step 'pcsc_scan -n: both readers with their ATRs, and a card is taken out' scans
fi

module=$(find /usr/lib -name opensc-pkcs11.so 2>/dev/null | head -n 1)
if tool pkcs11-tool; then
    step 'pkcs11-tool --list-slots' has "*$builtin*$process*" pkcs11-tool --list-slots
fi
# sees COMMAND...: the cards have nothing that PKCS #11 knows as a token; that OpenSC's module
# has found both readers is told by its log
sees() {
    OPENSC_DEBUG=3
    export OPENSC_DEBUG
    pcsc "$@" >"$dir/p11" 2>&1
    result=$?
    unset OPENSC_DEBUG
    grep -qF "$builtin" "$dir/p11" && grep -qF "$process" "$dir/p11" && [ "$result" = 0 ]
}
if tool p11-kit && [ -n "$module" ]; then
    step 'p11-kit list-modules' sees p11-kit list-modules
fi
if tool p11tool && [ -n "$module" ]; then
    step 'p11tool --list-tokens' sees p11tool --provider "$module" --list-tokens
fi

# apdus NUMBER: commands that the card in that reader has answered
apdus() {
    sed -n "s/^scard_apdus_total{reader=\"reader$1\"} //p" "$mnt/metrics"
}

# gnupg NUMBER READER: the card has no application that GnuPG knows: it gets as far as the
# ATR, and asks the card what it is.
gnupg() {
    number=$1
    before=$(apdus "$number")
    shift
    GNUPGHOME=$dir/gnupg
    export GNUPGHOME
    mkdir -m 700 "$GNUPGHOME"
    printf 'disable-ccid\nreader-port "%s"\ndebug-level basic\nlog-file %s\n' "$1" "$dir/scd" \
        >"$GNUPGHOME/scdaemon.conf"
    pcsc gpg --batch --card-status >"$dir/gpg" 2>&1
    pcsc gpgconf --kill all
    grep -q 'ATR=3B 88 80 01 54 45 53 54 42 45 44 01 5D' "$dir/scd" &&
        grep -qF "detected reader '$1'" "$dir/scd" && [ "$(apdus "$number")" -gt "$before" ]
    result=$?
    rm -r "$GNUPGHOME" "$dir/scd"
    return "$result"
}
if tool gpg && tool gpgconf; then
    step 'gpg --card-status reaches the built-in card' gnupg 0 "$builtin"
    step 'gpg --card-status reaches the card in another process' gnupg 1 "$process"
fi

if [ -x "$python" ] && "$python" -c 'import smartcard' 2>/dev/null; then
    step 'pyscard, built-in card' pcsc "$python" "$here/pyscard_case.py" "$builtin" \
        "echo remove reader0 >$mnt/virtual" "echo insert reader0 >$mnt/virtual"
    ORDERS=$dir/card.orders
    export ORDERS
    send="$python -c 'import os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ[\"ORDERS\"])
link.sendall(sys.argv[1].encode())
link.recv(16)'"
    step 'pyscard, a card in another process' pcsc "$python" "$here/pyscard_case.py" \
        "$process" "$send remove" "$send insert"
else
    echo 'SKIP pyscard: not installed'
fi
step 'the daemon ends' stop_two_readers
finish
