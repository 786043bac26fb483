"""Which subnets fit the networks, and which a change of the networks would end."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from layouts import MANAGEMENT, PROVISIONING, TWO, nic

from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.served import Served, ended_by, misfit

RANGES = ((IPv4Address("10.77.0.50"), IPv4Address("10.77.0.99")),)
NEAR = Served("nic1", "nic1", RANGES)
FAR = Served("10.99.0.0/24", "nic1", remote=IPv4Network("10.99.0.0/24"))
HAVE = {"lo": None, "nic0": None, "nic1": IPv4Interface("10.77.0.1/24")}
BRIDGED = with_interface(TWO, Interface("br0", "bridge", ports=("nic1",)))
LEASED = Layout((MANAGEMENT, nic(1, method="dhcp", roles=("provisioning",))))
LIVE = {"nic1": ("2001:db8::1/64", "10.77.0.1/24")}


def test_what_fits():
    assert [misfit(each, (NEAR, FAR), HAVE) for each in (NEAR, FAR)] == [None, None]


@pytest.mark.parametrize(
    ("have", "why", "hint"),
    [
        ({"lo": None, "nic0": None}, "there is no such interface as nic1", "this computer has nic0"),
        ({"nic1": None}, "nic1 has no IPv4 address", "DHCP"),
        ({"nic1": IPv4Interface("10.88.0.1/24")}, "10.77.0.50-10.77.0.99 is outside 10.88.0.0/24", "nic1 has 10.88"),
    ],
)
def test_what_does_not_fit_is_said(have, why, hint):
    found = misfit(NEAR, (NEAR,), have)
    assert found.why == why
    assert hint in found.hint


def test_nobody_is_behind_relays_in_a_network_of_ours():
    found = misfit(FAR, (NEAR, FAR), {"nic1": IPv4Interface("10.99.0.1/16")})
    assert found.why == "10.99.0.0/24 is where nic1 is, which has 10.99.0.1/16"


def ended(new, old=TWO, served=(NEAR,), live=LIVE):
    return ended_by(served, old, new, live)


def test_what_goes_on_is_not_ended():
    assert ended(TWO) == {}
    assert ended(BRIDGED) == {}
    assert ended(without_interface(BRIDGED, "br0"), BRIDGED, (replace_interface(NEAR, "br0"),)) == {}
    assert ended(with_interface(TWO, replace(PROVISIONING, addresses=("10.77.0.2/24",)))) == {}
    assert ended(with_interface(LEASED, Interface("br0", "bridge", ports=("nic1",))), LEASED) == {}, "the lease stays"


def replace_interface(of, name):
    return Served(name, name, of.ranges, of.remote)


def test_another_network_ends_it():
    other = with_interface(TWO, replace(PROVISIONING, addresses=("10.88.0.1/24",)))
    assert ended(other) == {"nic1": "10.77.0.50-10.77.0.99 is outside 10.88.0.0/24"}


def test_no_address_ends_it():
    assert ended(with_interface(TWO, nic(1))) == {"nic1": "nic1 has no IPv4 address"}


def test_an_address_that_nobody_knows_yet_may_end_it():
    by_dhcp = with_interface(TWO, replace(PROVISIONING, method="dhcp", addresses=()))
    assert "nobody can tell" in ended(by_dhcp)["nic1"]


def test_what_is_taken_away_ends_what_was_served_on_it():
    vlan = Interface("nic0.7", "vlan", parent="nic0", tag=7, method="static", addresses=("10.77.0.1/24",))
    old = with_interface(Layout((MANAGEMENT, nic(1))), vlan)
    found = ended(without_interface(old, "nic0.7"), old, (replace_interface(NEAR, "nic0.7"),))
    assert found == {"nic0.7": "there is no such interface as nic0.7"}


def test_of_two_that_are_merged_one_ends():
    second = nic(2, method="static", addresses=("10.78.0.1/24",), roles=("provisioning",))
    old = Layout((*TWO.interfaces, second))
    served = (NEAR, Served("nic2", "nic2"), FAR)
    merged = with_interface(old, Interface("br0", "bridge", ports=("nic1", "nic2")))
    assert ended(merged, old, served) == {"nic2": "nic2 has no IPv4 address"}
    joined = with_interface(BRIDGED, second)
    wider = with_interface(joined, replace(joined.named("br0"), ports=("nic1", "nic2")))
    assert set(ended(wider, joined, (replace_interface(NEAR, "br0"), served[1]))) == {"nic2"}


def test_without_the_role_the_firewall_lets_no_machine_in():
    assert "firewall" in ended(with_interface(TWO, replace(PROVISIONING, roles=("storage",))))["nic1"]


def test_what_is_not_served_now_is_not_ended():
    elsewhere = (Served("nic1", "nic1", ((IPv4Address("10.1.0.5"), IPv4Address("10.1.0.9")),)),)
    assert ended(with_interface(TWO, nic(1)), served=elsewhere) == {}
