"""One method after the other, until what is read back is believed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..disk import marker
from ..errors import StepFailed
from . import ata_erase, nvme_erase
from .blank import blank, clear_ends
from .drive import Drive, is_gone
from .methods import ATA_SECURITY, FORMAT, LEAVES_ZEROS, SANITIZE, Facts, Method, Plan, plan
from .minder import Minder
from .passthrough import Refused, Unknown
from .readback import Before, Look, look_after, look_before

ERASING = 0.9
"""Share of the progress that is the erase; the rest is reading back."""


@dataclass
class Done:
    """A wipe that is believed. `tried` are methods that were not, `left_out` those that the disk has not."""

    method: Method
    look: Look
    hidden: int
    tried: list[tuple[Method, str]]
    left_out: list[tuple[Method, str]]

    def report(self) -> dict[str, Any]:
        """As it goes into the step's result."""
        return {
            "method": str(self.method),
            "verified": True,
            "bytes_read": self.look.bytes_read,
            "whole": self.look.whole,
            "zeros": self.look.rest is None,
            "hidden_bytes": self.hidden,
            "tried": [{"method": str(method), "reason": why} for method, why in self.tried],
            "left_out": [{"method": str(method), "reason": why} for method, why in self.left_out],
        }


def mend(drive: Drive, minder: Minder) -> bool:
    """Bring back a disk that a wipe which was broken off has left unreadable; whether there was one.

    Raises StepFailed, Abandoned, OSError.
    """
    try:
        if drive.speaks == "nvme":
            return nvme_erase.mend(drive, minder)
        return drive.speaks == "ata" and ata_erase.mend(drive, minder)
    except (Refused, ValueError):
        return False  # it does not even say what it is: reading it shows what is wrong


def read_facts(drive: Drive) -> Facts:
    """What the disk can; of one that does not say, what the kernel knows. Raises OSError."""
    queue = drive.limits()
    try:
        if drive.speaks == "nvme":
            return Facts(queue, nvme=nvme_erase.read_facts(drive))
        if drive.speaks == "ata":
            identity = ata_erase.read_identity(drive)
            return Facts(queue, ata=identity, hidden=ata_erase.hidden_bytes(drive, identity))
    except (Refused, ValueError):
        return Facts(queue)
    return Facts(queue)


def _unheard() -> None:
    """For who need not know when the mark stands."""


def wipe(drive: Drive, choice: str, attempt: str, minder: Minder, marked: Callable[[], None] = _unheard) -> Done:
    """Wipe the disk in the way that a user asked for, and believe what is read back, and nothing else.

    The attempt's mark stands on it until it is, but where the disk erases itself; `marked` is called once it stands,
    before anything else is lost. The attempt's id is also the seed of where is looked. Raises StepFailed
    `wipe-impossible` where the disk can do nothing of it, before anything is done to it, and `wipe-failed` where
    nothing of it worked; also `disk-locked`, `disk-stuck`, Abandoned, OSError.
    """
    facts = read_facts(drive)
    ways = plan(choice, facts)
    if not ways.methods:
        raise StepFailed("wipe-impossible", _impossible(drive, choice, ways))
    drive.write(0, marker.encode(attempt).ljust(drive.disk.sector_size, b"\0"))
    marked()
    before = look_before(drive, attempt)
    tried: list[tuple[Method, str]] = []
    left_out = list(ways.left_out)
    for method in ways.methods:
        try:
            why, look = _attempt(drive, method, facts, before, minder)
        except Unknown as error:
            left_out.append((method, str(error)))
            continue
        if look is not None:
            return Done(method, look, facts.hidden, tried, left_out)
        tried.append((method, why))
    raise StepFailed("wipe-failed", f"disk {drive.disk} is not wiped: {_in_words(tried or left_out)}")


def _attempt(drive: Drive, method: Method, facts: Facts, before: Before, minder: Minder) -> tuple[str, Look | None]:
    """Why a method is not believed, or what was read back. Raises Unknown, and as `wipe`."""
    try:
        _carry_out(drive, method, facts, minder.part(0.0, ERASING))
        look = look_after(drive, before, minder.part(ERASING, 1.0))
    except Unknown:
        raise
    except (Refused, ValueError) as error:
        return str(error), None
    except OSError as error:
        if is_gone(error):
            raise
        return f"{error.strerror}", None
    if why := disbelief(method, look):
        return why, None
    if look.rest is not None:
        clear_ends(drive)
    return "", look


def disbelief(method: Method, look: Look) -> str:
    """Why what was read back shows that the method did not wipe the disk; "" where it shows nothing (pure)."""
    if look.stays is not None:
        return f"what was there before still stands at byte {look.stays}"
    if look.rest is not None and method in LEAVES_ZEROS:
        return f"there is something else than zeros at byte {look.rest}"
    return ""


def _carry_out(drive: Drive, method: Method, facts: Facts, minder: Minder) -> None:
    if method in (*SANITIZE, *FORMAT) and facts.nvme is not None:
        nvme_erase.erase(drive, method, facts.nvme, minder)
    elif method in ATA_SECURITY and facts.ata is not None:
        ata_erase.erase(drive, method, facts.ata.security, minder)
    else:
        blank(drive, method, minder)


def _impossible(drive: Drive, choice: str, ways: Plan) -> str:
    why = _in_words(ways.left_out) or "disks of its kind do not have it, as far as its controller lets that show"
    return (
        f"disk {drive.disk} cannot be wiped by {choice!r}: {why}. Nothing was done to it; choose another way, and retry"
    )


def _in_words(of: list[tuple[Method, str]] | tuple[tuple[Method, str], ...]) -> str:
    return "; ".join(f"{method}: {why}" for method, why in of)
