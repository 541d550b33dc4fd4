#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A card of the vpicc protocol.

usage: vpicc_card.py PORT|unix:PATH [MODE]

Answers SELECT (00 A4), GET DATA (00 CA: Le bytes of pattern), ECHO (80 E0: the data) and
the number of its resets (80 E8); 80 E4 takes P1P2 ms; anything else is 6D00. MODE:

  chatty      sends an answer that nobody has asked for after each of its own
  short       answers every APDU with one byte
  long-atr    has an ATR of 34 bytes
  no-atr      has an ATR of 0 bytes
  half        hangs up in the middle of its answer to every APDU
"""
import socket
import struct
import sys
import time

ATR = bytes.fromhex("3b88800154455354424544015d")
POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4


def connect(address):
    if address.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        link.connect(address[5:])
        return link
    return socket.create_connection(("127.0.0.1", int(address)))


def receive(link, count):
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def answer(apdu, resets, mode):
    """The response APDU."""
    command = apdu[:2]
    if mode == "short":
        return b"\x90"
    if command == b"\x00\xa4":
        return b"\x90\x00"
    if command == b"\x00\xca" and len(apdu) == 5:
        return bytes(range(apdu[4])) + b"\x90\x00"
    if command == b"\x80\xe0":
        if len(apdu) > 7 and apdu[4] == 0:
            return apdu[7:7 + struct.unpack(">H", apdu[5:7])[0]] + b"\x90\x00"
        return apdu[5:5 + apdu[4]] + b"\x90\x00"
    if command == b"\x80\xe4":
        time.sleep(struct.unpack(">H", apdu[2:4])[0] / 1000)
        return b"\x90\x00"
    if command == b"\x80\xe8":
        return struct.pack(">I", resets) + b"\x90\x00"
    return b"\x6d\x00"


def main():
    mode = sys.argv[2] if len(sys.argv) > 2 else ""
    atr = {"long-atr": ATR + bytes(34 - len(ATR)), "no-atr": b""}.get(mode, ATR)
    link = connect(sys.argv[1])
    resets = 0
    while True:
        message = receive(link, struct.unpack(">H", receive(link, 2))[0])
        if len(message) == 1:
            resets += message[0] in (POWER_ON, RESET)
            reply = atr if message[0] == GET_ATR else None
        else:
            reply = answer(message, resets, mode)
            if mode == "half":
                link.sendall(struct.pack(">H", 2) + b"\x90")
                return
        if reply is not None:
            more = b"\x00\x02\x90\x00" if mode == "chatty" else b""
            link.sendall(struct.pack(">H", len(reply)) + reply + more)


main()
