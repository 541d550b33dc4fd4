#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Static analysis of the product: gcc -fanalyzer and clang's analyzer over every source of
smclib/, ccid/, fs/ and contrib/pcsc/.

usage: contrib/analyze.py BUILD_DIR

A finding is either mended or explained in contrib/analyze.explained; one that is neither,
and an explanation that nothing needs any more, fail. An explanation is for one finding: a
second one of the same kind in that file needs its own. Figures: BUILD_DIR/analyze.json.
"""
import collections
import itertools
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("smclib/", "ccid/", "fs/", "contrib/pcsc/")
FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*) \[(\S+?)\]$", re.M)
CHECKERS = re.compile(r"-Wanalyzer|clang-analyzer|clang-diagnostic-error")
DROPPED = {"-MD", "-Werror"}
DROPPED_WITH_VALUE = {"-MQ", "-MF", "-o"}


def arguments(command):
    """Those of a compilation, without what it writes. Before them is the compiler, and
    perhaps ccache."""
    words = itertools.dropwhile(lambda word: not word.startswith("-"), shlex.split(command))
    kept = []
    for word in words:
        if word in DROPPED_WITH_VALUE:
            next(words)
        elif word not in DROPPED:
            kept.append(word)
    return kept


def sources(build):
    """file: (folder to compile in, arguments); each source once."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        if name.startswith(FOLDERS):
            found.setdefault(name, (entry["directory"], arguments(entry["command"])))
    return dict(sorted(found.items()))


def analyze(tool, folder, words):
    """Findings of one tool in one source: (file, line, checker, message)."""
    if tool == "gcc":
        command = ["gcc", *words, "-fanalyzer", "-fdiagnostics-color=never",
                   "-fdiagnostics-path-format=none", "-o", "/dev/null"]
    else:
        gcc_only = {"-fstack-clash-protection", "-ftrivial-auto-var-init=zero"}
        source = words[-1]
        flags = [w for w in words[:-2] if w not in gcc_only and not w.startswith("-fdiag")]
        command = ["clang-tidy", "--quiet", "--checks=-*,clang-analyzer-*"
                   # wants C11's Annex K, which glibc does not have
                   ",-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling",
                   source, "--", *flags]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    findings = set()
    for file, line, message, checker in FINDING.findall(said.stdout + said.stderr):
        if not CHECKERS.search(checker):
            continue
        path = (pathlib.Path(folder) / file).resolve()
        if path.is_relative_to(ROOT):
            findings.add((path.relative_to(ROOT).as_posix(), int(line), checker, message))
    if said.returncode != 0 and not findings:
        sys.exit(f"contrib/analyze.py: {' '.join(command)}:\n{said.stderr}")
    return findings


def explanations():
    """FILE CHECKER: REASON, a line each; further lines of a reason are indented. How many
    there are of each (file, checker)."""
    text = (ROOT / "contrib/analyze.explained").read_text()
    return collections.Counter(re.findall(r"^(\S+) (\S+): \S", text, re.M))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    unused = explanations()
    figures = {"unexplained": 0, "explained": 0}
    files = sources(build)
    for tool in ("gcc", "clang"):
        findings = set()
        for folder, words in files.values():
            findings |= analyze(tool, folder, words)
        figures[tool] = {"files": len(files), "findings": len(findings)}
        for file, line, checker, message in sorted(findings):
            if unused[(file, checker)] > 0:
                unused[(file, checker)] -= 1
                figures["explained"] += 1
            else:
                figures["unexplained"] += 1
                print(f"  FAIL {file}:{line}: {message} [{checker}]", flush=True)
    for (file, checker), left in sorted(unused.items()):
        if left > 0:
            print(f"  FAIL contrib/analyze.explained: nothing in {file} needs {checker}")
    stale = sum(unused.values())
    (build / "analyze.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    failed = figures["unexplained"] + stale
    print(f"{2 * len(files) - min(failed, 2 * len(files))} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
