"""Carries out the verbs of ``verbs/update.py``, through rauc(1). RAUC's service does the writing, and outlives us."""

import asyncio
import stat
import time
from collections.abc import Callable
from pathlib import Path

from appliance import __version__
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.privileged import durable
from appliance.privileged.boot_notes import notes_used
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.trial import SLOTS, installing, slots_of, told_of_slots
from appliance.privileged.update_record import change_record, kept_record
from appliance.privileged.verb import Done
from appliance.privileged.verbs.update import Back, Inspect, Install, Slots, SlotsState, Stop
from appliance.updates import record as records
from appliance.updates.bundle import NAME, Bundle, install_failure, parse_info, progress, refusal
from appliance.updates.record import Stage, Update
from appliance.updates.slots import booted_of, other_of

INCOMING = "var/lib/appliance/update"
"""On the state partition; the daemon writes there."""
RESTART_SECONDS = 60.0
LOOK_EVERY = 1.0
"""Seconds between two looks whether it is cancelled."""
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
    """Raises Conflict ``update-busy``, ``update-on-trial``, ``bundle-changed``; ApplianceError ``update-failed``.

    The last one comes with RAUC's reason.
    """
    tell(0.0, "checking the signature")
    found = await inspect(Inspect(), on, tell)
    if found.version != verb.version:
        text = f"the update is version {found.version} now, and {verb.version[:80]} was agreed to"
        raise Conflict("bundle-changed", text, "look at it again", "version")
    async with notes_used(on):
        if await installing(on):
            raise Conflict("update-busy", "an update is being written already", "wait until it is")
        begun = await _begun(on, found.version)
        await _installed(on, begun, tell)
    return Done()


async def _begun(on: Computer, version: str) -> Update:
    """The update, noted before its first byte. Raises Conflict ``update-on-trial``."""
    durable.write(on.roots.run / SLOTS, await told_of_slots(on))  # it says no more until it has written
    both = await slots_of(on)
    booted, now = booted_of(both).letter, time.time()
    begun = Update(other_of(both).letter, version, booted, __version__, now, Stage.INSTALLING)

    def noted(record: records.Record) -> records.Record:
        records.check_no_trial(record, booted)
        return records.begin(record, begun, now)

    change_record(on, noted)
    return begun


async def _installed(on: Computer, begun: Update, tell: Tell) -> None:
    """Have it written, and note what became of it. What ``stop`` noted meanwhile stays."""
    try:
        await _written(on, tell)
    except ApplianceError as error:
        failure = install_failure(error.message) if error.code == "program-failed" else error
        if not _noted(on, begun, lambda record: records.not_installed(record, failure.message, time.time())):
            raise _stopped() from error
        raise failure from error
    if not _noted(on, begun, records.installed):
        raise _stopped()


def _noted(on: Computer, begun: Update, change: Callable[[records.Record], records.Record]) -> bool:
    """Whether the update that was begun was still open, and is changed now."""
    held = False

    def changed(record: records.Record) -> records.Record:
        nonlocal held
        held = record.going_on is not None and record.going_on.begun == begun.begun
        return change(record) if held else record

    change_record(on, changed)
    return held


def _stopped() -> ApplianceError:
    return ApplianceError("update-stopped", f"the update was not installed: {records.STOPPED}")


async def _written(on: Computer, tell: Tell) -> None:
    """Until RAUC has written it, or ``stop`` has noted that it is not to."""

    async def outcome() -> ApplianceError | None:
        try:
            await on.follow(["rauc", "install", "--progress", str(_bundle(on))], _teller(tell), INSTALL_SECONDS)
        except ApplianceError as error:  # raised again below, where no task group wraps it
            return error
        return None

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(outcome(), name="writing an update")
        # Whether the program hears that its service has gone is left to no version of it.
        while not (await asyncio.wait({writing}, timeout=LOOK_EVERY))[0]:
            if not _open(on):
                writing.cancel()
    failure = ApplianceError("update-stopped", records.STOPPED) if writing.cancelled() else writing.result()
    if failure is not None:
        raise failure


def _open(on: Computer) -> bool:
    return kept_record(on).going_on is not None


async def stop(verb: Stop, on: Computer, tell: Tell) -> Done:
    """End RAUC's installation. Raises Conflict ``update-idle`` where nothing is written any more.

    RAUC has no word for it on D-Bus. Its service is killed with all that it started; systemd unmounts what it had
    mounted (rauc.service.d). It called the slot bad before the first byte; that is said once more, since the writing
    may have ended in the moment before, and with it the slot would have become the first.
    """
    both = await slots_of(on)
    if not (_open(on) and await installing(on)):
        raise Conflict("update-idle", "no update is being written", "look at what became of it")
    await on.run(["systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "rauc.service"])
    change_record(on, _stopped_now)
    await on.run(["systemctl", "restart", "rauc.service"], RESTART_SECONDS)
    async with notes_used(on):
        await on.run(["rauc", "status", "mark-bad", other_of(both).name], RESTART_SECONDS)
        await on.run(["rauc", "status", "mark-active", booted_of(both).name], RESTART_SECONDS)
    change_record(on, _stopped_now)  # where it was written to its end in the moment before, it would wait for its start
    return Done()


def _stopped_now(record: records.Record) -> records.Record:
    return record if record.going_on is None else records.stopped(record, time.time())


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
    both = await slots_of(on)
    booted, other = booted_of(both), other_of(both)
    if other.letter != verb.slot:
        raise Conflict("slot-changed", f"slot {verb.slot[:8]} is not the other one", "look at the slots again", "slot")
    if not other.good:
        raise Conflict("slot-empty", f"slot {other.letter} holds nothing that could be started", "install an update")
    async with notes_used(on):
        if await installing(on):
            raise Conflict("update-busy", "an update is being written", "wait until it is")
        # Noted first: a version that starts without leave to give up what is newer would stand still.
        change_record(on, lambda record: _going_back(record, other.letter, booted.letter))
        await on.run(["rauc", "status", "mark-active", other.name])
    return Done()


def _going_back(record: records.Record, to: str, booted: str) -> records.Record:
    now = time.time()
    begun = Update(to, _version(record, to), booted, __version__, now, Stage.TRYING, back=True)
    return records.begin(record, begun, now)


def _version(record: records.Record, slot: str) -> str:
    """What was last in a slot, as the record knows it; empty where it does not."""
    for update in reversed(record.updates):
        if update.slot == slot:
            return update.version
        if update.from_slot == slot:
            return update.from_version
    return ""
