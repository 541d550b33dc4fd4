#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sums up one run of "meson test": every skipped case with its reason, then the counts.

usage: summary.py TESTLOG_JSON

A test program passes, fails or is skipped as a whole (exit status 77). A program that
passes may have skipped single cases; it says so by lines "SKIP <case>: <reason>", which
count as skipped too. Status 0 only if a test ran and none failed.
"""
import json
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}
passed = failed = 0
skipped = []

try:
    with open(sys.argv[1], encoding="utf-8") as log:
        results = [json.loads(line) for line in log if line.strip()]
except OSError as error:
    print(f"no test has run: {error}")
    results = []

for test in results:
    output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    cases = [f"{test['name']}: {case}" for case in re.findall(r"^SKIP +(\S.*?)\s*$", output, re.M)]
    if test["result"] == "SKIP":
        skipped += cases or [f"{test['name']}: no reason given"]
    elif test["result"] in GOOD:
        passed += 1
        skipped += cases
    else:
        failed += 1
        print(f"  FAIL {test['name']} ({test['result'].lower()})")

if skipped:
    print("Skipped:")
    for case in skipped:
        print(f"  SKIP {case}")
print(f"{len(skipped)} cases skipped")
print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
sys.exit(0 if passed and not failed else 1)
