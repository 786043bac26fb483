"""Our DHCP server on br0, with the subnet of br0 and one that only relays reach, as a process of its own.

Prints "ready", then one line for each lease that is granted or ends, and for each conflict.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import uvloop
from dhcp_process import SUBNET

from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.facts import AddressConflict, Fact, LeaseEnded, LeaseGranted
from appliance.netboot.dhcp.server import DhcpServer
from appliance.netboot.dhcp.subnet import AddressRange, Subnet

RELAY = IPv4Address("10.78.0.1")
UPLINK = IPv4Address("10.77.0.254")
REMOTE = Subnet(
    interface="10.78.0.0/24",
    address=IPv4Interface("10.77.0.1/24"),
    remote=IPv4Network("10.78.0.0/24"),
    through="br0",
    relays=(RELAY, UPLINK),
    ranges=(AddressRange(IPv4Address("10.78.0.50"), IPv4Address("10.78.0.59")),),
    lease_seconds=600,
    gateway=RELAY,
    dns=(IPv4Address("10.77.0.1"),),
    domain="lab.test",
)
RESERVED = "52:54:00:00:0d:09"


class NoDisk:
    """Forgets everything."""

    async def load(self) -> Sequence[Lease]:
        """Nothing."""
        return []

    async def save(self, leases: Sequence[Lease]) -> None:
        """At once."""


def tell(fact: Fact) -> None:
    """Print what the tests wait for."""
    match fact:
        case LeaseGranted(lease=lease):
            print("granted", lease.mac, lease.address, lease.port or "no-relay", flush=True)
        case LeaseEnded(lease=lease, reason=reason):
            print("ended", lease.address, reason, flush=True)
        case AddressConflict(address=address):
            print("conflict", address, flush=True)


async def serve() -> None:
    """Until killed."""
    kept = [Reservation("port:10.78.0.1/lan", IPv4Address("10.78.0.99"))]
    server = DhcpServer([SUBNET, REMOTE], NoDisk(), tell, lambda mac: False, kept)
    await server.start()
    print("ready", flush=True)
    await server.run()


if __name__ == "__main__":
    uvloop.run(serve())
