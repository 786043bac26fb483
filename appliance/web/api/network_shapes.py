"""The network as the API shows it. Times are Unix time."""

from typing import Literal

import msgspec

Owner = Literal["machine", "deployment", "lease", "reservation", "record", "own"]


class RangeOut(msgspec.Struct):
    """Addresses of one range; ``size`` is the sum of the counts."""

    first: str
    last: str
    size: int
    leased: int
    """Leased now, or set aside since a stranger uses them."""
    reserved: int
    """Kept for somebody who is not leased them now."""
    free: int


class ForeignServerOut(msgspec.Struct):
    """Another DHCP server that was noticed where we give the addresses."""

    interface: str
    address: str
    mac: str
    """Its hardware address, where it is known; else empty."""
    client: str
    """The interface that took its offer last; empty where the server itself was heard."""
    first: float
    last: float


class SubnetOut(msgspec.Struct):
    """One subnet as the configuration file has it; of one that is off, the interface only."""

    interface: str
    mode: str
    network: str | None
    address: str | None
    """Our own."""
    ranges: list[RangeOut]
    lease_seconds: int | None
    gateway: str | None
    dns: list[str]
    ntp: list[str]
    unknown_machines: str | None
    serve_non_pxe: bool | None
    foreign: list[ForeignServerOut]


class LeaseOut(msgspec.Struct):
    """An address that was leased. ``until`` is when it comes free at the latest, unless it is renewed."""

    interface: str
    address: str
    mac: str
    hostname: str
    """What its holder calls itself."""
    machine: str | None
    machine_name: str | None
    state: str
    active: bool
    """Whether nobody else may get the address now."""
    since: float
    until: float


class ReservationOut(msgspec.Struct):
    """An address that one interface is leased and no other."""

    kind: str
    """``machine``, or ``other`` for what is no machine."""
    mac: str
    """Of a machine, the interface that it boots from; empty while none is known."""
    address: str
    name: str
    note: str
    machine: str | None


class ReservationIn(msgspec.Struct, forbid_unknown_fields=True):
    """A reservation for something that is no machine; another one of its interface is replaced."""

    mac: str
    address: str
    name: str | None = None
    """Its name in the site's domain."""
    note: str = ""


class NameOut(msgspec.Struct):
    """A name that DNS gives now."""

    name: str
    type: str
    value: str
    owner: Owner
    of: str
    """Id of the machine, deployment or record, or the interface of a lease or reservation."""
    until: float | None
    """When it ends unless it is renewed; null: it stays."""


class NameIn(msgspec.Struct, forbid_unknown_fields=True):
    """A record for the site's domain."""

    name: str
    type: Literal["A", "AAAA", "CNAME", "TXT"]
    value: str
    note: str = ""


class RecordOut(msgspec.Struct):
    """A record that a user added. ``name`` is relative to the site's domain."""

    id: int
    name: str
    type: str
    value: str
    note: str
    created: float


class SightingOut(msgspec.Struct):
    """What was heard of an interface that is no machine's, or of a machine that never came up."""

    mac: str
    interface: str
    machine: str | None
    machine_name: str | None
    stage: str
    """How far it came in its last boot."""
    stage_text: str
    cause: str
    """Why it came no further, as far as we can tell."""
    hint: str
    first: float
    last: float
    stage_at: float
    asked: int
    offered: int
    fetched: int
    firmware: str
    architecture: int | None
    vendor_class: str
    user_class: str
    hostname: str
    address: str
    other_server: str
    file: str
