#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# abi.sh - what a program is compiled against and what it is linked with are the same here
# and in Debian's libpcsclite1: numbers, layouts, symbols, the name of the library.
#
# From the environment: PCSC_DIR, ABI_OURS, ABI_SYSTEM (abi.c, with each header).
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/../mount/lib.sh"
[ -n "$ABI_SYSTEM" ] || skip abi 'no libpcsclite-dev'
if ! command -v nm >/dev/null || ! command -v ldd >/dev/null; then
    skip abi 'no nm, or no ldd'
fi

ours=$PCSC_DIR/libpcsclite.so.1
theirs=$(env -u LD_LIBRARY_PATH ldd "$ABI_SYSTEM" |
    sed -n 's/.*libpcsclite\.so\.1 => \(.*\) (.*/\1/p')

# Those names are the compiler's: of a sanitizer, of coverage.
symbols() {
    nm -D --defined-only "$1" | sed 's/@.*//' |
        awk '$2 ~ /[TDRBV]/ && $3 !~ /^__|^mangle_path$/ { print $3 }' | sort -u
}

same_numbers() {
    "$ABI_OURS" >"$dir/ours" && env -u LD_LIBRARY_PATH "$ABI_SYSTEM" >"$dir/theirs" &&
        diff "$dir/ours" "$dir/theirs"
}

# Internals of pcsc-lite that it exports by accident are no part of the API.
public() {
    symbols "$1" | grep -E '^(SCard|g_rgSCard|pcsc_stringify_error$)'
}

soname() {
    objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'
}

step 'every number and every layout' same_numbers
printf '     %s numbers and layouts\n' "$(wc -l <"$dir/ours")"
is 'the functions and objects' "$(public "$theirs")" "$(public "$ours")"
printf '     %s functions and objects\n' "$(public "$ours" | wc -l)"
is 'and nothing else' "$(public "$ours")" "$(symbols "$ours")"
is 'the name' "$(soname "$theirs")" "$(soname "$ours")"
finish
