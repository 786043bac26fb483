"""Switches how a subnet is served while it is: stored, audited, told, and served once the wish returns."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Protocol

import msgspec

from appliance.accounts import Asker
from appliance.decoding import converted
from appliance.errors import Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.netboot.dhcp.rules import NAMES, Rules, said, under
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile import audit
from appliance.reconcile.consequences import Consequences, check_agreement
from appliance.reconcile.record import Tell, record
from appliance.reconcile.switch_consequences import Holder, switch_consequences
from appliance.store import machines, network, subnet_rules
from appliance.store.store import Store

Change = Mapping[str, str | bool | None]
"""New values by the name of the rule; None goes back to what holds where nobody chose. What is left out stays."""


class Serving(Protocol):
    """Who is told that a subnet is to be served in another way."""

    def switch(self, subnet: Subnet) -> None:
        """Do it; raises ApplianceError where it cannot be done, and nothing is changed then."""


class SubnetSwitches:
    """Subnets are named by their interface. Raises NotFound for others, Invalid and Conflict for what cannot be."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        subnets: ServedSubnets,
        fixed: Mapping[str, Rules],
    ) -> None:
        """``fixed`` is what the configuration file says of each; it is never overridden."""
        self._store, self._bus, self._clock, self._subnets, self._fixed = store, bus, clock, subnets, fixed
        self._chosen: dict[str, Rules] = {}
        self._serving: tuple[Serving, ...] = ()
        self._look: Callable[[str], None] = _nobody_looks
        self._one = asyncio.Lock()
        """One switch at a time: each begins from what the last one left."""

    async def restore(self) -> None:
        """Serve every subnet as it was chosen; before anything is served."""
        stored = await self._store.read(subnet_rules.every)
        for subnet in self._subnets:
            self._chosen[subnet.interface] = converted(stored.get(subnet.interface, {}), Rules)
            self._subnets.put(self._under(subnet, self._chosen[subnet.interface]))

    def serve_with(self, serving: Sequence[Serving], look: Callable[[str], None]) -> None:
        """Who is told of each switch, in this order; the first may refuse it. ``look`` looks for other servers."""
        self._serving, self._look = tuple(serving), look

    def look(self, name: str) -> None:
        """Look for other DHCP servers on this subnet now, where that is done at all."""
        self._look(self._named(name).interface)

    def fixed(self, interface: str) -> tuple[str, ...]:
        """The rules of a subnet that the configuration file fixes."""
        return tuple(said(self._fixed[interface]))

    def _under(self, subnet: Subnet, chosen: Rules) -> Subnet:
        return under(subnet, self._fixed[subnet.interface], chosen)

    def _named(self, name: str) -> Subnet:
        found = self._subnets.on(name) or next((each for each in self._subnets if str(each.network) == name), None)
        if found is None:
            known = ", ".join(each.interface for each in self._subnets) or "none"
            hint = f"subnets that are served: {known}; one whose mode is off in the configuration file stays off"
            raise NotFound("subnet-unknown", f"no subnet {name[:64]!r} is served", hint)
        return found

    def _changed(self, before: Subnet, change: Change) -> Rules:
        """What is chosen after the change; raises Conflict for what the file fixes, Invalid for what is no value."""
        for name in change:
            if name in self.fixed(before.interface):
                text = f"{name} of {before.interface} stands in the configuration file, which fixes it"
                hint = "change it there and restart the appliance, or take it out of the file to switch it here"
                raise Conflict("rule-fixed", text, hint, name)
        document = {**said(self._chosen.get(before.interface, Rules())), **change}
        try:
            return converted({name: value for name, value in document.items() if name in NAMES}, Rules)
        except msgspec.ValidationError as error:
            raise Invalid("rule-invalid", f"that is no way to serve a subnet: {error}", "see the help") from error

    async def consequences(self, name: str, change: Change) -> Consequences:
        """What the change would mean now."""
        before = self._named(name)
        after = self._under(before, self._changed(before, change))
        return await self._store.read(lambda db: self._foresee(db, before, after))

    def _foresee(self, db: sqlite3.Connection, before: Subnet, after: Subnet) -> Consequences:
        now = self._clock()
        held = subnet_rules.holders(db, before.interface, now)
        reserved = {each.address for each in network.kept_addresses(db)}
        reserved |= {each.reserved_address for each in machines.with_reservations(db) if each.reserved_address}
        holders = [Holder(IPv4Address(address), address in reserved, state) for address, _, state in held]
        return switch_consequences(before, after, holders)

    async def switch(self, name: str, change: Change, confirm: str | None, by: Asker) -> Subnet:
        """Serve the subnet so from now on; ``confirm`` is what the consequences asked for, its name."""
        async with self._one:
            return await self._switch(self._named(name), change, confirm, by)

    async def _switch(self, before: Subnet, change: Change, confirm: str | None, by: Asker) -> Subnet:
        chosen = self._changed(before, change)
        after = self._under(before, chosen)
        check_agreement(await self._store.read(lambda db: self._foresee(db, before, after)), confirm, "")

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            subnet_rules.choose(db, before.interface, said(chosen))
            if after.mode != before.mode:
                subnet_rules.note_served(db, before.interface, 0.0)
            self._note(db, tell, before, after, by)

        self._serve(after)
        try:
            await record(self._store, self._bus, job)
        except BaseException:
            self._serve(before)
            raise
        self._chosen[before.interface] = chosen
        return after

    def _serve(self, subnet: Subnet) -> None:
        for each in self._serving:
            each.switch(subnet)
        self._subnets.put(subnet)

    def _note(self, db: sqlite3.Connection, tell: Tell, before: Subnet, after: Subnet, by: Asker) -> None:
        was, became = ({each: getattr(subnet, each) for each in NAMES} for subnet in (before, after))
        name, now = before.interface, self._clock()
        audit.note(db, by, "subnet.switch", ("subnet", name, name), was, became, now=now)
        said_so = [f"{each} to {_word(became[each])}" for each in NAMES if was[each] != became[each]]
        if said_so:
            detail = {"action": "subnet.switch", "subject": name}
            tell(Event("network.changed", now, f"{by} switched {name}: {', '.join(said_so)}", detail=detail))


def _nobody_looks(_interface: str) -> None:
    """Stands in where no DHCP server runs."""


def _word(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
