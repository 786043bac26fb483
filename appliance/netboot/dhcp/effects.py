"""What the responder wants done; the server does it (pure)."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.lease import Lease
from appliance.netboot.dhcp.facts import Fact
from appliance.netboot.dhcp.reply import Destination
from appliance.netboot.dhcp.request import SERVER_PORT


@dataclass(frozen=True, slots=True)
class Save:
    """Write a lease to disk, after all that were asked for before; report with `saved` or `save_failed`."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Send:
    """Send a datagram from one of our ports."""

    data: bytes
    destination: Destination
    port: int = SERVER_PORT


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out whether somebody other than `mac` uses the address; report with `probe_result`."""

    interface: str
    address: IPv4Address
    mac: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the rest of the appliance."""

    fact: Fact


Effect = Save | Send | Probe | Publish
