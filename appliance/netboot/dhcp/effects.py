"""What the responder wants done; the server does it (pure)."""

from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import Lease
from appliance.netboot.dhcp.facts import Fact
from appliance.netboot.dhcp.reply import Destination
from appliance.netboot.dhcp.request import SERVER_PORT


class Save(Struct, frozen=True):
    """Write a lease to disk, after all that were asked for before; report with `saved` or `save_failed`."""

    lease: Lease


class Send(Struct, frozen=True):
    """Send a datagram from one of our ports."""

    data: bytes
    destination: Destination
    port: int = SERVER_PORT


class Probe(Struct, frozen=True):
    """Find out whether somebody other than `mac` uses the address; report with `probe_result`."""

    interface: str
    address: IPv4Address
    mac: str


class Publish(Struct, frozen=True):
    """Tell the rest of the appliance."""

    fact: Fact


Effect = Save | Send | Probe | Publish
