"""What the screen knows when it is drawn. Pure."""

from dataclasses import dataclass
from datetime import date

NO_ADDRESS = "no address (Enter, Network settings)"
"""Why the console is not reachable, where neither a network card nor a cable is missing."""


@dataclass(frozen=True, slots=True)
class Service:
    """One unit of the appliance."""

    unit: str
    about: str
    """What it is, in words."""
    state: str
    """``running``, ``failed``, ``starting``, ``stopped``, or ``resting`` for one that starts when it is needed."""
    reason: str = ""
    """Why it failed, as systemd says it."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event."""

    at: float
    """Unix time."""
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything; what could not be found out is empty, and ``warnings`` says why."""

    at: float = 0.0
    """Unix time of this look."""
    clock: str = ""
    """The same for people: ``14:03:22``."""
    host: str = ""
    version: str = ""
    slot: str = ""
    """The root slot that runs, ``A`` or ``B``."""
    urls: tuple[str, ...] = ()
    """Where the console is."""
    no_address: str = NO_ADDRESS
    """Why it is nowhere, where ``urls`` are empty."""
    fingerprint: str = ""
    """SHA-256 of the certificate authority, 64 hex digits."""
    setup: str = ""
    """Path and query of the set-up link; empty once somebody has an account."""
    setup_expired: bool = False
    """Whether the link is good no more; the daemon makes another one when it starts."""
    services: tuple[Service, ...] = ()
    events: tuple[Happened, ...] = ()
    """Newest first."""
    warnings: tuple[str, ...] = ()
    """What cannot wait, in words."""
    network_until: float | None = None
    """Unix time at which an unconfirmed change of the network is taken back."""
    may_install: bool = False
    """Whether this is the installer: it runs from a stick, or was started for it."""
    is_installer: bool = False
    """Whether it was started for nothing else: from the boot loader's menu."""
    utc_offset: float = 0.0
    """Seconds to add to Unix time for the time on the wall."""


def setup_link(facts: Facts) -> str:
    """The whole one-time link; empty where there is none, or no address to reach it by."""
    return facts.urls[0] + facts.setup if facts.setup and facts.urls else ""


def spaced_fingerprint(digits: str) -> str:
    """As browsers show it: ``AB:CD:...``."""
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2)).upper()


def wall_time(facts: Facts, at: float) -> str:
    """``14:03:22`` of a Unix time, or its day and ``14:03`` where that is not today."""
    local, today = at + facts.utc_offset, int((facts.at + facts.utc_offset) // 86400)
    day, seconds = int(local // 86400), int(local % 86400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if day == today:
        return text
    return f"{'yesterday' if day == today - 1 else date.fromordinal(_EPOCH + day).isoformat()} {text[:5]}"


_EPOCH = date(1970, 1, 1).toordinal()
