# SPDX-License-Identifier: BSD-2-Clause
"""vm-run: boots a small guest, runs one command line in it (see README.md)."""
import argparse
import importlib.machinery
import importlib.util
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import qemu  # noqa: E402
import vcard  # noqa: E402
from host import say  # noqa: E402
from qmp import Qmp  # noqa: E402
from readers import Readers  # noqa: E402


def parse():
    p = argparse.ArgumentParser(
        prog="vm-run", usage="vm-run [options] [--] command [argument ...]",
        description="Boots a guest which sees this machine's files, runs the command in it as root, "
                    "and ends with the command's exit status (124: time limit, 125: the guest failed).")
    p.add_argument("--reader", type=int, default=0, metavar="N", help="add N CCID readers, named r0, r1 ...")
    p.add_argument("--card", choices=["vcard", "cac"], default="vcard",
                   help="kind of card in the readers: vcard = software card (default); cac = libcacard's "
                        "CAC/PIV card with test certificates (in r0 only; the others get vcard)")
    p.add_argument("--empty", action="store_true", help="start with no card inserted")
    p.add_argument("--vcard-module", metavar="FILE", help="Python file which defines the software card")
    p.add_argument("--controller", choices=sorted(qemu.CONTROLLERS), default="ehci",
                   help="USB controller (default ehci, with uhci companions; see README about xhci)")
    p.add_argument("--vhci", action="store_true", help="load vhci_hcd (adds its 16 root hubs)")
    p.add_argument("-m", "--module", action="append", default=[], metavar="NAME", help="load a kernel module too")
    p.add_argument("--no-udev", action="store_true", help="do not start udevd (pcscd and libusb hot-plug need it)")
    p.add_argument("--reader-conf", action="store_true",
                   help="keep the host's /etc/reader.conf.d (by default it is empty in the guest)")
    p.add_argument("--share", action="append", default=[], metavar="DIR[:GUESTDIR]",
                   help="writable folder of the host, at the same place in the guest unless told; may be repeated")
    p.add_argument("-e", "--env", action="append", default=[], metavar="NAME[=VALUE]",
                   help="environment variable for the command")
    p.add_argument("-C", "--chdir", metavar="DIR", help="folder in which the command runs (default: the current one)")
    p.add_argument("--timeout", type=float, default=300, metavar="S", help="time limit, boot included (default 300)")
    p.add_argument("--cpus", type=int, default=2)
    p.add_argument("--mem", type=int, default=1024, metavar="MIB", help="guest memory (default 1024)")
    p.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto")
    p.add_argument("--qmp", metavar="PATH", help="also offer QEMU's own monitor (QMP) on this socket of the host")
    p.add_argument("--control", metavar="PATH", help="also offer the vm-qmp commands on this socket of the host")
    p.add_argument("--console", metavar="FILE", help="keep the guest's console (kernel messages) in FILE; - is stderr")
    p.add_argument("--dmesg", metavar="GUESTFILE", help="write the kernel log to this file in the guest at the end")
    p.add_argument("--qemu-arg", action="append", default=[], metavar="ARG", help="one more argument for QEMU")
    p.add_argument("--append", default="", metavar="TEXT", help="more kernel parameters")
    p.add_argument("--time", action="store_true", help="tell the boot and run times on stderr")
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    if a.command[:1] == ["--"]:
        a.command = a.command[1:]
    if not a.command:
        p.error("no command")
    if a.vcard_module and not os.path.isfile(a.vcard_module):
        p.error("no such file: " + a.vcard_module)
    return a


