"""What a check found, and the exit code of all of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

DONE, FAILED, UNREACHABLE = 0, 1, 3


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """Works, but some machines may have trouble."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Could not be looked at, or need not be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer. Its strings may come from the network: they are cleaned where they are shown."""

    check: str
    status: Status
    text: str
    """What was found."""
    reason: str = ""
    """Why it matters."""
    hint: str = ""
    """What to do."""
    details: dict[str, object] = field(default_factory=dict)
    """What was observed, in values that JSON knows."""


def exit_code(findings: Sequence[Finding], *, reachable: bool, whole: bool) -> int:
    """0 when nothing failed, 3 when no server was reached at all, else 1; 1 too when it was ended early."""
    if not reachable:
        return UNREACHABLE
    failed = any(each.status is Status.FAILED for each in findings)
    return FAILED if failed or not whole else DONE
