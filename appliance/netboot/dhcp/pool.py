"""Which machine has which address of one subnet (RFC 2131 section 4.3.1; pure).

Clients are keyed on the MAC address: a ROM, iPXE and an operating system on the same card send three different
client identifiers, and must get the same address. A subnet may be told to go by client identifier (RFC 2131
section 4.2); a card that an address is reserved for is keyed on its MAC address there too.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from msgspec import Struct
from msgspec.structs import replace

from appliance.lease import Lease, LeaseState, Reservation
from appliance.netboot.dhcp.bindings import Binding, Bindings
from appliance.netboot.dhcp.expiries import Expiries
from appliance.netboot.dhcp.offers import OFFER_SECONDS, PER_PORT, Offers, Share
from appliance.netboot.dhcp.options import text_of
from appliance.netboot.dhcp.relay import RelayAgent
from appliance.netboot.dhcp.request import Request
from appliance.netboot.dhcp.reserved import Reserved
from appliance.netboot.dhcp.subnet import Subnet

PROBE_SECONDS = 2.0
"""An offer younger than this may still be under its conflict probe, and is not taken for somebody else."""
LEAST_PER_RELAY = 4
"""Offers that a relay has at the same time, or half of all addresses where that is more."""


class Choice(Struct, frozen=True):
    """The address a machine should be offered."""

    address: IPv4Address
    fresh: bool
    """Not this machine's at the moment: look whether somebody else uses it."""


def _way_of(subnet: Subnet) -> tuple[bool, int]:
    """Whether clients go by their cards alone, and how many addresses there are to give."""
    return subnet.identify_by == "mac", sum(int(each.last) - int(each.first) + 1 for each in subnet.ranges)


