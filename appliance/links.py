"""The computer's network interfaces as rtnetlink(7) tells them, and which of them end in a cable. Pure.

Kernel's headers: ``linux/netlink.h``, ``linux/rtnetlink.h`` and ``linux/if_link.h``; numbers are in the order of the
processor.
"""

import struct
from collections.abc import Iterator, Mapping
from errno import EPROTO

from msgspec import Struct

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length with itself, type, flags, sequence number, port."""
_INTERFACE = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, device type, index, flags, changed flags."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct rtattr: length with itself, type."""
_ERROR, _DONE, _NEW, _GONE, _GET = 2, 3, 16, 17, 18
_REQUEST, _DUMP = 0x1, 0x300
_NAME, _LOWER, _MASTER, _INFO, _OTHER_NAMESPACE, _PARENT = 3, 5, 10, 18, 37, 56
_KIND = 1
_TYPE = 0x3FFF
"""The rest of a type says how the value is to be read."""
_UP, _CARRIER = 0x1, 0x10000

ASK_FOR_ALL = _HEADER.pack(_HEADER.size + _INTERFACE.size, _GET, _REQUEST | _DUMP, 1, 0) + _INTERFACE.pack(
    0, 0, 0, 0, 0
)
"""The request that the kernel answers with every interface."""


class Link(Struct, frozen=True):
    """One interface."""

    index: int
    name: str
    kind: str = ""
    """What software it is made by (``bridge``, ``vlan``, ``bond``, ``tun``, ``veth``); empty for hardware."""
    up: bool = False
    """Whether it is switched on."""
    carrier: bool = False
    """Whether there is a live other end."""
    master: int = 0
    """Index of the bridge or bond that it is a port of; 0 for none."""
    lower: int = 0
    """Index of what it stands on, in the same network namespace; 0 for none."""
    hardware: bool = False
    """Whether it is a device on a bus."""


Links = Mapping[int, Link]
"""By index."""


def read(datagram: bytes, links: dict[int, Link]) -> bool:
    """Take what the kernel said into ``links``; whether that ends the answer to ``ASK_FOR_ALL``.

    Raises OSError where the kernel refuses.
    """
    done = False
    for kind, body in _messages(datagram):
        if kind == _ERROR and (number := _error(body)):
            raise OSError(-number, "the kernel does not tell of its network interfaces")
        done = done or kind == _DONE
        if kind in (_NEW, _GONE) and len(body) >= _INTERFACE.size:
            _take(kind, body, links)
    return done


def _error(body: bytes) -> int:
    """Negative; 0 for a receipt."""
    return int(struct.unpack_from("=i", body)[0]) if len(body) >= 4 else -EPROTO


def _take(kind: int, body: bytes, links: dict[int, Link]) -> None:
    family, _, index, flags, _ = _INTERFACE.unpack_from(body)
    if family != 0:
        return  # of a bridge (AF_BRIDGE): who leaves it is "gone" there, and still an interface
    if kind == _GONE:
        links.pop(index, None)
    else:
        links[index] = _link(index, flags, dict(_attributes(body[_INTERFACE.size :])))


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _link(index: int, flags: int, said: Mapping[int, bytes]) -> Link:
    return Link(
        index=index,
        name=_text(said.get(_NAME, b"")),
        kind=_text(dict(_attributes(said.get(_INFO, b""))).get(_KIND, b"")),
        up=bool(flags & _UP),
        carrier=bool(flags & _CARRIER),
        master=_number(said.get(_MASTER, b"")),
        lower=0 if _OTHER_NAMESPACE in said else _number(said.get(_LOWER, b"")),
        hardware=_PARENT in said,
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes) -> int:
    return int(struct.unpack("=I", value)[0]) if len(value) == 4 else 0


def named(name: str, links: Links) -> Link | None:
    """The interface of this name."""
    return next((each for each in links.values() if each.name == name), None)


def cables(link: Link, links: Links) -> tuple[Link, ...]:
    """What has to have a live other end for machines to be reached over an interface; none where that says nothing.

    A bridge goes by its ports that lead out of this computer: those of virtual machines are there as long as these run.
    """
    match link.kind:
        case "tun":
            return ()
        case "bridge":
            return tuple(each for each in links.values() if each.master == link.index and _leads_out(each, links))
        case "vlan" | "macvlan" if (below := links.get(link.lower)) is not None and below.kind in ("bridge", "tun"):
            return cables(below, links)
    return (link,)


def _leads_out(link: Link, links: Links) -> bool:
    """Whether a port ends in hardware; a bond does, whatever its ports are at the moment."""
    if link.kind in ("vlan", "macvlan"):
        below = links.get(link.lower)
        return below is not None and below.kind != link.kind and _leads_out(below, links)
    return link.hardware or link.kind in ("bond", "team")
