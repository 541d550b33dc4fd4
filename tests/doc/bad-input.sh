#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every requirement of bad-input.map has a test, and every test that it names is there, is
# run by its program, and its program is built or run.
# usage: bad-input.sh MAP [LAST [TESTS]]
set -u

map=$1
last=${2:-40}
tests=${3:-$(dirname "$map")}
bad=0
number=0
count=0

say() {
    printf 'bad-input.map: %s\n' "$1"
    bad=1
}

# named FILE NAME: how often the name stands there as a word, or the step as a whole
named() {
    case $1 in
    *.c) grep -cwF -- "$2" "$1" ;;
    *) grep -cF -- "step '$2'" "$1" || grep -cF -- "is '$2'" "$1" ;;
    esac
}

ended() {
    [ "$number" -eq 0 ] || [ "$count" -gt 0 ] || say "requirement $number has no test"
}

while IFS= read -r line; do
    case $line in
    '' | '#'*) ;;
    '  '*)
        # shellcheck disable=SC2086 # two words and the rest
        set -- $line
        file=$1
        name=${line#*"$file" }
        count=$((count + 1))
        if [ ! -f "$tests/$file" ]; then
            say "$number: no file $file"
            continue
        fi
        least=1
        case $file in
        *.c) least=2 ;; # its definition, and where main has it
        esac
        [ "$(named "$tests/$file" "$name" | tail -n 1)" -ge "$least" ] ||
            say "$number: $file has no test '$name'"
        base=$(basename "${file%.*}")
        base=${base#test-}
        # in its folder, by its own name or one of a list, or by its path in another's
        grep -qE -- "['-](test-)?${base#fs-mount-}(\.c|\.sh)?'" \
            "$tests/${file%%/*}/meson.build" ||
            cat "$tests"/*/meson.build | grep -qF -- "'../$file'" ||
            say "$number: $file is not built"
        ;;
    *)
        ended
        count=0
        [ "${line%% *}" -eq $((number + 1)) ] || say "$((number + 1)) is missing"
        number=${line%% *}
        ;;
    esac
done <"$map"
ended
[ "$number" -eq "$last" ] || say "it ends with $number, not with $last"
[ "$bad" -eq 0 ] && echo "$number requirements, each with its tests"
exit "$bad"
