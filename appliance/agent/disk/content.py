"""What is on a disk: enough to tell a person, and to notice that it is no longer the same."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..run import ProgramFailed, run
from . import block, marker
from .model import Disk
from .table import Partition, Table, read_table

EDGE = 1 << 20
"""Bytes at either end of a disk where anything that claims the disk has to leave a trace."""
HASHED = 64 << 10


@dataclass(frozen=True)
class Signature:
    """A file system or a member of something, as blkid names it; "" where it says nothing."""

    type: str
    label: str = ""
    uuid: str = ""
    usage: str = ""


NOTHING = Signature("")


@dataclass(frozen=True)
class Found:
    """Everything that was found on one disk. `whole` are signatures that cover the disk itself."""

    table: Table | None
    whole: tuple[Signature, ...]
    inside: tuple[Signature, ...]
    """One for each partition of `table`, in its order."""
    head: bytes
    tail: bytes
    """The first and last EDGE bytes; the mark of a write that was broken off is taken out of `head`."""
    attempt: str | None = None
    """The attempt whose mark the disk carries."""

    @property
    def empty(self) -> bool:
        """Nothing known is on the disk, and nothing unknown at its ends either."""
        return not (self.table or self.whole or any(self.head) or any(self.tail))


def read_content(disk: Disk) -> Found:
    """Look at a disk without changing anything. Raises ProgramFailed, OSError."""
    head = block.read_at(disk.device, 0, EDGE)
    attempt = marker.decode(head)
    if attempt is not None:
        head = bytes(marker.SIZE) + head[marker.SIZE :]
    table = read_table(disk.device)
    partitions = table.partitions if table else ()
    return Found(
        table=table,
        whole=read_signatures(disk.device),
        inside=tuple(probe(disk.device, partition) for partition in partitions),
        head=head,
        tail=block.read_at(disk.device, max(0, disk.size - EDGE), EDGE),
        attempt=attempt,
    )


def read_signatures(device: Path) -> tuple[Signature, ...]:
    """All signatures that cover the device itself, also contradicting ones, of which blkid shows none."""
    return parse_wipefs(run(["wipefs", "--no-act", "--json", str(device)]))


def probe(device: Path, partition: Partition) -> Signature:
    """What a partition of `device` holds. Works by offset, so it needs no device for the partition."""
    if partition.is_extended:
        return NOTHING
    where = ["--offset", str(partition.start), "--size", str(partition.size)]
    try:
        return parse_blkid(run(["blkid", "--probe", *where, "--output", "export", str(device)], good=(0, 2)))
    except ProgramFailed:  # 8: contradicting signatures
        return Signature("unclear")


def parse_wipefs(text: str) -> tuple[Signature, ...]:
    """Signatures from `wipefs --json` (pure); partition tables are left to sfdisk."""
    entries = json.loads(text or "{}").get("signatures") or []
    return tuple(
        Signature(str(entry["type"]), str(entry.get("label") or ""), str(entry.get("uuid") or ""))
        for entry in entries
        if entry["type"] not in ("gpt", "dos", "PMBR")
    )


def parse_blkid(text: str) -> Signature:
    """What `blkid --output export` says (pure)."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    label = said.get("LABEL", "").replace("\\ ", " ")
    return Signature(said.get("TYPE", ""), label, said.get("UUID", ""), said.get("USAGE", ""))


def fingerprint(disk: Disk, found: Found) -> str:
    """SHA-256 over everything that was found; the same content gives the same text on every boot (pure)."""
    seen = {
        "bytes": disk.size,
        "table": asdict(found.table) if found.table else None,
        "whole": [asdict(signature) for signature in found.whole],
        "inside": [asdict(signature) for signature in found.inside],
        "head": hashlib.sha256(found.head[:HASHED]).hexdigest(),
        "tail": hashlib.sha256(found.tail[-HASHED:]).hexdigest(),
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def report(disk: Disk, found: Found) -> dict[str, Any]:
    """The `content` of an inventory entry (pure)."""
    partitions = found.table.partitions if found.table else ()
    pairs = zip(partitions, found.inside, strict=True)
    return {
        "empty": found.empty,
        "fingerprint": fingerprint(disk, found),
        "summary": summary(found),
        "disk_guid": disk_guid(found.table),
        "partitions": [_entry(partition, inside) for partition, inside in pairs],
    }


def disk_guid(table: Table | None) -> str | None:
    """The GUID in the header of a GPT, in lower case; None for anything else."""
    return table.id.lower() if table and table.label == "gpt" else None


def _entry(partition: Partition, inside: Signature) -> dict[str, Any]:
    return {
        "number": partition.number,
        "bytes": partition.size,
        "type": partition.type,
        "filesystem": inside.type,
        "label": inside.label or partition.name,
        "uuid": inside.uuid,
        "partuuid": partition.partuuid,
    }


WORDS = {
    "LVM2_member": "LVM physical volume",
    "linux_raid_member": "member of a Linux array",
    "ddf_raid_member": "member of a hardware array",
    "isw_raid_member": "member of an Intel array",
    "zfs_member": "member of a ZFS pool",
    "crypto_LUKS": "encrypted (LUKS)",
    "BitLocker": "encrypted (BitLocker)",
    "swap": "swap",
    "vfat": "FAT",
    "unclear": "contradicting signatures",
}


def summary(found: Found) -> str:
    """What is there in words that a person can recognise (pure)."""
    if found.empty:
        return "empty" if found.attempt is None else f"empty; attempt {found.attempt} began to write here"
    parts = [in_words(signature) for signature in found.whole]
    if found.table:
        parts.append(_table_in_words(found.table, found.inside))
    if not parts:
        parts.append("unknown data")
    if found.attempt is not None:
        parts.append(f"attempt {found.attempt} began to erase it")
    return "; ".join(parts)


def in_words(signature: Signature) -> str:
    """One signature: its kind, then the name that its owner gave it."""
    kind = WORDS.get(signature.type, signature.type) or "unknown data"
    return f"{kind} '{signature.label}'" if signature.label else kind


def _table_in_words(table: Table, inside: tuple[Signature, ...]) -> str:
    label = {"gpt": "GPT", "dos": "MBR"}.get(table.label, table.label)
    held = [in_words(signature) for signature in inside if signature != NOTHING]
    if not table.partitions:
        return f"{label} without partitions"
    return f"{label} with " + (", ".join(held) or f"{len(table.partitions)} partitions of unknown data")
