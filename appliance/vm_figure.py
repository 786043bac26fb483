"""Words for what a VM uses: how far back somebody looks, and what a device does in a second. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Span(StrEnum):
    """How far back somebody looks."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class DiskRate:
    """Of a drive, a second."""

    target: str
    read: float
    """Bytes."""
    written: float
    """Bytes."""
    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class NicRate:
    """Of a network card, a second."""

    number: int
    received: float
    """Bytes."""
    sent: float
    """Bytes."""
