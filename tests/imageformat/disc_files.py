"""Discs of paper, for tests that need many small ones, each as wrong as wanted."""

import struct

SECTOR = 2048
START, STAYS, MORE = b"\x88", b"\x00\x01", b"\x44"


def disc(catalogue=b"", *, at=19, label=b"LABEL", sectors=24, other=None, block=SECTOR, count=1):
    """The content of a disc with one boot catalogue and nothing else."""
    primary = bytearray(SECTOR)
    primary[:7] = b"\x01CD001\x01"
    primary[40:72] = label.ljust(32)
    struct.pack_into("<I", primary, 80, sectors)
    struct.pack_into(">I", primary, 84, sectors if other is None else other)
    struct.pack_into("<H", primary, 128, block)
    boot = bytearray(SECTOR)
    boot[:7] = b"\x00CD001\x01"
    boot[7:30] = b"EL TORITO SPECIFICATION"
    struct.pack_into("<I", boot, 0x47, at)
    end = b"\xffCD001\x01".ljust(SECTOR, b"\0")
    head = bytes(16 * SECTOR) + bytes(primary) * count + bytes(boot) + end
    return (head + catalogue.ljust(SECTOR, b"\0")).ljust(24 * SECTOR, b"\0")


def catalogue(*entries, platform=0):
    """Its boot catalogue."""
    first = bytearray(32)
    first[0], first[1], first[30:32] = 1, platform, b"\x55\xaa"
    struct.pack_into("<H", first, 28, -sum(struct.unpack("<16H", first)) & 0xFFFF)
    return bytes(first) + b"".join(each.ljust(32, b"\0") for each in entries)


def header(platform, count, last=True):
    """Of a section of the catalogue."""
    return bytes([0x91 if last else 0x90, platform]) + struct.pack("<H", count)
