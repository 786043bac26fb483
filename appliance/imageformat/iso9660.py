"""What a disc holds, from the descriptors at its beginning (ECMA-119, "El Torito" 1.0, UEFI 2.10 13.3.2). Pure.

Nothing of it is mounted, and no name in it is followed. Nothing but the descriptors and the boot catalogue is read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from appliance.errors import Invalid
from appliance.imageformat.found import exactly

SECTOR = 2048
SYSTEM_AREA = 16
"""Sectors at the beginning that belong to whoever starts the disc like a disk (ECMA-119 section 6.2.1)."""
_STANDARD = b"CD001"
_BOOT, _PRIMARY, _END = 0, 1, 255
_MOST_DESCRIPTORS = 64
"""Real discs have three to five."""
_EL_TORITO = b"EL TORITO SPECIFICATION"
_CATALOGUE = 4 * SECTOR
"""Bytes of a boot catalogue that are read: 256 entries. Real ones have two to six."""
_ENTRY = 32
_BOOTABLE, _HEADER, _LAST_HEADER, _EXTENSION = 0x88, 0x90, 0x91, 0x44
_PLATFORMS = {0x00: "bios", 0xEF: "uefi"}
LARGEST_SECTORS = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Disc:
    """What was found on a disc."""

    label: str
    """Its volume identifier; systems look for their medium by it. Characters that cannot be shown are ``?``."""
    size: int
    """Bytes that it says it has; what a file has behind them is not its own."""
    firmware: tuple[str, ...]
    """What it starts on, as a CD: ``bios``, ``uefi``; empty: it does not start."""


def disc_in(stored: BinaryIO, stored_size: int) -> Disc:
    """What a file of ``stored_size`` bytes is, as a disc. Raises Invalid ``iso-format``."""
    primary, boot = _descriptors(stored, stored_size)
    sectors, big = struct.unpack_from("<I", primary, 80)[0], struct.unpack_from(">I", primary, 84)[0]
    block = struct.unpack_from("<H", primary, 128)[0]
    if sectors != big or not sectors or block not in (512, 1024, SECTOR):
        raise _unreadable("its first descriptor contradicts itself", "it is damaged: bring it once more")
    size = sectors * block
    if size > stored_size:
        text = f"the disc has {size} bytes, and {stored_size} are here: it is cut off"
        raise _unreadable(text, "bring the whole file")
    firmware = _firmware(stored, stored_size, boot) if boot else ()
    return Disc(_label(primary[40:72]), size, firmware)


def _descriptors(stored: BinaryIO, stored_size: int) -> tuple[bytes, bytes]:
    """The primary descriptor, and that of El Torito; the second empty where there is none."""
    primary = boot = b""
    for number in range(_MOST_DESCRIPTORS):
        at = (SYSTEM_AREA + number) * SECTOR
        if at + SECTOR > stored_size:
            break
        stored.seek(at)
        found = exactly(stored, SECTOR)
        if found[1:6] != _STANDARD or found[0] == _END:
            break
        if found[0] == _PRIMARY:
            primary = primary or found
        elif found[0] == _BOOT and found[7 : 7 + len(_EL_TORITO)] == _EL_TORITO:
            boot = boot or found
    if not primary:
        hint = "choose the ISO file of a CD or DVD; disks are brought as images"
        raise _unreadable("this is no ISO 9660 disc", hint)
    return primary, boot


def _firmware(stored: BinaryIO, stored_size: int, boot: bytes) -> tuple[str, ...]:
    """Empty for a catalogue that firmware would not take either."""
    at: int = struct.unpack_from("<I", boot, 0x47)[0] * SECTOR
    if at < SYSTEM_AREA * SECTOR or at + SECTOR > stored_size:
        return ()
    stored.seek(at)
    catalogue = stored.read(_CATALOGUE)
    return tuple(sorted({_PLATFORMS[each] for each in _bootable(catalogue) if each in _PLATFORMS}))


def _bootable(catalogue: bytes) -> Iterator[int]:
    """The platforms of all entries that start ("El Torito" sections 2.1 to 2.5)."""
    first = catalogue[:_ENTRY]
    words = struct.unpack("<16H", first) if len(first) == _ENTRY else (1,)
    if first[:1] != b"\x01" or first[30:32] != b"\x55\xaa" or sum(words) & 0xFFFF:
        return
    platform, left, last = first[1], 1, False
    for at in range(_ENTRY, len(catalogue) - _ENTRY + 1, _ENTRY):
        kind = catalogue[at]
        if left:
            if kind == _EXTENSION:
                continue  # belongs to the entry before it
            left -= 1
            if kind == _BOOTABLE:
                yield platform
        elif kind in (_HEADER, _LAST_HEADER) and not last:
            platform, left, last = (
                catalogue[at + 1],
                struct.unpack_from("<H", catalogue, at + 2)[0],
                kind == _LAST_HEADER,
            )
        elif kind != _EXTENSION:
            return


def _label(raw: bytes) -> str:
    text = raw.partition(b"\0")[0].decode("latin-1").rstrip(" ")
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text)


def _unreadable(text: str, hint: str) -> Invalid:
    return Invalid("iso-format", text, hint, "file")
