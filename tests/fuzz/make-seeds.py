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


# ---- text, config -------------------------------------------------------------------------


def identity(vendor, product, serial, path):
    fields = [(vendor, 104), (product, 104), ("CCID", 104), (serial, 104), (path, 64)]
    return b"".join(text.encode().ljust(room, b"\0") for text, room in fields) + bytes(12)


def seeds_text(out):
    word = "Reader \u2603 \n1"
    utf16 = word.encode("utf-16-le")
    write(out, "text", "string", bytes([0, 2 + len(utf16), 3]) + utf16)
    write(out, "text", "surrogate", bytes([0, 8, 3]) + bytes.fromhex("3dd8 00de 00d8"))
    write(out, "text", "name", b"\1" + identity("ACME", "CCID 1", "../7", "1-2.3"))
    for tag in range(35):
        write(out, "text", f"attribute-{tag}", bytes([2, tag]) + b"\1\2\3\4")
    write(out, "text", "hex", b"\3\x40" + b"00 A4\t0400 08f0\r\n")
    for number, line in enumerate([b"insert reader0 3b00", b"plug 076b:3021:1", b"plug tpdu",
                                   b"unplug reader1", b"type reader2 1234/4321"]):
        write(out, "text", f"virtual-{number}", b"\4" + line)
    for name in ["reader7", "control", "events", "vendor_name", "present"]:
        write(out, "text", f"node-{name}", b"\5" + name.encode())


def seeds_config(out):
    write(out, "config", "rules", b"""# who may use what
id=08e6:3437 serial=A\\x20B uid=1000 mode=600
path=1-2.3 gid=27   mode=0660\t# the desk
serial=7 uid=0 gid=0 mode=777
""")
    write(out, "config", "empty", b"\n  \n#\n")
    for number, line in enumerate([b"id=12345:1 uid=1", b"uid=1", b"id=1234:5678", b"a", b"id=1234:5678 uid=4294967295",
                                   b"serial=\\x00 uid=1", b"path=1 path=2 uid=1", b"path=1 mode=1000"]):
        write(out, "config", f"wrong-{number}", line)


# ---- fs -----------------------------------------------------------------------------------

(OPEN, CLOSE, READ, WRITE, CALL, SESSION, IOCTL, POLL, FLOCK, INTERRUPT, TREE) = range(11)
(TIME, WORK, INSERT, REMOVE, PLUG, UNPLUG, LOSE, TRACE, SERVICE, LOG) = range(0xC0, 0xCA)
CONTROL, TRANSMIT, POWER, STATE, ATR, NAME, OWNER, RESETS, LAST_ERROR = range(1, 10)
PRESENT, ABSENT, CHANGES, TRACE_FILE = range(12, 16)
FIRST = 1  # the reader that is there


def opened(file, kind, flags=1, reader=FIRST, uid=1):
    return bytes([OPEN, file, kind, reader, flags, uid])


GONE = 0x80  # as an offset: the client does not take the answer


def read(file, size=255, offset=0):
    return bytes([READ, file]) + u16(size) + bytes([offset])


def written(file, text):
    return bytes([WRITE, file]) + u16(len(text)) + text


def call(file, code, data=b"", room=64, timeout=200, flags=0):
    return bytes([CALL, file, code, len(data), room, timeout, flags]) + data


def session(file, which, *words):
    data = b"".join(struct.pack("<I", word) for word in words)
    return bytes([SESSION, file, which, len(data)]) + data


def u32(number):
    return struct.pack("<I", number)


CONNECT, DISCONNECT, BEGIN, END, INFO, REPLY_SIZE = range(6)
FOREVER = 0xFFFFFFFF
READY = call(0, 1, u32(1)) + call(0, 12, u32(3))
IO = u32(1) + u32(8)  # its card speaks T=0


