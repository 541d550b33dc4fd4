#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A manual page is clean: mandoc has nothing to say of it, but for manuals that it does not
# find because they are not installed.
# usage: lint.sh MANDOC PAGE
set -u

said=$("$1" -Tlint -Wall "$2" 2>/dev/null | grep -v 'STYLE: referenced manual not found')
[ -n "$said" ] || exit 0
printf '%s\n' "$said"
exit 1
