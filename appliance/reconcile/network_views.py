"""The network as it is shown: subnets, leases, reservations, names, and what was seen on it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Literal

from appliance.errors import NotFound
from appliance.lease import Lease
from appliance.machine import parse_mac
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dns.claims import Claim, Kind
from appliance.netboot.dns.records import Address, Service, Target, Text
from appliance.netboot.dns.zone import Zone
from appliance.networking.served import Aside
from appliance.reconcile.addresses import boot_interface, reservations
from appliance.reconcile.reserved_for import By, bare, kind_of
from appliance.reconcile.sightings import likely_cause
from appliance.reconcile.subnet_standing import NOTHING_KNOWN, Standing, unknown_standing
from appliance.reconcile.subnet_use import RangeUse, use_of
from appliance.reconcile.watch import FOREIGN_SECONDS
from appliance.sighting import ForeignServer, Sighting
from appliance.store import leases, machines, network, sightings
from appliance.store.documents import load
from appliance.store.listing import Asked, Found, page
from appliance.store.store import Store

_Held = list[tuple[str, IPv4Address]]
NameOwner = Literal["machine", "deployment", "lease", "reservation", "record", "own"]
_OWNERS: dict[Kind, NameOwner] = {
    "own": "own",
    "user": "record",
    "deployment": "deployment",
    "machine": "machine",
    "lease": "lease",
    "reservation": "reservation",
}


@dataclass(frozen=True, slots=True)
class SubnetView:
    """One configured subnet; ``subnet`` is None where its mode is off, or where it is set aside: nothing of it is known
    then.
    """

    interface: str
    subnet: Subnet | None
    ranges: tuple[RangeUse, ...]
    foreign: tuple[ForeignServer, ...]
    """Other DHCP servers that were noticed within a day."""
    standing: Standing = NOTHING_KNOWN
    aside: str = ""
    """Why it does not fit the networks, and what to do; empty where it does, or is off."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A lease, with id and name of the machine where it is one's."""

    lease: Lease
    machine: str | None
    machine_name: str | None


@dataclass(frozen=True, slots=True)
class ReservationView:
    """An address that is kept: ``kind`` is ``machine`` or ``other``."""

    kind: str
    machine: str | None
    name: str
    owner: str
    """Of a machine, the interface that it boots from; else as ``appliance.lease`` has it."""
    address: str
    note: str

    @property
    def by(self) -> By:
        """What the owner is known by."""
        return kind_of(self.owner)

    def owned(self, by: By) -> str:
        """The owner's MAC address, UUID or port; empty where it is known by another of these."""
        return bare(self.owner) if self.by == by else ""


@dataclass(frozen=True, slots=True)
class NameView:
    """A name that DNS gives now, or would give but for somebody else of that name."""

    name: str
    """Full, without the final dot."""
    type: str
    value: str
    owner: NameOwner
    of: str
    """Id of the machine, deployment or record, or the interface of a lease or reservation; empty for our own."""
    until: float | None
    """When it ends unless it is renewed; None: it stays."""
    hidden_by: NameOwner | None = None
    """Whose the name is, where it is not given for that reason; None: it is given."""


@dataclass(frozen=True, slots=True)
class SightingView:
    """What was heard of an interface, and why it came no further."""

    sighting: Sighting
    machine: str | None
    machine_name: str | None
    cause: str
    hint: str


