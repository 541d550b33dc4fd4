#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# examples.sh - the examples of README.md, scardfs(5) and scardctl(1), word for word, in each
# shell that is there, on a mount at the place that they name. Beside them somebody takes
# the card out, puts it in, brings another reader or unplugs it, so that those that wait get
# what they wait for, and those that go on for ever come to their end.
# shellcheck disable=SC2317  # functions are called through eventually
. "$(dirname "$0")/lib.sh"
need_fuse examples
root=$(cd "$(dirname "$0")/../.." && pwd)
LIMIT_S=15

[ "$(id -u)" -eq 0 ] || skip examples 'not root, who may mount at /run/scard'
if [ "${EXAMPLES_INSIDE:-}" != yes ]; then
    unshare -m true 2>/dev/null || skip examples 'no mount namespace'
    trap - EXIT
    rm -rf "$dir"
    EXAMPLES_INSIDE=yes exec unshare -m "$0" # a /run of our own
fi
mount -t tmpfs none /run && mkdir /run/scard || exit 1
mnt=/run/scard
PATH=$root/contrib:$PATH

# Each example goes to a file $dir/example.N, that of scard_ioctl(4) to fragment.c.
python3 - "$dir" "$root" <<'END' || exit 1
import pathlib
import re
import sys

out, root = map(pathlib.Path, sys.argv[1:])
found = []
for page in ("scardfs.5", "scardctl.1"):
    text = (root / "man" / page).read_text().split(".Sh EXAMPLES\n")[1].split("\n.Sh")[0]
    for block, line in re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed|^\.Dl \$ ([^\n]*)", text,
                                  flags=re.S | re.M):
        example = block or line + "\n"
        for mark, character in ((r"\&", ""), (r"\(dq", '"'), (r"\e", "\\"), (r"\-", "-")):
            example = example.replace(mark, character)
        found.append((page, example, None))
block = re.search(r"^```console\n(.*?)^```", (root / "README.md").read_text(), flags=re.S | re.M)
commands = re.findall(r"^\$ (.*)$", block.group(1), flags=re.M)
output = re.sub(r"^\$ .*\n", "", block.group(1), flags=re.M)
found.append(("README.md", "\n".join(commands) + "\n", output))
for number, (page, example, output) in enumerate(found):
    (out / f"example.{number}").write_text(example)
    (out / f"name.{number}").write_text(f"{page}: {example.splitlines()[0]}\n")
    if output is not None:
        (out / f"output.{number}").write_text(output)
text = (root / "man/scard_ioctl.4").read_text().split(".Sh EXAMPLES\n")[1]
fragment = re.search(r"^\.Bd [^\n]*\n(.*?)^\.Ed", text, flags=re.S | re.M).group(1)
(out / "fragment.c").write_text(fragment)
print(f"{len(found)} examples")
END

# happenings FILE: what somebody does while this example runs, a line for `virtual` each
happenings() {
    case $(cat "$1") in
    *transmit* | *apdu* | *attributes/\**) ;; # needs the card to stay
    *'wait present'*) echo 'insert reader0' ;;
    *reader1*) echo 'plug' ;;
    *) printf '%s reader0\n' remove insert remove unplug ;;
    esac
}

# sleepers: the processes that sleep with a file open that tells news
sleepers() {
    find /proc/[0-9]*/fd \( -lname "$mnt/changes" -o -lname "$mnt/reader*/events/*" \) \
        2>/dev/null | cut -d / -f 3 | while read -r process; do
        read -r _ _ state _ <"/proc/$process/stat" && [ "$state" = S ] && echo "$process"
    done 2>/dev/null
}

ended_or_waits() {
    ended "$1" || [ -n "$(sleepers)" ]
}

# nobody_reads FILE
nobody_reads() {
    ! find /proc/[0-9]*/fd -lname "$mnt/$1" 2>/dev/null | grep -q .
}

# somebody PID FILE: does these while the example runs: each once it waits for news, and
# the next only when those have it that waited for the last
somebody() {
    happenings "$2" | while read -r happening; do
        eventually "$LIMIT_S" ended_or_waits "$1"
        virtual "$happening"
        case $happening in
        remove*) eventually "$LIMIT_S" nobody_reads 'reader0/events/absent' ;;
        insert*) eventually "$LIMIT_S" nobody_reads 'reader0/events/present' ;;
        esac
    done
}

# complains FILE: about the example, not about what the reader does
complains() {
    grep -iE 'not found|syntax error|unexpected|Traceback|invalid argument|bad ' "$1"
}

# try SHELL N
try() {
    shell=$1
    number=$2
    what="$shell, $(cat "$dir/name.$number")"
    start_daemon --virtual || fail "$what: no daemon"
    # "The card that comes next" is none that is there.
    ! grep -q 'wait present' "$dir/example.$number" || virtual 'remove reader0'
    # shellcheck disable=SC2086  # two words for busybox
    timeout "$LIMIT_S" $shell "$dir/example.$number" >"$dir/out" 2>"$dir/err" &
    example=$!
    somebody "$example" "$dir/example.$number"
    wait "$example"
    result=$?
    stop_daemon || fail "$what: the daemon ended with $?"
    if [ "$result" -eq 124 ]; then
        fail "$what: has not ended"
    elif complains "$dir/err"; then
        fail "$what"
    elif [ -e "$dir/output.$number" ]; then
        is "$what" "$(cat "$dir/output.$number")" "$(cat "$dir/out")"
    elif grep -qE 'transmit|apdu' "$dir/example.$number" && ! grep -q 9000 "$dir/out"; then
        fail "$what: $(cat "$dir/out" "$dir/err")"
    elif ! [ -s "$dir/out" ] && ! grep -q logger "$dir/example.$number"; then
        fail "$what: says nothing: $(cat "$dir/err")"
    else
        ok "$what"
    fi
}

# The fragment of C, in a program that prints what it has found.
program() {
    cat >"$dir/program.c" <<'END'
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <scard_ioctl.h>
#include <winsmcrd.h>

int main(void)
{
    int fd = open("/run/scard/reader0/control", O_RDWR);
#include "fragment.c"
    printf("%u\n", (unsigned)state);
    return 0;
}
END
    cc -I"$root/include" -o "$dir/program" "$dir/program.c" && "$dir/program"
}

if command -v cc >/dev/null; then
    start_daemon --virtual -o power=lazy || fail 'no daemon'
    is 'C, scard_ioctl.4: SCARD_SWALLOWED' 3 "$(program)"
    stop_daemon || fail "the daemon ended with $?"
else
    echo 'SKIP C: no compiler'
fi
for shell in bash dash 'busybox sh'; do
    if ! command -v "${shell%% *}" >/dev/null; then
        echo "SKIP $shell: not installed"
        continue
    fi
    for example in "$dir"/example.*; do
        try "$shell" "${example##*.}"
    done
done
finish
