#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# client.sh - a program in C on the drop-in library: what its calls cost, that nothing
# leaks, PIN pads, long commands, and what it hears when the daemon or a right is missing.
#
# From the environment, beside lib.sh's: CLIENT (client.c).
# shellcheck disable=SC2317,SC2016  # functions are called through step; sh -c has its own $
. "$(dirname "$0")/lib.sh"
need_fuse client
[ -n "$CLIENT" ] || skip client 'no libpcsclite-dev'

echo4=80e000000401020304
builtin='scardfs Virtual Reader (0000) 00 00'

client() {
    pcsc "$CLIENT" "$@"
}

# says PATTERN COMMAND...: the last line
says() {
    pattern=$1
    shift
    line=$(client "$@" | tail -n 1)
    # shellcheck disable=SC2254 # a pattern is meant
    case $line in
    $pattern) return 0 ;;
    esac
    echo "     said: $line"
    return 1
}

# between_marks FILE: the system calls between two of getppid
between_marks() {
    awk '/getppid/ { inside = !inside; next } inside' "$1"
}

# calls COMMAND...: how many system calls a command of the client takes
calls() {
    client_trace=$dir/strace
    pcsc strace -f -o "$client_trace" "$CLIENT" list reader 0 connect "$@" >/dev/null
    between_marks "$client_trace" | wc -l
}

only_ioctl() {
    [ "$(between_marks "$dir/strace" | grep -vc ioctl)" = 0 ]
}

# ---- no daemon -------------------------------------------------------------------------

is 'no daemon: there is no service' 'establish 8010001d' "$(client | head -n 1)"

# ---- a daemon --------------------------------------------------------------------------

step 'two readers' start_two_readers --virtual=pinpad
is 'the names' \
    "list 00000000 [$builtin] [scardfs Virtual PCD (0001) 00 00] [scardfs Virtual Reader (0002) 00 00]" \
    "$(client list | tail -n 1)"
for number in 0 1; do
    step "reader $number: a command" says "transmit 00000000 010203049000" \
        list reader $number connect transmit $echo4 1
    step "reader $number: state" says 'status 00000000 3[14]' \
        list reader $number connect status
    step "reader $number: ATR" says 'change 00000000 0020 3b8880015445535442*' \
        list reader $number change
    step "reader $number: 60,000 bytes each way" says 'long 00000000 60002 same' \
        list reader $number connect long 60000
done
step 'an attribute' says 'attrib 00000000 73636172646673' \
    list reader 0 connect attrib 00010100

# ---- what it costs ---------------------------------------------------------------------

if [ "$SANITIZE" != none ]; then
    echo "SKIP system calls and leaks: with b_sanitize=$SANITIZE"
else
    if command -v strace >/dev/null; then
        count=$(calls transmit $echo4 1000)
        is 'system calls of 1,000 SCardTransmit' 1000 "$count"
        step 'each of them an ioctl' only_ioctl
        printf '     %s system calls of 1,000 SCardTransmit\n' "$count"
        is 'system calls of one with 60,000 bytes each way' 2 "$(calls long 60000)"
        printf '     2 of one with 60,000 bytes each way\n'
        printf '     %s of a wait of 500 ms for three readers\n' "$(calls idle 500)"
        is 'it sleeps once' 1 "$(between_marks "$dir/strace" | grep -c 'poll(')"
        is 'and has no thread' 0 "$(grep -c clone "$dir/strace")"
    else
        echo 'SKIP system calls: no strace'
    fi
    if command -v valgrind >/dev/null; then
        step 'valgrind: no error and no leak' pcsc valgrind -q --leak-check=full \
            --show-leak-kinds=definite,indirect,possible --error-exitcode=9 \
            --errors-for-leak-kinds=definite,indirect,possible \
            "$CLIENT" list reader 0 connect status change transmit $echo4 100 long 60000 \
            attrib 00010100 control 42000d48 "" disconnect context list connect many 20
    else
        echo 'SKIP leaks: no valgrind'
    fi
fi

# ---- PC/SC part 10 ---------------------------------------------------------------------

verify=1e0082000008040200090400000000050000000020008000
step 'features by the code for Linux' says 'control 00000000 0604*' \
    list reader 2 connect control 42000d48 ''
