"""SMBIOS tables (DMTF DSP0134): who made this computer, and what memory is in it.

Read from the kernel's copy rather than from dmidecode's text: no program, no locale, no second format.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path("/sys/firmware/dmi/tables/DMI")
BIOS, SYSTEM, BOARD, CHASSIS, MEMORY_DEVICE, END = 0, 1, 2, 3, 17, 127
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Structure:
    """One structure: its formatted area (header included), and its strings, counted from 1."""

    type: int
    data: bytes
    strings: tuple[str, ...]

    def byte(self, offset: int) -> int:
        """A byte, 0 where the structure is of an older version and shorter."""
        return self.data[offset] if offset < len(self.data) else 0

    def number(self, offset: int, size: int) -> int:
        """A little-endian number, 0 where the structure is shorter."""
        return int.from_bytes(self.data[offset : offset + size], "little") if offset + size <= len(self.data) else 0

    def string(self, offset: int) -> str:
        """The string whose number stands at `offset`, "" for none."""
        number = self.byte(offset)
        return self.strings[number - 1] if 0 < number <= len(self.strings) else ""


def read_structures() -> list[Structure]:
    """This computer's structures. Raises OSError where there is no SMBIOS."""
    return list(parse(TABLE.read_bytes()))


def parse(table: bytes) -> Iterator[Structure]:
    """The structures of a table, up to its end or to the first one that makes no sense (6.1)."""
    at = 0
    while at + 4 <= len(table):
        kind, length = table[at], table[at + 1]
        end = table.find(b"\0\0", at + length)
        if length < 4 or end < 0:
            return
        raw = table[at + length : end]
        strings = tuple(_text(part) for part in raw.split(b"\0")) if raw else ()
        yield Structure(kind, table[at : at + length], strings)
        if kind == END:
            return
        at = end + 2


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").strip()
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def sections(structures: Sequence[Structure]) -> dict[str, Any]:
    """`system`, `board`, `bios` and `chassis` of an inventory; {} where there is no such structure."""
    return {name: _section(structures, kind, make) for name, (kind, make) in SECTIONS.items()}


def _section(structures: Sequence[Structure], kind: int, make: Callable[[Structure], dict[str, str]]) -> dict[str, str]:
    said = first(structures, kind)
    return make(said) if said else {}


def first(structures: Sequence[Structure], kind: int) -> Structure | None:
    """The first structure of a type: by convention the main one, where blades and boards have several."""
    return next((structure for structure in structures if structure.type == kind), None)


def _system(said: Structure) -> dict[str, str]:
    return {
        "manufacturer": said.string(0x04),
        "product": said.string(0x05),
        "version": said.string(0x06),
        "serial": said.string(0x07),
        "uuid": uuid_of(said.data[0x08:0x18]) or "",
        "sku": said.string(0x19),
    }


def _board(said: Structure) -> dict[str, str]:
    return {
        "manufacturer": said.string(0x04),
        "product": said.string(0x05),
        "version": said.string(0x06),
        "serial": said.string(0x07),
    }


def _bios(said: Structure) -> dict[str, str]:
    return {"vendor": said.string(0x04), "version": said.string(0x05), "date": said.string(0x08)}


CHASSIS_TYPES = {
    0x01: "other", 0x03: "desktop", 0x06: "mini tower", 0x07: "tower", 0x09: "laptop", 0x0A: "notebook",
    0x0D: "all in one", 0x11: "main server chassis", 0x17: "rack mount", 0x1C: "blade",
    0x1D: "blade enclosure", 0x21: "IoT gateway", 0x22: "embedded", 0x23: "mini PC", 0x24: "stick PC",
}  # fmt: skip
"""DSP0134, 7.4.1, table 17: those that are seen."""


def _chassis(said: Structure) -> dict[str, str]:
    kind = said.byte(0x05) & 0x7F  # bit 7: has a lock
    return {"type": CHASSIS_TYPES.get(kind, "unknown"), "serial": said.string(0x07), "asset_tag": said.string(0x08)}


SECTIONS: dict[str, tuple[int, Callable[[Structure], dict[str, str]]]] = {
    "system": (SYSTEM, _system),
    "board": (BOARD, _board),
    "bios": (BIOS, _bios),
    "chassis": (CHASSIS, _chassis),
}


def uuid_of(raw: bytes) -> str | None:
    """A UUID from its 16 bytes, the first three fields little-endian (7.2.1); None for "not set"."""
    if len(raw) != 16 or raw in (bytes(16), b"\xff" * 16):
        return None
    return str(uuid.UUID(bytes_le=raw))


def read_uuid() -> str | None:
    """This computer's UUID; None when it has none, or says none."""
    try:
        system = first(read_structures(), SYSTEM)
    except OSError:
        return None
    return uuid_of(system.data[0x08:0x18]) if system else None


MEMORY_TYPES = {
    0x07: "RAM", 0x0F: "SDRAM", 0x12: "DDR", 0x13: "DDR2", 0x14: "DDR2 FB-DIMM", 0x18: "DDR3", 0x1A: "DDR4",
    0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3", 0x1E: "LPDDR4", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5",
    0x23: "LPDDR5",
}  # fmt: skip
"""DSP0134, 7.18.2, table 78."""


def memory_modules(structures: Sequence[Structure]) -> list[dict[str, Any]]:
    """The memory modules that are in; empty sockets are none."""
    devices = (structure for structure in structures if structure.type == MEMORY_DEVICE)
    return [_module(device) for device in devices if module_bytes(device)]


def module_bytes(device: Structure) -> int:
    """Size of a memory device in bytes, 0 for an empty or unknown one (7.18)."""
    size = device.number(0x0C, 2)
    if size in (0, 0xFFFF):
        return 0
    if size == 0x7FFF:
        return (device.number(0x1C, 4) & 0x7FFFFFFF) * MEBIBYTE
    return (size & 0x7FFF) * (1024 if size & 0x8000 else MEBIBYTE)


def _module(device: Structure) -> dict[str, Any]:
    speed = device.number(0x20, 2) or device.number(0x15, 2)  # configured, else possible
    return {
        "locator": device.string(0x10),
        "bytes": module_bytes(device),
        "type": MEMORY_TYPES.get(device.byte(0x12), "unknown"),
        "speed_mhz": speed if speed not in (0, 0xFFFF) else None,
        "manufacturer": device.string(0x17),
        "serial": device.string(0x18),
        "part": device.string(0x1A),
    }
