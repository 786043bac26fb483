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
    """One subnet as it is served now; of one that is off in the configuration file, the interface only."""

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
    other_servers: str | None
    """``refuse``: authoritative service does not begin while another DHCP server answers; ``ignore``: it does."""
    network_roots: str | None
    """Of machines that restart by themselves: with ``ask`` they wait for their root until somebody lets them in."""
    fixed: list[str]
    """Rules that the configuration file fixes: ``mode``, ``serve_non_pxe``, ``unknown_machines``, ``other_servers``,
    ``network_roots``."""
    held_by: list[str]
    """Other DHCP servers because of which no new addresses are given."""
    looking: bool
    """Whether no new addresses are given until the first look for other servers is over."""
    looked: float | None
    """When it was last looked for other servers."""
    foreign: list[ForeignServerOut]
    linked: bool | None
    """Whether its interface has a link; null where that cannot be told, as of a bridge of virtual machines only."""
    link_trouble: str
    """Why no machine can boot over its interface, and what to do; empty where they can."""
    set_aside: str
    """Why it does not fit the appliance's networks and is not served, and what to do; empty where it is."""
    relays: list[str]
    """The relays (giaddr) that may speak for it; empty: any."""
    identify_by: str | None
    """``mac`` or ``client-id``: what makes two messages those of the same client."""
    leases_per_port: int | None
    """Addresses that one port of a relay may have at the same time; null: any number."""
    options: dict[str, str]
    """DHCP options that clients are told who ask for them."""


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
    port: str
    """The port of a relay that it came through, as a reservation by port names it; empty where none was between."""


class ReservationOut(msgspec.Struct):
    """An address that one interface, board or port is leased and no other."""

    kind: str
    """``machine``, or ``other`` for what is no machine."""
    key: str
    """What it is given up by; empty for that of a machine, which is changed there."""
    mac: str
    """Of a machine, the interface that it boots from; empty while none is known, or where it goes by another word."""
    uuid: str
    """The SMBIOS UUID of the board that it is for; empty where it goes by another word."""
    port: str
    """The port of a relay that it is for, as ``RELAY/CIRCUIT``; empty where it goes by another word."""
    address: str
    name: str
    note: str
    machine: str | None


class ReservationIn(msgspec.Struct, forbid_unknown_fields=True):
    """A reservation for one of an interface that is no machine's, a board, or a relay's port (one of the three is
    given); another one of that is replaced.
    """

    address: str
    mac: str = ""
    uuid: str = ""
    """SMBIOS UUID, as the board sends it while it boots."""
    port: str = ""
    """``RELAY/CIRCUIT``: the relay's address or its remote-id, and its circuit-id; text, or ``0x`` and octets."""
    name: str | None = None
    """Its name in the site's domain."""
    note: str = ""


class NameOut(msgspec.Struct):
    """A name that DNS gives now, or would give but for somebody else of that name."""

    name: str
    type: str
    value: str
    owner: Owner
    of: str
    """Id of the machine, deployment or record, or the interface of a lease or reservation."""
    until: float | None
    """When it ends unless it is renewed; null: it stays."""
    hidden_by: Owner | None
    """Whose the name is, where it is not given for that reason; null: it is given."""


class NameIn(msgspec.Struct, forbid_unknown_fields=True):
    """A record for the site's domain."""

    name: str
    type: Literal["A", "AAAA", "CNAME", "SRV", "TXT"]
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
