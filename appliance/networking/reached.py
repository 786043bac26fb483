"""Which of the computer's addresses the console is reached by: those of management networks. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from appliance.networking.layout import Layout

MOST = 32
"""Addresses in a certificate: more are no help to anybody, and each handshake carries them."""
WILDCARDS = {"0.0.0.0": 4, "::": 6, "": 6}  # noqa: S104 - names, not a bind
"""Places to listen at that mean every address of a family."""


@dataclass(frozen=True, slots=True)
class Held:
    """An address of ours, of global scope and to last for a while."""

    interface: str
    address: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


def families(listen: Iterable[str]) -> frozenset[int]:
    """The families of which every address is listened at."""
    return frozenset(WILDCARDS[host] for host in listen if host in WILDCARDS)


def reached_by(held: Iterable[Held], layout: Layout | None, wanted: Collection[int]) -> tuple[str, ...]:
    """The addresses of these families that the console is reached by, IPv4 first, in an order that stays.

    ``layout`` says which interface is for what; where there is none, or no network for management in it, each one is.
    """
    allowed = None
    if layout is not None and layout.with_role("management"):
        allowed = {each.name for each in layout.with_role("management")}
    found = {(each.family, each.address) for each in held if allowed is None or each.interface in allowed}
    return tuple(address for family, address in sorted(found) if family in wanted)[:MOST]


def managed_by(layout: Layout, live: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The addresses at which ``layout`` has the console: those that are written down, and leases as they are now.

    ``live`` has the addresses that each interface has at this moment, with prefixes.
    """
    found: list[str] = []
    for each in layout.with_role("management"):
        found += each.addresses if each.method == "static" else live.get(each.name, ())
    return tuple(dict.fromkeys(str(ip_interface(text).ip) for text in found))


def sits_at_it(here: str) -> bool:
    """Whether a request that came to this address of ours came over no network: from the computer itself."""
    return not here or ip_address(here).is_loopback


def told(before: Collection[str], after: Collection[str]) -> str:
    """What changed between two sets of addresses, in words."""
    came = ", ".join(each for each in after if each not in before)
    went = ", ".join(each for each in before if each not in after)
    parts = ([f"is for {came} from now on"] if came else []) + ([f"not for {went} any more"] if went else [])
    return f"the console's certificate {' and '.join(parts)}"
