#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/summary.py: what contrib/check says at its end.

usage: test-summary.py SUMMARY_PY
"""
import json
import subprocess
import sys
import tempfile
import unittest

SUMMARY = sys.argv.pop(1)


def summary(*tests):
    """Lines and exit status for the given (name, result, stdout)."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for name, result, output in tests:
            log.write(json.dumps({"name": name, "result": result, "stdout": output}) + "\n")
        log.flush()
        done = subprocess.run([sys.executable, SUMMARY, log.name], stdout=subprocess.PIPE,
                              text=True, check=False)
    return done.stdout.splitlines(), done.returncode


class Summary(unittest.TestCase):
    def test_all_passed_exits_0(self):
        lines, status = summary(("a", "OK", ""), ("b", "OK", ""))
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")
        self.assertEqual(status, 0)

    def test_a_failure_is_named_and_exits_1(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"):
            lines, status = summary(("a", "OK", ""), ("b", result, ""))
            self.assertIn(f"  FAIL b ({result.lower()})", lines)
            self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")
            self.assertEqual(status, 1)

    def test_a_skipped_program_gives_its_reasons(self):
        lines, status = summary(("a", "OK", ""), ("b", "SKIP", "SKIP x: no fuse\nSKIP y: no usb\n"))
        self.assertIn("  SKIP b: x: no fuse", lines)
        self.assertIn("  SKIP b: y: no usb", lines)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 2 skipped")
        self.assertEqual(status, 0)

    def test_a_silent_skip_is_shown(self):
        lines, _ = summary(("a", "OK", ""), ("b", "SKIP", ""))
        self.assertIn("  SKIP b: no reason given", lines)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 1 skipped")

    def test_a_skipped_case_of_a_passing_program_counts(self):
        lines, _ = summary(("a", "OK", "[ OK ] t\nSKIP corpus: no data\n"))
        self.assertIn("  SKIP a: corpus: no data", lines)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 1 skipped")

    def test_no_test_at_all_is_a_failure(self):
        lines, status = summary()
        self.assertEqual(lines[-1], "0 passed, 0 failed, 0 skipped")
        self.assertEqual(status, 1)


unittest.main()
