"""The data group of a flashed appliance: which disks it is made of, and one more; for people and programs."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Event
from appliance.privileged.client import missing
from appliance.privileged.verbs.data import Choice, Prepare
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.settings.present import complaint
from appliance.setup.checks import check_storage
from appliance.setup.hardware import FoundDisk, check_disks, lost, to_type
from appliance.setup.through_helper import HelperAppliance
from appliance.setup.value import Storage
from appliance.web.own_settings import KIND
from appliance.web.services import Services


@dataclass(frozen=True, slots=True)
class DataDisks:
    """What there is to choose from."""

    here: bool
    """Whether this computer is a flashed appliance."""
    trouble: str = ""
    disks: tuple[FoundDisk, ...] = ()
    chosen: tuple[str, ...] = ()
    """Identifiers of those that are in the group already."""

    def is_chosen(self, disk: FoundDisk) -> bool:
        """Whether it is in the group."""
        return any(each and each in self.chosen for each in (disk.serial, disk.wwn))

    def refused(self, disk: FoundDisk) -> str:
        """Why it cannot be chosen; empty where it can."""
        if self.is_chosen(disk):
            return "it is in the data group"
        return disk.refused


@dataclass(frozen=True, slots=True)
class Taking:
    """What it means to take disks into the group."""

    disks: tuple[FoundDisk, ...]
    lines: tuple[str, ...]
    """What is on them and is lost; none: nothing."""
    confirm: str
    """What has to be typed first; empty: nothing."""


async def standing(services: Services) -> DataDisks:
    """Asked each time."""
    if not services.privileged.here:
        return DataDisks(here=False)
    try:
        return await _found(services)
    except ApplianceError as error:
        return DataDisks(True, error.message)


async def _found(services: Services) -> DataDisks:
    if not services.privileged.here:
        raise missing()
    chosen = await services.privileged.call(Choice())
    found = await HelperAppliance(services.privileged).found()
    return DataDisks(True, "", found.disks, chosen.disks)


async def foresee(services: Services, wanted: Sequence[str]) -> Taking:
    """What it means to take these into the group.

    Raises Invalid, and Conflict ``settings-same`` where all of them are in it already.
    """
    return _taking(await _found(services), wanted)


def _taking(found: DataDisks, wanted: Sequence[str]) -> Taking:
    asked = Storage(tuple(each for each in dict.fromkeys(wanted) if each not in found.chosen))
    if not asked.data_disks:
        raise Conflict("settings-same", "no disk is chosen that is not in the data group", "choose one", "disks")
    check_storage(asked, _complaint)
    check_disks(asked, found.disks, _complaint)
    disks = tuple(disk for each in asked.data_disks for disk in found.disks if each in (disk.serial, disk.wwn))
    return Taking(disks, tuple(lost(asked, found.disks)), to_type(asked, found.disks))


def _complaint(section: str, key: str | None, wrong: str, right: str) -> ApplianceError:
    return complaint(section, "disks", wrong, right)


async def take(services: Services, wanted: Sequence[str], confirm: str | None, by: Asker) -> Taking:
    """Clear them and put them into the group; ``confirm`` names those whose content goes, with commas between.

    Raises as ``foresee``, Conflict ``confirmation-needed``, and what the verb raises.
    """
    async with services.changing_settings:
        found = await _found(services)
        taking = _taking(found, wanted)
        if taking.confirm and " ".join((confirm or "").split()) != taking.confirm:
            message = f"everything on these disks is lost: {'; '.join(taking.lines)}"
            raise Conflict("confirmation-needed", message, f"type exactly: {taking.confirm}", "confirm")
        named = tuple(each.identifier for each in taking.disks)
        await services.privileged.call(Prepare((*found.chosen, *named)))
    await _tell(services, found.chosen, named, by)
    return taking


async def _tell(services: Services, before: tuple[str, ...], added: tuple[str, ...], by: Asker) -> None:
    at = services.clock()

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        subject = ("appliance", "data-disks", "data disks")
        was, became = {"disks": list(before)}, {"disks": [*before, *added]}
        audit.note(db, by, "settings.data-disks", subject, was, became, now=at)
        tell(Event(KIND, at, f"{by} took disks into the data group", ", ".join(added)))

    await record(services.store, services.bus, job)
