# SPDX-License-Identifier: BSD-2-Clause
"""The guest's readers and cards, and the vm-qmp commands that change them."""
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import time

from host import CACHE, tool


def cac_db():
    """An NSS database with three test certificates, for libcacard."""
    d = os.path.join(CACHE, "nssdb")
    if os.path.exists(os.path.join(d, "ready")):
        return d
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    certutil, env = tool("certutil")
    noise = os.path.join(d, "noise")
    with open(noise, "wb") as f:
        f.write(os.urandom(256))

    def run(*args):
        subprocess.run([certutil, *args], env=env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    run("-N", "-d", "sql:" + d, "--empty-password")
    run("-S", "-d", "sql:" + d, "-s", "CN=Testbed CA", "-n", "testbed-ca", "-x", "-t", "CTC,CTC,CTC",
        "-z", noise, "-m", "1", "-v", "240")
    for i, n in enumerate(("id-cert", "signing-cert", "encryption-cert")):
        run("-S", "-d", "sql:" + d, "-s", "CN=Test Card %s" % n, "-n", n, "-c", "testbed-ca", "-t", ",,",
            "-z", noise, "-m", str(i + 2), "-v", "240")
    open(os.path.join(d, "ready"), "w").close()
    return d


class Readers:
    """Readers by name. sel watches the sockets on which QEMU's cards connect."""

    def __init__(self, args, folder, sel):
        self.args, self.dir, self.sel = args, folder, sel
        self.qmp = None         # once QEMU runs
        self.readers = {}       # name -> {"kind", "present", "link", "listen"}

    def listen(self, name):
        """The socket to which QEMU's passthru card of this reader connects."""
        path = os.path.join(self.dir, "vsc-%s" % name)
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(1)
        self.sel.register(s, selectors.EVENT_READ, ("vsc-accept", name))
        return s, path

    def reader_spec(self, name, kind, present):
        r = {"kind": kind, "present": present, "link": None, "listen": None, "path": None, "gen": 0}
        if kind == "vcard":
            r["listen"], r["path"] = self.listen(name)
        self.readers[name] = r
        return r

    def cac_props(self, name):
        return {"driver": "ccid-card-emulated", "id": "card-" + name, "bus": "ccid-%s.0" % name,
                "backend": "certificates", "db": "sql:" + cac_db(),
                "cert1": "id-cert", "cert2": "signing-cert", "cert3": "encryption-cert"}

    def boot_devices(self):
        args = []
        for i in range(self.args.reader):
            name = "r%d" % i
            kind = "cac" if self.args.card == "cac" and i == 0 else "vcard"
            r = self.reader_spec(name, kind, not self.args.empty)
            args += ["-device", "usb-ccid,bus=usb.0,id=ccid-" + name]
            if kind == "vcard":
                args += ["-chardev", "socket,id=vsc-%s,path=%s" % (name, r["path"]),
                         "-device", "ccid-card-passthru,id=card-%s,bus=ccid-%s.0,chardev=vsc-%s" % (name, name, name)]
            elif r["present"]:
                p = self.cac_props(name)
                args += ["-device", ",".join([p.pop("driver")] + ["%s=%s" % kv for kv in p.items()])]
        return args

    def do(self, line):
        """One vm-qmp command; the answer's first word is ok or err."""
        try:
            words = line.split()
            cmd, rest = (words[0], words[1:]) if words else ("", [])
            if cmd == "qmp":
                return "ok " + json.dumps(self.qmp.raw(json.loads(line.split(None, 1)[1])))
            if cmd == "ping":
                return "ok"
            if cmd == "status":
                return "ok " + json.dumps({n: {"kind": r["kind"], "card": r["present"],
                                               "apdus": r["link"].apdus if r["link"] else None}
                                           for n, r in self.readers.items()})
            if cmd == "reader-add":
                name = rest[0] if rest else "r%d" % next(
                    i for i in range(99) if "r%d" % i not in self.readers)
                return self.reader_add(name, rest[1:])
            name = rest[0] if rest else "r0"
            if name not in self.readers:
                return "err no reader " + name
            if cmd == "reader-del":
                return self.reader_del(name)
            if cmd == "card-insert":
                return self.card(name, True)
            if cmd == "card-remove":
                return self.card(name, False)
            return "err unknown command: " + cmd
        except (RuntimeError, ValueError, IndexError, OSError) as e:
            return "err " + " ".join(str(e).split())

    def reader_add(self, name, words):
        if name in self.readers:
            return "err reader %s exists" % name
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            return "err bad name"
        kind = "cac" if "cac" in words else "vcard"
        r = self.reader_spec(name, kind, "empty" not in words)
        try:
            if kind == "vcard":
                self.qmp("chardev-add", id="vsc-" + name, backend={"type": "socket", "data": {
                    "addr": {"type": "unix", "data": {"path": r["path"]}}, "server": False}})
            self.qmp("device_add", driver="usb-ccid", id="ccid-" + name, bus="usb.0")
            if kind == "vcard":
                self.qmp("device_add", driver="ccid-card-passthru", id="card-" + name,
                         bus="ccid-%s.0" % name, chardev="vsc-" + name)
            elif r["present"]:
                self.qmp("device_add", **self.cac_props(name))
        except RuntimeError:
            self.forget(name)
            raise
        return "ok " + name

    def forget(self, name):
        r = self.readers.pop(name)
        for s in (r["listen"], r["link"].sock if r["link"] else None):
            if s:
                try:
                    self.sel.unregister(s)
                except KeyError:
                    pass
                s.close()

    def reader_del(self, name):
        self.qmp("device_del", id="ccid-" + name)
        kind = self.readers[name]["kind"]
        self.forget(name)
        if kind == "vcard":
            for _ in range(50):     # the card lets the channel go a moment later
                try:
                    self.qmp("chardev-remove", id="vsc-" + name)
                    break
                except RuntimeError:
                    time.sleep(0.02)
        return "ok " + name

    def card(self, name, insert):
        r = self.readers[name]
        if r["present"] == insert:
            return "err card already " + ("inserted" if insert else "removed")
        if r["kind"] == "vcard":
            if not r["link"]:
                return "err reader not ready"
            r["link"].insert() if insert else r["link"].remove()
        elif insert:
            self.qmp("device_add", **self.cac_props(name))
        else:
            self.qmp("device_del", id="card-" + name)
        r["present"] = insert
        return "ok " + name

