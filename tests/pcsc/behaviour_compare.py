#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the steps of two runs of `behaviour` against each other.

usage: behaviour_compare.py OURS THEIRS DIFFERENCES

Each line of DIFFERENCES is "step | ours | theirs | reason". Prints how many steps there
are, are the same, and differ as listed. Status 0: every difference is listed, everything
that is listed differs in just that way, and there are at least 150 steps.
"""
import sys

STEPS_MIN = 150


def steps(path):
    """What each step came to, by its name."""
    found = {}
    for line in open(path):
        group, name, result = line.rstrip("\n").split(": ", 2)
        step = f"{group}: {name}"
        if step in found:
            sys.exit(f"FAIL {path}: two steps {step}")
        found[step] = result.strip()
    return found


def listed(path):
    """{step: (ours, theirs)}"""
    found = {}
    for line in open(path):
        if line.startswith("#") or not line.strip():
            continue
        fields = [field.strip() for field in line.split(" | ")]
        if len(fields) != 4 or not fields[3]:
            sys.exit(f"FAIL {path}: not step | ours | theirs | reason: {line}")
        found[fields[0]] = (fields[1], fields[2])
    return found


def main():
    ours, theirs, expected = steps(sys.argv[1]), steps(sys.argv[2]), listed(sys.argv[3])
    bad = 0
    for step in list(ours) + [step for step in theirs if step not in ours]:
        pair = (ours.get(step, "missing"), theirs.get(step, "missing"))
        if pair[0] == pair[1] and step in expected:
            print(f"FAIL {step} | listed as different, and it is not: {pair[0]}")
        elif pair[0] != pair[1] and expected.get(step) != pair:
            print(f"FAIL {step} | {pair[0]} | {pair[1]} | not listed")
        else:
            continue
        bad += 1
    for step in expected:
        if step not in ours and step not in theirs:
            print(f"FAIL {step} | listed, and there is no such step")
            bad += 1
    same = sum(ours[step] == theirs.get(step) for step in ours)
    print(f"{len(ours)} steps: {same} the same, {len(ours) - same} different "
          f"({len(expected)} of those are listed with a reason)")
    if len(ours) < STEPS_MIN:
        print(f"FAIL fewer than {STEPS_MIN} steps")
        bad += 1
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
