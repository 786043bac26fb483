"""When to look for other DHCP servers on one subnet, and what follows from what was seen (pure).

Authoritative service is held back until a look has seen nobody. While it is held back, who was leased an address
keeps it; nobody else is answered. Once it has begun for good it goes on, whoever comes: another server is told of then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from appliance.netboot.dhcp.subnet import Subnet

EVERY_SECONDS = 600.0
"""Between two looks while service goes on."""
HELD_SECONDS = 60.0
"""Between two looks while it is held back: it begins once the other server is gone."""
EARLY_SECONDS = 45.0
"""Between two looks while service is young."""
YOUNG_SECONDS = 120.0
"""A port of a switch with spanning tree is deaf for half a minute: what is found so soon was there before us."""
CONTINUED_SECONDS = 900.0
"""A daemon that looked so recently and found service going on only restarts: it goes on at once."""

BLIND_SECONDS = 5.0
"""Until the next try, where nothing could be sent or heard."""

News = Literal["held", "begins", ""]


@dataclass(slots=True)
class Outlook:
    """One subnet. Times are Unix seconds."""

    subnet: Subnet
    begun: float | None = None
    """Since when authoritative service goes on; None while it does not."""
    looked: float | None = None
    """When the last look ended."""
    servers: tuple[IPv4Address, ...] = ()
    """Other servers that the last look saw."""
    soon: float | None = None
    """When to look whatever else is due."""

    @property
    def guarded(self) -> bool:
        """Whether there is anything to look for: elsewhere another server is as it should be.

        Behind relays nobody can look: no broadcast of ours gets there.
        """
        return self.subnet.mode == "authoritative" and self.subnet.remote is None

    @property
    def held(self) -> bool:
        """Whether authoritative service is held back."""
        return self.guarded and self.subnet.other_servers == "refuse" and self.begun is None

    def go_on(self, served: float, now: float) -> None:
        """Begin at once where it was served until a moment ago; `served` is the last that is known of that."""
        if self.guarded and 0 <= now - served < CONTINUED_SECONDS:
            self.begun = now - YOUNG_SECONDS

    def switch(self, subnet: Subnet) -> None:
        """The subnet is served under other rules from now on: who turns authoritative begins anew."""
        if subnet.mode != self.subnet.mode:
            self.begun, self.looked, self.servers = None, None, ()
        self.subnet = subnet

    def next_look(self) -> float | None:
        """When to look next; None: never."""
        if not self.guarded:
            return None
        if self.soon is not None or self.looked is None:
            return self.soon or 0.0
        if self.begun is None:
            return self.looked + HELD_SECONDS
        return self.looked + (EARLY_SECONDS if self._young(self.looked) else EVERY_SECONDS)

    def is_due(self, now: float) -> bool:
        """Whether to look now; also where the clock was set back, and the time would come much too late."""
        at = self.next_look()
        return at is not None and not now < at <= now + EVERY_SECONDS

    def _young(self, at: float) -> bool:
        return self.begun is not None and 0 <= at - self.begun < YOUNG_SECONDS

    def suspect(self, now: float) -> bool:
        """Somebody was heard who may be another server: whether to look at once, which is not again within a minute."""
        if not self.guarded or self.looked is None or self.soon is not None or now - self.looked < HELD_SECONDS:
            return False
        self.soon = now
        return True

    def blind(self, now: float) -> None:
        """A look could not be taken: it is tried again, and nothing begins without one."""
        self.soon = now + BLIND_SECONDS

    def seen(self, servers: Iterable[IPv4Address], now: float) -> News:
        """A look has ended and saw these servers; what there is to tell of it."""
        before, self.servers = self.servers, tuple(sorted(servers))
        self.looked, self.soon = now, None
        if self.subnet.other_servers == "refuse" and self.servers and (self.begun is None or self._young(now)):
            self.begun = None
            return "held" if self.servers != before else ""
        waited = self.begun is None and before
        self.begun = now if self.begun is None else self.begun
        return "begins" if waited else ""
