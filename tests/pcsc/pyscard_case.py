#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""python3-pyscard as it is packaged: readers, connections, monitors.

usage: pyscard_case.py READER REMOVE INSERT

READER: a part of the reader's name; REMOVE, INSERT: shell commands that take its card out
and put one in. SCARDFS_MOUNT has the file `virtual`. Status 0: every line is "ok".
"""
import os
import queue
import subprocess
import sys
import threading

from smartcard.CardConnection import CardConnection
from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver
from smartcard.System import readers
from smartcard.util import toHexString

ATR = "3B 88 80 01 54 45 53 54 42 45 44 01 5D"
ECHO = [0x80, 0xE0, 0, 0, 3, 1, 2, 3]
PATIENCE_S = 20
failures = 0


def check(what, good):
    global failures
    print("ok  " if good else "FAIL", what)
    failures += not good


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def virtual(line):
    with open(os.environ["SCARDFS_MOUNT"] + "/virtual", "w") as file:
        file.write(line + "\n")


class Cards(CardObserver):
    def __init__(self, reader):
        self.reader, self.events = reader, queue.Queue()

    def update(self, observable, handlers):
        for verb, cards in zip(("in", "out"), handlers):
            for card in cards:
                if str(card.reader) == self.reader:
                    self.events.put((verb, toHexString(card.atr)))


class Readers(ReaderObserver):
    def __init__(self):
        self.events = queue.Queue()

    def update(self, observable, handlers):
        for verb, names in zip(("came", "went"), handlers):
            for name in names:
                self.events.put((verb, str(name)))


def next_event(observer):
    try:
        return observer.events.get(timeout=PATIENCE_S)
    except queue.Empty:
        return ("nothing", "")


def connections(reader):
    one = reader.createConnection()
    one.connect()
    check("ATR", toHexString(one.getATR()) == ATR)
    check("transmit", one.transmit(ECHO) == ([1, 2, 3], 0x90, 0))
    check("protocol", one.getProtocol() == CardConnection.T1_protocol)
    exclusive = ExclusiveConnectCardConnection(reader.createConnection())
    check("exclusive is refused beside another",
          raises(CardConnectionException, exclusive.connect))
    one.disconnect()
    exclusive = ExclusiveConnectCardConnection(reader.createConnection())
    exclusive.connect()
    check("exclusive", exclusive.transmit(ECHO) == ([1, 2, 3], 0x90, 0))
    other = reader.createConnection()
    check("nobody else may", raises(CardConnectionException, other.connect))
    exclusive.disconnect()
    other = reader.createConnection()
    other.connect()
    check("now he may", other.transmit(ECHO) == ([1, 2, 3], 0x90, 0))
    other.disconnect()


def cards(reader, remove, insert):
    monitor, observer = CardMonitor(), Cards(str(reader))
    monitor.addObserver(observer)
    check("CardMonitor: is in", next_event(observer) == ("in", ATR))
    subprocess.run(remove, shell=True, check=True)
    check("CardMonitor: is out", next_event(observer) == ("out", ATR))
    check("no card", raises(NoCardException, reader.createConnection().connect))
    subprocess.run(insert, shell=True, check=True)
    check("CardMonitor: is in again", next_event(observer) == ("in", ATR))
    monitor.deleteObserver(observer)
    one = reader.createConnection()
    one.connect()
    check("and answers", one.transmit(ECHO) == ([1, 2, 3], 0x90, 0))
    one.disconnect()


def arrivals():
    monitor, observer = ReaderMonitor(), Readers()
    monitor.addObserver(observer)
    for _ in readers():
        next_event(observer)
    before = {str(reader) for reader in readers()}
    virtual("plug")
    verb, name = next_event(observer)
    check("ReaderMonitor: came", verb == "came" and name not in before)
    number = len(before)
    virtual(f"unplug reader{number}")
    check("ReaderMonitor: went", next_event(observer) == ("went", name))
    monitor.deleteObserver(observer)


def main():
    part, remove, insert = sys.argv[1:]
    found = [reader for reader in readers() if part in str(reader)]
    check(f"the reader {part}", len(found) == 1)
    if len(found) == 1:
        connections(found[0])
        cards(found[0], remove, insert)
        arrivals()
    check("no thread of a monitor is left over", threading.active_count() < 4)
    # Not by way of the interpreter's end: monitors have threads that wait.
    sys.stdout.flush()
    os._exit(failures != 0)


main()
