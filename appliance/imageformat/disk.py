"""What the first bytes of a disk tell: its table of partitions, what boots it, for which processors it is. Pure."""

import struct
import zlib
from dataclasses import dataclass
from uuid import UUID

from appliance.catalogue import sector_size_of
from appliance.imageformat.found import Found, check_disk_size, impossible

_ROOTS = {
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "amd64",
    "8484680c-9521-48c6-9c11-b0720656f69e": "amd64",
    "44479540-f297-41b2-9af7-d131d5f0458a": "i386",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "arm64",
    "b0e01050-ee5f-4390-949a-9101b17104e9": "arm64",
    "69dad710-2ce4-4e3c-b16c-21a1d49abed3": "armhf",
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224": "riscv64",
    "c31c45e6-3f39-412e-80fb-4809c4980599": "ppc64el",
    "08a7acea-624c-4a20-91e8-6e0fa67d23f9": "s390x",
}
"""Types of partitions for ``/`` and ``/usr`` by processor (UAPI.2 Discoverable Partitions Specification)."""
_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_MOST_ENTRIES = 512
_GPT = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_PROTECTIVE, _ESP_IN_MBR = 0xEE, 0xEF
_BOOT_CODE = 440
_ISO_AT = 32768


@dataclass(frozen=True, slots=True)
class _Partition:
    kind: str
    """Type: a UUID, or the number in an MBR as ``ef``."""
    start: int
    end: int
    """Bytes from the beginning of the disk."""


def partitions_of(head: bytes) -> list[tuple[int, int]]:
    """Where the partitions of a disk begin and end, in bytes, in the order of its table; none where it has none.

    Those within an extended partition are not looked for.
    """
    gpt = _gpt(head, sector_size_of(head) or 512)
    return [(each.start, each.end) for each in (_mbr(head) if gpt is None else gpt)]


def found_in(head: bytes, size: int, format_: str = "raw") -> Found:
    """What a disk of ``size`` bytes is that begins with ``head``; raises Invalid where it cannot be whole."""
    check_disk_size(size)
    sector = sector_size_of(head) or 512
    gpt = _gpt(head, sector)
    partitions = _mbr(head) if gpt is None else gpt
    end = max((each.end for each in partitions), default=0)
    if end > size:
        text = f"the disk has partitions up to byte {end}, and the file has {size} bytes of it: it is cut off"
        raise impossible(text)
    kinds = {each.kind for each in partitions}
    return Found(
        format_,
        size,
        sector,
        holds=_holds(head, gpt, partitions),
        firmware=_firmware(head, kinds),
        architecture=next((_ROOTS[kind] for kind in sorted(kinds) if kind in _ROOTS), ""),
    )


def _holds(head: bytes, gpt: list[_Partition] | None, partitions: list[_Partition]) -> str:
    if gpt is not None:
        return "gpt"
    if head[_ISO_AT + 1 : _ISO_AT + 6] == b"CD001":  # ECMA-119 section 8.4
        return "iso9660"
    return "mbr" if partitions else ""


def _firmware(head: bytes, kinds: set[str]) -> tuple[str, ...]:
    bios = head[510:512] == b"\x55\xaa" and any(head[:_BOOT_CODE])
    uefi = bool(kinds & {_ESP, f"{_ESP_IN_MBR:02x}"})
    return tuple(name for name, holds in (("bios", bios), ("uefi", uefi)) if holds)


def _gpt(head: bytes, sector: int) -> list[_Partition] | None:
    """The partitions of a GPT (UEFI 2.10 section 5.3); None where there is none that is whole."""
    if len(head) < sector + _GPT.size:
        return None
    (magic, _, length, crc, _, own, _, _, _, _, table, count, width, table_crc) = _GPT.unpack_from(head, sector)
    if magic != b"EFI PART" or own != 1 or not _GPT.size <= length <= sector:
        return None
    raw = bytearray(head[sector : sector + length])
    raw[16:20] = bytes(4)
    entries = head[table * sector : table * sector + count * width]
    if zlib.crc32(raw) != crc or width < _ENTRY.size or width > 4096 or count > _MOST_ENTRIES:
        return None
    if len(entries) < count * width:
        return []  # further behind than is looked
    if zlib.crc32(entries) != table_crc:
        return None
    return [each for at in range(count) if (each := _entry(entries, at * width, sector)) is not None]


def _entry(entries: bytes, at: int, sector: int) -> _Partition | None:
    kind, _, first, last, _, _ = _ENTRY.unpack_from(entries, at)
    return _Partition(str(UUID(bytes_le=kind)), first * sector, (last + 1) * sector) if any(kind) else None


def _mbr(head: bytes) -> list[_Partition]:
    """The partitions of an MBR; none where these bytes are something else, such as those of a FAT file system."""
    if head[510:512] != b"\x55\xaa":
        return []
    entries = [_MBR_ENTRY.unpack_from(head, 446 + 16 * number) for number in range(4)]
    if any(status not in (0, 0x80) for status, *_ in entries):
        return []
    used = [(kind, start, length) for _, _, kind, _, start, length in entries if kind]
    if any(not length for _, _, length in used) or any(kind == _PROTECTIVE for kind, _, _ in used):
        return []
    return [_Partition(f"{kind:02x}", start * 512, (start + length) * 512) for kind, start, length in used]
