"""How the run before this one ended: a mark in the state directory stands there for as long as the daemon serves.

It is made at the start and taken away at a good end. A start that finds it comes after a kill, a crash or a power cut.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError
from appliance.events import Event
from appliance.on_disk import sync
from appliance.state import write_whole

log = logging.getLogger(__name__)

NAME = "running"
"""The mark, in the state directory."""
BOOT_ID = "QRM_BOOT_ID"
"""Environment variable with the identifier of the kernel's boot; the unit gives it, as it hides /proc/sys from us."""
LAST_MOMENT = 253_402_300_800.0
"""Unix time of the year 10000, which no date is written for."""
LOG = "journalctl --unit appliance.service"

_TEXTS = {
    True: "the daemon had been killed or had crashed",
    False: "the computer lost power, crashed or was reset while the daemon ran",
    None: "the daemon had been killed or had crashed, or the computer lost power while it ran",
}
"""By whether the kernel is still the same; None: nobody knows."""


class Run(msgspec.Struct, frozen=True):
    """One run of the daemon."""

    since: float = 0.0
    """Unix time; 0 where it is not known."""
    boot: str = ""
    """Of the kernel (random(4), boot_id); empty where it is not known."""
    failed: str = ""
    """The error that it ended with; empty while it runs, and after a kill."""


def boot_id(environment: Mapping[str, str], file: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """What tells one boot of this computer from another; empty where nobody says."""
    told = environment.get(BOOT_ID, "")
    if not told:
        with suppress(OSError):
            told = file.read_text().strip()
    return told.replace("-", "")  # systemd writes it without


def left(state_dir: Path) -> Run | None:
    """The run that did not come to a good end; None where the last one did, or there was none."""
    try:
        return decoded((state_dir / NAME).read_bytes(), Run)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.warning("the mark of the last run cannot be read: %s", error)
        return Run()


def begin(state_dir: Path, run: Run) -> None:
    """Make the mark. Where it cannot be made, the daemon runs without: that must keep no machine from booting."""
    try:
        write_whole(state_dir / NAME, msgspec.json.encode(run))
    except ApplianceError as error:
        log.warning("it could not be noted that the daemon runs: %s", error.message)


def fail(state_dir: Path, error: BaseException, began: float) -> None:
    """Note the error that ends a run which began after this Unix time; a start that failed has no mark of its own."""
    run = left(state_dir)
    if run is not None and run.since >= began:
        words = error.message if isinstance(error, ApplianceError) else type(error).__name__
        begin(state_dir, msgspec.structs.replace(run, failed=words))


def end(state_dir: Path) -> None:
    """Take the mark away: this run came to a good end. There may be none."""
    try:
        (state_dir / NAME).unlink(missing_ok=True)
        sync(state_dir)
    except OSError as error:
        log.warning("the next start will say that this run was interrupted: %s", error)


def interruption(run: Run, boot: str, last: float | None, now: float) -> Event:
    """What to tell of a run that was interrupted.

    ``boot`` is what runs now, ``last`` the Unix time of the last event that was stored, None where there is none.
    """
    ran = [f"it ran since {_moment(run.since)}"] if run.since else []
    noted = [f"its last event is of {_moment(last)}"] if last is not None and last >= run.since else []
    same = boot == run.boot if boot and run.boot else None
    more = [] if same is False and not run.failed else [f"its log tells more: {LOG}"]
    text = f"the daemon had ended by itself: {run.failed}" if run.failed else _TEXTS[same]
    reason = "; ".join([*ran, *noted, *more])
    return Event("daemon.interrupted", now, text, reason, detail={"since": run.since or None, "last": last})


def _moment(at: float) -> str:
    if not 0 <= at < LAST_MOMENT:  # of a file that somebody else wrote
        return "a time that cannot be"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
