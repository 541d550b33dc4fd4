#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A card of the vpicc protocol.

usage: vpicc_card.py [--atr HEX] [--control PATH] PORT|unix:PATH [MODE]

  00 A4                    SELECT: 9000
  00 20 00 01 06 PIN       VERIFY 31 32 33 34 35 36; three tries: 63Cx, then 6983
  00 84 00 00 Le           GET CHALLENGE: Le bytes
  00 CA P1 P2 Le           Le bytes 00 01 02 ...
  80 E0 00 00 Lc data      ECHO, also extended
  80 E2 P1 P2 [00 Le Le]   P1P2 bytes 00 01 02 ... (65,535 at most)
  80 E4 P1 P2              takes P1P2 ms
  80 E6 00 00              9000 if the PIN is verified, else 6982
  80 E8                    the number of its resets, four bytes
  80 EA                    the number of APDUs since it was made, four bytes
  anything else            6D00

--control: a socket at which each line is an order, answered with a line "done":
"remove" hangs up, "insert" connects again. Without it the program ends with its reader.
MODE:

  chatty      sends an answer that nobody has asked for after each of its own
  short       answers every APDU with one byte
  long-atr    has an ATR of 34 bytes
  no-atr      has an ATR of 0 bytes
  half        hangs up in the middle of its answer to every APDU
  long        announces more than it sends
  silent      answers no APDU
"""
import argparse
import os
import select
import socket
import struct
import sys
import time

ATR = "3b88800154455354424544015d"
PIN = b"123456"
POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4


class Card:
    """What the chip remembers."""

    def __init__(self, atr, mode):
        self.atr = {"long-atr": atr + bytes(34 - len(atr)), "no-atr": b""}.get(mode, atr)
        self.mode = mode
        self.resets = self.apdus = 0
        self.tries = 3
        self.verified = False

    def verify(self, pin):
        if self.tries == 0:
            return b"\x69\x83"
        self.verified = pin == PIN
        self.tries = 3 if self.verified else self.tries - 1
        return b"\x90\x00" if self.verified else bytes([0x63, 0xC0 | self.tries])

    def answer(self, apdu):
        """The response APDU."""
        command = apdu[:2]
        self.apdus += 1
        if self.mode == "short":
            return b"\x90"
        if command == b"\x00\xa4":
            return b"\x90\x00"
        if command == b"\x00\x20" and len(apdu) > 5:
            return self.verify(apdu[5:5 + apdu[4]])
        if command == b"\x00\x84" and len(apdu) == 5:
            return os.urandom(apdu[4] or 256) + b"\x90\x00"
        if command == b"\x00\xca" and len(apdu) == 5:
            return bytes(range(apdu[4])) + b"\x90\x00"
        if command == b"\x80\xe0":
            if len(apdu) > 7 and apdu[4] == 0:
                return apdu[7:7 + struct.unpack(">H", apdu[5:7])[0]] + b"\x90\x00"
            return apdu[5:5 + apdu[4]] + b"\x90\x00"
        if command == b"\x80\xe2":
            count = min(struct.unpack(">H", apdu[2:4])[0], 65533)
            return (bytes(range(256)) * 256)[:count] + b"\x90\x00"
        if command == b"\x80\xe4":
            time.sleep(struct.unpack(">H", apdu[2:4])[0] / 1000)
            return b"\x90\x00"
        if command == b"\x80\xe6":
            return b"\x90\x00" if self.verified else b"\x69\x82"
        if command == b"\x80\xe8":
            return struct.pack(">I", self.resets) + b"\x90\x00"
        if command == b"\x80\xea":
            return struct.pack(">I", self.apdus) + b"\x90\x00"
        return b"\x6d\x00"

    def take(self, message):
        """The reply to a message, or None."""
        if len(message) != 1:
            return self.answer(message)
        if message[0] in (POWER_OFF, POWER_ON, RESET):
            self.resets += message[0] != POWER_OFF
            self.verified = False
        return self.atr if message[0] == GET_ATR else None


def connect(address):
    if address.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        link.connect(address[5:])
        return link
    link = socket.create_connection(("127.0.0.1", int(address)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def receive(link, count):
    """So many bytes, or None at the end."""
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            return None
        data += more
    return data


def serve(link, card):
    """One message. False: the reader has gone, or the card has had enough."""
    header = receive(link, 2)
    message = receive(link, struct.unpack(">H", header)[0]) if header else None
    if message is None:
        return False
    reply = card.take(message)
    if len(message) > 1:
        if card.mode == "half":
            link.sendall(struct.pack(">H", 2) + b"\x90")
            return False
        if card.mode == "silent":
            return True
        if card.mode == "long":
            link.sendall(b"\xff\xff\x90\x00")
            return True
    if reply is not None:
        more = b"\x00\x02\x90\x00" if card.mode == "chatty" else b""
        link.sendall(struct.pack(">H", len(reply)) + reply + more)
    return True


def listener(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    return sock


def obey(order, link, address):
    """The connection after an order."""
    if order == b"remove" and link:
        link.close()
        return None
    if order == b"insert" and not link:
        return connect(address)
    return link


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--atr", default=ATR)
    parser.add_argument("--control")
    parser.add_argument("address")
    parser.add_argument("mode", nargs="?", default="")
    options = parser.parse_args()
    card = Card(bytes.fromhex(options.atr), options.mode)
    control = listener(options.control) if options.control else None
    client = None
    link = connect(options.address)
    print("connected", flush=True)
    while link or control:
        waiting = [file for file in (link, client or control) if file]
        for ready in select.select(waiting, [], [])[0]:
            if ready is control:
                client = control.accept()[0]
            elif ready is client:
                order = client.recv(64).strip()
                if not order:
                    client = client.close()
                    continue
                link = obey(order, link, options.address)
                client.sendall(b"done\n")
            elif ready is link and not serve(link, card):
                link = link.close()


if __name__ == "__main__":
    main()
