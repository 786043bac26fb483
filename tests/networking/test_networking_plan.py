"""What a change means, in words, and who is cut off by it."""

from layouts import DHCP, MANAGEMENT, PROVISIONING, TWO, nic

from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.plan import BLIND_WORD, plan

HERE = "192.0.2.5"
LIVE = {"nic0": ("192.0.2.5/24",)}


def planned(new, old=TWO, here=HERE, live=LIVE):
    return plan(old, new, here, live)


def test_no_change_says_nothing():
    assert planned(TWO) == plan(TWO, TWO, "", {})
    assert planned(TWO).lines == ()


def test_another_address_is_said_with_where_to_go_on():
    found = planned(with_interface(TWO, replace(MANAGEMENT, addresses=("192.0.2.6/24",))))
    assert found.lines == (
        "nic0: 192.0.2.6/24, gateway 192.0.2.1, DNS 192.0.2.53, instead of 192.0.2.5/24, gateway 192.0.2.1,"
        " DNS 192.0.2.53",
    )
    assert (found.target, found.confirm) == ("192.0.2.6", "")
    assert "192.0.2.6" in found.lost


def test_what_does_not_touch_who_asks_costs_them_nothing():
    found = planned(with_interface(TWO, replace(PROVISIONING, addresses=("10.78.0.1/24",))))
    assert found.lines
    assert (found.lost, found.target, found.confirm) == ("", "", "")


def test_a_bridge_around_the_way_here_keeps_it():
    found = planned(with_interface(TWO, Interface("br0", "bridge", ports=("nic0",))))
    assert (found.lost, found.confirm) == ("", "")
    assert found.moves == {"nic0": "br0"}
    assert any(line.startswith("br0 is made: a bridge of nic0; 192.0.2.5/24") for line in found.lines)


def test_a_bridge_around_a_lease_keeps_it_by_its_mac_address():
    live = {"nic0": ("198.51.100.7/24",)}
    bridged = with_interface(DHCP, Interface("br0", "bridge", ports=("nic0",)))
    assert planned(bridged, DHCP, "198.51.100.7", live).lost == ""
    assert planned(without_interface(bridged, "br0"), bridged, "198.51.100.7", {"br0": live["nic0"]}).lost == ""
    other_first = with_interface(DHCP, Interface("br0", "bridge", ports=("nic1", "nic0")))
    assert planned(other_first, DHCP, "198.51.100.7", live).confirm == BLIND_WORD, "another MAC address, another lease"


def test_from_a_fixed_address_to_dhcp_nobody_can_tell_the_way():
    found = planned(with_interface(TWO, nic(0, method="dhcp", roles=("management",))))
    assert (found.target, found.confirm) == ("", BLIND_WORD)


def test_from_dhcp_to_the_same_fixed_address_all_goes_on():
    static = nic(0, method="static", addresses=("198.51.100.7/24",), roles=("management",))
    assert planned(with_interface(DHCP, static), DHCP, "198.51.100.7", {"nic0": ("198.51.100.7/24",)}).lost == ""


def test_without_the_role_the_address_is_there_and_the_console_is_not():
    moved = Layout((replace(MANAGEMENT, roles=()), replace(PROVISIONING, roles=("management", "provisioning"))))
    found = planned(moved)
    assert found.target == "10.77.0.1"
    assert "nic0 is for nothing, and was for management" in found.lines


def test_who_sits_at_the_appliance_loses_nothing():
    moved = with_interface(TWO, nic(0, method="dhcp", roles=("management",)))
    for here in ("", "127.0.0.1"):
        assert (planned(moved, here=here).lost, planned(moved, here=here).confirm) == ("", "")


def test_all_kinds_of_changes_have_words():
    bond = Interface("bond0", "bond", ports=("nic1",))
    new = with_interface(with_interface(TWO, bond), Interface("bond0.5", "vlan", parent="bond0", tag=5))
    new = replace(new, nat=True)
    assert planned(new).lines == (
        "nic1: no address, instead of 10.77.0.1/24",
        "nic1 is for nothing, and was for provisioning",
        "bond0 is made: a bond (active-backup) of nic1; 10.77.0.1/24; for provisioning",
        "bond0.5 is made: the VLAN 5 on bond0; no address",
        "machines of the provisioning networks reach everything else through the appliance (NAT)",
    )
    assert planned(TWO, old=new).lines[-3:] == (
        "bond0 is taken away",
        "bond0.5 is taken away",
        "machines of the provisioning networks reach nothing through the appliance any more",
    )
    tagged = with_interface(new, Interface("bond0.5", "vlan", parent="bond0", tag=6))
    assert planned(tagged, old=new).lines == ("bond0.5 becomes the VLAN 6 on bond0, and was the VLAN 5 on bond0",)
