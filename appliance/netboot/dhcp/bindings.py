"""The last thing known about each address of a subnet that some client got (pure)."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import Lease, LeaseState


class Binding(Struct):
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


class Bindings:
    """By address, and by the relay's port that they came through."""

    def __init__(self) -> None:
        self._at: dict[int, Binding] = {}  # addresses as numbers: the hash of an address is slow to make
        self._by_port: dict[str, set[IPv4Address]] = {}

    def __contains__(self, address: IPv4Address) -> bool:
        return int(address) in self._at

    def __iter__(self) -> Iterator[Binding]:
        """Those that were put in last come last."""
        return iter(self._at.values())

    def at(self, address: IPv4Address | None) -> Binding | None:
        """What is known about an address."""
        return None if address is None else self._at.get(int(address))

    def put(self, binding: Binding) -> None:
        """Make this the last thing known about its address."""
        address, port = binding.lease.address, binding.lease.port
        self.take_out(address)
        self._at[int(address)] = binding
        if port:
            self._by_port.setdefault(port, set()).add(address)

    def take_out(self, address: IPv4Address) -> Binding | None:
        """Forget an address; what was known about it."""
        known = self._at.pop(int(address), None)
        if known is not None and known.lease.port and (others := self._by_port.get(known.lease.port)) is not None:
            others.discard(address)
            if not others:
                del self._by_port[known.lease.port]
        return known

    def through(self, port: str, now: float) -> list[Lease]:
        """The leases that nobody else may get now and that came through a port."""
        every = (self._at[int(each)] for each in self._by_port.get(port, ()))
        return [each.lease for each in every if each.occupied(now)]

    def leased(self, now: float) -> int:
        """How many addresses are some client's at the moment."""
        return sum(each.occupied(now) for each in self if each.lease.state is LeaseState.BOUND)
