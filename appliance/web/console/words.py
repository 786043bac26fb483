"""Values as people read them: sizes, times, states. Pure; ``now`` and ``at`` are unix times in seconds."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from appliance.catalogue import DISKS, Image
from appliance.machine import BUSY, State
from appliance.task import share_done, weights_of
from appliance.web.console.glossary import STATES
from appliance.workflow import Attempt

BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state looks: always shape, tone and word together."""

    shape: str
    tone: str
    word: str
    meaning: str = ""
    """For whoever points at it."""


_MARKS: dict[State, tuple[str, str]] = {
    State.DISCOVERED: ("dots", "neutral"),
    State.IDLE: ("circle", "neutral"),
    State.ACTIVE: ("disc", "good"),
    State.STOPPED: ("square", "quiet"),
    State.RESCUE: ("diamond", "busy"),
    State.BROKEN: ("cross", "bad"),
    State.FAILED: ("triangle", "bad"),
}

OFFLINE = Mark("hollow", "warn", "offline")
FOREIGN = Mark("triangle", "bad", "DHCP server")
NO_LINK = Mark("triangle", "bad", "no link")
ASIDE = Mark("triangle", "bad", "not served")
ASKS = Mark("diamond", "warn", "asks to be let in", "It restarted by itself, and waits for its root on the network")
RELEASED = Mark("circle", "quiet", "not running")
WAITING = Mark("dots", "busy", "waiting")


def mark(state: State) -> Mark:
    """Shape, tone and word of a machine's state."""
    shape, tone = ("busy", "busy") if state in BUSY else _MARKS[state]
    return Mark(shape, tone, state.value, STATES[state])


def memory(count: int | None) -> str:
    """Bytes of memory, in binary units: ``16 GiB``."""
    return _scaled(count, 1024, BINARY)


def disk_size(count: int | None) -> str:
    """Bytes of a disk or file, in the decimal units that its label uses: ``480 GB``."""
    return _scaled(count, 1000, DECIMAL)


def content_size(image: Image) -> str:
    """Bytes of what is in an image, and of what: only a disk's content fills a disk."""
    return f"{disk_size(image.size)} {'on disk' if image.format in DISKS else 'of files'}"


def _scaled(count: int | None, base: int, units: tuple[str, ...]) -> str:
    if count is None:
        return "unknown"
    value, index = float(count), 0
    while value >= base and index < len(units) - 1:
        value, index = value / base, index + 1
    shown = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
    return f"{shown} {units[index]}"


def percent(share: float) -> str:
    """A share of 1 as ``43%``; never rounded up to the whole."""
    return f"{int(share * 100)}%"


def ago(at: float | None, now: float) -> str:
    """How long ago, in one unit: ``2 min ago``."""
    if at is None:
        return "never"
    seconds = max(now - at, 0)
    return "just now" if seconds < 5 else f"{span(seconds)} ago"


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """A length of time in its largest whole unit."""
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), (1, "s"))
    return f"{int(seconds // size)} {unit}"


def running_time(seconds: float) -> str:
    """A length of time as a clock shows it: ``1:12`` or ``1:02:03``."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(at: float, zone: tzinfo | None = None) -> str:
    """Date and time in a time zone, None for the appliance's: ``2026-11-20 19:24:37``."""
    return _local(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def clock(at: float, zone: tzinfo | None = None) -> str:
    """The time of day in a time zone, None for the appliance's: ``14:32``."""
    return _local(at, zone).strftime("%H:%M")


def iso(at: float, zone: tzinfo | None = None) -> str:
    """The same moment for programs, with its offset from UTC (RFC 3339)."""
    return _local(at, zone).isoformat(timespec="seconds")


def _local(at: float, zone: tzinfo | None = None) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def step_label(attempt: Attempt) -> str:
    """What the attempt is doing now: the agent's words where it has some, else the step's."""
    if attempt.step is None:
        return "done"
    return attempt.message or attempt.step.label


def overall(attempt: Attempt) -> float:
    """How far the attempt is, 0 to 1."""
    return share_done(attempt)


def weights(attempt: Attempt) -> str:
    """The weights of its steps, for the script that moves a bar between two looks at the server."""
    return " ".join(f"{weight:g}" for weight in weights_of(attempt))


def sentence(text: str) -> str:
    """Words that began in the middle of a line, at the begin of one."""
    return text[:1].upper() + text[1:]


def hardware(inventory: dict[str, Any] | None) -> str:
    """A machine in one line: processors, memory, disks."""
    if not inventory:
        return "no inventory yet"
    threads = (inventory.get("cpu") or {}).get("threads") or 0
    size = (inventory.get("memory") or {}).get("bytes")
    disks = len(inventory.get("disks") or [])
    return f"{threads} CPU{'' if threads == 1 else 's'}, {memory(size)}, {disks} disk{'' if disks == 1 else 's'}"


def key_fingerprint(key: str) -> str:
    """A public key's fingerprint as ``ssh`` shows it at the first connection (RFC 4253 section 6.6 blob)."""
    words = key.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        return "not a key"
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def pairs_of_hex(digest: str) -> str:
    """A fingerprint as browsers show it: ``AB:CD:...``."""
    upper = digest.upper()
    return ":".join(upper[i : i + 2] for i in range(0, len(upper), 2))
