# SPDX-License-Identifier: BSD-2-Clause
"""What vm-run needs of this machine: programs (its own, or unpacked packages), KVM."""
import fcntl
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTBED = os.path.dirname(HERE)
CACHE = os.environ["TESTBED_CACHE"]


def say(text):
    sys.stderr.write("vm-run: %s\n" % text)


def tool(name):
    """A host program, or the unpacked package's; with its environment."""
    env = dict(os.environ)
    if env.pop("TESTBED_OWN_PYTHON", None):
        env.pop("LD_LIBRARY_PATH", None)
        env.pop("PYTHONHOME", None)
    path = shutil.which(name)
    if path:
        return path, env
    tree = os.path.join(CACHE, "tree")
    for d in ("usr/bin", "usr/sbin"):
        path = os.path.join(tree, d, name)
        if os.path.exists(path):
            lib = os.path.join(tree, "usr/lib/x86_64-linux-gnu")
            env["LD_LIBRARY_PATH"] = ":".join(
                x for x in (lib, lib + "/nss", lib + "/pulseaudio", env.get("LD_LIBRARY_PATH")) if x)
            env["QEMU_MODULE_DIR"] = os.path.join(lib, "qemu")
            return path, env
    say("%s not found" % name)
    sys.exit(125)


def kvm_usable():
    """Whether /dev/kvm can run an ordinary kernel: it exists, makes a machine
    with a processor, and the processor has virtualisation.  (Some hosts offer a
    KVM that runs only kernels made for it; there the flag is missing.)"""
    try:
        with open("/proc/cpuinfo") as f:
            if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", f.read(), re.M):
                return False
    except OSError:
        return False
    try:
        fd = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        vm = fcntl.ioctl(fd, 0xAE01, 0)
        try:
            cpu = fcntl.ioctl(vm, 0xAE41, 0)
            os.close(cpu)
        finally:
            os.close(vm)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
