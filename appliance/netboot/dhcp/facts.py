"""What the DHCP server tells the rest of the appliance (pure). Times are Unix seconds."""

from ipaddress import IPv4Address
from typing import Literal
from uuid import UUID

from msgspec import Struct

from appliance.lease import Lease
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.firmware import Client, Firmware


class DhcpSeen(Struct, frozen=True):
    """A machine on a subnet that we serve sent a well-formed message."""

    mac: str
    kind: MessageKind
    firmware: Firmware
    architecture: int | None
    is_ipxe: bool
    uuid: UUID | None
    relay: IPv4Address | None
    interface: str
    at: float
    vendor_class: str = ""
    """Option 60, printable ASCII only."""
    user_class: str = ""
    """Option 77, printable ASCII only."""
    hostname: str = ""
    """Option 12 made safe; empty when there is none."""
    holds: IPv4Address | None = None
    """The address that it says it uses (ciaddr)."""
    chosen: IPv4Address | None = None
    """Another server than us, whose offer it takes or whose lease it extends."""

    @property
    def boots(self) -> bool:
        """Whether a boot program sent it, and not an operating system."""
        return self.is_ipxe or self.firmware is not Firmware.NONE


class Unserved(Struct, frozen=True):
    """The same of a machine that the rules of its subnet do not serve; it got no answer."""

    seen: DhcpSeen


class Offered(Struct, frozen=True):
    """An offer was made; a proxy's offer has no address."""

    mac: str
    address: IPv4Address | None
    interface: str
    at: float


class NoAddress(Struct, frozen=True):
    """A machine that asked gets none since there is none left; every time, unlike PoolExhausted."""

    mac: str
    interface: str
    at: float
    full_port: str = ""
    """The port of a relay that it is behind, where that has as many addresses as it may; there may be others left."""


class ForeignReply(Struct, frozen=True):
    """A reply of another DHCP server reached our port."""

    server: IPv4Address
    interface: str
    at: float


class ServiceHeld(Struct, frozen=True):
    """No new addresses are given on an interface, since other servers answer there."""

    interface: str
    servers: tuple[IPv4Address, ...]
    at: float


class ServiceBegins(Struct, frozen=True):
    """The other servers are gone: addresses are given."""

    interface: str
    at: float


class LeaseGranted(Struct, frozen=True):
    """An address was acknowledged, for the first time or once more."""

    lease: Lease
    client: Client
    until: float
    """When the client stops using the address unless it renews; `lease.end` is later."""
    at: float


class LeaseEnded(Struct, frozen=True):
    """An address is no longer its machine's."""

    lease: Lease
    reason: Literal["released", "expired", "declined", "replaced", "forgotten"]
    at: float


class AddressConflict(Struct, frozen=True):
    """An address of ours is used by somebody we did not give it to; it is set aside for a while."""

    address: IPv4Address
    interface: str
    mac: str
    """The machine that should have got the address."""
    found_by: Literal["probe", "client"]
    at: float


class PoolExhausted(Struct, frozen=True):
    """A machine got no address since there is none left. At most one a second per interface."""

    interface: str
    mac: str
    suppressed: int
    at: float


class BadPacket(Struct, frozen=True):
    """A packet was dropped. At most one a second per interface."""

    interface: str
    source: IPv4Address
    reason: str
    suppressed: int
    """How many more were dropped since the last of these."""
    at: float


Fact = (
    DhcpSeen
    | Unserved
    | Offered
    | NoAddress
    | ForeignReply
    | ServiceHeld
    | ServiceBegins
    | LeaseGranted
    | LeaseEnded
    | AddressConflict
    | PoolExhausted
    | BadPacket
)
