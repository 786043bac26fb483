"""What users ask of the network: addresses kept for what is no machine, names, leases to be forgotten."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from msgspec.structs import asdict

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.lease import Lease, LeaseState
from appliance.machine import Machine, State, check_name, parse_mac
from appliance.names import DnsRecord, KeptAddress
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile import audit
from appliance.reconcile.addresses import check_reservable, check_unheld_by_others
from appliance.reconcile.dns_records import check_fits, check_record
from appliance.reconcile.record import Tell, record
from appliance.reconcile.reserved_for import bare, check_owner, interfaces_of, owner_of, parse_owner, said
from appliance.reconcile.taken_names import check_free
from appliance.reconcile.views import OFFLINE_AFTER
from appliance.store import leases, machines, network, sightings
from appliance.store.store import Store

LONGEST_NOTE = 1000

Forget = Callable[[str, IPv4Address], Awaitable[bool]]
"""Has the DHCP server forget a lease of an interface; False where it knows nothing of it."""


async def nothing_served(_interface: str, _address: IPv4Address) -> bool:
    """Stands in where no DHCP server runs."""
    return False


async def nothing_applied() -> None:
    """Stands in where no server is to be told of a change."""


@dataclass(frozen=True, slots=True)
class NewReservation:
    """What a user fills in to keep an address: for one of an interface that is no machine's, a board, a port."""

    mac: str
    address: str
    name: str | None = None
    note: str = ""
    uuid: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """What a user fills in to add a name."""

    name: str
    type: str
    value: str
    note: str = ""


