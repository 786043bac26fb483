"""Each network's own largest TFTP block, that of relays' networks among them, reaches the server."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import SimpleNamespace

import pytest

from appliance.assembly.netboot import _block_size, _block_sizes
from appliance.config import parse
from appliance.netboot.dhcp.subnet import Subnet

CONFIGURATION = """
[[subnet]]
interface = "br0"
[[subnet]]
network = "10.78.0.0/24"
relays = ["10.78.0.1"]
tftp_block_size = 1200
[[subnet]]
interface = "br1"
tftp_block_size = 8192
"""
US = IPv4Interface("10.77.0.1/24")
SUBNETS = [
    Subnet("br0", US),
    Subnet("10.78.0.0/24", US, remote=IPv4Network("10.78.0.0/24"), gateway=IPv4Address("10.78.0.1"), through="br0"),
    Subnet("br1", IPv4Interface("10.79.0.1/24")),
]


@pytest.mark.parametrize(
    ("client", "size"),
    [("10.77.0.50", 1468), ("10.78.0.50", 1200), ("10.79.0.50", 8192), ("192.0.2.1", 1200)],
)
def test_a_client_gets_the_blocks_of_its_network(client, size):
    sizes = _block_sizes(SimpleNamespace(config=parse(CONFIGURATION, "x"), subnets=SUBNETS))
    assert _block_size(sizes, client) == size
