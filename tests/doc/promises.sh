#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every promise of SECURITY.md names the tests that show it, and they are there and run.
# usage: promises.sh SECURITY_MD TESTS
set -u

page=$1
tests=$2
map=$(mktemp)
trap 'rm -f "$map"' EXIT

# As a map for bad-input.sh: the promises with their numbers, the tests below them.
awk '
    /^## / { promises = $0 == "## Promises"; next }
    !promises { next }
    /^[0-9]+\. / { sub(/\./, "", $1); print; shown = 0; next }
    / Shown by / { shown = 1 }
    shown {
        for (line = $0; match(line, /`[^`]+`/); line = substr(line, RSTART + RLENGTH))
            print "  " substr(line, RSTART + 1, RLENGTH - 2)
    }' "$page" >"$map"

last=$(grep -c '^[0-9]' "$map")
if [ "$last" -lt 10 ]; then
    echo "promises.sh: only $last promises are found in $page"
    exit 1
fi
"$(dirname "$0")/bad-input.sh" "$map" "$last" "$tests"
