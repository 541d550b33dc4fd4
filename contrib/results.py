#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that contrib/check can do, and tests/RESULTS.md, which says what came of it.

usage: contrib/results.py MINUTES [TASK ...]   (contrib/check --all)

The figures of each task are kept in build-results/, with a hash of what it was done to:
the sources, or for the tests these and themselves. A task that has figures of what is
there now is not done again, so that an interrupted run goes on where it was; the page is
written after each. With TASKs only these are done. Figures stand with a commit, so nothing
may be changed that is not committed, but for the page itself. Status 0 only if none has
failed.
"""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import coverage  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ROOT / "build-results"
PAGE = "tests/RESULTS.md"
SOURCES = ("include", "smclib", "ccid", "fs", "contrib/pcsc", "meson.build")
WHERE = (f"{time.strftime('%Y-%m-%d')}, Linux {platform.release()}, {os.cpu_count()} "
         "processors")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
VARIANTS = {
    "": "as it is built",
    "--sanitize": "AddressSanitizer, UndefinedBehaviorSanitizer",
    "--threads": "ThreadSanitizer, without a mount",
    "--memory": "MemorySanitizer, own code",
    "--valgrind": "valgrind, without a mount",
    "--coverage": "for the coverage",
}
# The files from which the figures of some of them come.
LEFT = {"": "build/meson-logs/testlog.json", "--coverage": "build-coverage/coverage.json"}


def git(*arguments):
    return subprocess.run(("git", "-C", str(ROOT)) + arguments, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def done_to(paths):
    """What stands in these files and folders now, as far as it is committed; what is in
    "tests" but the page, which changes with every run."""
    named = [path for path in paths if path != "tests"]
    if "tests" in paths:
        named += [path for path in git("ls-tree", "--name-only", "HEAD", "tests/").splitlines()
                  if path != PAGE]
    return " ".join(git("rev-parse", f"HEAD:{path}") for path in named)


def changed():
    """What is not as it is committed."""
    return [line for line in git("status", "--porcelain", "--untracked-files=no").splitlines()
            if line.split(maxsplit=1)[1] != PAGE]


def run(arguments, log):
    """contrib/check with these: status, output, seconds."""
    begin = time.monotonic()
    with open(KEPT / log, "w", encoding="utf-8") as file:
        status = subprocess.run([str(ROOT / "contrib/check")] + arguments, stdout=file,
                                stderr=subprocess.STDOUT, check=False).returncode
    return status, (KEPT / log).read_text(errors="replace"), time.monotonic() - begin


def figures(path):
    try:
        return json.loads((ROOT / path).read_text())
    except (OSError, ValueError):
        return None


class Task:
    """What contrib/check is asked for, where its figures are kept, and which file with
    figures it leaves."""

    def __init__(self, name, arguments, subject, collect, left=None):
        self.name, self.arguments, self.collect, self.left = name, arguments, collect, left
        self.subject = done_to(subject)
        self.file = KEPT / f"{name}.json"

    def kept(self):
        """Figures of what is there now, or of something that was, or None."""
        return figures(self.file)

    def is_done(self):
        kept = self.kept()
        return kept is not None and kept["of"] == self.subject and kept["status"] == 0

    def do(self):
        print(f"{self.name}: contrib/check {' '.join(self.arguments)}", flush=True)
        if self.left:  # figures of an earlier run are not this one's
            (ROOT / self.left).unlink(missing_ok=True)
        status, output, seconds = run(self.arguments, f"{self.name}.log")
        self.file.write_text(json.dumps({
            "of": self.subject, "commit": git("rev-parse", "--short", "HEAD"), "where": WHERE,
            "status": status, "seconds": round(seconds), "figures": self.collect(output),
        }, indent=1))
        print(f"{self.name}: status {status}, {seconds:.0f} s", flush=True)


def counts(output):
    found = COUNTS.findall(output)
    return [int(number) for number in found[-1]] if found else None


def skipped_cases(output):
    """Why each was, from the summary at the end."""
    return re.findall(r"^  SKIP (.*)$", output, re.M)


def exposure():
    """Of the unit, as the test of the units has it from systemd-analyze."""
    log = ROOT / LEFT[""]
    for line in log.read_text().splitlines() if log.exists() else ():
        found = re.search(r"its exposure is (\d+)", json.loads(line).get("stdout") or "")
        if found:
            return int(found.group(1)) / 10
    return None


def with_counts(output):
    return {"counts": counts(output), "skipped": skipped_cases(output)}


def with_exposure(output):
    return with_counts(output) | {"exposure": exposure()}


def with_coverage(output):
    sums = figures(LEFT["--coverage"])
    return with_counts(output) | {"coverage": coverage.folders(sums) if sums else None}


# ---- the page --------------------------------------------------------------------------

def tests_table(results):
    yield "| | passed | failed | skipped | minutes | commit |\n|---|---|---|---|---|---|"
    for option, what in VARIANTS.items():
        kept = results.get("tests" + option)
        told = f"`contrib/check {option}`".replace(" `", "`")
        if kept is None or kept["figures"]["counts"] is None:
            yield f"| {told}, {what} | no figures | | | | |"
            continue
        passed, failed, skipped = kept["figures"]["counts"]
        yield (f"| {told}, {what} | {passed} | {failed} | {skipped} | "
               f"{kept['seconds'] / 60:.1f} | {kept['commit']} |")


def skipped_table(results):
    """Each case that did not run somewhere, and why; where it did not."""
    where = {}
    for option in VARIANTS:
        kept = results.get("tests" + option)
        for case in (kept["figures"].get("skipped") or []) if kept else ():
            where.setdefault(case, []).append(f"`{option}`" if option else "as it is built")
    if where:
        yield "\nSkipped:\n"
    for case, options in where.items():
        yield f"- {case} ({', '.join(options)})"


def coverage_table(kept):
    yield "| | lines | branches |\n|---|---|---|"
    for folder, (lines, covered, branches, taken) in kept["coverage"].items():
        yield (f"| {folder} | {coverage.percent(covered, lines):.1f} % of {lines:,} | "
               f"{coverage.percent(taken, branches):.1f} % of {branches:,} |")


def fuzz_table(targets):
    yield "| target | executions | seconds | edges | failures |\n|---|---|---|---|---|"
    for name, one in sorted(targets.items()):
        yield (f"| {name} | {one['executions']:,} | {one['seconds']} | {one['edges']} | "
               f"{len(one['crashes'])} |")


def sweep_table(sweep):
    yield "| scenario | functions | faults | failures |\n|---|---|---|---|"
    for one in sweep["scenarios"]:
        yield (f"| {one['name']} | {one['functions']} | {one['faults']} | "
               f"{one['failures']} |")
    yield (f"| all, {len(sweep['scenarios'])} scenarios | {sweep['functions']} | "
           f"{sweep['faults']} | {sweep['failures']} |")


def kill_table(kill):
    yield "| phase | system calls | killed at |\n|---|---|---|"
    for name, one in kill["phases"].items():
        yield f"| {name} | {one['calls']} | {one['killed']} |"
    yield (f"\n{kill['restarts']} restarts, median {kill['median_ms']} ms, longest "
           f"{kill['longest_ms']} ms, {kill['failures']} failures.")


def plain_table(values):
    yield "| | |\n|---|---|"
    for key, value in values.items():
        yield f"| {key.replace('_', ' ')} | {value} |"


def requirements():
    """Each of bad-input.map with its tests."""
    yield "| | requirement | tests |\n|---|---|---|"
    number, what, tests = None, None, []
    for line in (ROOT / "tests/bad-input.map").read_text().splitlines() + ["0 end"]:
        if not line or line.startswith("#"):
            continue
        if line.startswith("  "):
            file, name = line.split(maxsplit=1)
            tests.append(f"`{file}` {name}")
            continue
        if number is not None:
            yield f"| {number} | {what} | {'; '.join(tests)} |"
        number, what = line.split(maxsplit=1)
        tests = []


def mended():
    """Commits that changed the product and a test at once, since there are fuzz targets."""
    first = git("log", "--format=%h", "--diff-filter=A", "--", "tests/fuzz/fuzz.c")
    first = first.splitlines()[-1]
    for commit in git("log", "--reverse", "--format=%h %s", f"{first}^..HEAD").splitlines():
        short, subject = commit.split(maxsplit=1)
        files = git("show", "--format=", "--name-only", short).splitlines()
        product = any(file.startswith(SOURCES[:-1]) for file in files)
        if product and any(file.startswith("tests/") for file in files):
            yield f"- {short} {subject}"


SECTIONS = (
    ("Fuzz targets", "fuzz", fuzz_table),
    ("Coverage (goals: 97 % of the lines, 92 % of the branches)", "tests--coverage",
     coverage_table),
    ("Every call fails", "sweep", sweep_table),
    ("The daemon is killed", "kill", kill_table),
    ("Soak", "soak", plain_table),
    ("Static analysis", "analyze", plain_table),
)


def section(kept, table):
    if kept is None or not kept["figures"]:
        yield "No figures."
        return
    yield from table(kept["figures"])
    failed = "" if kept["status"] == 0 else "; **it has failed**"
    yield (f"\nOf {kept['commit']}, {kept['where'].split(',')[0]}, in "
           f"{kept['seconds'] / 60:.1f} minutes{failed}.")


def page(results):
    yield "# Results\n"
    yield "Written by `contrib/check --all`, never by hand. Figures are of the commit that stands with"
    yield "them. What has no figures has not been run to its end since this page is kept.\n"
    yield "; ".join(sorted({kept["where"] for kept in results.values()})) + "."
    yield "\n## Tests\n"
    yield from tests_table(results)
    yield from skipped_table(results)
    for title, name, table in SECTIONS:
        yield f"\n## {title}\n"
        yield from section(results.get(name), table)
    yield "\n## The unit\n"
    plain = results.get("tests")
    known = plain["figures"]["exposure"] if plain else None
    yield (f"Exposure {'(no figures)' if known is None else known} of 10 "
           "(`systemd-analyze security --offline`; goal 1.5, with the mount handed over 1.0).")
    yield "\n## Requirements of bad input\n"
    yield from requirements()
    yield "\n## What was mended\n"
    yield "Changes of the product that came with a test, since there are fuzz targets:\n"
    yield from mended()


def tasks(minutes):
    everything = SOURCES + ("tests",)
    collects = {"": with_exposure, "--coverage": with_coverage}
    for option in VARIANTS:
        yield Task("tests" + option, ["--werror"] + ([option] if option else []), everything,
                   collects.get(option, with_counts),
                   LEFT.get(option))
    for name, arguments, path in (
            ("fuzz", [str(60 * int(minutes))], "build-fuzz/fuzz.json"),
            ("kill", [], "build/kill.json"),
            ("soak", [minutes], "build/soak.json"),
            ("analyze", [], "build/analyze.json"),
            ("sweep", [], "build/sweep.json")):
        yield Task(name, [f"--{name}"] + arguments, SOURCES,
                   lambda output, path=path: figures(path), path)


def main():
    wanted = sys.argv[2:]
    KEPT.mkdir(exist_ok=True)
    everything = list(tasks(sys.argv[1]))
    unknown = set(wanted) - {task.name for task in everything}
    if unknown:
        sys.exit(f"contrib/results.py: no such task: {', '.join(sorted(unknown))}")
    if changed():
        sys.exit("contrib/results.py: not committed:\n" + "\n".join(changed()))
    failed = []
    for task in everything:
        if wanted and task.name not in wanted:
            continue
        if not task.is_done():
            task.do()
        if not task.is_done():
            failed.append(task.name)
        results = {one.name: one.kept() for one in everything if one.kept() is not None}
        (ROOT / PAGE).write_text("\n".join(page(results)) + "\n")
    for name in failed:
        print(f"FAIL {name}: see {KEPT / name}.log")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
