#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fuzz.py: what contrib/check --fuzz says of its targets, here shell scripts.

usage: test-fuzz.py FUZZ_PY
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

FUZZ = sys.argv.pop(1)
GOOD = "echo '#9 DONE cov: 12 ft: 3'; echo 'stat::number_of_executed_units: 345'"
# Its input is left where -artifact_prefix says.
CRASH = """for a; do case $a in -artifact_prefix=*) touch "${a#*=}crash-1" ;; esac; done; exit 77"""


def fuzz(**targets):
    """Lines, exit status and figures of a run with the given targets."""
    with tempfile.TemporaryDirectory() as build:
        os.makedirs(os.path.join(build, "tests/fuzz"))
        for name, script in targets.items():
            path = os.path.join(build, "tests/fuzz/fuzz-" + name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + script + "\n")
            os.chmod(path, 0o755)
        done = subprocess.run([sys.executable, FUZZ, build, "2"], stdout=subprocess.PIPE, text=True, check=False)
        with open(os.path.join(build, "fuzz.json"), encoding="utf-8") as file:
            return done.stdout.splitlines(), done.returncode, json.load(file)


class Fuzz(unittest.TestCase):
    def test_figures_of_each_target_are_taken(self):
        lines, status, figures = fuzz(a=GOOD, b=GOOD)
        self.assertEqual(status, 0)
        self.assertEqual(lines[-1], "2 passed, 0 failed, 1 skipped")  # no test data
        self.assertEqual((figures["a"]["executions"], figures["a"]["edges"]), (345, 12))
        self.assertEqual(figures["b"]["crashes"], [])

    def test_a_crash_is_named_and_fails(self):
        lines, status, figures = fuzz(good=GOOD, bad=CRASH)
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "1 passed, 1 failed, 1 skipped")
        self.assertRegex("\n".join(lines), r"(?m)^  FAIL fuzz-bad \(.*/crashes/bad/crash-1\)$")
        self.assertEqual(len(figures["bad"]["crashes"]), 1)

    def test_a_target_that_ends_badly_or_runs_nothing_fails(self):
        for script in ("exit 1", "exit 0"):
            lines, status, _ = fuzz(a=script)
            self.assertEqual((lines[-1], status), ("0 passed, 1 failed, 1 skipped", 1))

    def test_no_target_at_all_is_a_failure(self):
        lines, status, _ = fuzz()
        self.assertEqual((lines[-1], status), ("0 passed, 0 failed, 1 skipped", 1))


unittest.main()
