"""The settings of a flashed appliance, for people and programs: shown, planned, and changed.

The privileged helper writes all of it; the daemon begins anew where its configuration file changes. What a change means
is said by ``appliance/settings/``; this asks, refuses what was made from another file, carries out, and tells.
"""

import asyncio
import sqlite3
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Event
from appliance.privileged.client import missing
from appliance.privileged.verbs.configuration import Read, Write
from appliance.privileged.verbs.firewall import Renew
from appliance.privileged.verbs.network import Status
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.settings import general, subnets
from appliance.settings.present import Change, Present, present
from appliance.store import machines, network, subnet_rules
from appliance.web.services import Services

KIND = "appliance.settings"
Planned = Callable[[Present], Change]


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to show."""

    here: bool
    """Whether this computer is a flashed appliance."""
    present: Present | None = None
    trouble: str = ""
    """Why nothing is known."""
    text: str = ""
    """Of the configuration file; it may be one that cannot be read as such."""


async def standing(services: Services) -> Standing:
    """How the settings are, asked each time."""
    if not services.privileged.here:
        return Standing(here=False, text=await asyncio.to_thread(_own_text, services))
    try:
        found = await now(services)
    except ApplianceError as error:
        text = await asyncio.to_thread(_own_text, services)
        return Standing(True, trouble=f"{error.message}{f' ({error.hint})' if error.hint else ''}", text=text)
    return Standing(True, found, text=found.configured.text)


def _own_text(services: Services) -> str:
    """The file as the daemon may read it; empty where it may not, or where there is none."""
    try:
        return services.config_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


async def now(services: Services) -> Present:
    """Raises ApplianceError ``helper-missing``, and ConfigError where somebody left a file that is not right."""
    if not services.privileged.here:
        raise missing()
    configured = await services.privileged.call(Read())
    if not configured.text:
        raise Conflict("setup-needed", "the appliance is not set up yet", "answer the questions of its set-up first")
    return present(configured, await services.privileged.call(Status()))


async def zones() -> frozenset[str]:
    """Time zones that are known here."""
    return frozenset(await asyncio.to_thread(zoneinfo.available_timezones))


# -- what is asked for


async def plan_general(services: Services, edit: Callable[[general.General], general.General]) -> Planned:
    """Names, clock, DNS."""
    known = await zones()
    return lambda of: general.changed(of, edit(general.general(of)), known)


async def plan_subnet(
    services: Services, key: str, wanted: subnets.Wanted, options: Mapping[str, str] | None = None
) -> Planned:
    """A subnet has other settings; who has an address outside its new ranges is counted."""
    leased = await _leased(services, key)

    def plan(of: Present) -> Change:
        change = subnets.changed(of, key, wanted, options)
        gone = subnets.outside(change, key, leased) if "ranges" in change.becomes else []
        return change if not gone else subnets.with_line(change, _lose(len(gone)))

    return plan


def _lose(count: int) -> str:
    who = "1 computer has an address that is" if count == 1 else f"{count} computers have addresses that are"
    return f"{who} outside of the new ranges: another one is given when the old one is asked for again."


async def _leased(services: Services, key: str) -> list[IPv4Address]:
    """Addresses that computers have by our leases, but for those that are kept for them."""

    def read(db: sqlite3.Connection) -> list[IPv4Address]:
        held = subnet_rules.holders(db, key, services.clock())
        kept = {each.address for each in network.kept_addresses(db)}
        kept |= {each.reserved_address for each in machines.with_reservations(db) if each.reserved_address}
        return [IPv4Address(address) for address, _, _ in held if address not in kept]

    return await services.store.read(read)


async def plan_removal(services: Services, key: str) -> Planned:
    """A subnet goes."""
    held = await services.store.read(lambda db: len(subnet_rules.holders(db, key, services.clock())))
    return lambda of: subnets.removed(of, key, held)


# -- carried out


async def foresee(services: Services, plan: Planned, version: str = "") -> Change:
    """What it would mean.

    Raises Conflict ``settings-changed`` where ``version`` is given and is that of other ones, ``network-trying`` where
    the file is to change while subnets may yet follow a change of the networks.
    """
    found = _checked(await now(services), version)
    change = plan(found)
    if change.begins_anew and found.network.trial is not None:
        hint = "confirm it or take it back first"
        raise Conflict("network-trying", "a change of the network waits to be confirmed", hint)
    return change


def _checked(found: Present, version: str) -> Present:
    if version and version != found.version:
        hint = "look at them again, then change what is still to be changed"
        raise Conflict("settings-changed", "somebody else has changed the settings meanwhile", hint, "version")
    return found


async def carry_out(services: Services, plan: Planned, version: str, confirm: str | None, by: Asker) -> Change:
    """Do it; the daemon begins anew where its file changed.

    Raises as ``foresee``, and Conflict ``settings-same`` or ``confirmation-needed``.
    """
    async with services.changing_settings:
        change = await foresee(services, plan, version)
        _agreed(change, confirm)
        await _choose_rules(services, change)
        if change.begins_anew:
            await services.privileged.call(Write(change.after))
        try:
            trouble = await _rest(services, change)
            await _tell(services, change, by, trouble)
        finally:
            if change.begins_anew:
                services.again()
    if trouble is not None:
        raise trouble
    return change


def _agreed(change: Change, confirm: str | None) -> None:
    if not change.lines:
        raise Conflict("settings-same", "the settings are like this already", "change something first")
    if change.confirm and confirm != change.confirm:
        message = " ".join(change.lines)
        raise Conflict("confirmation-needed", message, f"confirm with {change.confirm!r}", "confirm")


async def _choose_rules(services: Services, change: Change) -> None:
    """Before the file names the subnet: a daemon that dies and starts with it serves it as it was told to."""
    if change.rules:
        await services.store.write(lambda db: subnet_rules.choose(db, change.subject, change.rules))


async def _rest(services: Services, change: Change) -> ApplianceError | None:
    """What comes after the file, with which most can be wrong; what went wrong, for the file is another one by now."""
    try:
        for verb in (*change.verbs, *([Renew()] if change.begins_anew else [])):
            await services.privileged.call(verb)
    except ApplianceError as error:
        return error
    return None


async def _tell(services: Services, change: Change, by: Asker, trouble: ApplianceError | None) -> None:
    at = services.clock()
    failed = [f"not all of it could be done: {trouble.message}"] if trouble else []

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        subject = ("appliance", change.subject, change.subject)
        audit.note(db, by, change.action, subject, dict(change.was), dict(change.becomes), now=at)
        detail = {"action": change.action, "subject": change.subject}
        reason = " ".join([*change.lines, *failed])
        tell(Event(KIND, at, f"{by} changed the settings of the appliance", reason, detail=detail))

    await record(services.store, services.bus, job)
