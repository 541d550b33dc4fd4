#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the seeds of the fuzz targets that are composed by hand.

usage: make-seeds.py DIRECTORY               those that are committed, as seeds/NAME/...
       make-seeds.py --data DATA DIRECTORY   more, from the descriptors and ATRs of DATA

The sessions of the other targets are recorded: record.c. What an input is made of stands
at the top of each target.
"""
import json
import os
import struct
import sys

CLASS = bytes.fromhex(
    "362110010007 03000000 a00f0000 204e0000 00 002a0000 00400500 00 fe000000"
    "00000000 00000000 42000400 0f010000 ffff0000 00 01".replace(" ", "")
)


def u16(number):
    return struct.pack("<H", number)


def write(directory, target, name, content):
    folder = os.path.join(directory, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


# ---- desc -------------------------------------------------------------------------------


def endpoint(address, kind, size):
    return bytes([7, 5, address, kind, size & 255, size >> 8, 16])


BULK = endpoint(0x81, 2, 64) + endpoint(0x02, 2, 64) + endpoint(0x83, 3, 8)


def interface(number, kind, protocol, class_descriptor, endpoints):
    count = len(endpoints) // 7
    head = bytes([9, 4, number, 0, count, kind, 0, protocol, 0])
    return head + class_descriptor + endpoints


def configuration(*interfaces):
    rest = b"".join(interfaces)
    return bytes([9, 2]) + u16(9 + len(rest)) + bytes([len(interfaces), 1, 0, 0x80, 50]) + rest


def descriptor(vid, pid, *interfaces):
    return u16(vid) + u16(pid) + u16(0x0100) + configuration(*interfaces)


def seeds_desc(out):
    reader = interface(0, 0x0B, 0, CLASS, BULK)
    keyboard = interface(0, 3, 1, bytes.fromhex("092111010001223f00"), endpoint(0x84, 3, 8))
    second = interface(1, 0x0B, 0, CLASS, BULK)
    early = b"\x36\xff" + CLASS[2:]
    write(out, "desc", "reader", descriptor(0, 0, reader))
    write(out, "desc", "keyboard-and-reader", descriptor(0, 0, keyboard, second))
    write(out, "desc", "two-readers", descriptor(0, 0, reader, second))
    write(out, "desc", "early", descriptor(0x08E6, 0x2202, interface(0, 255, 0, early, BULK)))
    write(out, "desc", "token-a", descriptor(0, 0, interface(0, 11, 1, CLASS, b"")))
    write(out, "desc", "token-b", descriptor(0, 0, interface(0, 11, 2, CLASS, b"")))


# ---- atr --------------------------------------------------------------------------------

READER = bytes([40, 53, 254, 0x30, 33])
ATRS = {
    "t0-t1": "3b88800154455354424544015d",
    "t0": "3b951840ff6201020104",
    "t1": "3bdf18008131fe67005c49434dd49147d276000038330058",
    "t1-crc": "3b91118171fe4501001a",
    "specific": "3b9c131181647265616d6372797074900599",
    "inverse": "3f00",
    "inverse-raw": "03ff",
    "global": "3b9f95801fc78031e073fe211b63e206a2830f900078",
}


def seeds_atr(out):
    for name, atr in ATRS.items():
        write(out, "atr", name, READER + bytes.fromhex(atr))
    write(out, "atr", "lists", bytes([40, 53, 254, 0x35, 4]) + bytes.fromhex(ATRS["t0"]))


# ---- t1 ---------------------------------------------------------------------------------

SILENT, RAW, MADE, HONEST, FALSIFY = 0, 1, 2, 3, 4


def honest(answer):
    return bytes([HONEST, len(answer)]) + answer


def made(pcb, inf):
    return bytes([MADE, pcb, len(inf)]) + inf


def t1_command(command, room, *blocks):
    return u16(len(command)) + u16(room) + command + b"".join(blocks)


SELECT = bytes.fromhex("00a40000023f00")
OK = b"\x90\x00"
SHAKE = bytes([HONEST, 0])  # to an S-block: its response


def seeds_t1(out):
    link = bytes([0, 32, 254])
    crc = bytes([1, 254, 254])
    odd = bytes(range(33))
    select = t1_command(SELECT, 300, SHAKE, honest(OK))
    write(out, "t1", "select", link + select + t1_command(SELECT, 300, honest(OK)))
    write(out, "t1", "crc", crc + select)
    write(out, "t1", "chained", link + t1_command(
        SELECT[:4] + bytes([90]) + bytes(90), 300, SHAKE, SHAKE, SHAKE, SHAKE,
        honest(odd), honest(odd), honest(OK)))
    write(out, "t1", "wtx", link + t1_command(
        SELECT, 300, SHAKE, made(0xC3, b"\x05"), honest(OK)))
    write(out, "t1", "ifs", link + t1_command(
        SELECT, 300, SHAKE, made(0xC1, b"\x40"), honest(OK)))
    write(out, "t1", "abort", link + t1_command(SELECT, 300, SHAKE, made(0xC2, b""), SHAKE) + select)
    write(out, "t1", "falsified", link + t1_command(
        SELECT, 300, SHAKE, bytes([FALSIFY, 9, 2]) + OK, honest(OK)) + select)
    write(out, "t1", "silent", link + t1_command(SELECT, 300, SHAKE, bytes(1), honest(OK)))
    write(out, "t1", "resynch", link + t1_command(
        SELECT, 300, SHAKE, bytes(3), SHAKE, honest(OK)) + select)
    write(out, "t1", "raw", link + t1_command(
        SELECT, 300, bytes([RAW, 5]) + bytes.fromhex("00e1011fff")) + select)


# ---- apdu -------------------------------------------------------------------------------


def apdu(command, *answers):
    return u16(len(command)) + command + b"".join(
        bytes([255 if len(a) == 258 else len(a)]) + a for a in answers)


def seeds_apdu(out):
    get_data = bytes.fromhex("00ca000008")
    extended = bytes.fromhex("00d60000000140") + bytes(0x140)
    write(out, "apdu", "case1", apdu(bytes.fromhex("00a40000"), OK))
    write(out, "apdu", "case2", apdu(get_data, bytes(8) + OK))
    write(out, "apdu", "case2-6c", apdu(get_data, b"\x6c\x04", bytes(4) + OK))
    write(out, "apdu", "case3", apdu(SELECT, b"\x90\x00"))
    write(out, "apdu", "case4", apdu(SELECT + b"\0", b"\x61\x05", bytes(3) + b"\x61\x02", bytes(2) + OK))
    write(out, "apdu", "case4-9000", apdu(SELECT + b"\0", OK, bytes(5) + OK))
    write(out, "apdu", "case4-warning", apdu(SELECT + b"\0", b"\x62\x83", bytes(5) + OK))
    write(out, "apdu", "case2-extended", apdu(bytes.fromhex("00b00000000200"), bytes(256) + b"\x61\0", bytes(256) + OK))
    write(out, "apdu", "envelope", apdu(extended, OK, OK))
    write(out, "apdu", "envelope-61", apdu(extended + b"\0\x10", OK, b"\x61\x10", bytes(16) + OK))


# ---- from the data folder ---------------------------------------------------------------


def rows(data, name):
    path = os.path.join(data, name)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def from_data(data, out):
    for number, row in enumerate(rows(data, "ccid-readers.jsonl")):
        if not row.get("class_descriptor"):
            continue
        one = interface(row["bInterfaceNumber"], row["bInterfaceClass"], row["bInterfaceProtocol"],
                        bytes.fromhex(row["class_descriptor"]), BULK if row["bNumEndpoints"] > 1 else b"")
        write(out, "desc", f"data-{number}",
              descriptor(int(row["vid"], 16), int(row["pid"], 16), one))
    for number, row in enumerate(rows(data, "atr-corpus.jsonl")):
        write(out, "atr", f"data-{number}", READER + bytes.fromhex(row["atr"]))


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--data":
        from_data(arguments[1], arguments[2])
    elif len(arguments) == 1 and arguments[0][0] != "-":
        for name, function in sorted(globals().items()):
            if name.startswith("seeds_"):
                function(arguments[0])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