class Pool:
    """The addresses of one subnet: bound, offered, reserved, free."""

    def __init__(self, subnet: Subnet, reservations: Iterable[Reservation] = (), leases: Iterable[Lease] = ()) -> None:
        """Start from what the disk holds; leases whose address the subnet no longer has are left alone."""
        self._subnet = subnet
        self._dynamic = subnet.mode == "authoritative"
        self._bindings = Bindings()
        self._address_of: dict[str, IPv4Address] = {}
        self._offers = Offers()
        self._reserved = Reserved()
        self._returned: OrderedDict[int, IPv4Address] = OrderedDict()  # used before, free again: longest ago first
        self._by_card, self._size = _way_of(subnet)
        self._expiries = Expiries()
        self.set_reservations(reservations)
        for lease in sorted(leases, key=lambda each: (each.state is LeaseState.BOUND, each.start)):
            self._restore(lease)

    def switch(self, subnet: Subnet) -> None:
        """Go on under other rules for the same interface: what is bound or offered stays so."""
        self._subnet, self._dynamic = subnet, subnet.mode == "authoritative"
        self._by_card, self._size = _way_of(subnet)

    def set_reservations(self, reservations: Iterable[Reservation]) -> None:
        """Replace all reservations; those outside the subnet are somebody else's. Bound addresses stay."""
        mine = [each for each in reservations if self._subnet.assignable(each.address)]
        self._reserved.replace(mine)
        self._unused = self._walk()
        for binding in self._bindings:
            self._give_back(binding.lease.address)
            if binding.lease.state is not LeaseState.DECLINED:
                self._remember(binding.lease)  # a card that is reserved for may have another key now

    def _walk(self) -> Iterator[IPv4Address]:
        for each in self._subnet.ranges:
            for number in range(int(each.first), int(each.last) + 1):
                yield IPv4Address(number)

    def _restore(self, lease: Lease) -> None:
        if not self._subnet.assignable(lease.address):
            return
        end = lease.end if lease.state is LeaseState.BOUND else 0.0
        self._bindings.put(Binding(lease, in_flight=False, durable_end=end, acked_until=end))
        if lease.state is not LeaseState.DECLINED:
            self._remember(lease)
        self._expiries.add(lease.address, lease.end)

    def _remember(self, lease: Lease) -> None:
        key = self.key_of(lease)
        self._address_of[key] = lease.address
        self._reserved.claim_address(key, lease.address)

    def key(self, mac: str, client_id: bytes) -> str:
        """What a client is known by here."""
        if not client_id or self._by_card or mac in self._reserved:
            return mac
        return f"id:{client_id.hex()}"

    def key_for(self, request: Request) -> str:
        """What the client is known by that sent this."""
        return request.mac if self._by_card else self.key(request.mac, request.client_id)

    def key_of(self, lease: Lease) -> str:
        """What the client is known by that has this lease."""
        return lease.mac if self._by_card else self.key(lease.mac, lease.client_id)

    @property
    def knows_more_than_cards(self) -> bool:
        """Whether an address is reserved by anything else than a MAC address."""
        return self._reserved.knows_more_than_cards

    def recognise(self, key: str, owners: Sequence[str], now: float) -> None:
        """Note by what else than its MAC address an address may be reserved for the client."""

        def holds(other: str, address: IPv4Address) -> bool:
            binding = self._bindings.at(address)
            return binding is not None and binding.occupied(now) and self.key_of(binding.lease) == other

        self._reserved.recognise(key, owners, holds)

    def shares(self, relay: RelayAgent | None) -> Sequence[Share]:
        """Whose part of the offers a message takes from, and how many there are for it."""
        if relay is None:
            return ()
        whole = (text_of(relay.address), max(LEAST_PER_RELAY, self._size // 2))
        return ((relay.port, PER_PORT), whole) if relay.ports else (whole,)

    def is_crowded(self, relay: RelayAgent | None) -> bool:
        """Whether a flood may come through this relay or port."""
        return self._offers.is_crowded(self.shares(relay))

    def is_full(self, key: str, address: IPv4Address | None, relay: RelayAgent | None, now: float) -> bool:
        """Whether so many addresses are leased through the port that the client cannot have one, or this one, more."""
        limit = self._subnet.leases_per_port
        if limit is None or relay is None or self._address_is_kept(key, address):
            return False
        through = self._bindings.through(relay.port, now)
        return sum(self.key_of(each) != key for each in through) >= limit

    def _address_is_kept(self, key: str, address: IPv4Address | None) -> bool:
        """Whether it is the client's own by reservation: limits are for what is left to all."""
        mine = self._reserved.of(key)
        return mine is not None and (address is None or address == mine.address)

    def leased(self, now: float) -> int:
        """How many addresses are some machine's at the moment."""
        return self._bindings.leased(now)

    def reservation(self, key: str) -> Reservation | None:
        """The reservation of a machine in this subnet."""
        return self._reserved.of(key)

    def reserved_now(self, key: str, now: float) -> IPv4Address | None:
        """The address reserved for the machine, where nothing that we know of keeps it from getting it now."""
        reservation = self._reserved.of(key)
        free = reservation is not None and self._unclaimed(key, reservation.address, now)
        return reservation.address if reservation is not None and free else None

    def binding(self, key: str) -> Binding | None:
        """The machine's last binding, expired and released ones included."""
        return self._bindings.at(self._address_of.get(key))

    def bound(self, key: str) -> IPv4Address | None:
        """The address that the client was leased and that has not come free."""
        binding = self.binding(key)
        return binding.lease.address if binding is not None and binding.lease.state is LeaseState.BOUND else None

    def owner(self, address: IPv4Address, now: float) -> str | None:
        """The machine that an address is bound or reserved to; "" when it is set aside."""
        binding = self._bindings.at(address)
        if binding is not None and binding.occupied(now):
            return self.key_of(binding.lease) if binding.lease.state is LeaseState.BOUND else ""
        return self._reserved.client(address)

    def holder(self, address: IPv4Address) -> str | None:
        """The machine that has the address, or had it last and got no other: iPXE goes on after its lease is over."""
        binding = self._bindings.at(address)
        if binding is None or binding.lease.state is LeaseState.DECLINED:
            return None
        return binding.lease.mac if self._address_of.get(self.key_of(binding.lease)) == address else None

    def offered(self, key: str, now: float) -> IPv4Address | None:
        """The address that the client is offered at the moment."""
        return self._offers.running(key, now)

    def available(self, key: str, address: IPv4Address, now: float) -> bool:
        """Whether the client may be bound to the address; another client's mere offer is no obstacle."""
        if not self._reserved.is_for(key, address) or self.owner(address, now) not in (None, key):
            return False
        return self._reserved.is_kept(address) or (self._dynamic and self._subnet.in_range(address))

    def choose(
        self, key: str, wanted: IPv4Address | None, now: float, relay: RelayAgent | None = None
    ) -> Choice | None:
        """The address to offer: reserved, offered, bound, bound before, asked for, or any that is free."""
        self._give_back_all(self._offers.forget(now))
        for address in self._favourites(key, wanted):
            if address is not None and self._unclaimed(key, address, now):
                fresh = not self._has(key, address, now)
                return None if fresh and self.is_full(key, address, relay, now) else Choice(address, fresh)
        address = self._next_free(key, now) if self._dynamic and not self.is_full(key, None, relay, now) else None
        return None if address is None else Choice(address, fresh=True)

    def _favourites(self, key: str, wanted: IPv4Address | None) -> Iterator[IPv4Address | None]:
        reservation = self._reserved.of(key)
        yield None if reservation is None else reservation.address
        if self._dynamic:
            yield self._offers.address(key)
            yield self._address_of.get(key)
            yield wanted

    def _has(self, key: str, address: IPv4Address, now: float) -> bool:
        binding = self._bindings.at(address)
        bound = binding is not None and self.key_of(binding.lease) == key and binding.occupied(now)
        return bound or self.offered(key, now) == address

    def _unclaimed(self, key: str, address: IPv4Address, now: float) -> bool:
        return self.available(key, address, now) and self._offers.client(address) in (None, key)

    def _next_free(self, key: str, now: float) -> IPv4Address | None:
        for address in self._unused:
            if address not in self._bindings and self._unclaimed(key, address, now):
                return address
        while self._returned:
            _, address = self._returned.popitem(last=False)
            if self._unclaimed(key, address, now):
                return address
        return self._oldest_offer(key, now)

    def _oldest_offer(self, key: str, now: float) -> IPv4Address | None:
        """An address that was offered and not asked for: a flood of made-up machines starves nobody."""
        for other, offer in self._offers.oldest_first():
            if offer.until - OFFER_SECONDS > now - PROBE_SECONDS:
                return None
            if self.available(key, offer.address, now):
                self._offers.withdraw(other)
                return offer.address
        return None

    def hold(self, key: str, address: IPv4Address, now: float, relay: RelayAgent | None = None) -> None:
        """Note that the client is offered the address; its relay or port may lose an older offer to somebody by it."""
        self._give_back_all(self._offers.hold(key, address, now, self.shares(relay)))

    def withdraw(self, key: str) -> None:
        """Forget what the client was offered."""
        self._give_back_all(self._offers.withdraw(key))

    def _give_back_all(self, addresses: Iterable[IPv4Address]) -> None:
        for address in addresses:
            self._give_back(address)

    def _give_back(self, address: IPv4Address) -> None:
        if self._subnet.in_range(address):
            number = int(address)
            self._returned.pop(number, None)
            self._returned[number] = address

    def bind(self, lease: Lease, now: float) -> list[Lease]:
        """Make a lease the machine's, in memory. Returns what must be written to disk for it, in order.

        The caller made sure that the address is `available`. A machine has one address per subnet: an
        older one is released.
        """
        key = self.key_of(lease)
        old = self.release(key, now) if self._address_of.get(key) != lease.address else None
        self.withdraw(key)
        known = self._bindings.at(lease.address)
        same = known is not None and self.key_of(known.lease) == key and known.lease.state is LeaseState.BOUND
        durable, acked = (known.durable_end, known.acked_until) if known is not None and same else (0.0, 0.0)
        self._evict(lease)
        self._bindings.put(Binding(lease, in_flight=True, durable_end=durable, acked_until=acked))
        self._address_of[key] = lease.address
        return [lease] if old is None else [old, lease]

    def _evict(self, lease: Lease) -> None:
        known = self._bindings.at(lease.address)
        if known is not None and self._address_of.get(self.key_of(known.lease)) == lease.address:
            del self._address_of[self.key_of(known.lease)]

    def stored(self, lease: Lease) -> bool:
        """Note that a lease (this very object) is on disk; False when it was overtaken by a newer one."""
        binding = self._bindings.at(lease.address)
        if binding is None or binding.lease is not lease:
            return False
        binding.in_flight = False
        if lease.state is LeaseState.BOUND:
            binding.durable_end = lease.end
            self._expiries.add(lease.address, binding.acked_until)
        return True

    def not_stored(self, lease: Lease) -> None:
        """Note that a lease could not be written: what was promised before it still holds, no more."""
        binding = self._bindings.at(lease.address)
        if binding is not None and binding.lease is lease:
            binding.in_flight = False
            self._expiries.add(lease.address, binding.acked_until)

    def acknowledge(self, key: str, until: float) -> None:
        """Note until when the client was told that it may use its address."""
        binding = self.binding(key)
        if binding is not None:
            binding.acked_until = max(binding.acked_until, until)
            self._expiries.add(binding.lease.address, binding.acked_until)

    def release(self, key: str, now: float) -> Lease | None:
        """Free the client's address at once and remember it; returns what to write to disk."""
        binding = self.binding(key)
        return None if binding is None else self._release(binding, now)

    def _release(self, binding: Binding, now: float) -> Lease | None:
        if binding.lease.state is not LeaseState.BOUND:
            return None
        lease = replace(binding.lease, state=LeaseState.RELEASED, end=now)
        self._bindings.put(Binding(lease, in_flight=True, durable_end=0.0, acked_until=0.0))
        self._give_back(lease.address)
        return lease

    def forget(self, address: IPv4Address) -> Lease | None:
        """Free an address and forget whose it was; returns what to write to disk."""
        binding = self._bindings.take_out(address)
        if binding is None:
            return None
        if self._address_of.get(self.key_of(binding.lease)) == address:
            del self._address_of[self.key_of(binding.lease)]
        self._give_back(address)
        return replace(binding.lease, state=LeaseState.FORGOTTEN)

    def quarantine(self, lease: Lease) -> Lease:
        """Set an address aside until `lease.end`; returns what to write to disk."""
        self._evict(lease)
        self._bindings.put(Binding(lease, in_flight=True, durable_end=0.0, acked_until=0.0))
        self._expiries.add(lease.address, lease.end)
        return lease

    def next_expiry(self) -> float | None:
        """When `expire` has something to look at."""
        return self._expiries.first()

    def expire(self, now: float) -> list[Lease]:
        """End what is over; returns what to write to disk. The machines are remembered."""
        return [lease for address in self._expiries.due(now) if (lease := self._expire(address, now)) is not None]

    def _expire(self, address: IPv4Address, now: float) -> Lease | None:
        binding = self._bindings.at(address)
        if binding is None:
            return None
        if binding.occupied(now):
            if binding.acked_until > now:
                self._expiries.add(address, binding.acked_until)
            return None
        self._give_back(address)
        return self._release(binding, now)
