#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# scardctl.sh - every command of scardctl, under every shell there is.
# shellcheck disable=SC2016,SC2317  # for other shells; functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse scardctl

hello=00A4040008F054455354424544
atr=3b88800154455354424544015d

# in_shell ARGUMENT...: scardctl, on this mount
in_shell() {
    # shellcheck disable=SC2086  # "busybox sh" are two words
    $shell "$CONTRIB/scardctl" -m "$mnt" "$@"
}

# complains STATUS PATTERN ARGUMENT...
complains() {
    wanted=$1
    pattern=$2
    shift 2
    said=$(in_shell "$@" 2>&1)
    got=$?
    [ "$got" -eq "$wanted" ] && printf '%s\n' "$said" | grep -q -- "$pattern" && return
    echo "     status $got, said: $said"
    return 1
}

# has FILE LINE
has() {
    grep -q -- "$2" "$1"
}

# changed FILE LINE...: the virtual readers, until the file shows it
watched() {
    step "$shell: watch shows '$2'" eventually 10 has "$1" "$2"
}

start_daemon --virtual=2 || exit 1
eventually 10 test -e "$mnt/reader1/state"

for shell in dash bash 'busybox sh'; do
    if ! command -v "${shell%% *}" >/dev/null; then
        printf 'SKIP scardctl under %s: not installed\n' "$shell"
        continue
    fi
    tab=$(printf '\t')
    is "$shell: list" 'reader0 reader1' "$(in_shell list | cut -f 1 | xargs)"
    step "$shell: with state and name" \
        sh -c 'printf "%s\n" "$1" | grep -q "reader0	[a-z]*	scardfs Virtual Reader"' - \
        "$(in_shell list)"
    is "$shell: atr" "$atr" "$(in_shell -r reader1 atr)"
    is "$shell: atr by place" "$atr" \
        "$(in_shell -r "$(basename "$(find "$mnt/by-path" -lname '*reader1')")" atr)"
    step "$shell: which of two readers" complains 1 'several readers' atr
    step "$shell: no such reader" complains 1 'reader7: no such reader' -r reader7 atr
    step "$shell: no command" complains 2 usage
    step "$shell: a command that is none" complains 2 'no such command' nonsense
    step "$shell: an option that is none" complains 2 usage -x
    step "$shell: wait for what" complains 2 'present or absent' wait nothing
    step "$shell: too many words" complains 2 'number of arguments' list list
    step "$shell: no scardfs there" \
        sh -c '! $1 "$2" -m /nonexistent list 2>"$3" && grep -q "no living scardfs" "$3"' \
        - "$shell" "$CONTRIB/scardctl" "$dir/said"

    # --- commands
    is "$shell: apdu" "$(printf '9000\n00010203040506079000')" \
        "$(in_shell -r reader0 apdu "$hello" '00 b0 00 00 08')"
    is "$shell: apdu from standard input" 9000 "$(echo "$hello" | in_shell -r reader0 apdu -)"
    long=$(awk 'BEGIN { for (i = 0; i < 9000; i++) printf "%02x", i % 256 }')
    is "$shell: a long command and answer" "${long}9000" \
        "$(in_shell -r reader0 apdu "80E000000023 28$long" 2>&1 | tr -d ' ')"
    step "$shell: what is no command" complains 1 'Invalid argument' -r reader0 apdu 00zz
    virtual 'remove reader0'
    step "$shell: apdu without a card" complains 1 'No medium found' -r reader0 apdu "$hello"

    # --- waiting
    is "$shell: wait present, where one is" reader1 "$(in_shell wait present)"
    in_shell -r reader0 wait present >"$dir/one" &
    waiter=$!
    virtual 'remove reader1'
    in_shell wait present >"$dir/any" &
    any=$!
    in_shell wait absent
    is "$shell: wait absent, where none is" 0 $?
    virtual 'insert reader0'
    step "$shell: wait present ends" wait "$waiter"
    is "$shell: and tells the reader" reader0 "$(cat "$dir/one")"
    step "$shell: so for any reader" wait "$any"
    is "$shell: which it tells" reader0 "$(cat "$dir/any")"
    in_shell wait absent &
    waiter=$!
    virtual 'remove reader0'
    step "$shell: wait absent ends" wait "$waiter"
    virtual 'insert reader0'
    virtual 'insert reader1'

    # --- watching
    in_shell watch >"$dir/watched" 2>&1 &
    watcher=$!
    watched "$dir/watched" "^reader1${tab}arrived${tab}scardfs Virtual Reader"
    watched "$dir/watched" "^reader1${tab}negotiable"
    virtual 'remove reader1'
    watched "$dir/watched" "^reader1${tab}absent"
    virtual plug
    watched "$dir/watched" "^reader2${tab}arrived"
    virtual 'unplug reader2'
    watched "$dir/watched" "^reader2${tab}removed"
    virtual plug
    watched "$dir/watched" "^reader2${tab}arrived"
    virtual 'unplug reader2'
    virtual 'insert reader1'
    kill "$watcher"
    step "$shell: watch can be stopped" not wait "$watcher"

    # --- turns
    if command -v flock >/dev/null; then
        SCARDCTL_SHELL="$shell $CONTRIB/scardctl -m $mnt"
        export SCARDCTL_SHELL hello
        is "$shell: lock, and commands within" '9000 00019000' \
            "$(in_shell -r reader0 lock sh -c \
                '$SCARDCTL_SHELL apdu "$hello" && $SCARDCTL_SHELL apdu 00B0000002' | xargs)"
        in_shell -r reader0 lock sh -c ': >"$1"; cat "$2" >/dev/null; echo first >>"$3"' - \
            "$dir/locked" "$mnt/reader1/events/absent" "$dir/order" &
        holder=$!
        step "$shell: somebody holds the card" eventually 10 test -e "$dir/locked"
        in_shell -r reader0 lock sh -c 'echo second >>"$1"' - "$dir/order" &
        next=$!
        virtual 'remove reader1'
        step "$shell: he ends" wait "$holder"
        step "$shell: the next one gets it" wait "$next"
        is "$shell: in this order" 'first second' "$(xargs <"$dir/order")"
        virtual 'insert reader1'
        rm -f "$dir/order" "$dir/locked"
        in_shell -r reader0 lock sh -c 'exit 42'
        is "$shell: lock ends as its command" 42 $?
    else
        printf 'SKIP scardctl lock: no flock\n'
    fi

    # --- the doctor
    in_shell doctor >"$dir/said" 2>&1
    step "$shell: the doctor finds the mount" has "$dir/said" "^ok .*$mnt is mounted and alive"
    step "$shell: and the readers" has "$dir/said" '^ok .*reader1: .*may be used'
done

# --- completion
if command -v bash >/dev/null; then
    # completed WORD...: what bash offers for the last one
    completed() {
        bash -c '. "$1"
            shift
            COMP_WORDS=(scardctl "$@") COMP_CWORD=$#
            _scardctl
            printf "%s\n" "${COMPREPLY[@]}"' - "$CONTRIB/completions/scardctl.bash" "$@" | xargs
    }
    is 'bash completes commands' 'watch wait' "$(completed wa)"
    is 'and readers' 'reader0 reader1' "$(completed -m "$mnt" -r read)"
    is 'and what follows' 'present absent' "$(completed -r reader0 wait '')"
else
    printf 'SKIP scardctl completion of bash: not installed\n'
fi
if command -v zsh >/dev/null; then
    step 'zsh reads its completion' zsh -n "$CONTRIB/completions/scardctl.zsh"
else
    printf 'SKIP scardctl completion of zsh: not installed\n'
fi

stop_daemon
for shell in dash bash 'busybox sh'; do
    command -v "${shell%% *}" >/dev/null || continue
    step "$shell: the doctor finds that nothing is mounted" \
        complains 1 'BAD .*does not answer' doctor
done
finish
