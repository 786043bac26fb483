"""Carries out the verbs of ``verbs/update.py``, through rauc(1). RAUC's service does the writing, and outlives us."""

import stat
import time
from pathlib import Path

from appliance import __version__
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.trial import installing, keep_record, kept_record, slots_of
from appliance.privileged.verb import Done
from appliance.privileged.verbs.update import Back, Inspect, Install, Slots, SlotsState
from appliance.updates import record as records
from appliance.updates.bundle import NAME, Bundle, install_failure, parse_info, progress, refusal
from appliance.updates.record import Stage, Update
from appliance.updates.slots import booted_of, other_of

INCOMING = "var/lib/appliance/update"
"""On the state partition; the daemon writes there."""
INSTALL_SECONDS = 3600.0
"""A slot written to the slowest disk that anybody would boot from."""


async def slots(verb: Slots, on: Computer, tell: Tell) -> SlotsState:
    """Raises ApplianceError as ``rauc status`` does."""
    return SlotsState(await slots_of(on), kept_record(on), await installing(on))


def _bundle(on: Computer) -> Path:
    """A file of its own, and no way to another: its directory is the daemon's."""
    path = on.roots.state / INCOMING / NAME
    try:
        mode = path.lstat().st_mode
    except OSError:
        raise Conflict("bundle-missing", "there is no update to install", "upload one first") from None
    if not stat.S_ISREG(mode):
        raise Invalid("bundle-unreadable", "what was uploaded is no file", "upload it again", "file")
    return path


async def inspect(verb: Inspect, on: Computer, tell: Tell) -> Bundle:
    """Raises Conflict ``bundle-missing``; Invalid with the reason for what is not to be installed."""
    path = _bundle(on)
    try:
        said = await on.run(["rauc", "info", "--output-format=json", str(path)], 240.0)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        raise refusal(error.message) from error
    return parse_info(said)


async def install(verb: Install, on: Computer, tell: Tell) -> Done:
    """Raises Conflict ``update-busy``, ``bundle-changed``; ApplianceError ``update-failed`` with RAUC's reason."""
    tell(0.0, "checking the signature")
    found = await inspect(Inspect(), on, tell)
    if found.version != verb.version:
        text = f"the update is version {found.version} now, and {verb.version[:80]} was agreed to"
        raise Conflict("bundle-changed", text, "look at it again", "version")
    if await installing(on):
        raise Conflict("update-busy", "an update is being written already", "wait until it is")
    both = await slots_of(on)
    now, target = time.time(), other_of(both)
    begun = Update(target.letter, found.version, booted_of(both).letter, __version__, now, Stage.INSTALLING)
    keep_record(on, records.begin(kept_record(on), begun, now))
    try:
        await on.follow(["rauc", "install", "--progress", str(_bundle(on))], _teller(tell), INSTALL_SECONDS)
    except ApplianceError as error:
        failure = install_failure(error.message) if error.code == "program-failed" else error
        keep_record(on, records.not_installed(kept_record(on), failure.message, time.time()))
        raise failure from error
    keep_record(on, records.installed(kept_record(on)))
    return Done()


def _teller(tell: Tell) -> "_Teller":
    return _Teller(tell)


class _Teller:
    """Tells what RAUC says of how far it is."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def __call__(self, line: str) -> None:
        if (found := progress(line)) is not None:
            self._tell(*found)


async def back(verb: Back, on: Computer, tell: Tell) -> Done:
    """Raises Conflict ``slot-changed``, ``slot-empty`` and ``update-busy``."""
    both, record = await slots_of(on), kept_record(on)
    booted, other = booted_of(both), other_of(both)
    if other.letter != verb.slot:
        raise Conflict("slot-changed", f"slot {verb.slot[:8]} is not the other one", "look at the slots again", "slot")
    if not other.good:
        raise Conflict("slot-empty", f"slot {other.letter} holds nothing that could be started", "install an update")
    if await installing(on):
        raise Conflict("update-busy", "an update is being written", "wait until it is")
    now = time.time()
    begun = Update(
        other.letter, _version(record, other.letter), booted.letter, __version__, now, Stage.TRYING, back=True
    )
    # Noted first: a version that starts without leave to give up what is newer would stand still.
    keep_record(on, records.begin(record, begun, now))
    await on.run(["rauc", "status", "mark-active", other.name])
    return Done()


def _version(record: records.Record, slot: str) -> str:
    """What was last in a slot, as the record knows it; empty where it does not."""
    for update in reversed(record.updates):
        if update.slot == slot:
            return update.version
        if update.from_slot == slot:
            return update.from_version
    return ""
