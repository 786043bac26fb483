"""Wiping a disk on release: the ways that users choose from, and the record that is kept of each wiped disk. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appliance.errors import Invalid


class WipeMethod(StrEnum):
    """What a user asks for (ARCHITECTURE.md, Wiping)."""

    AUTOMATIC = "automatic"
    SANITIZE = "sanitize"
    SECURE_ERASE = "secure-erase"
    DISCARD = "discard"
    OVERWRITE = "overwrite"


MEANINGS: dict[WipeMethod, str] = {
    WipeMethod.AUTOMATIC: "the strongest way that the disk has",
    WipeMethod.SANITIZE: "NVMe sanitize: the disk erases itself, spare cells too",
    WipeMethod.SECURE_ERASE: "NVMe format or ATA secure erase: the disk erases itself",
    WipeMethod.DISCARD: "the disk is told that it is needed no longer, and has to read as zeros",
    WipeMethod.OVERWRITE: "zeros are written to all of it",
}
"""What each does, in words."""

DONE_BY: dict[str, str] = {
    "nvme-sanitize-block": "NVMe sanitize (block erase)",
    "nvme-sanitize-crypto": "NVMe sanitize (cryptographic erase)",
    "nvme-format-erase": "NVMe format (user data erase)",
    "nvme-format-crypto": "NVMe format (cryptographic erase)",
    "ata-erase-enhanced": "ATA enhanced secure erase",
    "ata-erase": "ATA secure erase",
    "secure-discard": "secure discard",
    "discard": "discard",
    "overwrite": "overwriting it with zeros",
}
"""The ways that an agent names, in words."""
MOST_DISKS = 32
"""Of one machine whose last wipe is kept."""


def check_method(text: str) -> WipeMethod:
    """A way to wipe; raises Invalid for any other word."""
    try:
        return WipeMethod(text)
    except ValueError:
        hint = f"use one of {', '.join(WipeMethod)}"
        raise Invalid("wipe-method-unknown", f"{text[:40]!r} is no way to wipe a disk", hint, "wipe_method") from None


@dataclass(frozen=True, slots=True)
class Wiped:
    """The last wipe of one disk, as its agent told it."""

    at: float
    """Unix time of its end."""
    serial: str
    wwn: str
    model: str
    bytes: int
    asked: str
    """What the user had asked for."""
    method: str
    """What was done in the end, a key of DONE_BY."""
    verified: bool
    """Whether reading back showed nothing of what was there."""
    seconds: float
    bytes_read: int
    """Read back."""
    whole: bool
    """Whether that was all of the disk."""
    zeros: bool
    """Whether everything that was read back was zero; noise of a changed key is not."""
    hidden_bytes: int = 0
    """That the disk has and does not show: what is in them was perhaps not reached."""
    tried: tuple[str, ...] = ()
    """Ways that were not believed before, each with the reason."""


def wiped(result: Mapping[str, Any], at: float) -> Wiped | None:
    """The record of a step's result, which comes from the network; None where it does not say which disk or how."""
    disk = result.get("disk")
    method = _text(result.get("method"))
    if not isinstance(disk, dict) or not method or not (disk.get("serial") or disk.get("wwn")):
        return None
    return Wiped(
        at=at,
        serial=_text(disk.get("serial")),
        wwn=_text(disk.get("wwn")),
        model=_text(disk.get("model")),
        bytes=_count(disk.get("bytes")),
        asked=_text(result.get("asked")),
        method=method,
        verified=result.get("verified") is True,
        seconds=float(_count(result.get("seconds"))),
        bytes_read=_count(result.get("bytes_read")),
        whole=result.get("whole") is True,
        zeros=result.get("zeros") is True,
        hidden_bytes=_count(result.get("hidden_bytes")),
        tried=tuple(_tried(result.get("tried"))),
    )


def with_wiped(before: tuple[Wiped, ...], new: Wiped | None) -> tuple[Wiped, ...]:
    """The records of a machine with a new one in the place of the same disk's, newest first."""
    if new is None:
        return before
    others = (each for each in before if (each.serial, each.wwn) != (new.serial, new.wwn))
    return (new, *others)[:MOST_DISKS]


def done_by(record: Wiped) -> str:
    """How, in words."""
    return DONE_BY.get(record.method, record.method)


def in_words(record: Wiped) -> str:
    """One sentence: which disk, how, how long it took and what was read back."""
    name = f"{record.model or 'disk'}, {'serial ' + record.serial if record.serial else 'WWN ' + record.wwn}"
    read = "all of it" if record.whole else f"{record.bytes_read / 1e6:.0f} MB of it"
    found = f"{read} read back, {'all zeros' if record.zeros else 'nothing of before'}"
    believed = found if record.verified else "not verified"
    return f"{name} is wiped by {done_by(record)}, in {_span(record.seconds)}; {believed}"


def remarks(record: Wiped) -> str:
    """What else there is to know of it; empty for nothing."""
    found = [f"before that {each}" for each in record.tried]
    if record.hidden_bytes:
        found.append(f"{record.hidden_bytes} bytes that it hides (HPA or DCO) were perhaps not reached")
    return "; ".join(found)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _tried(said: object) -> Iterable[str]:
    for each in (said if isinstance(said, list) else [])[: len(DONE_BY)]:
        if isinstance(each, dict):
            method = _text(each.get("method"))
            yield f"{DONE_BY.get(method, method)}: {_text(each.get('reason'))}"


def _text(said: object) -> str:
    return said[:200] if isinstance(said, str) else ""


def _count(said: object) -> int:
    if isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said < 1 << 63:
        return int(said)
    return 0