class Bed:
    def __init__(self, a):
        self.a = a
        self.module = self.load_module(a.vcard_module) if a.vcard_module else vcard
        self.dir = tempfile.mkdtemp(prefix="vm-run.")
        self.sel = selectors.DefaultSelector()
        self.readers = Readers(a, self.dir, self.sel)
        self.status = None
        self.failure = None
        self.t0 = time.monotonic()
        self.t_ready = None
        self.proc = None
        self.tails = {}

    @staticmethod
    def load_module(path):
        loader = importlib.machinery.SourceFileLoader("card_module", path)
        spec = importlib.util.spec_from_loader("card_module", loader)
        m = importlib.util.module_from_spec(spec)
        loader.exec_module(m)
        return m

    # -- the guest ----------------------------------------------------------
    def start(self):
        a = self.a
        self.kvm = qemu.uses_kvm(a)
        self.console = os.path.join(self.dir, "console")
        argv, env = qemu.machine(a, self.kvm, self.dir, self.console)
        theirs = []
        for i, name in enumerate(qemu.PORTS):
            mine, end = socket.socketpair()
            for s in (mine, end):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            theirs.append(end)
            argv += qemu.port(i + 1, name, end.fileno())
            self.sel.register(mine, selectors.EVENT_READ, (name, None))
        monitor, end = socket.socketpair()
        theirs.append(end)
        argv += ["-chardev", "socket,id=c-mon,fd=%d" % end.fileno(), "-mon", "chardev=c-mon,mode=control"]
        if a.qmp:
            argv += ["-qmp", "unix:%s,server=on,wait=off" % os.path.abspath(a.qmp)]
        argv += self.readers.boot_devices() + a.qemu_arg
        self.errlog = open(os.path.join(self.dir, "qemu.err"), "w+b")
        if os.environ.get("TESTBED_DEBUG"):
            say(" ".join(shlex.quote(w) for w in argv))
        self.proc = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=self.errlog,
                                     stderr=self.errlog, pass_fds=[s.fileno() for s in theirs])
        for s in theirs:
            s.close()
        if a.control:
            self.offer_control(os.path.abspath(a.control))
        try:
            self.readers.qmp = Qmp(monitor)
        except (EOFError, ConnectionError):
            self.failure = "QEMU did not start"

    def offer_control(self, path):
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(4)
        self.sel.register(s, selectors.EVENT_READ, ("control-accept", None))

    def lines(self, key, data):
        buf = self.tails.get(key, b"") + data
        *full, self.tails[key] = buf.split(b"\n")
        return [x.decode("utf-8", "replace") for x in full]

    @staticmethod
    def write(fd, data):
        while data:
            try:
                data = data[os.write(fd, data):]
            except BlockingIOError:
                time.sleep(0.005)
            except BrokenPipeError:
                return

    def handle(self, kind, name, sock):
        if kind in ("vsc-accept", "control-accept"):
            c, _ = sock.accept()
            if kind == "vsc-accept":
                r = self.readers.readers[name]
                r["link"] = vcard.Link(c, self.module, say, r["present"])
                self.sel.register(c, selectors.EVENT_READ, ("vsc", name))
            else:
                self.sel.register(c, selectors.EVENT_READ, ("control", c.fileno()))
            return
        try:
            data = sock.recv(262144)
        except ConnectionError:
            data = b""
        if not data:
            self.sel.unregister(sock)
            return
        if kind == "vsc":
            self.readers.readers[name]["link"].feed(data)
        elif kind == "out":
            self.write(1, data)
        elif kind == "err":
            self.write(2, data)
        elif kind in ("cmd", "control"):
            for line in self.lines((kind, name), data):
                sock.sendall((self.readers.do(line) + "\n").encode())
        elif kind == "ctl":
            for line in self.lines(kind, data):
                w = line.split(None, 1)
                if w[:1] == ["ready"]:
                    self.t_ready = time.monotonic()
                    self.guest_up = w[1]
                elif w[:1] == ["exit"]:
                    self.status = int(w[1])
                elif w[:1] == ["fail"]:
                    self.failure = w[1]

    def loop(self):
        end = self.t0 + self.a.timeout
        grace = None
        while not self.failure:
            left = end - time.monotonic()
            if left <= 0:
                if self.status is None:
                    self.failure, self.status = "time limit of %g s" % self.a.timeout, 124
                break
            for key, _ in self.sel.select(min(left, 0.2)):
                self.handle(key.data[0], key.data[1], key.fileobj)
            if self.status is not None:
                # what the command wrote has been sent before its status
                if grace is None:
                    grace = time.monotonic() + 3
                open_ports = {k.data[0] for k in self.sel.get_map().values()} & {"out", "err"}
                if not open_ports or time.monotonic() > grace:
                    break
            elif self.proc.poll() is not None and "ctl" not in {
                    k.data[0] for k in self.sel.get_map().values()}:
                self.failure = "the guest stopped without a status"

    def run(self):
        try:
            self.start()
            self.loop()
        except KeyboardInterrupt:
            self.failure, self.status = "interrupted", 130
        finally:
            if self.proc and self.proc.poll() is None:
                self.proc.terminate()
                try:
                    self.proc.wait(5)
                except subprocess.TimeoutExpired:
                    self.proc.kill()
                    self.proc.wait()
        if self.failure:
            say(self.failure)
            self.errlog.seek(0)
            err = self.errlog.read().decode("utf-8", "replace")
            err = "\n".join(x for x in err.splitlines() if "terminating on signal" not in x)
            if err.strip():
                say("QEMU says: " + err.strip())
            self.show_console(40)
        if self.a.console and os.path.exists(self.console):
            if self.a.console == "-":
                self.show_console(10000)
            else:
                shutil.copyfile(self.console, self.a.console)
        if self.a.time:
            now = time.monotonic()
            if self.t_ready:
                say("accelerator %s; command began %.2f s after the start (guest up %s s); command and stop took %.2f s"
                    % ("kvm" if self.kvm else "tcg", self.t_ready - self.t0, self.guest_up, now - self.t_ready))
        if self.status is None:
            return 125
        return self.status

    def clean(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if self.a.control and os.path.exists(self.a.control):
            os.unlink(self.a.control)
        shutil.rmtree(self.dir, ignore_errors=True)

    def show_console(self, n):
        try:
            with open(self.console, "rb") as f:
                text = f.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return
        if text:
            say("last lines of the guest's console:")
            sys.stderr.write("\n".join("  | " + x.rstrip() for x in text[-n:]) + "\n")


def main():
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    bed = Bed(parse())
    try:
        rc = bed.run()
    finally:
        bed.clean()
    sys.exit(rc)


if __name__ == "__main__":
    main()
