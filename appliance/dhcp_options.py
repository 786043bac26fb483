"""DHCP options that a user sets for a subnet or a machine: names, what their values are, and their octets (pure).

RFC 2132 unless a line says otherwise. Values are text, lists have commas in them; what has no name here goes by its
number, as text or as ``0x`` and octets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

LONGEST = 1024
"""Octets of one value; the smallest reply has room for about half of it, and leaves out what does not fit."""
ROUTER: Final = 3
ROUTES: Final = 121
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class OptionError(ValueError):
    """An option that cannot be sent: its name as it was written, what is wrong, and what would be right."""

    def __init__(self, name: str, wrong: str, right: str) -> None:
        super().__init__(f"{name} {wrong}")
        self.name, self.wrong, self.right = name, wrong, right


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is: how its text becomes octets (raises ValueError), and how it is written."""

    octets: Callable[[str], bytes]
    example: str


def _items(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def _address(text: str) -> bytes:
    try:
        return IPv4Address(text.strip()).packed
    except AddressValueError:
        raise ValueError(f"has {text.strip()[:40]!r} in it, which is not an IPv4 address") from None


def _addresses(text: str) -> bytes:
    return b"".join(map(_address, _items(text)))


def _text(text: str) -> bytes:
    if not text.isascii() or not text.isprintable():
        raise ValueError("has characters in it that are not printable ASCII")
    return text.encode("ascii")


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x").replace(":", ""))
    except ValueError:
        raise ValueError("is not hexadecimal") from None


def _text_or_octets(text: str) -> bytes:
    return _octets(text) if text.startswith("0x") else _text(text)


def _number(size: int, least: int = 0, *, signed: bool = False) -> Callable[[str], bytes]:
    most = (1 << 8 * size - signed) - 1
    lowest = -most - 1 if signed else least

    def octets(text: str) -> bytes:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not lowest <= int(text) <= most:
            raise ValueError(f"is not a whole number from {lowest} to {most}")
        return int(text).to_bytes(size, "big", signed=signed)

    return octets


def _flag(text: str) -> bytes:
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return bytes([text == "true"])


def _domains(text: str) -> bytes:
    """RFC 3397 section 2: as in DNS messages; written out, which every reader takes."""
    return b"".join(_domain(each) for each in _items(text))


def _domain(name: str) -> bytes:
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(each) for each in labels):
        raise ValueError(f"has {name[:60]!r} in it, which is not a domain")
    return b"".join(bytes([len(each)]) + each.lower().encode("ascii") for each in labels) + b"\0"


def _routes(text: str) -> bytes:
    """RFC 3442: the length of the prefix, as many octets of it as matter, the router."""
    return b"".join(_route(each) for each in _items(text))


def _route(text: str) -> bytes:
    found = re.fullmatch(r"(\S+)\s+via\s+(\S+)", text)
    if found is None:
        raise ValueError(f"has {text[:60]!r} in it, which is not NETWORK via ROUTER")
    try:
        network = IPv4Network("0.0.0.0/0" if found[1] == "default" else found[1])
    except ValueError:
        raise ValueError(f"has {found[1][:40]!r} in it, which is not a network such as 10.0.0.0/8") from None
    return route_octets(network, IPv4Address(_address(found[2])))


def route_octets(network: IPv4Network, router: IPv4Address) -> bytes:
    """One entry of option 121."""
    matter = (network.prefixlen + 7) // 8
    return bytes([network.prefixlen]) + network.network_address.packed[:matter] + router.packed


def has_default_route(value: bytes) -> bool:
    """Whether option 121 has a route to everywhere in it."""
    position = 0
    while position < len(value):
        if value[position] == 0:
            return True
        position += 1 + (value[position] + 7) // 8 + 4
    return False


ADDRESS = Kind(_address, "10.77.0.2")
ADDRESSES = Kind(_addresses, "10.77.0.2, 10.77.0.3")
TEXT = Kind(_text, "some text")
OCTETS = Kind(_octets, "0x0104c0a80001")
ANY = Kind(_text_or_octets, "text, or octets as 0x0a4d0001")
FLAG = Kind(_flag, "true")
BYTE = Kind(_number(1), "1")
COUNT = Kind(_number(4), "300")
OFFSET = Kind(_number(4, signed=True), "3600")
MTU = Kind(_number(2, 68), "9000")
DOMAINS = Kind(_domains, "lab.test, example.com")
STATIC_ROUTES = Kind(_routes, "10.0.0.0/8 via 10.77.0.254, default via 10.77.0.1")

