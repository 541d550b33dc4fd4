#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks OpenMetrics text on stdin by its grammar, by hand and, where python's
prometheus_client is installed, by its parser, too.

usage: openmetrics.py [NAME{LABEL="VALUE",...}]...

Prints the values of the samples that are named, "-" for one that is not there.
"""
import re
import sys

SUFFIXES = {"counter": {"_total"}, "gauge": {""}, "info": {"_info"},
            "histogram": {"_bucket", "_sum", "_count"}}
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(\{.*\})? ([0-9.]+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels: {text}"
        assert match[1] not in labels, f"label twice: {text}"
        labels[match[1]] = match[2]
        at = match.end()
    return labels


def histogram(name, samples):
    """Cumulative buckets, the last of them +Inf and equal to the count."""
    series = {}
    for sample, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, []).append((sample, labels.get("le"), value))
    for rows in series.values():
        buckets = [(float(le), v) for s, le, v in rows if s == name + "_bucket"]
        assert buckets == sorted(buckets), f"{name}: limits not in order"
        counts = [v for _, v in buckets]
        assert counts == sorted(counts), f"{name}: buckets not cumulative"
        assert buckets[-1][0] == float("inf"), f"{name}: no +Inf"
        assert [v for s, _, v in rows if s == name + "_count"] == [counts[-1]]


def check(text):
    assert text.endswith("# EOF\n"), "no # EOF at the end"
    found, families, family, kind = {}, {}, None, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("TYPE", "UNIT", "HELP"), line
            if what == "TYPE":
                assert name not in families, f"family twice: {name}"
                assert rest in SUFFIXES, line
                family, kind, families[name] = name, rest, []
            assert name == family, f"out of its family: {line}"
            assert what != "UNIT" or name.endswith("_" + rest), line
            continue
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line}"
        assert match[1][:len(family)] == family, f"out of its family: {line}"
        assert match[1][len(family):] in SUFFIXES[kind], line
        labels = labels_of((match[2] or "{}")[1:-1])
        key = (match[1], tuple(sorted(labels.items())))
        assert key not in found, f"sample twice: {line}"
        found[key] = match[3]
        families[family].append((match[1], labels, float(match[3])))
        if kind == "histogram" and match[1].endswith("_count"):
            histogram(family, families[family])
    return found


def main():
    text = sys.stdin.read()
    found = check(text)
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        pass
    else:
        for _ in text_string_to_metric_families(text):
            pass
    for wanted in sys.argv[1:]:
        name, _, rest = wanted.partition("{")
        key = (name, tuple(sorted(labels_of(rest.rstrip("}")).items())))
        print(found.get(key, "-"))


main()