step 'features by the code of Windows' says 'control 00000000 0604*' \
    list reader 2 connect control 00313520 ''
step 'a PIN by the keys of the reader' says 'control 00000000 9000' \
    list reader 2 connect control tag:06 $verify
step 'he will type a wrong one' virtual 'type reader2 111111'
step 'and the card says so' says 'control 00000000 63c2' \
    list reader 2 connect control tag:06 $verify
step 'a code that the reader does not have' says 'control 8010001f' \
    list reader 0 connect control 42000d06 ''

# ---- who may not -----------------------------------------------------------------------

as_nobody() {
    LD_LIBRARY_PATH=$PCSC_DIR timeout 60 setpriv --reuid 65534 --regid 65534 \
        --clear-groups "$@"
}

# Neither the build nor the mount may be in a place that others see.
public_client() {
    chmod 755 "$dir" && mkdir "$dir/lib" && cp "$PCSC_DIR/libpcsclite.so.1" "$dir/lib" &&
        cp "$CLIENT" "$dir/client"
}

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    echo 'SKIP without rights: not root, or no setpriv'
elif [ "$SANITIZE" != none ]; then
    echo "SKIP without rights: with b_sanitize=$SANITIZE"
else
    step 'a copy for others' public_client
    PCSC_DIR=$dir/lib CLIENT=$dir/client
    is 'who may not open a card sees that it is there' \
        'change 00000000 0020 3b88800154455354424544015d' \
        "$(as_nobody "$CLIENT" list reader 0 change | tail -n 1)"
    is 'and is told that he may not' 'connect 8010006a' \
        "$(as_nobody "$CLIENT" list reader 0 connect | tail -n 1)"
fi

# ---- the daemon goes and comes ---------------------------------------------------------

# conversation COMMAND...: the client waits at each "wait" for a line that is sent to it
conversation() {
    rm -f "$dir/to"
    mkfifo "$dir/to" && : >"$dir/from"
    pcsc "$CLIENT" "$@" <"$dir/to" >"$dir/from" &
    talk=$!
    exec 9>"$dir/to"
}

heard() {
    sed -n "$1p" "$dir/from"
}

lines() {
    [ "$(grep -c waiting "$dir/from")" -ge "$1" ]
}

conversation list reader 0 connect transmit $echo4 1 wait transmit $echo4 1 list wait list \
    transmit $echo4 1 connect transmit $echo4 1
step 'the program has a card' eventually 10 lines 1
is 'it answers' 'transmit 00000000 010203049000' "$(heard 5)"
step 'the daemon ends' stop_two_readers
echo >&9
step 'the program goes on' eventually 10 lines 2
is 'its card is gone' 'transmit 8010001d' "$(heard 7)"
is 'no readers' 'list 8010001d' "$(heard 8)"
step 'the daemon is back' start_two_readers
echo >&9
exec 9>&-
wait "$talk"
is 'the program ends' 0 $?
is 'its context knows the readers again' 'list 00000000' "$(heard 10 | cut -c 1-13)"
is 'its card is still gone' 'transmit 8010001d' "$(heard 11)"
is 'it can connect again' 'connect 00000000' "$(heard 12)"
is 'and is answered' 'transmit 00000000 010203049000' "$(heard 13)"
stop_two_readers

# ---- another daemon numbers its readers in another way ----------------------------------

# The first reader in the third directory.
moved_reader() {
    start_daemon --virtual=2 && exec 8<"$mnt/reader0/control" &&
        virtual 'unplug reader0' && virtual plug && exec 8<&- &&
        eventually 10 grep -q '(0000)' "$mnt/reader2/name"
}

third_reader() {
    start_daemon --virtual=3 && eventually 10 grep -q '(0002)' "$mnt/reader2/name"
}

serial='attrib 00000000 30303030' # 0000
step 'a reader moves' moved_reader
conversation list reader 1 change connect attrib 00010103 wait change connect attrib 00010103
step 'the program has it' eventually 10 lines 1
is 'it is the one' "reader $builtin" "$(heard 3)"
is 'by its number' "$serial" "$(heard 6)"
step 'the daemon ends' stop_daemon
step 'in another one its place is that of another' third_reader
echo >&9
exec 9>&-
wait "$talk"
is 'its name is still its own' "$serial" "$(heard 10)"
step 'the daemon ends' stop_daemon
finish
