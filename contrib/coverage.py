#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Lines and branches covered in each folder, from a JSON summary of gcovr.

usage: contrib/coverage.py COVERAGE_JSON

Prints a table. Status 0 only if 97 % of the lines and 92 % of the branches are
covered in each.
"""
import json
import sys

FOLDERS = ("smclib/", "ccid/", "fs/", "contrib/pcsc/")
REQUIRED = (97.0, 92.0)  # of the lines, of the branches, in each folder


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
    short = [folder for folder, (lines, covered, branches, taken) in sums.items()
             if percent(covered, lines) < REQUIRED[0] or percent(taken, branches) < REQUIRED[1]]
    for folder in short:
        print(f"FAIL {folder}: less than {REQUIRED[0]} % of the lines or {REQUIRED[1]} % of the branches")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