NAMES: Final[Mapping[str, tuple[int, Kind]]] = {
    "time-offset": (2, OFFSET),
    "routers": (ROUTER, ADDRESSES),
    "time-servers": (4, ADDRESSES),
    "domain-name-servers": (6, ADDRESSES),
    "log-servers": (7, ADDRESSES),
    "lpr-servers": (9, ADDRESSES),
    "host-name": (12, TEXT),
    "domain-name": (15, TEXT),
    "swap-server": (16, ADDRESS),
    "root-path": (17, TEXT),
    "extensions-path": (18, TEXT),
    "ip-forwarding": (19, FLAG),
    "default-ttl": (23, BYTE),
    "mtu": (26, MTU),
    "nis-domain": (40, TEXT),
    "nis-servers": (41, ADDRESSES),
    "ntp-servers": (42, ADDRESSES),
    "vendor-information": (43, OCTETS),
    "netbios-name-servers": (44, ADDRESSES),
    "netbios-node-type": (46, BYTE),
    "netbios-scope": (47, TEXT),
    "tftp-server-name": (66, TEXT),
    "boot-file-name": (67, TEXT),
    "smtp-servers": (69, ADDRESSES),
    "posix-timezone": (100, TEXT),  # RFC 4833
    "tzdb-timezone": (101, TEXT),  # RFC 4833
    "captive-portal": (114, TEXT),  # RFC 8910
    "domain-search": (119, DOMAINS),  # RFC 3397
    "static-routes": (ROUTES, STATIC_ROUTES),  # RFC 3442, which replaces option 33
    "capwap-controllers": (138, ADDRESSES),  # RFC 5417
    "tftp-servers": (150, ADDRESSES),  # RFC 5859
    "pxelinux-config-file": (209, TEXT),  # RFC 5071
    "pxelinux-path-prefix": (210, TEXT),  # RFC 5071
    "pxelinux-reboot-time": (211, COUNT),  # RFC 5071
    "wpad-url": (252, TEXT),
}
"""Name to code and kind."""
_KINDS: Final = dict(NAMES.values())
_NAME_OF: Final = {code: name for name, (code, _) in NAMES.items()}

_PROTOCOL = "that is part of the protocol and made anew for each answer"
OURS: Final[Mapping[int, str]] = {
    **dict.fromkeys((0, 50, 52, 53, 54, 55, 56, 57, 61, 80, 81, 82, 90, 91, 92, 118, 255), _PROTOCOL),
    1: "that is the mask of the subnet's network",
    28: "that is the broadcast address of the subnet's network",
    33: "that knows no masks: use static-routes",
    51: "that is lease_seconds of the subnet",
    58: "that is half of lease_seconds",
    59: "that is seven eighths of lease_seconds",
    60: "that tells firmware what we boot it with",
    77: "that is what clients call themselves",
    93: "that is what firmware says of itself",
    94: "that is what firmware says of itself",
    97: "that is what firmware says of itself",
    175: "that is for iPXE, which we boot",
}
"""Codes that nobody but us may set, and why."""
KEYS: Final[Mapping[int, str]] = {
    ROUTER: "use the key gateway of the subnet",
    6: "use the key dns of the subnet",
    12: "set it for one machine",
    15: "use the key domain of [site], or domain-search here",
}
"""What a subnet has other keys for."""


def read_options(options: Mapping[str, str], *, of_subnet: bool) -> dict[int, bytes]:
    """Codes and octets of options as somebody wrote them; raises OptionError for the first that is wrong."""
    found: dict[int, bytes] = {}
    for name, text in options.items():
        code, kind = _known(name)
        if code in OURS:
            raise OptionError(name, f"cannot be set: {OURS[code]}", "leave it out")
        if of_subnet and code in KEYS:
            raise OptionError(name, "cannot be set here", KEYS[code])
        if code in found:
            raise OptionError(name, f"is option {code}, which stands here already", "write it once")
        found[code] = _value(name, kind, text)
    return found


def _known(name: str) -> tuple[int, Kind]:
    if name in NAMES:
        return NAMES[name]
    if re.fullmatch(r"[0-9]{1,3}", name) and int(name) <= 255:
        return int(name), _KINDS.get(int(name), ANY)
    raise OptionError(name[:60], "is no option", f"use a number from 1 to 254, or one of {', '.join(sorted(NAMES))}")


def _value(name: str, kind: Kind, text: str) -> bytes:
    right = f"write it like {kind.example}"
    if not text.strip():
        raise OptionError(name, "is empty", right)
    try:
        octets = kind.octets(text.strip())
    except ValueError as error:
        raise OptionError(name, str(error), right) from error
    if not 1 <= len(octets) <= LONGEST:
        raise OptionError(name, f"has {len(octets)} octets", f"1 to {LONGEST} can be sent")
    return octets


def normal_name(name: str) -> str:
    """The name of an option that was called by its number; itself where it has none."""
    return _NAME_OF.get(int(name), str(int(name))) if re.fullmatch(r"[0-9]{1,3}", name) else name
