#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a service manager does with --mount-for: takes the connection of the mount, starts
the daemon as an ordinary user with it as file 3, and lets go of it when the daemon says so.

usage: manager.py SCARDFS MOUNTPOINT USER     prints what it hears, and an ATR
"""
import os
import pwd
import socket
import subprocess
import sys
import tempfile


def main():
    program, mount, user = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = folder + "/notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(path)
        os.chmod(path, 0o777)
        manager.settimeout(20)
        env = dict(os.environ, NOTIFY_SOCKET=path)
        helper = subprocess.Popen([program, "--mount-for", user, mount], env=env)
        said, stored, _, _ = socket.recv_fds(manager, 200, 2)
        print(said.decode().replace("\n", " "), len(stored))
        said, barrier, _, _ = socket.recv_fds(manager, 200, 2)
        print(said.decode(), "waits" if helper.poll() is None else "has not waited")
        os.close(barrier[0])
        print("mounted", helper.wait(20))

        account = pwd.getpwnam(user)
        os.dup2(manager.detach(), 100)
        os.dup2(stored[0], 3)
        manager = socket.socket(fileno=100)
        manager.settimeout(20)
        daemon = subprocess.Popen([program, "-f", "-o", "confine=on", "--virtual", "/dev/fd/3"], env=env,
                                  pass_fds=[3], user=account.pw_uid, group=account.pw_gid, extra_groups=[])
        print(manager.recv(200).decode().replace("\n", " "))
        os.close(3)
        print("ready" if manager.recv(200).decode().startswith("READY=1\nMAINPID=%d" % daemon.pid) else "not ready")
        with open(mount + "/reader0/atr", encoding="ascii") as file:
            print(file.read().strip())
        daemon.terminate()
        print("ended", daemon.wait(20))


main()
