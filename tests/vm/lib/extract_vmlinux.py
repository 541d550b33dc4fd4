# SPDX-License-Identifier: BSD-2-Clause
"""extract_vmlinux.py VMLINUZ OUT: the uncompressed kernel, which starts sooner
(QEMU's PVH boot) than one that must unpack itself on an emulated processor."""
import bz2
import lzma
import sys
import zlib

data = open(sys.argv[1], "rb").read()
kinds = [(b"\xfd7zXZ\0", lambda d: lzma.LZMADecompressor().decompress(d)),
         (b"\x1f\x8b\x08", lambda d: zlib.decompressobj(31).decompress(d)),
         (b"]\0\0\0", lambda d: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(d)),
         (b"BZh", lambda d: bz2.BZ2Decompressor().decompress(d))]
for magic, unpack in kinds:
    at = data.find(magic)
    while at >= 0:
        try:
            out = unpack(data[at:])
        except (lzma.LZMAError, zlib.error, OSError, EOFError):
            out = b""
        if out.startswith(b"\x7fELF"):
            open(sys.argv[2], "wb").write(out)
            sys.exit(0)
        at = data.find(magic, at + 1)
sys.exit("no kernel found in " + sys.argv[1])