class NetworkViews:
    """Reads only. ``off`` are the interfaces whose subnet is configured and switched off."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
        off: Sequence[str],
        zone: Zone,
        standing: Callable[[str], Standing] = unknown_standing,
        aside: Callable[[], Sequence[Aside]] = tuple,
    ) -> None:
        """``standing`` tells how service stands on the subnet of an interface; ``aside`` has those that do not fit."""
        self._store, self._clock, self._subnets, self._off, self._zone = store, clock, subnets, off, zone
        self._standing, self.aside = standing, aside
        self._shown: dict[str, tuple[Claim, NameView]] = {}
        """Names as they were shown last, by the keys of their owners."""

    @property
    def domain(self) -> str:
        """The site's domain, in which names are."""
        return self._zone.domain

    async def subnets(self) -> list[SubnetView]:
        """Every configured subnet, with the use of its ranges."""
        now = self._clock()

        def job(db: sqlite3.Connection) -> tuple[_Held, list[IPv4Address], list[ForeignServer]]:
            of_machines = [each.address for each in reservations(machines.with_reservations(db))]
            kept = [IPv4Address(each.address) for each in network.kept_addresses(db)]
            foreign = sightings.foreign_servers(db, now - FOREIGN_SECONDS)
            return leases.held(db, now), [*of_machines, *kept], foreign

        held, reserved, foreign = await self._store.read(job)
        served = [
            SubnetView(
                each.interface,
                each,
                use_of(each, held, reserved),
                _of(foreign, each.interface),
                self._standing(each.interface),
            )
            for each in self._subnets
        ]
        off = (SubnetView(interface, None, (), ()) for interface in self._off)
        return [*served, *off, *(SubnetView(each.subnet, None, (), (), aside=each.text) for each in self.aside())]

    async def subnet(self, name: str) -> SubnetView:
        """The subnet of this interface; raises NotFound."""
        found = next((each for each in await self.subnets() if each.interface == name), None)
        if found is None:
            raise NotFound("subnet-unknown", f"there is no subnet {name[:64]!r}", "list them with: qrm network subnets")
        return found

    def served(self) -> tuple[str, ...]:
        """The subnets that are served."""
        return tuple(each.interface for each in self._subnets if each.mode != "off")

    def held_back(self) -> list[tuple[str, Standing]]:
        """The interfaces on which no new addresses are given because of another server, and how that stands."""
        found = [(each.interface, self._standing(each.interface)) for each in self._subnets]
        return [(interface, standing) for interface, standing in found if standing.held_by]

    def cut_off(self) -> dict[str, str]:
        """Why no machine can boot over an interface, and what to do, by subnet; each interface is told once."""
        served = [each for each in self._subnets if each.mode != "off"]
        found = {each.heard_on: (each.interface, self._standing(each.interface).link_trouble) for each in served}
        return {subnet: trouble for subnet, trouble in found.values() if trouble}

    async def foreign_servers(self) -> list[ForeignServer]:
        """Other DHCP servers that were noticed within a day, the newest first: each needs somebody's attention."""
        since = self._clock() - FOREIGN_SECONDS
        return await self._store.read(lambda db: sightings.foreign_servers(db, since))

    async def leases(self, asked: Asked) -> tuple[Found, list[LeaseView]]:
        """A page of leases."""
        found = await self._store.read(lambda db: page(db, network.LEASES, asked))
        return found, [LeaseView(*network.lease_row(row)) for row in found.rows]

    async def reservations(self, asked: Asked) -> tuple[Found, list[ReservationView]]:
        """A page of reservations, of machines and of what is none."""

        def job(db: sqlite3.Connection) -> tuple[Found, list[ReservationView]]:
            found = page(db, network.RESERVATIONS, asked)
            return found, [_reservation(db, ReservationView(*row)) for row in found.rows]

        return await self._store.read(job)

    def names(self) -> list[NameView]:
        """Every name that DNS gives now, and those that are hidden behind them, in no order.

        There are tens of thousands, and DHCP waits for whoever looks: what has not changed is not made again.
        """
        now = self._clock()
        before, self._shown = self._shown, {}
        for owner, claim in self._zone.given(now):
            known = before.get(owner)
            unchanged = known is not None and known[0] is claim
            self._shown[owner] = known if known and unchanged else (claim, _name(owner, claim))
        hidden = [
            replace(_name(owner, claim), hidden_by=_OWNERS[behind]) for owner, claim, behind in self._zone.hidden(now)
        ]
        return [*(view for _, view in self._shown.values()), *hidden]

    async def sightings(self, asked: Asked) -> tuple[Found, list[SightingView]]:
        """A page of what was seen on the network and is not here, unless ``here`` is asked for."""
        asked = replace(asked, filters={"here": False, **asked.filters})
        found = await self._store.read(lambda db: page(db, sightings.SIGHTINGS, asked))
        return found, [self._explained(*row) for row in found.rows]

    async def sighting(self, mac: str) -> SightingView:
        """What was seen of one interface; raises Invalid or NotFound."""
        plain = parse_mac(mac)
        known = await self._store.read(lambda db: sightings.find(db, plain))
        if known is None:
            raise NotFound("sighting-unknown", f"{plain} was not seen on the network", "list what was seen")
        owner = await self._store.read(lambda db: machines.by_mac(db, plain))
        cause, hint = self._cause(known)
        return SightingView(known, owner.id if owner else None, owner.name if owner else None, cause, hint)

    def _explained(self, document: bytes, machine: str | None, name: str | None) -> SightingView:
        known = load(document, Sighting)
        return SightingView(known, machine, name, *self._cause(known))

    def _cause(self, known: Sighting) -> tuple[str, str]:
        subnet = next((each for each in self._subnets if each.interface == known.interface), None)
        held_by = self._standing(subnet.interface).held_by if subnet is not None else ()
        return likely_cause(known, subnet, self._clock(), held_by)


def _reservation(db: sqlite3.Connection, of: ReservationView) -> ReservationView:
    """With the interface that the machine boots from, which the list has only guessed."""
    machine = machines.find(db, of.machine) if of.machine else None
    return replace(of, owner=boot_interface(machine) or "") if machine is not None else of


def _of(foreign: Sequence[ForeignServer], interface: str) -> tuple[ForeignServer, ...]:
    return tuple(each for each in foreign if each.interface == interface)


def _name(owner: str, claim: Claim) -> NameView:
    kind = _OWNERS[claim.kind]
    of = "" if kind == "own" else owner.partition(":")[2]
    return NameView(claim.name, claim.data.type.name, _value(claim), kind, of, claim.until)


def _value(claim: Claim) -> str:
    match claim.data:
        case Address(address):
            return str(address)
        case Target(_, name):
            return name
        case Service(priority, weight, port, target):
            return f"{priority} {weight} {port} {target or '.'}"
        case Text(strings):
            return b"".join(strings).decode(errors="replace")
        case other:
            return str(other)
