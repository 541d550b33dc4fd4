#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds manuals, headers and the constants test together, in both directions.

usage: check-docs.py PROJECT_ROOT [LIBSMCLIB_SO]

  smclib(3)       lists and describes exactly the routines that the headers declare,
                  and the library exports exactly those that are not inline
  scard_ioctl(4)  names exactly the constants and structures of scard_ioctl.h and
                  the control codes of winsmcrd.h
  scardfs(5)      has one line per status value of wdm.h, with the errno and in the
                  spelling of smclib/status.c where that file tells, and every file of
                  fs/node.c
  scardfs(8)      describes every option that -h names
  test-constants  has every constant of the headers
"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
failed = False


def header(name):
    """Text of a header without comments and without continued lines."""
    text = (root / "include" / name).read_text()
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")


def manual(name):
    return (root / "man" / name).read_text()


def compare(title, left_name, left, right_name, right):
    global failed
    for missing, where in ((left - right, right_name), (right - left, left_name)):
        for name in sorted(missing):
            print(f"FAIL {title}: {name} is not in {where}")
            failed = True
    if left == right:
        print(f"ok   {title}: {len(left)} names")


def includes(title, whole_name, whole, part):
    global failed
    for name in sorted(part - whole):
        print(f"FAIL {title}: {name} is not in {whole_name}")
        failed = True
    if part <= whole:
        print(f"ok   {title}: {len(part)} names")


# ---- routines ------------------------------------------------------------------------
DRIVER_HEADERS = ["wdm.h", "smclib.h", "smcnt.h"]


def prototypes(text):
    """Names of functions declared at the start of a line: TYPE NAME(...);"""
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.M)
    return set(re.findall(r"^(?:const )?\w+ \**(\w+)\([^{};]*?\)[^{};]*;", text, flags=re.M)) - {
        name for name in re.findall(r"^typedef .*?(\w+)\(", text, flags=re.M)}


def inlines(text):
    return set(re.findall(r"^static inline [\w ]+?\**(\w+)\(", text, flags=re.M))


def macros_with_arguments(text):
    found = set(re.findall(r"^#define (\w+)\(", text, flags=re.M))
    return {name for name in found if not name.isupper()}


declared = set().union(*(prototypes(header(name)) for name in DRIVER_HEADERS))
inline = set().union(*(inlines(header(name)) for name in DRIVER_HEADERS))
macro = set().union(*(macros_with_arguments(header(name)) for name in DRIVER_HEADERS))
documented = set(re.findall(r"^\.(?:Fn|Fo) (\w+)", manual("smclib.3"), flags=re.M))
compare("smclib(3) and the headers", "smclib.3", documented, "include/",
        declared | inline | macro)

described = set()
for line in re.findall(r"^\.It (Fn .*)$", manual("smclib.3"), flags=re.M):
    described |= set(re.findall(r"Fn (\w+)", line))
compare("smclib(3) describes what it lists", "ROUTINES", described, "SYNOPSIS", documented)

