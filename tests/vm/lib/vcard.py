# SPDX-License-Identifier: BSD-2-Clause
"""A software smart card, and the VSCARD protocol that carries it to QEMU's
ccid-card-passthru device.

A card module (vm-run --vcard-module FILE) is a Python file which defines
  ATR = bytes(...)                 answer to reset
  def reset(): ...                 (optional) called at each insertion
  def apdu(command: bytes) -> bytes   answer including SW1 SW2
"""
import os
import struct
import time


def _atr():
    hist = b"TESTBED\x01"
    body = bytes([0x80 | len(hist), 0x80, 0x01]) + hist      # T0, TD1 (T=0 first), TD2: T=1
    tck = 0
    for b in body:
        tck ^= b
    return bytes([0x3B]) + body + bytes([tck])


ATR = _atr()
AID = bytes.fromhex("F054455354424544")
PIN = b"123456"
PIN_TRIES = 3


class Card:
    """What the built-in card remembers: tries survive a reset, the rest does not."""
    tries = PIN_TRIES
    verified = False
    apdus = 0


def reset():
    Card.verified = False
    Card.apdus = 0


def _pattern(n):
    return bytes(i & 0xFF for i in range(n))


def _decode(c):
    """Data field and Ne (None without Le) of an APDU; None when it is none."""
    body = c[4:]
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or 256
    if body[0]:                                 # short
        n, data, rest = body[0], body[1:1 + body[0]], body[1 + body[0]:]
        le = (rest[0] or 256) if rest else None
        return (data, le) if len(data) == n and len(rest) <= 1 else None
    if len(body) < 3:
        return None
    n = body[1] << 8 | body[2]
    if len(body) == 3:
        return b"", n or 65536
    data, rest = body[3:3 + n], body[3 + n:]
    le = (rest[0] << 8 | rest[1] or 65536) if len(rest) == 2 else None
    return (data, le) if n and len(data) == n and len(rest) in (0, 2) else None


def _select(p1p2, data):
    if p1p2 == 0x0400:
        return b"\x90\x00" if AID.startswith(data) else b"\x6A\x82"
    return b"\x90\x00" if data == b"\x3f\x00" else b"\x6A\x82"


def _verify(data):
    Card.verified = False
    if Card.tries == 0:
        return b"\x69\x83"
    if data == PIN:
        Card.tries, Card.verified = PIN_TRIES, True
        return b"\x90\x00"
    Card.tries -= 1
    return bytes([0x63, 0xC0 | Card.tries])


def apdu(c):
    """The commands of the project's built-in card."""
    Card.apdus += 1
    fields = _decode(c) if len(c) >= 4 else None
    if fields is None:
        return b"\x67\x00"
    data, le = fields
    cla, ins, p1p2 = c[0], c[1], c[2] << 8 | c[3]
    if cla == 0x00 and ins == 0xA4 and data and p1p2 in (0x0400, 0x0000):
        return _select(p1p2, data)
    if cla == 0x00 and ins == 0x20 and data and p1p2 == 0x0080:
        return _verify(data)
    if cla == 0x00 and ins == 0x84 and le and p1p2 == 0:
        return os.urandom(le) + b"\x90\x00"
    if cla == 0x00 and ins in (0xCA, 0xB0) and le and not data:
        return _pattern(le) + b"\x90\x00"
    if cla == 0x80 and ins == 0xE0 and data:
        return data[:le] + b"\x90\x00"
    if cla == 0x80 and ins == 0xE2 and not data:
        return _pattern(min(p1p2, le or p1p2)) + b"\x90\x00"
    if cla == 0x80 and ins == 0xE4 and not data:
        time.sleep(p1p2 / 1000.0)
        return b"\x90\x00"
    if cla == 0x80 and ins == 0xE6 and not data:
        return b"\x90\x00" if Card.verified else b"\x69\x82"
    if cla == 0x80 and ins == 0xE8 and le == 4:
        return Card.apdus.to_bytes(4, "big") + b"\x90\x00"
    return b"\x6D\x00" if cla in (0x00, 0x80) else b"\x6E\x00"


# ---- VSCARD protocol ------------------------------------------------------
INIT, ERROR, READER_ADD, READER_REMOVE, VATR, CARD_REMOVE, APDU, FLUSH, FLUSH_DONE = range(1, 10)
MAGIC = 0x56534344      # "VSCD"
VERSION = 0x000002


class Link:
    """One connected reader: feed() it what arrives on the socket."""

    def __init__(self, sock, module, log, present):
        self.sock, self.module, self.log = sock, module, log
        self.buf = b""
        self.present = False
        self.want = present
        self.ready = False
        self.apdus = 0
        self.send(INIT, struct.pack(">4sII", b"VSCD", VERSION, 0))

    def send(self, kind, data=b""):
        self.sock.sendall(struct.pack(">III", kind, 0, len(data)) + data)

    def insert(self):
        if not self.ready:
            self.want = True
            return
        if hasattr(self.module, "reset"):
            self.module.reset()
        self.send(VATR, self.module.ATR)
        self.present = True

    def remove(self):
        self.want = False
        if self.present:
            self.send(CARD_REMOVE)
        self.present = False

    def feed(self, data):
        self.buf += data
        while len(self.buf) >= 12:
            kind, _rid, n = struct.unpack(">III", self.buf[:12])
            if len(self.buf) < 12 + n:
                return
            body, self.buf = self.buf[12:12 + n], self.buf[12 + n:]
            if kind == INIT:
                self.send(READER_ADD, b"testbed")
            elif kind == ERROR:
                code = struct.unpack(">I", body[:4])[0] if len(body) >= 4 else 0
                if code:
                    self.log("vscard error %d" % code)
                if not self.ready:
                    self.ready = True
                    if self.want:
                        self.insert()
            elif kind == APDU:
                self.apdus += 1
                try:
                    answer = self.module.apdu(body)
                except Exception as e:      # a faulty card answers, it does not vanish
                    self.log("card module: %r" % (e,))
                    answer = b"\x6F\x00"
                self.send(APDU, answer)
            elif kind == FLUSH:
                self.send(FLUSH_DONE)
