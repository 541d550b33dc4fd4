#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What was built for others has what meson.build asks the compiler for. What the compiler
# does not have ("-" in its place) is not looked for.
# usage: hardening.sh FORTIFY CET FILE...
#   FORTIFY, CET   yes, or - where the compiler cannot or does not optimise
set -u

fortify=$1
cet=$2
shift 2
for tool in readelf objdump; do
    command -v "$tool" >/dev/null && continue
    echo "SKIP hardening: no $tool"
    exit 77
done
failed=0

# has FILE WHAT PATTERN READELF-OPTION...
has() {
    file=$1
    what=$2
    pattern=$3
    shift 3
    if readelf -W "$@" "$file" | grep -q -- "$pattern"; then
        echo "ok   ${file##*/}: $what"
    else
        echo "FAIL ${file##*/}: $what"
        failed=1
    fi
}

# is_marked FILE: the places where indirect branches may go are
is_marked() {
    marks=$(objdump -d --no-show-raw-insn "$1" | grep -c endbr64)
    if [ "$marks" -gt 50 ]; then
        echo "ok   ${1##*/}: $marks marked targets of branches"
    else
        echo "FAIL ${1##*/}: $marks marked targets of branches"
        failed=1
    fi
}

for file in "$@"; do
    has "$file" 'can be loaded anywhere' '^ *Type: *DYN ' -h
    case $file in
    *.so*) ;;
    *) has "$file" 'and is a program' 'Flags:.*PIE' -d ;;
    esac
    has "$file" 'no executable stack' 'GNU_STACK .* RW ' -l
    has "$file" 'relocations become read-only' GNU_RELRO -l
    has "$file" 'all of them before it runs' 'BIND_NOW\|Flags:.*NOW' -d
    has "$file" 'canaries on stacks' __stack_chk_fail --dyn-syms
    [ "$fortify" = - ] || has "$file" 'checked calls of libc' '_chk@' --dyn-syms
    # The linker's note of it would need a C library that has it, too.
    [ "$cet" = - ] || is_marked "$file"
done
exit "$failed"