class NetworkWishes:
    """Every method takes ``by``, who asks; raises Invalid, NotFound or Conflict. Served once it returns."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
        domain: str,
        forget: Forget = nothing_served,
        apply: Callable[[], Awaitable[None]] = nothing_applied,
    ) -> None:
        """``apply`` has DHCP and DNS server serve what is stored now."""
        self._store, self._bus, self._clock, self._subnets, self._domain = store, bus, clock, subnets, domain
        self._forget, self._apply = forget, apply

    async def reserve(self, new: NewReservation, by: Asker) -> KeptAddress:
        """Keep an address for an interface that is no machine's, a board, or a relay's port; another one of that is
        given up.
        """
        owner = owner_of(new.mac, new.uuid, new.port)
        note = _checked_note(new.note)
        name = check_name(new.name) if new.name else None

        def job(db: sqlite3.Connection, tell: Tell) -> KeptAddress:
            every = machines.briefs(db)
            check_owner(owner, every)
            kept = network.kept_addresses(db)
            before = next((each for each in kept if each.owner == owner), None)
            others = [each for each in kept if each.owner != owner]
            address = check_reservable(new.address, _holders(every, others), self._subnets, "address")
            held = leases.every(db)
            macs = interfaces_of(owner, every, held)
            check_unheld_by_others(address, macs, every, held, self._clock(), "address")
            if name is not None and (before is None or before.name != name):
                check_free(db, name)
            made = KeptAddress(owner, address, name, note, before.created if before else self._clock())
            network.keep_address(db, made)
            what = f"{by} reserved {address} for {said(owner)}{f' ({name})' if name else ''}"
            subject = ("reservation", owner, name or bare(owner))
            self._changed(db, tell, by, "reservation.set", subject, what, before, made)
            return made

        made = await record(self._store, self._bus, job)
        await self._apply()
        return made

    async def unreserve(self, key: str, by: Asker) -> None:
        """Give a reservation up; a lease that runs stays until it is not renewed."""
        plain = parse_owner(key)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = network.kept_address(db, plain)
            network.drop_address(db, plain)
            what = f"{by} gave up the reservation of {before.address} for {said(plain)}"
            subject = ("reservation", plain, before.name or bare(plain))
            self._changed(db, tell, by, "reservation.delete", subject, what, before, None)

        await record(self._store, self._bus, job)
        await self._apply()

    async def add_name(self, new: NewRecord, by: Asker) -> DnsRecord:
        """Add a record to the site's domain."""
        name, kind, value = check_record(new.name, new.type, new.value, self._domain)
        note = _checked_note(new.note)

        def job(db: sqlite3.Connection, tell: Tell) -> DnsRecord:
            check_free(db, name, but=("record",))
            made = DnsRecord(name, kind, value, note, self._clock())
            check_fits(made, network.records(db), self._domain)
            made = network.add_record(db, made)
            what = f"{by} added {name}.{self._domain}: {kind} {value[:200]}"
            self._changed(db, tell, by, "name.add", ("name", made.id, name), what, None, made)
            return made

        made = await record(self._store, self._bus, job)
        await self._apply()
        return made

    async def delete_name(self, number: int, by: Asker) -> None:
        """Delete a record that a user added."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = network.record(db, number)
            network.delete_record(db, number)
            what = f"{by} deleted {before.name}.{self._domain}: {before.type} {before.value[:200]}"
            self._changed(db, tell, by, "name.delete", ("name", number, before.name), what, before, None)

        await record(self._store, self._bus, job)
        await self._apply()

    async def forget_lease(self, interface: str, address: str, confirm: str | None, by: Asker) -> None:
        """Free an address at once; whoever holds it goes on using it until it renews, and then asks anew.

        Raises Conflict ``confirmation-needed`` where a machine that is up holds it and its name is not ``confirm``.
        """
        plain = _ipv4(address)

        def check(db: sqlite3.Connection) -> Lease:
            found = network.lease(db, interface, str(plain))
            holder = machines.by_mac(db, parse_mac(found.mac))
            if holder is not None and self._is_live(found, holder) and confirm != holder.name:
                text = f"{plain} is held by {holder.name}, which is up: another computer may be given it meanwhile"
                raise Conflict("confirmation-needed", text, f"confirm with the name {holder.name}", "confirm")
            return found

        found = await self._store.read(check)
        served = await self._forget(interface, plain)

        def job(db: sqlite3.Connection, tell: Tell) -> bool:
            if not served:
                network.delete_lease(db, interface, str(plain))
            what = f"{by} had the lease of {plain} to {found.mac} on {interface} forgotten"
            subject = ("lease", f"{interface}/{plain}", str(plain))
            self._changed(db, tell, by, "lease.forget", subject, what, _plain_lease(found), None)
            return network.has_lease(db, interface, str(plain))

        if await record(self._store, self._bus, job) and served:
            hint = "look at the disk; it is free now, and comes back with a restart of the appliance"
            raise ApplianceError("store-failed", f"that {plain} was forgotten could not be stored", hint)

    def _is_live(self, lease: Lease, machine: Machine) -> bool:
        """Whether the machine uses the address now, as far as we know."""
        now = self._clock()
        held = lease.state is LeaseState.BOUND and lease.end > now
        seen = machine.last_seen is not None and now - machine.last_seen <= OFFLINE_AFTER
        return held and (seen or machine.state is State.ACTIVE)

    async def forget_sighting(self, mac: str, by: Asker) -> None:
        """Forget what was seen of an interface; it comes back with its next sign."""
        plain = parse_mac(mac)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if not sightings.forget(db, plain):
                hint = "list what was seen with: qrm network seen"
                raise NotFound("sighting-unknown", f"{plain} was not seen on the network", hint)
            what = f"{by} had {plain} forgotten, which was seen on the network"
            self._changed(db, tell, by, "sighting.forget", ("sighting", plain, plain), what, None, None)

        await record(self._store, self._bus, job)

    def _changed(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        by: Asker,
        action: str,
        subject: audit.Subject,
        what: str,
        before: object,
        after: object,
    ) -> None:
        now = self._clock()
        audit.note(db, by, action, subject, before, after, now=now)
        tell(Event("network.changed", now, what, detail={"action": action, "subject": str(subject[1])}))


def _holders(every: Sequence[Machine], kept: Sequence[KeptAddress]) -> dict[str, str]:
    """Whom each reserved address is kept for, by address."""
    of_machines = {each.reserved_address: each.name for each in every if each.reserved_address}
    return {**of_machines, **{each.address: each.name or said(each.owner) for each in kept}}


def _checked_note(text: str) -> str:
    if len(text) > LONGEST_NOTE:
        raise Invalid("note-long", f"the note has {len(text)} characters", f"use {LONGEST_NOTE} at most", "note")
    return text


def _ipv4(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        hint = "write it as 10.77.0.117"
        raise Invalid("address-invalid", f"{text[:40]!r} is not an IPv4 address", hint, "address") from None


def _plain_lease(lease: Lease) -> dict[str, object]:
    return {**asdict(lease), "client_id": lease.client_id.hex()}
