"""What a directory says of its volumes: a record in a file beside the content, and what the names of files mean. Pure.

The name of the record's file says how far the volume is: ``.making``, ``.json`` once it is whole, ``.removing``. It
goes from one to the next by a rename, which is done or not done, and needs no room on a full disk. What has no record
of ours is not ours, whatever it is called.
"""

import re
from collections.abc import Iterable

import msgspec

from appliance.decoding import decoded
from appliance.errors import Invalid
from appliance.volume import MOST, Format, VolumeId, check_id, check_name

WHOLE, MAKING, REMOVING = "json", "making", "removing"
STATES = (WHOLE, MAKING, REMOVING)
COMING = "coming"
"""Content that is to take the place of what a volume has."""
PART = "part"
"""A record while it is written."""
LONGEST = 4096
"""Bytes of a record."""
TROUBLE = {WHOLE: "", MAKING: "half made", REMOVING: "half removed"}
PARTS = {f"{WHOLE}.{PART}", f"{MAKING}.{PART}"}
_NAME = re.compile(r"([0-9a-f]{16})\.((?:json|making)\.part|json|making|removing|coming|raw|qcow2)")


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="qrm", tag="volume", forbid_unknown_fields=True):
    """What is known of a volume beside its content; ``qrm`` marks it as ours, and stands first."""

    name: str
    size: int
    """Bytes. Its file may have more, where growing it was cut off, and never less."""
    read_only: bool
    created: float
    origin: str | None
    """The id of what it was made from."""
    format: Format
    needs: str | None
    """The id of the volume that has what was not written here."""


BEGIN = b'{"qrm":"volume",'
"""Of every record, and of nothing else; one that was not written to its end has this, or nothing."""


def written(record: Record) -> bytes:
    """As it stands in its file."""
    return msgspec.json.encode(record) + b"\n"


def understood(content: bytes) -> Record | None:
    """None for what is no record of ours."""
    if not content.startswith(BEGIN):
        return None
    try:
        record = decoded(content, Record)
        check_name(record.name)
        for key in {record.origin, record.needs} - {None}:
            check_id(str(key))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Invalid):
        return None
    return record if 0 < record.size <= MOST and record.created >= 0 else None


def is_begun(content: bytes) -> bool:
    """Whether it is what was written of a record until something cut it off."""
    return content[: len(BEGIN)] == BEGIN[: len(content)]


def claimed(state: str, of: Record) -> set[str]:
    """The endings of all files that belong to a volume besides its record."""
    if state == MAKING:  # its record says in the end only in which format it is
        return {*Format, f"{MAKING}.{PART}"}
    return {of.format, COMING, f"{WHOLE}.{PART}"}


def grouped(names: Iterable[str]) -> tuple[dict[VolumeId, set[str]], list[str]]:
    """The endings of the names that each id has, and all names that are none of ours."""
    volumes: dict[VolumeId, set[str]] = {}
    others = []
    for name in names:
        if found := _NAME.fullmatch(name):
            volumes.setdefault(VolumeId(found[1]), set()).add(found[2])
        else:
            others.append(name)
    return volumes, others
