"""What administrators set up of power switches. A password goes in, and never out again."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.machine import Machine
from appliance.power_found import proposed
from appliance.power_known import Switch
from appliance.power_switch import SECRETS, PowerSettings, check_secret, checked
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.store import machines, power
from appliance.store.sealing import Sealer
from appliance.store.store import Store

_WHERE = ("kind", "address", "port")
"""What says to whom a password is sent."""


def proposed_address(inventory: dict[str, Any] | None) -> str:
    """The address of the machine's own controller, as its agent found it; empty where it has none. Pure."""
    found = proposed(inventory)
    return found.address if found else ""


class PowerWishes:
    """Every method takes ``by``, who asked; raises Invalid, NotFound or Conflict."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], sealer: Sealer) -> None:
        self._store, self._bus, self._clock, self._sealer = store, bus, clock, sealer

    async def switch(self, key: str) -> tuple[Machine, Switch]:
        """A machine with its switch; raises NotFound ``power-none`` where it has none."""

        def job(db: sqlite3.Connection) -> tuple[Machine, Switch]:
            machine = machines.get(db, key)
            return machine, _present(db, machine)

        return await self._store.read(job)

    async def secrets(self) -> list[str]:
        """Every password that is stored, for whoever makes sure that none of them stands in a text."""

        def job(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
            return [(str(each.machine), power.secret(db, each.machine)) for each in power.every(db)]

        found = []
        for machine, sealed in await self._store.read(job):
            with suppress(ApplianceError):  # sealed with a key that is gone: nobody can read it
                found.append(self._sealer.open(sealed, machine))
        return [each for each in found if each]

    async def set_switch(self, key: str, settings: PowerSettings, secret: str | None, by: Asker) -> Switch:
        """Say how the machine is switched. ``secret`` None keeps the password that is stored, empty takes it away.

        A password that is stored is never sent to another address than the one that it was typed for.
        """

        def job(db: sqlite3.Connection, tell: Tell) -> Switch:
            machine = machines.get(db, key)
            before, made = power.find(db, machine.id), _checked(settings, machine)
            _check_free(db, machine)
            sealed = None if secret is None else self._sealer.seal(check_secret(made.kind, secret), machine.id)
            power.put(db, machine.id, made, _kept(made, before) if sealed is None else sealed)
            how = f"{made.kind} at {made.address}" if made.address else str(made.kind)
            self._told(tell, machine, f"{by} set up its power switch: {how}")
            was, new = asdict(before.settings) if before else {}, {"secret": "new"} if secret else {}
            self._noted(db, by, "machine.power-settings", machine, was, {**asdict(made), **new})
            return _present(db, machine)

        return await record(self._store, self._bus, job)

    async def remove_switch(self, key: str, by: Asker) -> None:
        """Forget how the machine is switched, with the password."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            machine = machines.get(db, key)
            before = _present(db, machine)
            _check_free(db, machine)
            power.delete(db, machine.id)
            self._told(tell, machine, f"{by} removed its power switch")
            self._noted(db, by, "machine.power-remove", machine, asdict(before.settings), None)

        await record(self._store, self._bus, job)

    def _told(self, tell: Tell, machine: Machine, text: str) -> None:
        tell(Event("machine.changed", self._clock(), text, machine=machine.id))

    def _noted(
        self, db: sqlite3.Connection, by: Asker, action: str, machine: Machine, before: object, after: object
    ) -> None:
        subject = ("machine", machine.id, machine.name)
        audit.note(db, by, action, subject, before, after, now=self._clock())


def _checked(settings: PowerSettings, machine: Machine) -> PowerSettings:
    """The settings as ``checked`` makes them; who leaves the address out is told what the inventory says.

    It is not taken by itself: the inventory is the machine's word, and a password would be sent there.
    """
    try:
        return checked(settings)
    except Invalid as error:
        address = proposed_address(machine.inventory)
        if (error.code, error.field) != ("power-field-missing", "address") or not address:
            raise
        hint = f"its inventory tells of a controller at {address}: use that if it is right"
        raise Invalid(error.code, error.message, hint, error.field) from None


def _present(db: sqlite3.Connection, machine: Machine) -> Switch:
    found = power.find(db, machine.id)
    if found is None:
        raise NotFound("power-none", f"{machine.name} has no power switch", "set one up")
    return found


def _check_free(db: sqlite3.Connection, machine: Machine) -> None:
    order = power.open_order(db, machine.id)
    if order is not None:
        text = f"the switch of {machine.name} is at work: {order.action}"
        raise Conflict("power-busy", text, "wait until that has ended, or cancel it")


def _kept(settings: PowerSettings, before: Switch | None) -> bytes | None:
    """None: the password that is stored stays; no bytes: there is none. Raises Invalid where one has to be typed."""
    if before is None or not before.secret_set:
        check_secret(settings.kind, "")
        return b""
    if settings.kind not in SECRETS:
        return b""
    if any(getattr(settings, name) != getattr(before.settings, name) for name in _WHERE):
        text = "the password that is stored was typed for another switch"
        raise Invalid("power-secret-missing", text, "type the password of this one", "secret")
    return None
