"""An address that a machine holds, and one that is kept for it (pure)."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address


class LeaseState(StrEnum):
    """What a stored lease says about its address. Offers are never stored."""

    BOUND = "bound"
    RELEASED = "released"
    """Given back by its client; remembered so that the client gets it again."""
    DECLINED = "declined"
    """In use by a stranger: nobody gets it before `Lease.end`."""
    FORGOTTEN = "forgotten"
    """Told to the store only, which then keeps nothing of it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One address of one machine. The address is the key: a newer lease of it replaces the older."""

    mac: str
    """Lower case, colons: `52:54:00:12:34:56`."""
    address: IPv4Address
    interface: str
    """The interface of ours whose subnet the address belongs to."""
    client_id: bytes
    """Option 61 as it was sent; empty when the client sent none."""
    hostname: str
    """Cleaned: letters, digits and hyphens only; empty when there is none."""
    start: float
    """Unix time, seconds."""
    end: float
    """Unix time, seconds. For a bound lease later than what the client was told, by up to one lease time."""
    state: LeaseState


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address that only this machine may have."""

    mac: str
    address: IPv4Address
    hostname: str = ""