def seeds_fs(out):
    def put(name, *parts, options=0, seed=0):
        write(out, "fs", name, u16(seed) + bytes([options]) + b"".join(parts))

    two = opened(0, CONTROL) + opened(1, CONTROL, uid=2)
    put("calls", two, READY, call(0, 5, IO + SELECT), call(0, 14), call(1, 2, u32(0x10100)),
        call(1, 15), call(0, 11), bytes([REMOVE, 0]), call(0, 10), bytes([INSERT, 0, 1]))
    put("sessions", two, session(0, CONNECT, 2, 3, FOREVER), session(1, CONNECT, 2, 3, FOREVER),
        session(0, BEGIN, FOREVER), session(1, BEGIN, FOREVER), call(1, 5, IO + SELECT), session(1, INFO),
        session(0, END, 1), session(0, REPLY_SIZE), session(1, END, 2), session(1, DISCONNECT, 0),
        session(0, DISCONNECT, 1), bytes([WORK]))
    put("exclusive", two, session(0, CONNECT, 1, 3, FOREVER), session(1, CONNECT, 2, 3, 10),
        bytes([CLOSE, 0]), session(1, CONNECT, 3, 0, 10), bytes([WORK, WORK]))
    put("locks", two, bytes([FLOCK, 0, 0, FLOCK, 1, 0, FLOCK, 1, 1, INTERRUPT, 0, FLOCK, 0, 3, FLOCK, 1, 0]))
    put("transmit", opened(0, TRANSMIT), written(0, b"00A4 0000 02 3F00\n"), read(0), read(0),
        written(0, b"80E80000\n"), bytes([POLL, 0, 1]), read(0, 3), read(0))
    put("bytes", opened(0, CONTROL), written(0, SELECT), read(0), written(0, b"\x80\xe8\0\0"), read(0, 2))
    put("power", opened(0, POWER), written(0, b"cold\n"), written(0, b"warm"), written(0, b"off\n"), read(0),
        opened(1, STATE, 0), read(1), opened(2, ATR, 0), read(2))
    put("events", opened(0, PRESENT, 0), read(0), read(0), opened(1, ABSENT, 0), read(1), bytes([POLL, 1, 1]),
        opened(2, CHANGES, 4), read(2), bytes([REMOVE, 0]), read(2), bytes([INSERT, 0, 0x3B]), read(2))
    put("virtual", opened(0, 3, 1, 0, 0), written(0, b"plug\n"), written(0, b"plug 1234:5678\nremove reader0\n"),
        written(0, b"insert reader0 3b00\n"), written(0, b"unplug reader0\n"), opened(1, 2, 0, 0), read(1))
    put("meanwhile", two, READY, call(0, 5, IO + b"\x80\xe4\1\0"), call(1, 5, IO + SELECT), call(1, 14),
        session(1, BEGIN, FOREVER), bytes([INTERRUPT, 0, 0xFF]), call(1, 5, IO + b"\x80\xe6\0\0", flags=1),
        bytes([REMOVE, 0, 0xFF]), read(0))
    put("kept", opened(0, CONTROL), READY, call(0, 5, IO + b"\x80\xe4\1\0", flags=1), bytes([INTERRUPT, 0, 0xFF]), read(0))
    put("atr", opened(0, ATR, 0), read(0), bytes([REMOVE, 0, INSERT, 0, 0x3F]), read(0), bytes([WORK]),
        bytes([0xFF]), read(0), options=1)
    put("demand", opened(0, ATR, 0), read(0), bytes([WORK]), read(0), options=2)
    put("timers", two, session(0, BEGIN, FOREVER), session(1, BEGIN, 50), bytes([TIME]) + u16(60),
        session(1, BEGIN, FOREVER), bytes([TIME]) + u16(2000), bytes([WORK]), options=12)
    put("unheard", opened(0, TRANSMIT), written(0, b"00A40000\n"), read(0, 3), read(0, 3, GONE), read(0), read(0),
        opened(1, CONTROL), written(1, SELECT), read(1, 255, GONE), read(1), opened(2, CHANGES, 4), read(2, 9, GONE), read(2))
    put("told", opened(0, LAST_ERROR, 0), bytes([LOG, 0, 5]) + b"a\nb\0c", read(0), bytes([LOG, 0, 200]) + bytes(200))
    put("trace", opened(0, TRACE_FILE, 0, uid=0), read(0), bytes([TRACE, 0, 1, 20]) + bytes(20), read(0, 2000), read(0, 2000))
    put("readers", bytes([PLUG, 1, PLUG, 0]), opened(0, CONTROL, 1, 2), opened(1, STATE, 0, 3), bytes([UNPLUG, 1]),
        read(1), call(0, 14), bytes([LOSE, 0, SERVICE, 0, 5, TIME, 9, 0, WORK]))
    put("tree", *(bytes([TREE, 0, 0, 0, len(n)]) + n for n in (b"reader0", b"by-id", b"version")),
        bytes([TREE, 2, 0, 0, 255]), bytes([TREE, 2, 0, 1, 255, TREE, 2, 10, 1, 250, TREE, 1, 4, 1, 0, TREE, 3, 16, 1, 0]),
        bytes([TREE, 2, 5, 0, 255, TREE, 2, 6, 0, 255]))
    put("texts", *(opened(0, k, 0) + read(0) + bytes([CLOSE, 0]) for k in range(4, 10)),
        *(opened(0, k, 0) + read(0) + bytes([CLOSE, 0]) for k in range(64, 99)),
        opened(1, 4, 0, 0), read(1, 4000), opened(2, 1, 0, 0), read(2))
    put("quota", *(opened(f, CONTROL) for f in range(6)), session(0, BEGIN, FOREVER),
        *(session(f, BEGIN, FOREVER) for f in range(1, 6)), options=32)
    put("failing", two, READY, session(0, BEGIN, FOREVER), session(1, BEGIN, FOREVER), bytes([UNPLUG, 0]), seed=77)


