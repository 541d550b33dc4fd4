#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each public header compiles alone: as strict C11, and as C++11, twice in one unit.
# usage: headers.sh INCLUDE_DIR C_COMPILER [C++_COMPILER]
set -u

include=$1
cc=$2
cxx=${3:-}
failed=0

alone() { # language standard compiler header extra-flags...
    language=$1 standard=$2 compiler=$3 header=$4
    shift 4
    if printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        $compiler -x "$language" -std="$standard" -Wall -Wextra -Wshadow -Wundef -Werror \
            "$@" -fsyntax-only -I"$include" -; then
        echo "ok   $header as $standard"
    else
        echo "FAIL $header as $standard"
        failed=1
    fi
}

for path in "$include"/*.h; do
    header=${path##*/}
    alone c c11 "$cc" "$header" -Wpedantic -Wstrict-prototypes
    [ -z "$cxx" ] || alone c++ c++11 "$cxx" "$header"
done
[ -n "$cxx" ] || echo "SKIP headers as C++: no C++ compiler"
exit $failed
