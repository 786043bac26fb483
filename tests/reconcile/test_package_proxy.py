"""Systems that are deployed on a subnet with a package proxy are told of it, and no others."""

from ipaddress import IPv4Interface
from types import SimpleNamespace

from appliance.assembly.netboot import _package_proxies
from appliance.catalogue import Image, ImageId
from appliance.config import parse
from appliance.deployment import Deployment, DiskIdentity
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.params import Surroundings, params
from appliance.workflow import CONFIGURE, DeploymentId

PROXY = "http://10.77.0.3:3128"


def around(proxy):
    disk = DiskIdentity("serial", "wwn", 1 << 30)
    return Surroundings(
        Machine(MachineId("m"), "node", State.IDLE, (parse_mac("52:54:00:00:00:01"),), 0.0),
        Deployment(DeploymentId(1), "web1", ImageId(1), 0.0, disk=disk, machine_uuid="0" * 32),
        Image(ImageId(1), "image", "", "raw", 1 << 20, 1 << 20, "0" * 64, 512, 0.0),
        "http://s",
        "https://s",
        "PEM",
        package_proxy=proxy,
    )


def test_the_agent_is_told_where_there_is_one():
    assert params(CONFIGURE, around(PROXY))["package_proxy"] == PROXY
    assert "package_proxy" not in params(CONFIGURE, around(""))


def test_it_is_found_by_the_address_that_the_machine_reaches_us_at():
    config = parse(f'[[subnet]]\ninterface = "a"\npackage_proxy = "{PROXY}/"\n[[subnet]]\ninterface = "b"\n', "x")
    subnets = [Subnet("a", IPv4Interface("10.77.0.1/24")), Subnet("b", IPv4Interface("10.78.0.1/24"))]
    assert _package_proxies(SimpleNamespace(config=config, subnets=subnets)) == {"10.77.0.1": PROXY}
