"""The names of the site: its domain and the reverse zones of its subnets, with authority. Pure."""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from appliance.netboot.dns.claims import Claim, Claims, Kind
from appliance.netboot.dns.names import (
    canonical,
    clean_name,
    is_below,
    is_host_name,
    reverse_address,
    reverse_zones,
    zone_above,
)
from appliance.netboot.dns.records import (
    Address,
    Answer,
    Authority,
    Rcode,
    Record,
    RecordData,
    Service,
    Target,
    Text,
    Type,
)
from appliance.netboot.dns.special import local_only_zone

NEGATIVE_TTL = 15
"""Seconds that "no such name" may be remembered. Short: machines appear while somebody waits for them."""

_LONGEST_CHAIN = 8
_FOREVER = float("inf")


class Zone:
    """Answers for `domain` and the reverse zones of `reverse_networks`.

    `own_name` is the appliance's label in the domain, with `own_addresses`; it is reserved. `ttl` is
    the longest life of a record in a cache, in seconds. `generation` grows with every change.
    """

    def __init__(
        self,
        domain: str,
        reverse_networks: Iterable[IPv4Network],
        own_name: str,
        own_addresses: Sequence[IPv4Address],
        ttl: int,
    ) -> None:
        self.domain = canonical(domain)
        self.own_name = f"{canonical(own_name)}.{self.domain}"
        self.generation = 1
        self._ttl = ttl
        self._networks = tuple(reverse_networks)
        self._apexes = frozenset({self.domain, *(zone for each in self._networks for zone in reverse_zones(each))})
        # Of a public /24 that we have a part of, the rest is somebody else's: they are asked (compare RFC 2317).
        parts = {zone for each in self._networks if each.prefixlen > 24 for zone in reverse_zones(each)}
        self._shared = frozenset(zone for zone in parts if local_only_zone(zone) is None)
        self._watchers: list[Callable[[set[str]], None]] = []
        self._claims = Claims(self._apexes)
        for number, address in enumerate(own_addresses):
            self._claims.put(f"own:{number}", Claim(self.own_name, Address(address), None, "own"))

    def publish(self, owner_key: str, name: str, address: IPv4Address, until: float | None, kind: Kind) -> str | None:
        """Say that `name` has `address`, and the reverse, until `until` (unix time) or withdrawn.

        One name per `owner_key`; a new call replaces the former. `name` is a label, or a name in the
        domain; one of kind "lease" was chosen by a client and is cleaned. Gives the full name, or None
        (and nothing is published) if it cannot be used. Whether it wins against others is decided
        at each look-up: user, deployment, machine, then the first lease.
        """
        full = self._full_name(name, kind)
        return self._put(owner_key, full, Address(address), until, kind)

    def publish_record(
        self, owner_key: str, name: str, data: Address | Target | Service | Text, until: float | None = None
    ) -> str | None:
        """The same for a user's record of any type (underscores allowed: SRV names have them)."""
        plain = self._inside(canonical(name))
        usable = plain is not None and is_host_name(plain.replace("_", "x")) and plain != self.own_name
        return self._put(owner_key, plain if usable else None, data, until, "user")

    def withdraw(self, owner_key: str) -> None:
        """Forget what `owner_key` published, forward and reverse; nothing happens if there is nothing."""
        if concerned := self._claims.remove(owner_key):
            self._changed(concerned)

    def expire(self, now: float) -> None:
        """Free the memory of records that have ended; look-ups ignore them anyway."""
        for owner in self._claims.ended(now):
            self.withdraw(owner)

    def watch(self, changed: Callable[[set[str]], None]) -> None:
        """Have `changed` called after each change, with the names (canonical) that are answered otherwise now."""
        self._watchers.append(changed)

    def _changed(self, names: set[str]) -> None:
        self.generation += 1
        for changed in self._watchers:
            changed(names)

    def apex_of(self, name: str) -> str | None:
        """The zone that `name` (canonical) lies in, None if it is not ours."""
        apex = zone_above(name, self._apexes)
        return None if apex in self._shared and self._is_of_others(name) else apex

    def _is_of_others(self, name: str) -> bool:
        """Whether the PTR record at `name` is of an address that no subnet of ours has."""
        address = reverse_address(name)
        return address is not None and not any(address in network for network in self._networks)

    def lookup(self, name: str, qtype: int, now: float) -> Answer | None:
        """The answer to a question for `name` (canonical) at `now`; None when the name is not ours."""
        apex = self.apex_of(name)
        if apex is None:
            return None
        records: list[Record] = []
        names: list[str] = []
        fresh = _FOREVER
        for _ in range(_LONGEST_CHAIN):
            names.append(name)
            here, fresh_here = self._at(name, apex, now)
            fresh = min(fresh, fresh_here)
            wanted = _matching(here, qtype)
            records += wanted
            target = _alias(wanted, qtype)
            further = self.apex_of(target) if target else None
            if target is None or further is None:
                break
            name, apex = target, further
        if wanted:
            return Answer(Rcode.NOERROR, tuple(records), None, fresh, tuple(names), None if further else target)
        exists = bool(here) or self._claims.is_between(name)
        rcode = Rcode.NOERROR if exists else Rcode.NXDOMAIN
        return Answer(rcode, tuple(records), self.soa(apex), fresh, tuple(names))

    def given(self, now: float) -> list[tuple[str, Claim]]:
        """What is answered now, of all names of the domain, with the keys of the owners; PTR records follow from it."""
        return self._claims.winning(now)

    def hidden(self, now: float) -> list[tuple[str, Claim, Kind]]:
        """What is not answered now since the name is somebody else's, with the key of its owner and whose it is."""
        return self._claims.losing(now)

    def soa(self, apex: str) -> Record:
        """The SOA record of one of our zones."""
        serial = self.generation & 0xFFFFFFFF
        authority = Authority(self.own_name, f"hostmaster.{self.domain}", serial, NEGATIVE_TTL)
        return Record(apex, NEGATIVE_TTL, authority)

    def _at(self, name: str, apex: str, now: float) -> tuple[list[Record], float]:
        """All records at `name`, and until when they stay as they are."""
        here: list[Record] = []
        if name == apex:
            here = [self.soa(apex), Record(apex, self._ttl, Target(Type.NS, self.own_name))]
        named = self._claims.named(name, now)
        pointed = self._claims.pointed(name, now)
        ttl = self._ttl_of([*named, *pointed], now)
        here += [Record(name, ttl, claim.data) for claim in named]
        here += [Record(name, ttl, Target(Type.PTR, claim.name)) for claim in pointed]
        return here, self._claims.next_end(name, now) - ttl

    def _ttl_of(self, claims: list[Claim], now: float) -> int:
        """Seconds; one for all records of a set (RFC 2181 section 5.2), never beyond the first end."""
        end = min((claim.until for claim in claims if claim.until is not None), default=_FOREVER)
        return int(min(self._ttl, max(0.0, end - now)))

    def _put(self, owner: str, name: str | None, data: RecordData, until: float | None, kind: Kind) -> str | None:
        if name is None:
            self.withdraw(owner)  # a client that changes to an unusable name loses its former one
            return None
        if concerned := self._claims.put(owner, Claim(name, data, until, kind)):
            self._changed(concerned)
        return name

    def _full_name(self, name: str, kind: Kind) -> str | None:
        plain = clean_name(name) if kind == "lease" else canonical(name)
        full = self._inside(plain) if plain else None
        usable = full is not None and is_host_name(full) and full != self.own_name
        return full if usable else None

    def _inside(self, name: str) -> str | None:
        """The full name in our domain for a relative or full one; None for the domain itself."""
        full = name if is_below(name, self.domain) else f"{name}.{self.domain}"
        return None if full == self.domain else full


def _alias(wanted: list[Record], qtype: int) -> str | None:
    """The name to go on with when the records found are an alias."""
    data = wanted[0].data if wanted and qtype not in (Type.CNAME, Type.ANY) else None
    return data.name if isinstance(data, Target) and data.type == Type.CNAME else None


def _matching(here: list[Record], qtype: int) -> list[Record]:
    """The records that answer a question for `qtype`: of that type, else an alias.

    ANY gets the records of one type only (RFC 8482 section 4.1).
    """
    if qtype == Type.ANY and here:
        return [record for record in here if record.data.type == here[-1].data.type]
    exact = [record for record in here if record.data.type == qtype]
    return exact or [record for record in here if record.data.type == Type.CNAME]
