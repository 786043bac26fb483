"""What is in the directory of a pool: which files are volumes of ours, which are not, and what is wrong with them."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.imageformat import qcow2
from appliance.storage.content import LOOKING, is_open, is_plain
from appliance.storage.folder import Folder
from appliance.storage.record import LONGEST, PARTS, STATES, TROUBLE, Record, claimed, grouped, is_begun, understood
from appliance.volume import Foreign, Format, Volume, VolumeId

BLOCK = 512
"""Bytes; what stat(2) counts in."""
_KINDS = ((stat.S_ISREG, "a file"), (stat.S_ISDIR, "a directory"), (stat.S_ISLNK, "a link"))


@dataclass(frozen=True, slots=True)
class Found:
    """A volume of ours and its files."""

    volume: Volume
    record: Record
    state: str
    """One of ``record.STATES``."""
    endings: frozenset[str]
    """Of the files that belong to it."""
    holds: int
    """Bytes that its content has; more than its size where growing it was cut off."""

    @property
    def file(self) -> str:
        """The name of its content."""
        return f"{self.volume.id}.{self.record.format}"


@dataclass(frozen=True, slots=True)
class Contents:
    """All that is in a directory."""

    found: Mapping[VolumeId, Found]
    foreign: tuple[Foreign, ...]
    parts: tuple[str, ...]
    """Records that were not written to their end, and belong to nobody yet."""
    taken: frozenset[VolumeId]
    """Ids that files have which are not ours."""

    def needing(self, key: VolumeId) -> list[str]:
        """The names of the volumes that cannot be without that one."""
        return [each.record.name for each in self.found.values() if each.record.needs == key]


def look(folder: Folder) -> Contents:
    """As it is at this moment. Raises OSError."""
    volumes, others = grouped(folder.names())
    records = {key: record for key, endings in volumes.items() if (record := _record(folder, key, endings))}
    found: dict[VolumeId, Found] = {}
    parts: list[str] = []
    taken: set[VolumeId] = set()
    for key, endings in volumes.items():
        ours = _ours(folder, key, endings, records.get(key))
        if key in records:
            found[key] = _found(folder, key, frozenset(ours), records)
        else:
            parts += [f"{key}.{ending}" for ending in sorted(ours)]
        if strange := endings - ours:
            taken.add(key)
            others += [f"{key}.{ending}" for ending in sorted(strange)]
    return Contents(found, tuple(_foreign(folder, name) for name in sorted(others)), tuple(parts), frozenset(taken))


Records = Mapping[VolumeId, tuple[str, Record]]


def _record(folder: Folder, key: VolumeId, endings: set[str]) -> tuple[str, Record] | None:
    """How far a volume is, and its record."""
    for state in STATES:
        if state in endings and (record := understood(folder.begin(f"{key}.{state}", LONGEST) or b"")):
            return state, record
    return None


def _ours(folder: Folder, key: VolumeId, endings: set[str], record: tuple[str, Record] | None) -> set[str]:
    """The endings of the files that are ours."""
    if record:
        return endings & {record[0], *claimed(*record)}
    return {each for each in endings & PARTS if _is_part(folder, f"{key}.{each}")}


def _is_part(folder: Folder, name: str) -> bool:
    begin = folder.begin(name, LONGEST)
    return begin is not None and is_begun(begin)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a look into a content has shown."""

    holds: int
    in_use: bool = False
    backing: str | None = ""
    """The file that has what was not written to it; None where it could not be read."""


def _found(folder: Folder, key: VolumeId, endings: frozenset[str], records: Records) -> Found:
    state, record = records[key]
    name = f"{key}.{record.format}"
    status = folder.status(name)
    content = _content(folder, name, record) if is_plain(status) and not TROUBLE[state] else None
    volume = Volume(
        id=key,
        name=record.name,
        size=record.size,
        used=status.st_blocks * BLOCK if status else 0,
        origin=origin if (origin := VolumeId(record.origin or "")) in records else None,
        read_only=record.read_only,
        path=str(folder.path / name),
        format=record.format,
        in_use=content.in_use if content else False,
        created=record.created,
        trouble=TROUBLE[state] or _mistaken(record, content, records),
    )
    return Found(volume, record, state, endings, content.holds if content else 0)


def _content(folder: Folder, name: str, record: Record) -> _Content:
    with LOOKING:
        try:
            descriptor = folder.open(name, os.O_RDONLY)
        except PermissionError:  # libvirt gives a VM's files to its own user for as long as it runs
            return _Content(record.size, True, None)
        try:
            return _measured(descriptor, record.format)
        finally:
            os.close(descriptor)


def _measured(descriptor: int, kind: Format) -> _Content:
    if kind is Format.RAW:
        return _Content(os.fstat(descriptor).st_size, is_open(descriptor))
    image = qcow2.overlay(os.pread(descriptor, qcow2.BEGIN, 0))
    return _Content(image.size, is_open(descriptor), image.backing) if image else _Content(0)


def _mistaken(record: Record, content: _Content | None, records: Records) -> str:
    """What is wrong with a content, in words; empty for nothing."""
    if content is None:
        return "its file is not there"
    if content.holds < record.size:
        return f"its file holds {content.holds} bytes of {record.size}"
    needs = records.get(VolumeId(record.needs or ""))
    if record.needs and needs is None:
        return "what it is made of is not there"
    wanted = f"{record.needs}.{needs[1].format}" if needs else ""
    return "" if content.backing in (wanted, None) else f"its file takes content from {content.backing[:80]!r}"


def _foreign(folder: Folder, name: str) -> Foreign:
    shown = os.fsencode(name).decode(errors="replace")
    if (status := folder.status(name)) is None:
        return Foreign(shown, 0, "a file")
    what = next((words for is_one, words in _KINDS if is_one(status.st_mode)), "neither file nor directory")
    return Foreign(shown, status.st_size, what)
