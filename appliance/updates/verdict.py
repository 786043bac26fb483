"""Whether the version that runs is good: every criterion has to hold before the time is up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

DEADLINE_SECONDS = 600.0
"""How long a version has from being judged: the slowest computer, with its first start on a migrated store."""


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


def udp_ports(table: str) -> set[int]:
    """The ports that are bound in ``/proc/net/udp`` (proc(5))."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 1 and ":" in row[1]}
