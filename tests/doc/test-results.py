#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/results.py: figures are those of the run, or there are none.

usage: test-results.py RESULTS_PY
"""
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

if shutil.which("git") is None:
    print("SKIP results: no git")
    sys.exit(77)
spec = importlib.util.spec_from_file_location("results", sys.argv[1])
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)
bad = 0


def check(what, truth):
    global bad
    print(("ok  " if truth else "FAIL"), what)
    bad += not truth


def repository(folder):
    """One with a committed file, in the place of the project."""
    results.ROOT, results.KEPT = folder, folder / "build-results"
    for path in ("file", results.PAGE, "tests/a-test"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("as committed\n")
    results.KEPT.mkdir()
    for words in ("init -q", "add file tests", "-c user.name=n -c user.email=e commit -qm first"):
        subprocess.run(["git", "-C", folder, *words.split()], check=True)


def task(status, writes):
    """Done by a contrib/check that ends so and leaves these figures, or none."""
    def run(_, __):
        if writes is not None:
            (results.ROOT / "figures.json").write_text(json.dumps(writes))
        return status, "SKIP\n  SKIP one: a reason\n1 passed, 0 failed, 1 skipped\n", 1.0
    results.run = run
    one = results.Task("one", [], ("file", "tests"),
                       lambda output: results.figures("figures.json"), "figures.json")
    one.do()
    return one


with tempfile.TemporaryDirectory() as name:
    repository(pathlib.Path(name))
    one = task(0, {"n": 1})
    check("a run that succeeds is done, with its figures",
          one.is_done() and one.kept()["figures"] == {"n": 1})
    one = task(1, None)
    check("a run that leaves no figures has none of an earlier one",
          not one.is_done() and one.kept()["figures"] is None)
    one = task(1, {"n": 2})
    check("one that fails is not done, and its figures stand", not one.is_done() and
          one.kept()["figures"] == {"n": 2})
    check("nothing is changed", results.changed() == [])
    (results.ROOT / results.PAGE).write_text("written anew\n")
    check("the page may be", results.changed() == [])
    before = results.done_to(("file", "tests"))
    subprocess.run(["git", "-C", name, "-c", "user.name=n", "-c", "user.email=e", "commit",
                    "-qam", "the page"], check=True)
    check("and what was done is done when it is committed",
          results.done_to(("file", "tests")) == before)
    (results.ROOT / "file").write_text("otherwise\n")
    check("a changed file is seen", len(results.changed()) == 1)

output = "Skipped:\n  SKIP a: b\n1 cases skipped\n3 passed, 0 failed, 1 skipped\n"
check("counts are those of the last line", results.counts(output) == [3, 0, 1])
page = list(results.skipped_table({"tests": {"figures": results.with_counts(output)},
                                   "tests--threads": {"figures": results.with_counts(output)}}))
check("a skipped case is told once, with where",
      page == ["\nSkipped:\n", "- a: b (as it is built, `--threads`)"])
sys.exit(1 if bad else 0)
