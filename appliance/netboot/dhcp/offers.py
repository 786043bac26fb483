"""Addresses that are offered and not yet asked for, and how many of them one relay or port may have (pure)."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from msgspec import Struct

OFFER_SECONDS = 30.0
"""How long an offer keeps its address: firmware takes up to ten seconds to choose, a flood gets no more."""
PER_PORT = 16
"""Offers that one port of a relay has at the same time: a rack behind it boots, a flood behind it hurts itself only."""

Share = tuple[str, int]
"""Whose part of the offers it is (a relay, or a port of one), and how many that may have."""


class Offer(Struct, frozen=True):
    """An address that a client was offered and did not yet ask for."""

    address: IPv4Address
    until: float
    shares: Sequence[Share] = ()


class Offers:
    """By client, the oldest first, since all are held equally long."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Offer] = OrderedDict()
        self._to: dict[int, str] = {}  # by addresses as numbers, since the hash of an address is slow to make
        self._shares: dict[str, OrderedDict[str, None]] = {}

    def address(self, client: str) -> IPv4Address | None:
        """What the client was offered, whether or not that is over."""
        offer = self._of.get(client)
        return None if offer is None else offer.address

    def running(self, client: str, now: float) -> IPv4Address | None:
        """What the client is offered at the moment."""
        offer = self._of.get(client)
        return offer.address if offer is not None and offer.until > now else None

    def client(self, address: IPv4Address) -> str | None:
        """Whom the address is offered to."""
        return self._to.get(int(address))

    def oldest_first(self) -> Iterator[tuple[str, Offer]]:
        """Clients and their offers; do not change them meanwhile."""
        return iter(self._of.items())

    def is_crowded(self, shares: Sequence[Share]) -> bool:
        """Whether one of the shares is half used up: whoever is behind it must not be kept waiting."""
        return any(2 * len(self._shares.get(name, ())) >= limit for name, limit in shares)

    def hold(self, client: str, address: IPv4Address, now: float, shares: Sequence[Share]) -> list[IPv4Address]:
        """Note an offer; the addresses that come free by it, since a share of it gives up its oldest ones."""
        freed = self.withdraw(client)
        for name, limit in shares:
            while len(self._shares.get(name, ())) >= limit:
                freed += self.withdraw(next(iter(self._shares[name])))
        self._of[client] = Offer(address, now + OFFER_SECONDS, shares)
        self._to[int(address)] = client
        for name, _ in shares:
            self._shares.setdefault(name, OrderedDict())[client] = None
        return [each for each in freed if each != address]

    def withdraw(self, client: str) -> list[IPv4Address]:
        """Forget what the client was offered; the address that comes free by it, if one does."""
        offer = self._of.pop(client, None)
        if offer is None:
            return []
        for name, _ in offer.shares:
            share = self._shares[name]
            del share[client]
            if not share:
                del self._shares[name]
        number = int(offer.address)
        if self._to.get(number) != client:
            return []
        del self._to[number]
        return [offer.address]

    def forget(self, now: float) -> list[IPv4Address]:
        """Forget what is over; the addresses that come free."""
        freed: list[IPv4Address] = []
        while (oldest := next(iter(self._of), None)) is not None and self._of[oldest].until <= now:
            freed += self.withdraw(oldest)
        return freed
