"""GRUB for BIOS on the disk: two places for it, and a pointer in the first sector that says which one counts. Pure.

Offsets are those of GRUB's ``include/grub/i386/pc/boot.h`` and ``diskboot.S``. The BIOS boot partition is halved: the
new core goes into the half that is not in use, and the first sector, written last, leads there.
"""

import struct

from appliance.errors import ApplianceError
from appliance.updates.fat import Stage, Write

SECTOR = 512
CODE_END = 440
"""The first sector's code; the disk's signature and the partition records follow, and stay as they are."""
KERNEL_SECTOR = 0x5C
"""From where boot.img reads the sector at which the core begins."""
DRIVE_CHECK = 0x66
"""A jump over a test that is wanted on floppies only."""
BLOCK_LIST = SECTOR - 12
"""In the core's first sector: start, number of sectors, load segment of the rest."""
LOAD_SEGMENT = 0x820


def core_sector(first: bytes) -> int:
    """The sector at which the core in use begins, as the disk's first sector says it."""
    (found,) = struct.unpack_from("<Q", first, KERNEL_SECTOR)
    return int(found)


def same(first: bytes, in_use: bytes, boot: bytes, core: bytes) -> bool:
    """Whether disk and files hold the same; ``in_use`` is what begins at ``core_sector``, as long as the core."""
    at = core_sector(first)
    return first[:CODE_END] == _code(boot, at) and in_use == _placed(core, at)


def _code(boot: bytes, core_at: int) -> bytes:
    code = bytearray(boot[:CODE_END])
    struct.pack_into("<Q", code, KERNEL_SECTOR, core_at)
    code[DRIVE_CHECK : DRIVE_CHECK + 2] = b"\x90\x90"  # some BIOSes pass a wrong number of the drive in DL
    return bytes(code)


def _placed(core: bytes, at: int) -> bytes:
    sectors = -(-len(core) // SECTOR)
    placed = bytearray(core.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<QHH", placed, BLOCK_LIST, at + 1, sectors - 1, LOAD_SEGMENT)
    return bytes(placed)


def exchange(first: bytes, boot: bytes, core: bytes, start: int, size: int) -> tuple[Stage, Stage]:
    """What prepares, and the one write that decides. ``start`` and ``size`` are the partition's, in sectors.

    Offsets are bytes from the start of the disk. Raises ApplianceError ``loader-no-room``, ``loader-file``.
    """
    if len(first) != SECTOR or len(boot) != SECTOR or len(core) <= SECTOR:
        raise ApplianceError("loader-file", "the new boot loader for BIOS is not one", "the old one stays")
    half = size // 2
    if len(core) > half * SECTOR:
        text = f"the new boot loader for BIOS has {len(core)} bytes, and there is room for {half * SECTOR}"
        raise ApplianceError("loader-no-room", text, "the old one stays")
    place = start + half if core_sector(first) < start + half else start
    decide = Write(0, _code(boot, place) + first[CODE_END:])
    return (Write(place * SECTOR, _placed(core, place)),), (decide,)
