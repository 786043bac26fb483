"""Which machine has which address of one subnet (RFC 2131 section 4.3.1; pure).

Keyed on the MAC address: a ROM, iPXE and an operating system on the same card send three different
client identifiers, and must get the same address.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from appliance.lease import Lease, LeaseState, Reservation
from appliance.netboot.dhcp.expiries import Expiries
from appliance.netboot.dhcp.subnet import Subnet

OFFER_SECONDS = 30.0
"""How long an offer keeps its address: firmware takes up to ten seconds to choose, a flood gets no more."""
PROBE_SECONDS = 2.0
"""An offer younger than this may still be under its conflict probe, and is not taken for somebody else."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An address that a machine was offered and did not yet ask for."""

    address: IPv4Address
    until: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The address a machine should be offered."""

    address: IPv4Address
    fresh: bool
    """Not this machine's at the moment: look whether somebody else uses it."""


@dataclass(slots=True)
class Binding:
    """The last thing known about an address that some machine got."""

    lease: Lease
    """As it is on disk, or on its way there."""
    in_flight: bool
    """Whether `lease` is on its way to the disk."""
    durable_end: float
    """No acknowledgement goes beyond: what the disk holds would not cover it after a crash."""
    acked_until: float
    """Until when the client believes in the address."""

    def occupied(self, now: float) -> bool:
        """Whether nobody else may get the address."""
        if self.lease.state is LeaseState.DECLINED:
            return self.lease.end > now
        return self.lease.state is LeaseState.BOUND and (self.in_flight or self.acked_until > now)


