"""Who is believed to be the machine that asks for a boot script."""

from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.proof import Proof

MAC, SECOND, OTHER, STRANGER = (f"52:54:00:00:00:0{number}" for number in range(1, 5))
LEASED = {"10.77.0.50": MAC, "10.77.0.51": SECOND, "10.77.0.52": OTHER, "10.77.0.53": STRANGER}
MACHINES = {MAC: "m1", SECOND: "m1", OTHER: "m2"}
OURS = "10.77.0.1"


def subnets(**modes):
    numbers = {"br0": 77, "br1": 78}
    return [Subnet(name, IPv4Interface(f"10.{numbers[name]}.0.1/24"), mode) for name, mode in modes.items()]


def proves(mac, address, server=OURS, **modes):
    def holder(leased):
        return LEASED.get(str(leased))

    return Proof(subnets(**modes or {"br0": "authoritative"}), holder, MACHINES.get)(mac, address, server)


@pytest.mark.parametrize(
    ("mac", "address", "proven"),
    [
        (MAC, "10.77.0.50", True),
        (MAC, "10.77.0.51", True),  # through its other card
        (MAC, "10.77.0.52", False),  # another machine's
        (MAC, "10.77.0.53", False),  # a stranger's
        (MAC, "10.77.0.60", False),  # nobody's
        (MAC, OURS, False),  # our own
        (MAC, "192.0.2.1", False),  # from somewhere else
        (MAC, "fe80::1", False),
        (MAC, "", False),
        (STRANGER, "10.77.0.53", True),
        ("52:54:00:00:00:09", "10.77.0.53", False),  # two that nobody knows are not one
    ],
)
def test_the_address_must_be_leased_to_the_machine(mac, address, proven):
    assert proves(mac, address) is proven


@pytest.mark.parametrize("mode", ["proxy", "reservations"])
def test_where_somebody_else_gives_addresses_everybody_is_believed(mode):
    assert proves(MAC, "10.77.0.60", br0=mode)
    assert proves(MAC, "192.0.2.1", br0=mode)


def test_nobody_is_believed_for_asking_us_at_the_address_of_another_subnet():
    modes = {"br0": "authoritative", "br1": "proxy"}
    assert not proves(MAC, "10.77.0.52", "10.78.0.1", **modes)
    assert proves(MAC, "10.78.0.52", "10.77.0.1", **modes)
    assert proves(MAC, "10.77.0.50", "10.78.0.1", **modes)


def test_the_server_tells_who_holds_an_address_of_any_subnet():
    responder = Responder(subnets(br0="authoritative", br1="authoritative"), is_known=lambda _: True)
    assert responder.holder(IPv4Address("10.78.0.9")) is None
    assert responder.holder(IPv4Address("192.0.2.1")) is None
