"""What is on trial after an update: early at each start, and once everything should run. Run by units of systemd.

The record and the boot loader's variables say what became of an update; here both are read, and RAUC is told.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer
from appliance.state import write_whole
from appliance.updates import record as records
from appliance.updates.boot_choice import is_good
from appliance.updates.grubenv import parse
from appliance.updates.record import Record, Settled
from appliance.updates.slots import Slot, booted_letter, parse_status
from appliance.updates.verdict import DEADLINE_SECONDS, Finding, decided, reasons

log = logging.getLogger(__name__)

RECORD = "updates/record.json"
"""On the state partition; everybody may read it."""
MAY_GO_BACK = "appliance-slot/may-go-back"
"""Below /run: there while the daemon may take a store that a newer version wrote back to the copy of before."""
GRUBENV = "efi/qrm/grubenv"
"""Below /boot, on the ESP, which is mounted while it is used."""
LOOK_EVERY = 2.0
"""Seconds between two looks at what has to hold."""
Look = Callable[[], Awaitable[list[Finding]]]


def kept_record(on: Computer) -> Record:
    """The record of updates; an empty one where there was none, or where it cannot be read."""
    try:
        return records.parse((on.roots.state / RECORD).read_bytes())
    except FileNotFoundError:
        return Record()
    except ApplianceError as error:
        log.warning("%s", error.message)
        return Record()


def keep_record(on: Computer, record: Record) -> None:
    """Raises ApplianceError ``state-unwritable``."""
    path = on.roots.state / RECORD
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.parent.chmod(0o755)  # whatever our umask is: the daemon reads it
    write_whole(path, records.render(record), 0o644)
    path.chmod(0o644)


async def slots_of(on: Computer) -> list[Slot]:
    """Raises ApplianceError ``update-status``, and as ``rauc status`` does.

    RAUC calls a slot bad as soon as a try of it is counted; here it is good as long as it may be started at all.
    """
    found = parse_status(await on.run(["rauc", "status", "--detailed", "--output-format=json"]))
    with suppress(ApplianceError):
        if (variables := _variables(on)) is not None:
            return [msgspec.structs.replace(slot, good=is_good(variables, slot.letter)) for slot in found]
    return found


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


def _variables(on: Computer) -> dict[str, str] | None:
    """The boot loader's; None where they are lost. Raises ApplianceError ``grubenv-unreadable`` without the ESP."""
    path = on.roots.boot / GRUBENV
    try:
        return parse(path.read_bytes())
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}"
        raise ApplianceError("grubenv-unreadable", text, "nothing is decided about updates until it can") from error
    except ApplianceError as error:
        log.warning("%s", error.message)
        return None


def at_home(on: Computer) -> bool:
    """Whether what runs is what proved good last, or came with the flashed disk."""
    record = kept_record(on)
    return record.going_on is None and record.home in ("", booted(on))


async def settle(on: Computer) -> Record:
    """Early at a start: find out what it means, and set the tries back unless what runs is on trial."""
    letter = booted(on)
    before = kept_record(on)
    found = records.settled(before, letter, _variables(on), time.time())
    if found.record != before:
        keep_record(on, found.record)
    _tell_daemon(on, may_go_back=records.may_go_back(found.record, letter))
    if not letter:
        return found.record
    names = {slot.letter: slot.name for slot in await slots_of(on)}
    for words in _orders(found, letter):
        await on.run(["rauc", "status", words[0], names[words[1]]])
    return found.record


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
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.parent.chmod(0o755)
        path.touch()


def _reason(record: Record) -> str:
    return record.last.reason if record.last else ""


async def judge(
    on: Computer, look: Look, wait: Callable[[float], Awaitable[None]], deadline: float = DEADLINE_SECONDS
) -> bool:
    """Once everything should run: mark what is on trial good, or note why not and restart. Whether it is good.

    GRUB counts the tries: after the third it starts the version before. What is not on trial is left alone: a computer
    that lost its libvirt on some day is not to be restarted for it, with all that runs on it. But where the other slot
    runs in place of the good one, and cannot serve, a restart is the better try.
    """
    record, letter = kept_record(on), booted(on)
    update = record.going_on
    on_trial = update is not None and update.slot == letter
    if not on_trial and (update is not None or record.home in ("", letter)):
        return True
    told = reasons(await _waited(look, wait, deadline))
    if on_trial:
        # Before the boot loader is told: a good version of which that is not known would be tried once more.
        keep_record(on, records.judged(record, told, time.time()))
    if told:
        log.warning("slot %s is not good, restarting: %s", letter, "; ".join(told))
        await on.run(["systemctl", "--no-block", "reboot"])
        return False
    if on_trial:
        names = {slot.letter: slot.name for slot in await slots_of(on)}
        await on.run(["rauc", "status", "mark-good", names[letter]])
        log.info("slot %s is good", letter)
    return True


async def _waited(look: Look, wait: Callable[[float], Awaitable[None]], deadline: float) -> list[Finding]:
    began = time.monotonic()
    while not decided(findings := await look(), began, time.monotonic(), deadline):
        await wait(LOOK_EVERY)
    return findings