class Pool:
    """The addresses of one subnet: bound, offered, reserved, free."""

    def __init__(self, subnet: Subnet, reservations: Iterable[Reservation] = (), leases: Iterable[Lease] = ()) -> None:
        """Start from what the disk holds; leases whose address the subnet no longer has are left alone."""
        self._subnet = subnet
        self._dynamic = subnet.mode == "authoritative"
        self._bindings: dict[IPv4Address, Binding] = {}
        self._address_of: dict[str, IPv4Address] = {}
        self._offers: OrderedDict[str, Offer] = OrderedDict()  # oldest first, since all are held equally long
        self._offered_to: dict[IPv4Address, str] = {}
        self._returned: OrderedDict[IPv4Address, None] = OrderedDict()  # used before, free again: longest ago first
        self._expiries = Expiries()
        self.set_reservations(reservations)
        for lease in sorted(leases, key=lambda each: (each.state is LeaseState.BOUND, each.start)):
            self._restore(lease)

    def set_reservations(self, reservations: Iterable[Reservation]) -> None:
        """Replace all reservations; those outside the subnet are somebody else's. Bound addresses stay."""
        mine = [each for each in reservations if self._subnet.assignable(each.address)]
        self._reserved_for = {each.address: each.mac for each in mine}
        self._reservations = {each.mac: each for each in mine}
        self._unused = self._walk()
        for address in self._bindings:
            self._give_back(address)

    def _walk(self) -> Iterator[IPv4Address]:
        for each in self._subnet.ranges:
            for number in range(int(each.first), int(each.last) + 1):
                yield IPv4Address(number)

    def _restore(self, lease: Lease) -> None:
        if not self._subnet.assignable(lease.address):
            return
        end = lease.end if lease.state is LeaseState.BOUND else 0.0
        self._bindings[lease.address] = Binding(lease, in_flight=False, durable_end=end, acked_until=end)
        if lease.state is not LeaseState.DECLINED:
            self._address_of[lease.mac] = lease.address
        self._expiries.add(lease.address, lease.end)

    def leased(self, now: float) -> int:
        """How many addresses are some machine's at the moment."""
        bound = (each for each in self._bindings.values() if each.lease.state is LeaseState.BOUND)
        return sum(each.occupied(now) for each in bound)

    def reservation(self, mac: str) -> Reservation | None:
        """The reservation of a machine in this subnet."""
        return self._reservations.get(mac)

    def reserved_now(self, mac: str, now: float) -> IPv4Address | None:
        """The address reserved for the machine, where nothing that we know of keeps it from getting it now."""
        reservation = self._reservations.get(mac)
        free = reservation is not None and self._unclaimed(mac, reservation.address, now)
        return reservation.address if reservation is not None and free else None

    def binding(self, mac: str) -> Binding | None:
        """The machine's last binding, expired and released ones included."""
        address = self._address_of.get(mac)
        return None if address is None else self._bindings.get(address)

    def owner(self, address: IPv4Address, now: float) -> str | None:
        """The machine that an address is bound or reserved to; "" when it is set aside."""
        binding = self._bindings.get(address)
        if binding is not None and binding.occupied(now):
            return binding.lease.mac if binding.lease.state is LeaseState.BOUND else ""
        return self._reserved_for.get(address)

    def holder(self, address: IPv4Address) -> str | None:
        """The machine that has the address, or had it last and got no other: iPXE goes on after its lease is over."""
        binding = self._bindings.get(address)
        if binding is None or binding.lease.state is LeaseState.DECLINED:
            return None
        return binding.lease.mac if self._address_of.get(binding.lease.mac) == address else None

    def offered(self, mac: str, now: float) -> IPv4Address | None:
        """The address that the machine is offered at the moment."""
        offer = self._offers.get(mac)
        return offer.address if offer is not None and offer.until > now else None

    def available(self, mac: str, address: IPv4Address, now: float) -> bool:
        """Whether the machine may be bound to the address; another machine's mere offer is no obstacle."""
        reserved = self._reserved_for.get(address, mac)
        if reserved != mac or self.owner(address, now) not in (None, mac):
            return False
        return address in self._reserved_for or (self._dynamic and self._subnet.in_range(address))

    def choose(self, mac: str, wanted: IPv4Address | None, now: float) -> Choice | None:
        """The address to offer: reserved, offered, bound, bound before, asked for, or any that is free."""
        self._forget_offers(now)
        for address in self._favourites(mac, wanted):
            if address is not None and self._unclaimed(mac, address, now):
                return Choice(address, fresh=not self._has(mac, address, now))
        address = self._next_free(mac, now) if self._dynamic else None
        return None if address is None else Choice(address, fresh=True)

    def _favourites(self, mac: str, wanted: IPv4Address | None) -> Iterator[IPv4Address | None]:
        reservation = self._reservations.get(mac)
        yield None if reservation is None else reservation.address
        if self._dynamic:
            offer = self._offers.get(mac)
            yield None if offer is None else offer.address
            yield self._address_of.get(mac)
            yield wanted

    def _has(self, mac: str, address: IPv4Address, now: float) -> bool:
        binding = self._bindings.get(address)
        bound = binding is not None and binding.lease.mac == mac and binding.occupied(now)
        return bound or self.offered(mac, now) == address

    def _unclaimed(self, mac: str, address: IPv4Address, now: float) -> bool:
        return self.available(mac, address, now) and self._offered_to.get(address, mac) == mac

    def _next_free(self, mac: str, now: float) -> IPv4Address | None:
        for address in self._unused:
            if address not in self._bindings and self._unclaimed(mac, address, now):
                return address
        while self._returned:
            address, _ = self._returned.popitem(last=False)
            if self._unclaimed(mac, address, now):
                return address
        return self._oldest_offer(mac, now)

    def _oldest_offer(self, mac: str, now: float) -> IPv4Address | None:
        """An address that was offered and not asked for: a flood of made-up machines starves nobody."""
        for other, offer in self._offers.items():
            if offer.until - OFFER_SECONDS > now - PROBE_SECONDS:
                return None
            if self.available(mac, offer.address, now):
                self.withdraw(other)
                self._returned.pop(offer.address, None)
                return offer.address
        return None

    def hold(self, mac: str, address: IPv4Address, now: float) -> None:
        """Note that the machine is offered the address."""
        self.withdraw(mac)
        self._offers[mac] = Offer(address, now + OFFER_SECONDS)
        self._offered_to[address] = mac

    def withdraw(self, mac: str) -> None:
        """Forget what the machine was offered."""
        offer = self._offers.pop(mac, None)
        if offer is not None and self._offered_to.get(offer.address) == mac:
            del self._offered_to[offer.address]
            self._give_back(offer.address)

    def _forget_offers(self, now: float) -> None:
        while self._offers:
            mac, offer = next(iter(self._offers.items()))
            if offer.until > now:
                return
            self.withdraw(mac)

    def _give_back(self, address: IPv4Address) -> None:
        if self._subnet.in_range(address):
            self._returned.pop(address, None)
            self._returned[address] = None

    def bind(self, lease: Lease, now: float) -> list[Lease]:
        """Make a lease the machine's, in memory. Returns what must be written to disk for it, in order.

        The caller made sure that the address is `available`. A machine has one address per subnet: an
        older one is released.
        """
        old = self.release(lease.mac, now) if self._address_of.get(lease.mac) != lease.address else None
        self.withdraw(lease.mac)
        known = self._bindings.get(lease.address)
        same = known is not None and known.lease.mac == lease.mac and known.lease.state is LeaseState.BOUND
        durable, acked = (known.durable_end, known.acked_until) if known is not None and same else (0.0, 0.0)
        self._evict(lease)
        self._bindings[lease.address] = Binding(lease, in_flight=True, durable_end=durable, acked_until=acked)
        self._address_of[lease.mac] = lease.address
        return [lease] if old is None else [old, lease]

    def _evict(self, lease: Lease) -> None:
        known = self._bindings.get(lease.address)
        if known is not None and self._address_of.get(known.lease.mac) == lease.address:
            del self._address_of[known.lease.mac]

    def stored(self, lease: Lease) -> bool:
        """Note that a lease (this very object) is on disk; False when it was overtaken by a newer one."""
        binding = self._bindings.get(lease.address)
        if binding is None or binding.lease is not lease:
            return False
        binding.in_flight = False
        if lease.state is LeaseState.BOUND:
            binding.durable_end = lease.end
            self._expiries.add(lease.address, binding.acked_until)
        return True

    def not_stored(self, lease: Lease) -> None:
        """Note that a lease could not be written: what was promised before it still holds, no more."""
        binding = self._bindings.get(lease.address)
        if binding is not None and binding.lease is lease:
            binding.in_flight = False
            self._expiries.add(lease.address, binding.acked_until)

    def acknowledge(self, mac: str, until: float) -> None:
        """Note until when the machine was told that it may use its address."""
        binding = self.binding(mac)
        if binding is not None:
            binding.acked_until = max(binding.acked_until, until)
            self._expiries.add(binding.lease.address, binding.acked_until)

    def release(self, mac: str, now: float) -> Lease | None:
        """Free the machine's address at once and remember it; returns what to write to disk."""
        binding = self.binding(mac)
        if binding is None or binding.lease.state is not LeaseState.BOUND:
            return None
        lease = replace(binding.lease, state=LeaseState.RELEASED, end=now)
        self._bindings[lease.address] = Binding(lease, in_flight=True, durable_end=0.0, acked_until=0.0)
        self._give_back(lease.address)
        return lease

    def forget(self, address: IPv4Address) -> Lease | None:
        """Free an address and forget whose it was; returns what to write to disk."""
        binding = self._bindings.pop(address, None)
        if binding is None:
            return None
        if self._address_of.get(binding.lease.mac) == address:
            del self._address_of[binding.lease.mac]
        self._give_back(address)
        return replace(binding.lease, state=LeaseState.FORGOTTEN)

    def quarantine(self, lease: Lease) -> Lease:
        """Set an address aside until `lease.end`; returns what to write to disk."""
        self._evict(lease)
        self._bindings[lease.address] = Binding(lease, in_flight=True, durable_end=0.0, acked_until=0.0)
        self._expiries.add(lease.address, lease.end)
        return lease

    def next_expiry(self) -> float | None:
        """When `expire` has something to look at."""
        return self._expiries.first()

    def expire(self, now: float) -> list[Lease]:
        """End what is over; returns what to write to disk. The machines are remembered."""
        return [lease for address in self._expiries.due(now) if (lease := self._expire(address, now)) is not None]

    def _expire(self, address: IPv4Address, now: float) -> Lease | None:
        binding = self._bindings.get(address)
        if binding is None:
            return None
        if binding.occupied(now):
            if binding.acked_until > now:
                self._expiries.add(address, binding.acked_until)
            return None
        self._give_back(address)
        return self.release(binding.lease.mac, now) if binding.lease.state is LeaseState.BOUND else None
