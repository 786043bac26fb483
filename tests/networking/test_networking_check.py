"""Layouts that are refused, each for one reason, with the place that is wrong."""

import pytest
from layouts import DHCP, MAC, MANAGEMENT, PROVISIONING, TWO, nic

from appliance.errors import Invalid
from appliance.networking.check import check
from appliance.networking.layout import Interface, Layout


def with_(*more, base=(MANAGEMENT,), **values):
    return Layout((*base, *more), **values)


GOOD = {
    "two NICs": TWO,
    "one NIC with DHCP": DHCP,
    "a bridge of a bond of two, and a VLAN beside": Layout(
        (
            nic(0), nic(1),
            Interface("bond0", "bond", ports=("nic0", "nic1"), mode="802.3ad"),
            Interface("br0", "bridge", ports=("bond0",), method="static", addresses=("192.0.2.5/24", "2001:db8::5/64"),
                      gateway="2001:db8::1", roles=("management", "provisioning")),
            Interface("br0.20", "vlan", parent="br0", tag=20, method="dhcp", roles=("storage",)),
        )
    ),
    "a bridge without ports, for virtual machines": with_(Interface("vms0", "bridge", roles=("vms",))),
    "NAT": Layout((MANAGEMENT, PROVISIONING), nat=True),
}  # fmt: skip
STATIC = {"method": "static"}
BAD = {
    "no network for management": (Layout((PROVISIONING,)), "roles"),
    "management without an address": (Layout((nic(0, roles=("management",)),)), "roles"),
    "nothing": (Layout(), "roles"),
    "a name that is a path": (with_(Interface("../x", mac=MAC.format(1))), "name"),
    "a name that is too long": (with_(Interface("a" * 16, mac=MAC.format(1))), "name"),
    "a name with a line end": (with_(Interface("a\n", mac=MAC.format(1))), "name"),
    "the name of loopback": (with_(Interface("lo", mac=MAC.format(1))), "name"),
    "a name twice": (with_(Interface("nic0", "bridge")), "name"),
    "a MAC address twice": (with_(Interface("nic1", mac=MANAGEMENT.mac)), "nic0.mac"),
    "a group's MAC address": (with_(Interface("nic1", mac="01:00:5e:00:00:01")), "nic1.mac"),
    "no MAC address": (with_(Interface("nic1")), "nic1.mac"),
    "a NIC with ports": (with_(nic(1, ports=("nic0",))), "nic1.ports"),
    "a bridge with a tag": (with_(Interface("br0", "bridge", tag=3)), "br0.tag"),
    "a bond without ports": (with_(Interface("bond0", "bond")), "bond0.ports"),
    "a port that is not there": (with_(Interface("br0", "bridge", ports=("nic9",))), "br0.ports"),
    "a bond of bridges": (with_(Interface("br0", "bridge"), Interface("b", "bond", ports=("br0",))), "b.ports"),
    "a port with an address": (with_(Interface("br0", "bridge", ports=("nic0",))), "br0.ports"),
    "a port of two": (
        with_(nic(1), Interface("br0", "bridge", ports=("nic1",)), Interface("br1", "bridge", ports=("nic1",))),
        "br0.ports",
    ),
    "a VLAN on a port": (
        with_(nic(1), Interface("br0", "bridge", ports=("nic1",)), Interface("v", "vlan", parent="nic1", tag=2)),
        "v.parent",
    ),
    "a VLAN on nothing": (with_(Interface("v", "vlan", tag=2)), "v.parent"),
    "a VLAN on a VLAN": (
        with_(Interface("v", "vlan", parent="nic0", tag=2), Interface("w", "vlan", parent="v", tag=2)), "w.parent",
    ),
    "tag 0": (with_(Interface("v", "vlan", parent="nic0")), "v.tag"),
    "tag 4095": (with_(Interface("v", "vlan", parent="nic0", tag=4095)), "v.tag"),
    "a tag twice": (
        with_(Interface("v", "vlan", parent="nic0", tag=2), Interface("w", "vlan", parent="nic0", tag=2)), "w.tag",
    ),
    "a bridge on itself": (
        with_(Interface("br0", "bridge", ports=("v",)), Interface("v", "vlan", parent="br0", tag=2)), "br0.ports",
    ),
    "static without an address": (with_(nic(1, **STATIC)), "nic1.addresses"),
    "DHCP with an address": (with_(nic(1, method="dhcp", addresses=("10.0.0.1/24",))), "nic1.addresses"),
    "an address without a prefix": (with_(nic(1, addresses=("10.0.0.1",), **STATIC)), "nic1.addresses"),
    "no address at all": (with_(nic(1, addresses=("ten/24",), **STATIC)), "nic1.addresses"),
    "a network's address": (with_(nic(1, addresses=("10.0.0.0/24",), **STATIC)), "nic1.addresses"),
    "a broadcast address": (with_(nic(1, addresses=("10.0.0.255/24",), **STATIC)), "nic1.addresses"),
    "a group's address": (with_(nic(1, addresses=("224.0.0.1/24",), **STATIC)), "nic1.addresses"),
    "loopback": (with_(nic(1, addresses=("127.0.0.1/8",), **STATIC)), "nic1.addresses"),
    "an address with a line end": (with_(nic(1, addresses=("10.0.0.1/24\n[Match]",), **STATIC)), "nic1.addresses"),
    "overlapping networks": (with_(nic(1, addresses=("192.0.2.200/25",), **STATIC)), "nic1.addresses"),
    "an address twice": (with_(nic(1, addresses=("10.0.0.1/24", "10.0.0.1/25"), **STATIC)), "nic1.addresses"),
    "a gateway elsewhere": (with_(nic(1, addresses=("10.0.0.1/24",), gateway="10.1.0.1", **STATIC)), "nic1.gateway"),
    "a gateway that is us": (with_(nic(1, addresses=("10.0.0.1/24",), gateway="10.0.0.1", **STATIC)), "nic1.gateway"),
    "two gateways": (with_(nic(1, addresses=("10.0.0.1/24",), gateway="10.0.0.2", **STATIC)), "nic1.gateway"),
    "a name server by name": (with_(nic(1, addresses=("10.0.0.1/24",), dns=("dns",), **STATIC)), "nic1.dns"),
    "a role twice": (with_(nic(1, roles=("vms", "vms"))), "nic1.roles"),
    "an address with a zone": (with_(nic(1, addresses=("fd00::5%x\n[Network]\n/64",), **STATIC)), "nic1.addresses"),
    "a gateway with a zone": (
        with_(nic(1, addresses=("fd00::5/64",), gateway="fd00::1%x\n[Match]", **STATIC)), "nic1.gateway",
    ),
    "a name server with a zone": (with_(nic(1, addresses=("10.0.0.1/24",), dns=("fe80::1%a",), **STATIC)), "nic1.dns"),
    "NAT for nobody": (with_(nat=True), "nat"),
    "NAT on one network": (
        Layout((nic(0, method="dhcp", roles=("management", "provisioning")), nic(1)), nat=True), "nat",
    ),
    "too many": (with_(*(Interface(f"br{n}", "bridge") for n in range(64))), "interfaces"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_these_can_be_put_on(name):
    check(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_these_are_refused(name):
    layout, field = BAD[name]
    with pytest.raises(Invalid) as caught:
        check(layout)
    assert caught.value.field == field, caught.value.message
    assert caught.value.hint
