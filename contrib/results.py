#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that contrib/check can do, and tests/RESULTS.md, which says what came of it.

usage: contrib/results.py MINUTES   (contrib/check --all)

The figures of each task are kept in build-results/, with a hash of what it was done to:
the sources, or for the tests these and themselves. A task that has figures of what is
there now is not done again, so that an interrupted run goes on where it was. Status 0
only if none has failed.
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
SOURCES = ("include", "smclib", "ccid", "fs", "contrib/pcsc", "meson.build")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
VARIANTS = {
    "": "as it is built",
    "--sanitize": "AddressSanitizer, UndefinedBehaviorSanitizer",
    "--threads": "ThreadSanitizer, without a mount",
    "--memory": "MemorySanitizer, own code",
    "--valgrind": "valgrind, without a mount",
    "--coverage": "for the coverage",
}


def git(*arguments):
    return subprocess.run(("git", "-C", str(ROOT)) + arguments, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def done_to(paths):
    """What stands in these files and folders now, as far as it is committed."""
    return " ".join(git("rev-parse", f"HEAD:{path}") for path in paths)


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


def task(name, arguments, paths, collect):
    """The figures of a task, done now or before. collect(output) gives what is kept."""
    file = KEPT / f"{name}.json"
    subject = done_to(paths)
    kept = figures(file)
    if kept is not None and kept["of"] == subject and kept["status"] == 0:
        print(f"{name}: done before, at {kept['commit']}", flush=True)
        return kept
    print(f"{name}: contrib/check {' '.join(arguments)}", flush=True)
    status, output, seconds = run(arguments, f"{name}.log")
    kept = {"of": subject, "commit": git("rev-parse", "--short", "HEAD"), "status": status,
            "seconds": round(seconds), "figures": collect(output)}
    file.write_text(json.dumps(kept, indent=1))
    print(f"{name}: status {status}, {seconds:.0f} s", flush=True)
    return kept


def counts(output):
    found = COUNTS.findall(output)
    return [int(number) for number in found[-1]] if found else None


def exposure(output):
    """Of the unit, by systemd-analyze, as the test of the units has printed it."""
    log = figures("build/meson-logs/testlog.json")
    del output, log
    for line in (ROOT / "build/meson-logs/testlog.json").read_text().splitlines():
        test = json.loads(line)
        found = re.search(r"its exposure is (\d+)", test.get("stdout") or "")
        if found:
            return int(found.group(1)) / 10
    return None


# ---- the page --------------------------------------------------------------------------

def tests_table(results):
    yield "| | passed | failed | skipped | minutes | commit |\n|---|---|---|---|---|---|"
    for option, what in VARIANTS.items():
        kept = results["tests" + option]
        passed, failed, skipped = kept["figures"] or ("-", "-", "-")
        yield (f"| `contrib/check {option}`, {what} | {passed} | {failed} | {skipped} | "
               f"{kept['seconds'] / 60:.1f} | {kept['commit']} |")


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


def page(results, minutes):
    yield "# Results\n"
    yield "Written by `contrib/check --all`, never by hand. Figures are of the commit that stands beside"
    yield "them; what has changed since then were not the sources that they are about.\n"
    yield (f"{time.strftime('%Y-%m-%d')}, {git('rev-parse', '--short', 'HEAD')}, Linux "
           f"{platform.release()}, {os.cpu_count()} processors.\n")
    sections = (
        ("Tests", tests_table(results), ""),
        ("Fuzz targets", "fuzz", fuzz_table),
        ("Coverage (goals: 97 % of the lines, 92 % of the branches)", "tests--coverage-figures",
         lambda sums: (f"    {line}" for line in coverage.table(sums))),
        ("Every call fails", "sweep", sweep_table),
        ("The daemon is killed", "kill", kill_table),
        (f"Soak, {minutes} minutes", "soak", plain_table),
        ("Static analysis", "analyze", plain_table),
    )
    for title, source, table in sections:
        yield f"\n## {title}\n"
        if not isinstance(source, str):
            yield from source
            continue
        kept = results.get(source)
        if kept is None or not kept["figures"]:
            yield "No figures: the task failed."
            continue
        yield from table(kept["figures"])
        yield f"\n{kept['commit']}, {kept['seconds'] / 60:.1f} minutes."
    yield "\n## The unit\n"
    yield (f"Exposure {results['exposure']} of 10 (`systemd-analyze security --offline`; goal 1.5,"
           " with the mount handed over 1.0).")
    yield "\n## Requirements of bad input\n"
    yield from requirements()
    yield "\n## What was mended\n"
    yield "Changes of the product that came with a test, since there are fuzz targets:\n"
    yield from mended()


def main():
    minutes = sys.argv[1]
    KEPT.mkdir(exist_ok=True)
    results = {}
    everything = SOURCES + ("tests",)
    for option in VARIANTS:
        results["tests" + option] = task("tests" + option, ["--werror", option] if option else
                                         ["--werror"], everything, counts)
    sums = figures("build-coverage/coverage.json")
    if sums is not None:
        results["tests--coverage-figures"] = dict(results["tests--coverage"],
                                                  figures=coverage.folders(sums))
    results["exposure"] = exposure(None)
    for name, arguments, path in (
            ("fuzz", ["--fuzz", str(60 * int(minutes))], "build-fuzz/fuzz.json"),
            ("sweep", ["--sweep"], "build/sweep.json"),
            ("kill", ["--kill"], "build/kill.json"),
            ("soak", ["--soak", minutes], "build/soak.json"),
            ("analyze", ["--analyze"], "build/analyze.json")):
        results[name] = task(name, arguments, SOURCES, lambda output, path=path: figures(path))
    (ROOT / "tests/RESULTS.md").write_text("\n".join(page(results, minutes)) + "\n")
    print("tests/RESULTS.md is written")
    failed = [name for name, kept in results.items()
              if isinstance(kept, dict) and kept["status"] != 0]
    for name in failed:
        print(f"FAIL {name}: see {KEPT / name}.log")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