# ---- vpcd ---------------------------------------------------------------------------------

(SAYS, ANSWERS, HANGS_UP, TAKES, COMMAND, READS, ABORTS, LATER) = range(8)
DIAL = bytes([SAYS]) + u16(0)


def answers(data):
    return bytes([ANSWERS]) + u16(len(data)) + data


def command(which, seq, data=b""):
    return bytes([COMMAND, which, seq, len(data)]) + data


def reads(ms):
    return bytes([READS]) + u16(ms)


def seeds_vpcd(out):
    half = bytes([SAYS]) + u16(1) + b"\0"
    up = half + bytes([SAYS]) + u16(0) + command(0, 1)
    atr = bytes.fromhex(ATRS["t0-t1"])
    # Half a header connects; the length's other half is that of the ATR.
    powered = up + bytes([SAYS]) + u16(1 + len(atr)) + bytes([len(atr)]) + atr + reads(10)
    write(out, "vpcd", "power", u16(0) + powered + command(1, 2) + reads(10))
    write(out, "vpcd", "select", u16(0) + powered + command(2, 2, SELECT) + answers(OK) + reads(10))
    write(out, "vpcd", "slow", u16(0) + powered + command(2, 2, SELECT) + reads(600) + reads(600) + answers(OK) + reads(9))
    write(out, "vpcd", "silent", u16(0) + powered + command(2, 2, SELECT) + reads(65000) * 3 + answers(OK) + reads(9))
    write(out, "vpcd", "abort", u16(0) + powered + command(2, 2, SELECT) + bytes([ABORTS, 3]) + command(5, 3) + reads(9)
          + reads(9) + command(2, 4, SELECT) + answers(OK) * 2 + reads(9))
    write(out, "vpcd", "unasked", u16(0) + powered + answers(OK) + command(3, 2) + reads(9))
    write(out, "vpcd", "hang-up", u16(0) + powered + command(2, 2, SELECT) + bytes([HANGS_UP]) + reads(9) + powered)
    write(out, "vpcd", "takes-little", u16(0) + bytes([TAKES]) + u16(1) + powered + command(2, 2, SELECT) + DIAL * 9
          + bytes([TAKES]) + u16(0) + command(2, 3, SELECT) + reads(9))
    write(out, "vpcd", "failing", u16(321) + powered + command(2, 2, SELECT) + answers(OK) + reads(10))


# ---- pcsc ---------------------------------------------------------------------------------

