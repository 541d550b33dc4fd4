#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Lines and branches covered in each folder, from a JSON summary of gcovr.

usage: contrib/coverage.py COVERAGE_JSON

Prints a table. Status 0 only if 95 % of the branches of smclib/ are covered.
"""
import json
import sys

FOLDERS = ("smclib/", "ccid/", "fs/", "contrib/pcsc/")
REQUIRED = {"smclib/": 95.0}


def folders(summary):
    """folder: (lines, lines covered, branches, branches covered)"""
    sums = {folder: [0, 0, 0, 0] for folder in FOLDERS}
    for file in summary["files"]:
        for folder in FOLDERS:
            if file["filename"].startswith(folder):
                for i, key in enumerate(("line_total", "line_covered", "branch_total", "branch_covered")):
                    sums[folder][i] += file[key]
    return sums


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def table(sums):
    """One line for each folder."""
    for folder, (lines, covered, branches, taken) in sums.items():
        yield (f"{folder:14} lines {percent(covered, lines):5.1f} % of {lines:5}, "
               f"branches {percent(taken, branches):5.1f} % of {branches:5}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sums = folders(json.load(file))
    print("\n".join(table(sums)))
    short = [folder for folder, least in REQUIRED.items()
             if percent(sums[folder][3], sums[folder][2]) < least]
    for folder in short:
        print(f"FAIL {folder}: less than {REQUIRED[folder]} % of the branches")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
