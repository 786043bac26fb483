"""What is on trial after an update: early at each start, and once everything should run. Run by units of systemd.

The record and the boot loader's variables say what became of an update; here both are read, and RAUC is told.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from appliance.errors import ApplianceError
from appliance.privileged import boot_notes, durable
from appliance.privileged.computer import Computer
from appliance.privileged.update_record import change_record, kept_record, make_public
from appliance.updates import record as records
from appliance.updates.boot_choice import is_good
from appliance.updates.record import Record, Settled, Update
from appliance.updates.slots import Slot, booted_letter, parse_status
from appliance.updates.verdict import DEADLINE_SECONDS, Finding, deadline_of, decided, reasons

log = logging.getLogger(__name__)

MAY_GO_BACK = "appliance-slot/may-go-back"
"""Below /run: there while the daemon may take a store that a newer version wrote back to the copy of before."""
SLOTS = "appliance-slot/slots.json"
"""Below /run: what RAUC said of the slots before it began to write."""
LOOK_EVERY = 2.0
"""Seconds between two looks at what has to hold, and between two tries of what failed."""
NOTE_EVERY = 30.0
"""Seconds between two tries to keep a verdict that the disk had no room for."""
LEAST_SECONDS = 60.0
"""For so long RAUC and systemd are told again, even where the time is up."""
Look = Callable[[], Awaitable[list[Finding]]]
Wait = Callable[[float], Awaitable[None]]


async def slots_of(on: Computer) -> list[Slot]:
    """Raises ApplianceError ``update-status``, and as ``rauc status`` does.

    RAUC calls a slot bad as soon as a try of it is counted; here it is good as long as it may be started at all.
    """
    try:
        text = await told_of_slots(on)
    except ApplianceError:  # while it writes it says "already processing a different method"
        before = durable.read(on.roots.run / SLOTS) if await installing(on) else None
        if before is None:
            raise
        text = before
    found = parse_status(text)
    with suppress(ApplianceError):
        if (variables := boot_notes.variables(on)) is not None:
            return [msgspec.structs.replace(slot, good=is_good(variables, slot.letter)) for slot in found]
    return found


async def told_of_slots(on: Computer) -> str:
    """What RAUC says of them, as JSON; raises as ``rauc status`` does."""
    return await on.run(["rauc", "status", "--detailed", "--output-format=json"])


async def installing(on: Computer) -> bool:
    """Whether RAUC's service is at work, whoever asked it. Where it cannot be asked, it is not."""
    question = ["busctl", "--json=short", "get-property", "de.pengutronix.rauc", "/", "de.pengutronix.rauc.Installer"]
    try:
        return '"installing"' in await on.run([*question, "Operation"])
    except ApplianceError:
        return False


def booted(on: Computer) -> str:
    """The letter of the slot that runs; empty where it was not started by its own boot loader."""
    return booted_letter((on.roots.proc / "cmdline").read_text())


def at_home(on: Computer) -> bool:
    """Whether what runs is what proved good last, or came with the flashed disk."""
    record = kept_record(on)
    return record.going_on is None and record.home in ("", booted(on))


async def settle(on: Computer) -> Record:
    """Early at a start: find out what it means, and set the tries back unless what runs is on trial."""
    letter = booted(on)
    found = _settled(on, letter)
    _tell_daemon(on, may_go_back=records.may_go_back(found.record, letter))
    orders = _orders(found, letter) if letter else []
    # Where there is nothing to tell RAUC it is not asked: what fails here is begun anew, and that counts one more try.
    names = {slot.letter: slot.name for slot in await slots_of(on)} if orders else {}
    for words in orders:
        await on.run(["rauc", "status", words[0], names[words[1]]])
    return found.record


def _settled(on: Computer, letter: str) -> Settled:
    """What this start means, noted where there is room for it: without, the next start finds the same."""
    found, variables, now = Settled(Record()), boot_notes.variables(on), time.time()

    def meant(record: Record) -> Record:
        nonlocal found
        found = records.settled(record, letter, variables, now)
        return found.record

    try:
        change_record(on, meant)
    except ApplianceError as error:
        log.warning("what this start means for updates is not noted: %s", error.message)
    return found


def _orders(found: Settled, letter: str) -> list[tuple[str, str]]:
    """What RAUC is told, with the letter of the slot that it is about."""
    if found.given_up:
        log.warning("the update in slot %s is given up: %s", found.given_up, _reason(found.record))
        return [("mark-bad", found.given_up), ("mark-active", letter)]
    if found.revived:
        log.warning("slot %s did not come up three times in a row; it is started again next time", found.revived)
        return [("mark-active", found.revived)]
    return [] if found.on_trial else [("mark-good", letter)]


