"""One change at a time: what moves with it, and that the way to the console survives."""

import pytest
from layouts import DHCP, MAC, MANAGEMENT, PROVISIONING, TWO, nic

from appliance.errors import Invalid, NotFound
from appliance.networking.check import check
from appliance.networking.edit import (
    first_layout,
    replace,
    settled,
    with_interface,
    with_management,
    with_nics,
    without_interface,
)
from appliance.networking.layout import Interface, Layout


def test_a_bridge_takes_over_what_its_port_had_and_gives_it_back():
    bridged = with_interface(TWO, Interface("br0", "bridge", ports=("nic0",)))
    check(bridged)
    br0, port = bridged.named("br0"), bridged.named("nic0")
    assert (br0.addresses, br0.gateway, br0.dns, br0.roles) == (
        MANAGEMENT.addresses, MANAGEMENT.gateway, MANAGEMENT.dns, ("management",),
    )  # fmt: skip
    assert (port.method, port.roles) == ("none", ())
    assert without_interface(bridged, "br0") == TWO


def test_vlans_of_a_port_are_carried_by_what_it_is_in():
    layout = with_interface(TWO, Interface("nic0.20", "vlan", parent="nic0", tag=20))
    bridged = with_interface(layout, Interface("br0", "bridge", ports=("nic0",)))
    check(bridged)
    assert bridged.named("nic0.20").parent == "br0"
    assert without_interface(bridged, "br0") == layout


def test_an_interface_is_changed_in_its_place():
    wanted = replace(MANAGEMENT, addresses=("192.0.2.6/24",))
    assert with_interface(TWO, wanted).interfaces == (wanted, TWO.interfaces[1])


def test_a_nic_becomes_nothing_else_and_is_not_deleted():
    with pytest.raises(Invalid):
        with_interface(TWO, Interface("nic0", "bridge"))
    with pytest.raises(Invalid):
        without_interface(TWO, "nic0")
    with pytest.raises(NotFound):
        without_interface(TWO, "br0")


def test_management_goes_to_one_interface_and_leaves_the_others():
    static = Interface("", method="static", addresses=("198.51.100.5/24",), gateway="198.51.100.1")
    found = with_management(TWO, "nic1", static)
    check(found)
    assert found.named("nic1").roles == ("management", "provisioning")
    assert found.named("nic0").roles == ()
    assert [each.gateway for each in found.interfaces] == ["", "198.51.100.1"], "one way to everywhere else"


def test_management_on_a_port_goes_to_its_bridge():
    bridged = with_interface(DHCP, Interface("br0", "bridge", ports=("nic1",)))
    found = with_management(bridged, "nic1", Interface("", method="dhcp"))
    check(found)
    assert found.named("br0").roles == ("management",)
    assert found.named("nic1").method == "none"


def test_an_appliance_begins_with_dhcp_everywhere():
    layout = first_layout({"nic0": MAC.format(0), "nic1": MAC.format(1)})
    check(layout)
    assert all(each.method == "dhcp" and each.roles == ("management",) for each in layout.interfaces)
    assert with_nics(Layout(), []) == Layout()


def test_in_another_computer_the_console_is_reached_over_its_nics():
    moved = settled(TWO, [MAC.format(7)])
    check(moved)
    assert moved.named("nic2") == Interface("nic2", mac=MAC.format(7), method="dhcp", roles=("management",))
    assert moved.interfaces[:2] == TWO.interfaces
    assert settled(TWO, [MAC.format(0), MAC.format(7)]).named("nic2").roles == (), "the way of before is there"
    assert settled(TWO, [MAC.format(0)]) == TWO
    assert settled(None, [MAC.format(0)]) == first_layout({"nic0": MAC.format(0)})


def test_new_nics_get_the_next_names_and_old_ones_keep_theirs():
    grown = with_nics(TWO, [MAC.format(7), MAC.format(1), MAC.format(8)])
    assert [(each.name, each.mac) for each in grown.interfaces[2:]] == [
        ("nic2", MAC.format(7)), ("nic3", MAC.format(8)),
    ]  # fmt: skip
    assert grown.interfaces[:2] == TWO.interfaces
    assert with_nics(grown, [MAC.format(8)]) is grown, "one that was taken out is waited for"
    assert with_nics(Layout((nic(1),)), [MAC.format(5)]).interfaces[1].name == "nic0"


def test_a_bond_that_is_taken_out_of_a_bridge_leaves_its_cable_there():
    bonded = with_interface(TWO, Interface("bond0", "bond", ports=("nic1",)))
    bridged = with_interface(bonded, Interface("br0", "bridge", ports=("bond0",)))
    found = without_interface(bridged, "bond0")
    check(found)
    assert found.named("br0").ports == ("nic1",)
    assert found.named("br0").addresses == PROVISIONING.addresses
    vlan = with_interface(TWO, Interface("nic0.5", "vlan", parent="nic0", tag=5))
    with_vlan = with_interface(vlan, Interface("br0", "bridge", ports=("nic0.5",)))
    assert without_interface(with_vlan, "nic0.5").named("br0").ports == (), "a VLAN leaves none"