if len(sys.argv) > 2:
    symbols = subprocess.run(["nm", "-D", "--defined-only", sys.argv[2]], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    exported = set(re.findall(r"^[0-9a-f]+ [TDRB] (\w+)", symbols, flags=re.M))
    variables = set(re.findall(r"^extern const \w+ (\w+);", header("smcnt.h"), flags=re.M))
    # What the daemon calls (smclib/io.h) is exported and not for drivers.
    exported = {name for name in exported if not name.startswith(("smc_io_", "smc_irp_", "smc_status_"))}
    compare("headers and exported symbols", "include/", declared | variables,
            "libsmclib.so", exported)

# ---- scard_ioctl(4) ------------------------------------------------------------------
abi = header("scard_ioctl.h")
abi_names = set(re.findall(r"^#define (SCARD_\w+)", abi, flags=re.M))
abi_names -= {"SCARD_IOCTL_H", "SCARD_ASSERT_SIZE"}
abi_names |= set(re.findall(r"^struct (scard_\w+) \{", abi, flags=re.M))
codes = set(re.findall(r"^#define (\w*IOCTL_\w+)", header("winsmcrd.h"), flags=re.M))
page = manual("scard_ioctl.4")
page_names = set(re.findall(r"\b((?:CM_|SCFS_)?IOCTL_(?:SMARTCARD|CCID|GET)_\w+)", page))
page_names |= set(re.findall(r"\b(scard_(?!ioctl)\w+)\b", page))
page_names |= {name for name in re.findall(r"\b(SCARD_\w+)", page) if name in abi_names
               or name.startswith(("SCARD_IOC_", "SCARD_SHARE_", "SCARD_DISPOSITION_"))}
compare("scard_ioctl(4) and scard_ioctl.h", "scard_ioctl.4", page_names, "include/",
        abi_names | codes)

# ---- scardfs(5) ----------------------------------------------------------------------
statuses = set(re.findall(r"^#define (STATUS_\w+)", header("wdm.h"), flags=re.M))
unseen = {"STATUS_TIMEOUT", "STATUS_PENDING"}  # inside the daemon only
rows = dict(re.findall(r"^\.It Dv (STATUS_\w+) Ta Er (\w+)", manual("scardfs.5"), flags=re.M))
for extra in re.findall(r"^\.It Dv (STATUS_\w+) Ta 0", manual("scardfs.5"), flags=re.M):
    rows[extra] = "0"
compare("scardfs(5) and the status values", "scardfs.5", set(rows), "wdm.h",
        statuses - unseen)

table = root / "smclib" / "status.c"
if table.exists():
    wrong = 0
    source = re.sub(r"/\*.*?\*/", " ", table.read_text(), flags=re.S)
    mapped = dict(re.findall(r"[({]\s*(STATUS_\w+),\s*(E[A-Z0-9]+|0)\b", source))
    for name in sorted(set(mapped) & set(rows)):
        if mapped[name] != rows[name]:
            print(f"FAIL errno of {name}: {mapped[name]} in status.c, {rows[name]} in scardfs.5")
            wrong += 1
    failed = failed or wrong > 0 or not mapped
    if not mapped:
        print("FAIL errno table: smclib/status.c has no rows that this script can read")
    elif not wrong:
        print(f"ok   errno of {len(set(mapped) & set(rows))} statuses")

nodes = root / "fs" / "node.c"
tree = set(re.findall(r'^\s*\{SCFS_\w+, SCFS_\w+, "(\w+)"', nodes.read_text(), flags=re.M))
words = set(re.findall(r"\w+", manual("scardfs.5").split(".Sh CAVEATS")[0]))
includes("scardfs(5) shows the whole tree", "scardfs.5", words, tree or {"(no file found)"})

# ---- scardfs(8) ----------------------------------------------------------------------
usage = re.search(r"usage\[\] =(.*?);\n", (root / "fs/main.c").read_text(), flags=re.S).group(1)
options = set(re.findall(r"(?<![\w-])-(\w|-\w+)", usage)) | set(re.findall(r"\b(\w+)=", usage))
options |= set(re.findall(r'"    -o (\w+)', usage))
page = manual("scardfs.8").replace("\\-", "-")
described = set(re.findall(r"^\.It Fl (\w|-\w+)", page, flags=re.M))
described |= {part for line in re.findall(r"^\.It Cm (.*)$", page, flags=re.M)
              for part in re.findall(r"\b(\w+)(?:=|$)", line)}
includes("scardfs(8) describes every option of -h", "scardfs.8", described,
         options - {"virtual"})

# ---- constants test ------------------------------------------------------------------
constants = set()
for name in DRIVER_HEADERS + ["winsmcrd.h", "scard_ioctl.h"]:
    for constant, _ in re.findall(r"^#define ([A-Za-z]\w+)[ \t]+(\S.*)$", header(name), flags=re.M):
        if re.fullmatch(r"[A-Z][A-Za-z0-9_]*", constant):
            constants.add(constant)
tested = set(re.findall(r"\b([A-Za-z]\w+)\b", (root / "tests/doc/test-constants.c").read_text()))
includes("test-constants.c has every constant", "test-constants.c", tested,
         {name for name in constants if re.search(r"[A-Z]{3}", name)})

sys.exit(1 if failed else 0)