(ESTABLISH, RELEASE, CANCEL, LIST, GROUPS, CHANGE, CONNECT_CARD, RECONNECT, DISCONNECT_CARD, TRANSACTION,
 STATUS, TRANSMIT_APDU, CONTROL_CODE, GET, SET) = range(15)
END_OF = bytes([3])


def honest_read(number=0):
    return bytes([0, 0, number])  # opened, and read


def directory(*numbers):
    return b"\0" + b"".join(bytes([0, n]) for n in numbers) + END_OF


def seeds_pcsc(out):
    start = u16(0) + bytes([ESTABLISH, 0, 2]) + honest_read()
    readers = bytes([LIST, 0, 200]) + honest_read(1) + directory(0, 1) + honest_read(0) + honest_read(1)
    # Looked for by its name; then `control`, the name once more, `control` and CONNECT.
    connect = (bytes([CONNECT_CARD, 0, 0, 0, 2, 3]) + directory(0) + honest_read(0) + b"\0" + honest_read(0)
               + b"\0" + b"\0")
    info = bytes([1, 24, 8]) + u32(0) + u32(6) + u32(1) + u32(0) + u32(2) + u32(0)
    write(out, "pcsc", "list", start + readers + bytes([GROUPS, 0, 0, RELEASE, 0]))
    write(out, "pcsc", "own-memory", start + readers.replace(bytes([LIST, 0, 200]), bytes([LIST, 0, 0])))
    write(out, "pcsc", "connect", start + connect + bytes([STATUS, 0, 100, 33]) + info + bytes([DISCONNECT_CARD, 0, 1, 0, 0]))
    write(out, "pcsc", "transmit", start + connect + bytes([TRANSMIT_APDU, 0]) + u16(7) + u16(300) + SELECT + b"\0"
          + bytes([TRANSMIT_APDU, 0]) + u16(7) + u16(300) + SELECT + bytes([2, 4, 1, 12, 13]) + b"a" * 30)
    write(out, "pcsc", "long", start + connect + bytes([TRANSMIT_APDU, 0]) + u16(7) + u16(65000)
          + bytes.fromhex("00b00000000000") + bytes([0, 0, 9]) + bytes([TRANSMIT_APDU, 0]) + u16(7) + u16(99)
          + bytes.fromhex("00b00000000000") + bytes([0, 1, 200]) + bytes(200))
    write(out, "pcsc", "calls", start + connect + bytes([CONTROL_CODE, 0]) + u32(0x42000D48) + bytes([4, 60]) + bytes(4) + b"\0"
          + bytes([GET, 0]) + u32(0x10100) + bytes([60]) + b"\0" + bytes([GET, 0]) + u32(0x7FFF0003) + bytes([60])
          + bytes([SET, 0]) + u32(0x10100) + bytes([4]) + bytes(4) + b"\0")
    write(out, "pcsc", "transactions", start + connect + bytes([TRANSACTION, 0, 0, 0, TRANSACTION, 0, 0, 0, TRANSACTION, 0, 2, 0])
          + bytes([RECONNECT, 0, 2, 3, 1]) + bytes(9))
    write(out, "pcsc", "change", start + bytes([CHANGE, 0, 9, 2, 0, 0, 0, 0, 4, 0, 0, 0]) + directory(0) + honest_read(0)
          + b"\0" + honest_read(0) + b"\0" + info + bytes(30))
    write(out, "pcsc", "wait", start + bytes([CHANGE, 0, 9, 1, 0, 0x10, 0, 1]) + directory(0) + honest_read(0)
          + b"\0" + honest_read(0) + b"\0" + info + bytes([0]) + info + bytes([3, 4]) + info + bytes(9))
    write(out, "pcsc", "by-text", start + bytes([CHANGE, 0, 0, 1, 0, 0, 0, 0]) + directory(0) + honest_read(0)
          + bytes([2, 13]) + b"\0" + honest_read(0) + bytes([0, 0]) + honest_read() * 3)
    write(out, "pcsc", "failing", u16(123) + (start + readers + connect)[2:])


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
