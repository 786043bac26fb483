"""What was seen on the network, as values. Pure. Times are seconds, addresses and MACs text as people write it."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface


@dataclass(frozen=True, slots=True)
class Interface:
    """The network interface that is looked through."""

    name: str
    mac: str
    mtu: int
    """Bytes of the largest IP packet."""
    carrier: bool
    addresses: tuple[IPv4Interface, ...] = ()

    def source_for(self, target: str) -> str | None:
        """Our address to reach ``target`` from: one of its network, else any; None where there is none."""
        near = [each for each in self.addresses if IPv4Address(target) in each.network]
        return str((near or list(self.addresses))[0].ip) if self.addresses else None

    def has(self, address: str) -> bool:
        """Whether the address is our own."""
        return any(str(each.ip) == address for each in self.addresses)


@dataclass(frozen=True, slots=True)
class Offer:
    """A DHCPOFFER, as one kind of firmware got it."""

    kind: str
    """Name of a ``Kind``."""
    server: str
    """Server identifier (option 54), or where the packet came from."""
    mac: str
    """Who sent the frame: the server, or the relay in between."""
    after: float
    """Since the first DISCOVER of this kind."""
    address: str = ""
    """The address offered; empty in the offer of a proxy."""
    mask: str = ""
    next_server: str = ""
    boot_file: str = ""
    vendor_class: str = ""
    routers: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    domain: str = ""
    lease_seconds: int | None = None

    @property
    def tftp_server(self) -> str:
        """Who a boot file without a URL comes from."""
        return self.next_server or self.server


@dataclass(frozen=True, slots=True)
class Bpdu:
    """What a switch says of the port at the other end of the cable (IEEE 802.1D, 802.1w)."""

    bridge: str
    """MAC address of the switch."""
    root: str
    version: int
    """0 spanning tree, 2 rapid, 3 multiple."""
    flags: int
    forward_delay: float
    hello: float

    @property
    def rapid(self) -> bool:
        """Whether its flags tell role and state of the port."""
        return self.version >= 2

    @property
    def forwarding(self) -> bool | None:
        """Whether the port passes traffic; None where the protocol does not say."""
        return bool(self.flags & 0x20) if self.rapid else None

    @property
    def role(self) -> str:
        """Role of the port; empty where the protocol does not say."""
        return ("unknown", "alternate", "root", "designated")[self.flags >> 2 & 3] if self.rapid else ""


@dataclass(frozen=True, slots=True)
class Heard:
    """All that came while listening."""

    seconds: float
    offers: tuple[Offer, ...] = ()
    bpdus: tuple[Bpdu, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounce:
    """The link was taken down and up again."""

    waited: float
    """From the carrier to the first answered DISCOVER, or to giving up."""
    answered: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    """A boot file fetched by TFTP, or not."""

    server: str
    name: str
    size: int = 0
    seconds: float = 0.0
    block: int = 512
    """Bytes in a block, as negotiated."""
    trouble: str = ""
    """Empty, or: missing, refused, silent, stalled, denied, other."""
    words: str = ""
    """What the server or the library said."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A file asked for over HTTP."""

    url: str
    status: int = 0
    """HTTP status; 0 when there was no answer."""
    size: int | None = None
    """Bytes of the whole file, as the server says."""
    read: int = 0
    seconds: float = 0.0
    partly: bool = True
    """Whether only its beginning was asked for; before all of it, HEAD asks for its size."""
    head: int | None = None
    """Size in the answer to HEAD; None without an answer, or without Content-Length."""
    trouble: str = ""
    """Empty, or: refused, silent, other."""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a DNS server said."""

    server: str
    transport: str
    """udp or tcp"""
    question: str
    kind: str
    """A or PTR"""
    code: str = ""
    """NOERROR, NXDOMAIN, ...; empty without an answer."""
    values: tuple[str, ...] = ()
    words: str = ""
    """Why there is no answer."""


@dataclass(frozen=True, slots=True)
class PathMtu:
    """The largest IP packet that comes back from the server unbroken."""

    server: str
    interface: int
    """MTU of our own interface, bytes."""
    largest: int | None
    """None when no ping is answered at all."""
    told_by: str = ""
    """Who said "too large" on the way; empty where large packets just vanish."""
