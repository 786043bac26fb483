"""What a change means, in words, and who is cut off by it."""

from layouts import DHCP, MANAGEMENT, PROVISIONING, TWO, nic

from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.plan import BLIND_WORD, UNSERVED_WORD, plan

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


def test_the_same_address_on_another_cable_is_another_place():
    moved = Layout((nic(0), replace(MANAGEMENT, name="nic1", mac=PROVISIONING.mac)))
    found = planned(moved, old=Layout((MANAGEMENT, nic(1))))
    assert (found.target, found.confirm) == (HERE, "")
    assert "over nic1" in found.lost
    bond = Interface("bond0", "bond", ports=("nic0", "nic2"))
    three = with_interface(Layout((MANAGEMENT, nic(1), nic(2))), bond)
    assert planned(with_interface(three, replace(three.named("bond0"), ports=("nic2",))), three, live={}).lost == ""
    assert planned(with_interface(three, replace(three.named("bond0"), ports=("nic1",))), three, live={}).lost
    tagged = with_interface(Layout((nic(0), nic(1))), replace(VLAN, tag=5))
    assert planned(with_interface(tagged, VLAN), tagged, live={}).lost


VLAN = Interface("nic0.5", "vlan", parent="nic0", tag=6, method="static", addresses=("192.0.2.5/24",),
                 roles=("management",))  # fmt: skip


def routed(gateway, peer="198.51.100.9"):
    new = with_interface(TWO, replace(MANAGEMENT, gateway=gateway))
    return plan(TWO, new, HERE, LIVE, peer)


def test_who_is_behind_a_router_hears_that_it_changes():
    for gateway, says in (("", "no gateway is left"), ("192.0.2.2", "another gateway is set")):
        found = routed(gateway)
        assert found.confirm == BLIND_WORD
        assert says in found.lost
        assert routed(gateway, peer="192.0.2.77").lost == "", "a neighbour needs no router"
        assert routed(gateway, peer="").lost == ""
    first = Layout((nic(0, method="dhcp", roles=("management",)),))
    fixed = with_interface(first, replace(MANAGEMENT, dns=()))
    assert plan(first, fixed, HERE, LIVE, "198.51.100.9").lost == "", "the router was not known, and one is set"
    no_router = with_interface(first, replace(MANAGEMENT, gateway="", dns=()))
    assert plan(first, no_router, HERE, LIVE, "198.51.100.9").confirm == BLIND_WORD


def test_who_came_by_an_unknown_way_is_warned_where_management_changes():
    here = "fe80::5054:ff:fe00:0"
    assert planned(with_interface(TWO, replace(PROVISIONING, addresses=("10.78.0.1/24",))), here=here).lost == ""
    assert planned(with_interface(TWO, replace(MANAGEMENT, dns=())), here=here).lost == ""
    found = planned(with_interface(TWO, replace(MANAGEMENT, addresses=("192.0.2.6/24",))), here=here)
    assert (found.target, found.confirm) == ("", BLIND_WORD)
    assert here in found.lost


def test_an_address_is_the_same_however_it_is_written():
    written = with_interface(TWO, replace(MANAGEMENT, addresses=("192.0.2.5/24", "2001:DB8:0::5/64")))
    changed = with_interface(written, replace(written.named("nic0"), dns=()))
    assert planned(changed, written, "2001:db8::5").lost == ""
    gone = with_interface(written, MANAGEMENT)
    assert planned(gone, written, "2001:db8::5").target == HERE


def test_what_is_not_served_any_more_is_said_and_agreed_to():
    other = with_interface(TWO, replace(PROVISIONING, addresses=("10.88.0.1/24",)))
    found = plan(TWO, other, HERE, LIVE, ended={"nic1": "its ranges are elsewhere"})
    assert found.lines[-1] == "machines on nic1 are not served any more: its ranges are elsewhere"
    assert (found.lost, found.confirm, found.unserved) == ("", UNSERVED_WORD, found.lines[-1:])
    blind = with_interface(other, nic(0, method="dhcp", roles=("management",)))
    assert plan(TWO, blind, HERE, LIVE, ended={"nic1": "x"}).confirm == BLIND_WORD, "one word for both"
    assert plan(TWO, TWO, HERE, LIVE, ended={"nic1": "x"}).lines == ()


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
