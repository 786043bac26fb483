"""Partition tables, from sfdisk's JSON; only `read_table` touches a disk."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..run import ProgramFailed, run

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
"""Partition type of an EFI system partition in a GPT (UEFI 2.10, 5.3.3)."""
ESP_DOS = "ef"
EXTENDED = ("5", "f", "85")
"""Types of DOS partitions that only hold others."""


@dataclass(frozen=True)
class Partition:
    """One partition; `start` and `size` in bytes. A file system over the whole disk has number 0."""

    number: int
    start: int
    size: int
    type: str = ""
    partuuid: str = ""
    name: str = ""

    @property
    def is_esp(self) -> bool:
        """Whether firmware looks for boot loaders here."""
        return self.type.upper() == ESP or self.type == ESP_DOS

    @property
    def is_extended(self) -> bool:
        """Whether this only holds other partitions."""
        return self.type in EXTENDED


@dataclass(frozen=True)
class Table:
    """A partition table: `label` is `gpt` or `dos`, `id` the disk's GUID or its 32-bit id."""

    label: str
    id: str
    partitions: tuple[Partition, ...]


def read_table(device: Path) -> Table | None:
    """The partition table on `device`; None when there is none, or none that can be made sense of."""
    try:
        return parse_sfdisk(run(["sfdisk", "--json", str(device)]))
    except ProgramFailed:
        return None


def parse_sfdisk(text: str) -> Table | None:
    """A table from `sfdisk --json`; None when the text holds none."""
    table = json.loads(text or "{}").get("partitiontable")
    if not table:
        return None
    unit = int(table.get("sectorsize") or 512)
    partitions = (_partition(entry, unit) for entry in table.get("partitions") or [])
    return Table(str(table.get("label", "")), str(table.get("id", "")), tuple(partitions))


def _partition(entry: dict[str, Any], unit: int) -> Partition:
    return Partition(
        number=number_of(str(entry["node"])),
        start=int(entry["start"]) * unit,
        size=int(entry["size"]) * unit,
        type=str(entry.get("type", "")),
        partuuid=str(entry.get("uuid", "")).lower(),
        name=str(entry.get("name", "")),
    )


def number_of(node: str) -> int:
    """The partition number at the end of a device name: 3 of `/dev/sda3`, 1 of `/dev/nvme0n1p1`."""
    digits = node[len(node.rstrip("0123456789")) :]
    return int(digits or 0)