def _tell_daemon(on: Computer, *, may_go_back: bool) -> None:
    """The daemon cannot see what was started; it looks for a file. What is in /run is of this start."""
    path = on.roots.run / MAY_GO_BACK
    path.unlink(missing_ok=True)
    if may_go_back:
        make_public(on, path.parent.name)
        path.touch()


def _reason(record: Record) -> str:
    return record.last.reason if record.last else ""


def deadline(on: Computer) -> float:
    """Seconds that what runs has until it is not good, by how long this start has taken so far (``/proc/uptime``)."""
    return deadline_of(float((on.roots.proc / "uptime").read_text().split()[0]))


async def judge(on: Computer, look: Look, wait: Wait, deadline: float = DEADLINE_SECONDS) -> bool:
    """Once everything should run: mark what is on trial good, or note why not and restart. False: it restarts.

    GRUB counts the tries: after the third it starts the version before. What is not on trial is left alone: a computer
    that lost its libvirt on some day is not to be restarted for it, with all that runs on it. But where the other slot
    runs in place of the good one, and cannot serve, a restart is the better try.

    Raises ApplianceError where RAUC or systemd could not be told until the time was up; it may be asked once more.
    """
    record, letter, until = kept_record(on), booted(on), time.monotonic() + deadline
    update = records.on_trial(record, letter)
    if update is None and (record.going_on is not None or record.home in ("", letter)):
        return True
    told = reasons(await _waited(look, wait, deadline))
    if update is None:
        return not told or kept_record(on) != record or await _restarts(on, letter, told, wait)
    verdict = _Verdict(on, letter, update, told)
    # Before the boot loader is told: a good version of which that is not known would be tried once more.
    kept = verdict.kept()
    if not verdict.holds:
        return True
    if told:
        return await _restarts(on, letter, told, wait)
    await _insisted(lambda: _mark_good(on, letter), wait, until)
    while not kept:
        await wait(NOTE_EVERY)
        kept = verdict.kept()
    return True


class _Verdict:
    """What is noted of the update that was judged; others may have begun something else meanwhile."""

    def __init__(self, on: Computer, letter: str, update: Update, told: Sequence[str]) -> None:
        self._on, self._letter, self._update, self._told = on, letter, update, told
        self.holds = True
        """Whether that update was still on trial when it was to be noted."""

    def kept(self) -> bool:
        """Note it; False: it could not be. What has no room stays the verdict all the same."""
        try:
            change_record(self._on, self._noted)
        except (ApplianceError, OSError) as error:
            log.warning("the verdict on slot %s is not noted yet: %s", self._letter, error)
            return False
        return True

    def _noted(self, record: Record) -> Record:
        found = records.on_trial(record, self._letter)
        self.holds = found is not None and found.begun == self._update.begun
        return records.judged(record, self._told, time.time()) if self.holds else record


async def _mark_good(on: Computer, letter: str) -> None:
    names = {slot.letter: slot.name for slot in await slots_of(on)}
    await on.run(["rauc", "status", "mark-good", names[letter]])
    log.info("slot %s is good", letter)


async def _restarts(on: Computer, letter: str, told: Sequence[str], wait: Wait) -> bool:
    """Always False."""
    log.warning("slot %s is not good, restarting: %s", letter, "; ".join(told))
    await _insisted(lambda: on.run(["systemctl", "--no-block", "reboot"]), wait, time.monotonic())
    return False


async def _insisted(act: Callable[[], Awaitable[object]], wait: Wait, until: float) -> None:
    """Do it, again where it fails, for a minute at least. Raises ApplianceError once the time is up."""
    until, failed = max(until, time.monotonic() + LEAST_SECONDS), ""
    while True:
        try:
            await act()
        except ApplianceError as error:
            if time.monotonic() >= until:
                raise
            if error.message != failed:
                failed = error.message
                log.warning("it is tried again: %s", failed)
        else:
            return
        await wait(LOOK_EVERY)


async def _waited(look: Look, wait: Wait, deadline: float) -> list[Finding]:
    began = time.monotonic()
    while not decided(findings := await _looked(look), began, time.monotonic(), deadline):
        await wait(LOOK_EVERY)
    return findings


async def _looked(look: Look) -> list[Finding]:
    """Whatever a look meets is one more reason, and no end of judging."""
    try:
        return await look()
    except Exception as error:
        log.warning("a look at what has to hold failed", exc_info=error)
        return [Finding("all of it can be looked at", f"{type(error).__name__}: {error}"[:300])]
