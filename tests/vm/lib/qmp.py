# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's machine protocol."""
import json


class Qmp:
    def __init__(self, sock):
        self.sock, self.buf = sock, b""
        self.events = []
        self.read()
        self("qmp_capabilities")

    def read(self):
        while b"\n" not in self.buf:
            d = self.sock.recv(65536)
            if not d:
                raise EOFError("QEMU has gone")
            self.buf += d
        line, self.buf = self.buf.split(b"\n", 1)
        return json.loads(line)

    def raw(self, obj):
        self.sock.sendall(json.dumps(obj).encode() + b"\n")
        while True:
            r = self.read()
            if "event" in r:
                self.events.append(r)
                continue
            return r

    def __call__(self, execute, **arguments):
        r = self.raw({"execute": execute, "arguments": arguments})
        if "error" in r:
            raise RuntimeError(r["error"].get("desc", str(r)))
        return r["return"]
