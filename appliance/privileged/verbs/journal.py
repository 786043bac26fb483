"""The journal of our units. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Verb
from appliance.privileged.verbs.services import UNITS

KERNEL = "kernel"
"""In place of a unit: what the kernel said since this boot."""
SOURCES = (*UNITS, "appliance-seed.service", "appliance-good.service", "appliance-slot.service", KERNEL)
MOST = 5000
"""Lines of one answer."""


class LastLines(msgspec.Struct, frozen=True):
    """Oldest first, each with its time."""

    lines: list[str]


class Lines(Verb[LastLines], frozen=True):
    """The last lines of one of ``SOURCES``."""

    name: ClassVar[str] = "journal.lines"

    unit: str
    count: int = 200
    """Lines, 1 to ``MOST``."""
