# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's command line for the guest."""
import os
import re
import shlex

import initrd
from host import CACHE, kvm_usable, tool

BASE_MODULES = ["usbcore", "fuse"]
CONTROLLERS = {"xhci": (["xhci_pci"], ["-device", "qemu-xhci,id=usb,p2=8,p3=8"]),
               "uhci": (["uhci_hcd"], ["-device", "piix3-usb-uhci,id=usb"]),
               "ehci": (["ehci_pci", "uhci_hcd"],
                        ["-device", "ich9-usb-ehci1,id=usb,multifunction=on,addr=1d.7",
                         "-device", "ich9-usb-uhci1,masterbus=usb.0,firstport=0,multifunction=on,addr=1d.0",
                         "-device", "ich9-usb-uhci2,masterbus=usb.0,firstport=2,multifunction=on,addr=1d.1",
                         "-device", "ich9-usb-uhci3,masterbus=usb.0,firstport=4,multifunction=on,addr=1d.2"])}

TREE = os.path.join(CACHE, "tree")
PORTS = ("ctl", "out", "err", "cmd")    # the guest's virtio ports, testbed.NAME


def shared_folder(tag, path, readonly):
    model = "passthrough" if os.geteuid() == 0 else "none"
    return ["-fsdev", "local,id=%s,path=%s,security_model=%s,multidevs=remap%s" %
            (tag, path, model, ",readonly=on" if readonly else ""),
            "-device", "virtio-9p-pci,fsdev=%s,mount_tag=%s" % (tag, tag)]


def shares(folders):
    """QEMU's arguments, and the lines by which the guest mounts them."""
    args, lines = [], []
    for i, s in enumerate(folders):
        host, _, guest = s.partition(":")
        host = os.path.abspath(host)
        os.makedirs(host, exist_ok=True)
        guest = guest or host
        if re.search(r"\s", guest) or "," in host:
            raise SystemExit("vm-run: no blanks or commas in shared folders, please")
        tag = "share%d" % i
        args += shared_folder(tag, host, False)
        lines.append("%s rw %s" % (tag, guest))
    return args, "\n".join(lines)


def kernel():
    plain = os.path.join(CACHE, "kernel", "vmlinux")
    return plain if os.path.exists(plain) else os.path.join(CACHE, "kernel", "vmlinuz")


def uses_kvm(a):
    return a.accel == "kvm" or (a.accel == "auto" and kvm_usable())


def machine(a, kvm, folder, console):
    """The machine, its kernel and its folders: (arguments, environment)."""
    modules, controller = CONTROLLERS[a.controller]
    modules = BASE_MODULES + modules + (["vhci_hcd"] if a.vhci else []) + a.module
    share_args, share_lines = shares(a.share)
    config = "MODULES=%s\nUDEV=%s\nSHARES=%s\nDMESG=%s\nREADERCONF=%d\n" % (
        shlex.quote(" ".join(modules)), "0" if a.no_udev else "1",
        shlex.quote(share_lines), shlex.quote(a.dmesg or ""), a.reader_conf)
    qemu, env = tool("qemu-system-x86_64")
    argv = [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35,usb=off,vmport=off,smbus=off,sata=off,hpet=off",
            "-smp", str(a.cpus), "-m", str(a.mem), "-name", "testbed"]
    argv += ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", "max"]
    if qemu.startswith(TREE):
        for d in ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"):
            argv += ["-L", os.path.join(TREE, d)]
    argv += ["-kernel", kernel(), "-initrd", initrd.build(a, config, folder),
             "-append", "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic random.trust_cpu=on "
             "tsc=reliable no_timer_check mitigations=off rcupdate.rcu_expedited=1 " + a.append,
             "-chardev", "file,id=console,path=" + console, "-serial", "chardev:console"]
    argv += shared_folder("root", "/", True)
    argv += shared_folder("tree", TREE, True)
    argv += shared_folder("kernel", os.path.join(CACHE, "kernel"), True)
    argv += share_args + ["-device", "virtio-serial-pci,max_ports=8"] + controller
    return argv, env


def port(number, name, fd):
    """One virtio port of the guest on a socket of ours."""
    return ["-chardev", "socket,id=c-%s,fd=%d" % (name, fd),
            "-device", "virtserialport,nr=%d,chardev=c-%s,name=testbed.%s" % (number, name, name)]
