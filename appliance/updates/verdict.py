"""Whether the version that runs is good: every criterion has to hold before the time is up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

DEADLINE_SECONDS, SLOW_DEADLINE_SECONDS = 600.0, 900.0
"""How long a version has from being judged, with its first start on a migrated store; and that on a slow computer."""
SLOW_START_SECONDS = 60.0
"""From the kernel's start until judging begins: a server takes 10 to 30 s, an emulated one minutes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one criterion at one look."""

    criterion: str
    """What has to hold: ``the console answers``."""
    wrong: str = ""
    """Why it does not; empty: it does."""

    @property
    def good(self) -> bool:
        """Whether it holds."""
        return not self.wrong


def reasons(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Why it is not good, a sentence for each criterion; none: it is."""
    return tuple(f"not so: {found.criterion} ({found.wrong})" for found in findings if not found.good)


def decided(findings: Sequence[Finding], began: float, now: float, deadline: float = DEADLINE_SECONDS) -> bool:
    """Whether it is time for the verdict: all hold, or the time is up."""
    return all(found.good for found in findings) or now - began >= deadline


def deadline_of(start: float) -> float:
    """Seconds that a version has on a computer whose start took ``start`` seconds before judging began.

    A slow computer is not a bad version: what is given up for that cannot be installed there at all.
    """
    return SLOW_DEADLINE_SECONDS if start >= SLOW_START_SECONDS else DEADLINE_SECONDS


def udp_ports(table: str) -> set[int]:
    """The ports that are bound in ``/proc/net/udp`` (proc(5))."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 1 and ":" in row[1]}
