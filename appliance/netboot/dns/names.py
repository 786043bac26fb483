"""Host names: what clients may call themselves, and the names under which addresses are looked up. Pure.

Inside the DNS package a name is text in lower case without a final dot; "" is the root.
"""

import contextlib
from collections.abc import Container, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address

from appliance.machine import RESERVED_NAMES

LONGEST_LABEL = 63
LONGEST_NAME = 253
"""Characters of a name as text (255 bytes on the wire, RFC 1035 section 2.3.4)."""

_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def clean_name(raw: str) -> str | None:
    """The host label that a client gets for the name it sent, or None when nothing usable is left.

    The first label counts; what RFC 1123 does not allow becomes a hyphen or goes; reserved names and
    mere numbers, which programs would take for addresses, give None.
    """
    label = "".join(_cleaned(character) for character in raw.strip().split(".")[0].lower())
    label = label.strip("-")[:LONGEST_LABEL].rstrip("-")
    if not label or label in RESERVED_NAMES or label.isdigit():
        return None
    return label


def _cleaned(character: str) -> str:
    if character in _LABEL_CHARACTERS:
        return character
    return "-" if character in "_ " else ""


def is_host_name(name: str) -> bool:
    """Whether `name` (lower case, one label or more) is a host name by RFC 1123 section 2.1."""
    return len(name) <= LONGEST_NAME and all(_is_label(label) for label in name.split("."))


def _is_label(label: str) -> bool:
    inside = 0 < len(label) <= LONGEST_LABEL and _LABEL_CHARACTERS.issuperset(label)
    return inside and not label.startswith("-") and not label.endswith("-")


def canonical(name: str) -> str:
    """A name as this package compares it."""
    return name.lower().removesuffix(".")


def text_of(labels: Sequence[bytes]) -> str:
    """The canonical text of a name from the wire. A dot inside a label never passes for a separator: it and the
    backslash are written as numbers (RFC 1035 section 5.1).
    """
    return b".".join(map(_written, labels)).lower().decode("latin-1")


def _written(label: bytes) -> bytes:
    return label.replace(b"\\", b"\\092").replace(b".", b"\\046")


def labels_of(name: str) -> tuple[bytes, ...]:
    """The labels of a name (canonical) as they go onto the wire; none of the root."""
    return tuple(map(_read, name.encode("latin-1").split(b"."))) if name else ()


def _read(written: bytes) -> bytes:
    return written.replace(b"\\046", b".").replace(b"\\092", b"\\")


def is_below(name: str, zone: str) -> bool:
    """Whether `name` is `zone` itself or lies below it."""
    return not zone or name == zone or name.endswith("." + zone)


def zone_above(name: str, apexes: Container[str]) -> str | None:
    """The one of `apexes` that `name` (canonical) lies in: the nearest, which answers (RFC 1034 section 4.3.2)."""
    rest = name
    while rest:
        if rest in apexes:
            return rest
        rest = rest.partition(".")[2]
    return None


def reverse_address(name: str) -> IPv4Address | None:
    """The address whose PTR record `name` (canonical) has; None for any other name."""
    labels = name.split(".")
    if labels[4:] != ["in-addr", "arpa"] or not all(label.isascii() and label.isdecimal() for label in labels[:4]):
        return None
    with contextlib.suppress(AddressValueError):
        return IPv4Address(".".join(reversed(labels[:4])))
    return None


def reverse_name(address: IPv4Address | IPv6Address) -> str:
    """The name of the PTR record of `address`."""
    return address.reverse_pointer


def reverse_zones(network: IPv4Network) -> list[str]:
    """The zones that hold the PTR records of `network`.

    Reverse zones are cut at whole bytes: a /22 is four /24 zones, a /26 lies in one /24 zone.
    """
    cut = min(max(8, -(-network.prefixlen // 8) * 8), 24)
    if network.prefixlen > cut:
        return [_zone_of(network.supernet(new_prefix=cut), cut)]
    return [_zone_of(part, cut) for part in network.subnets(new_prefix=cut)]


def _zone_of(network: IPv4Network, cut: int) -> str:
    labels = str(network.network_address).split(".")[: cut // 8]
    return ".".join(reversed(labels)) + ".in-addr.arpa"
