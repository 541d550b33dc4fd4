# SPDX-License-Identifier: BSD-2-Clause
"""The guest's initramfs: the cached one, and what this run adds to it."""
import os
import shlex
import stat

from host import CACHE, HERE, TESTBED


def cpio(entries):
    """A newc archive: entries are (name, mode, bytes)."""
    out = b""
    for i, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")]):
        n = name.encode() + b"\0"
        f = [i + 1, stat.S_IFREG | mode if mode else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(n), 0]
        h = b"070701" + b"".join(b"%08X" % x for x in f) + n
        out += h + b"\0" * (-len(h) % 4) + data + b"\0" * (-len(data) % 4)
    return out


def build(args, config, folder):
    """Writes it into folder; returns its path."""
    env = {"PATH": "%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % TESTBED,
           "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", "TESTBED": TESTBED}
    for e in args.env:
        k, eq, v = e.partition("=")
        env[k] = v if eq else os.environ.get(k, "")
    cwd = os.path.abspath(args.chdir or os.getcwd())
    cmd = ["%s\n" % "".join("export %s=%s\n" % (k, shlex.quote(v)) for k, v in env.items()),
           "cd %s || exit 126\n" % shlex.quote(cwd),
           "exec %s\n" % " ".join(shlex.quote(w) for w in args.command)]
    files = [("config", 0o644, config.encode()), ("command", 0o644, "".join(cmd).encode())]
    with open(os.path.join(HERE, "guest-init"), "rb") as f:
        files.append(("guest-init", 0o755, f.read()))
    path = os.path.join(folder, "initrd")
    with open(os.path.join(CACHE, "initrd.img"), "rb") as f:
        base = f.read()
    with open(path, "wb") as f:
        f.write(base + b"\0" * (-len(base) % 512) + cpio(files))
    return path
