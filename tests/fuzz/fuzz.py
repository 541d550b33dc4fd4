#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fuzzes with every target, one after the other; contrib/check --fuzz calls it.

usage: fuzz.py BUILD SECONDS [DATA]

BUILD was configured with -Dfuzz=true. SECONDS is shared out evenly. What a target begins
with are its seeds, what has once made it fail, what it has found in earlier runs
(BUILD/corpus/NAME) and seeds from the folder DATA. An input that makes it fail is left in
BUILD/crashes/NAME, and named.

Figures are in BUILD/fuzz.json, too: target -> executions, seconds, edges, crashes. The
last line is "N passed, N failed, N skipped"; status 0 only if none failed.
"""
import glob
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT_SECONDS = 25  # one input that takes longer has hung
MEMORY_MB = 2048


def figure(pattern, output):
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def fuzz(build, name, seconds, data):
    """Runs one target; returns its figures and what it has said."""
    corpus, crashes = (os.path.join(build, part, name) for part in ("corpus", "crashes"))
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    before = set(os.listdir(crashes))
    seeds = [os.path.join(HERE, part, name) for part in ("seeds", "crashes")] + [os.path.join(data, name)]
    command = [
        os.path.join(build, "tests", "fuzz", "fuzz-" + name),
        f"-max_total_time={seconds}", f"-timeout={UNIT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1", "-entropic=0", f"-artifact_prefix={crashes}/",
        corpus, *filter(os.path.isdir, seeds),
    ]
    start = time.monotonic()
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = run.stdout.decode(errors="replace")
    found = sorted(set(os.listdir(crashes)) - before)
    result = {
        "executions": figure(r"stat::number_of_executed_units: (\d+)", output),
        "seconds": round(time.monotonic() - start, 1),
        "edges": figure(r"\bcov: (\d+)", output),
        "crashes": [os.path.join(crashes, file) for file in found],
    }
    if not found and run.returncode != 0:
        result["crashes"] = [f"status {run.returncode}"]
    elif not found and result["executions"] == 0:
        result["crashes"] = ["it has run nothing"]
    return result, output


def seeds_of_data(build, data):
    """The folder with seeds made from the test data, perhaps without any."""
    folder = os.path.join(build, "data-seeds")
    if data:
        subprocess.run([sys.executable, os.path.join(HERE, "make-seeds.py"), "--data", data, folder], check=True)
    return folder


def main(build, seconds, data=""):
    names = sorted(os.path.basename(path)[len("fuzz-"):] for path in glob.glob(os.path.join(build, "tests/fuzz/fuzz-*"))
                   if os.path.isfile(path) and not path.endswith("fuzz-record"))
    figures = {}
    skipped = []
    if not data or not os.path.isdir(data):
        skipped.append("fuzz: seeds of the test data: SCARDFS_TEST_DATA names no folder")
        data = ""
    seeds = seeds_of_data(build, data)
    for name in names:
        result, output = fuzz(build, name, max(1, int(seconds) // len(names)), seeds)
        figures[name] = result
        rate = int(result["executions"] / max(result["seconds"], 0.1))
        print(f"{name:10} {result['executions']:10} executions {rate:8}/s {result['edges']:7} edges"
              f" {len(result['crashes']):3} crashes", flush=True)
        if result["crashes"]:
            print("\n".join(line for line in output.splitlines()[-80:] if "Uses: " not in line))
    with open(os.path.join(build, "fuzz.json"), "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")
    failed = [name for name in figures if figures[name]["crashes"]]
    for name in failed:
        for crash in figures[name]["crashes"]:
            print(f"  FAIL fuzz-{name} ({crash})")
    for case in skipped:
        print(f"  SKIP {case}")
    print(f"{len(figures) - len(failed)} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 0 if figures and not failed else 1


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
