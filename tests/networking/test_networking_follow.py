"""Whose network goes on under which name, and that no network is put over another one."""

from layouts import MANAGEMENT, PROVISIONING, TWO, nic

from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.follow import followed, moves
from appliance.networking.layout import Interface, Layout

SECOND = nic(2, method="static", addresses=("10.78.0.1/24",), roles=("provisioning",))
THREE = Layout((MANAGEMENT, PROVISIONING, SECOND))
BRIDGED = with_interface(THREE, Interface("br0", "bridge", ports=("nic1",)))


def bridge(*ports, **values):
    return Interface("br0", "bridge", ports=ports, **values)


def test_a_network_goes_into_a_bridge_and_out_again():
    assert moves(THREE, BRIDGED) == {"nic1": "br0"}
    assert moves(BRIDGED, without_interface(BRIDGED, "br0")) == {"br0": "nic1"}
    bonded = with_interface(BRIDGED, Interface("bond0", "bond", ports=("nic2",)))
    assert moves(BRIDGED, bonded) == {"nic2": "bond0"}


def test_a_port_stays_a_port_whatever_else_changes():
    changed = with_interface(BRIDGED, replace(MANAGEMENT, dns=("192.0.2.54",)))
    assert moves(BRIDGED, changed) == {}


def test_what_comes_into_a_bridge_with_a_network_of_its_own_ends_there():
    wider = with_interface(BRIDGED, replace(BRIDGED.named("br0"), ports=("nic1", "nic2")))
    assert moves(BRIDGED, wider) == {}


def test_a_bridge_without_a_network_takes_one_over():
    empty = with_interface(THREE, bridge())
    filled = with_interface(empty, bridge("nic1", method="static", addresses=("10.77.0.1/24",)))
    assert moves(empty, filled) == {"nic1": "br0"}


def test_of_several_the_one_goes_on_whose_addresses_were_taken_over():
    for ports in (("nic1", "nic2"), ("nic2", "nic1")):
        assert moves(THREE, with_interface(THREE, bridge(*ports))) == {ports[0]: "br0"}
    chosen = bridge("nic1", "nic2", method="static", addresses=("10.78.0.1/24",), roles=("provisioning",))
    assert moves(THREE, with_interface(THREE, chosen)) == {"nic2": "br0"}
    neither = bridge("nic1", "nic2", method="static", addresses=("10.99.0.1/24",), roles=("provisioning",))
    assert moves(THREE, with_interface(THREE, neither)) == {"nic1": "br0"}


def test_of_several_leases_the_one_goes_on_that_has_the_same_mac_address():
    leased = Layout((MANAGEMENT, *(nic(number, method="dhcp") for number in (1, 2))))
    assert moves(leased, with_interface(leased, bridge("nic2", "nic1"))) == {"nic2": "br0"}


def test_a_nic_without_a_network_of_its_own_never_goes_first():
    plain = with_interface(TWO, nic(2))
    neither = bridge("nic2", "nic1", method="static", addresses=("10.99.0.1/24",), roles=("provisioning",))
    assert moves(plain, with_interface(plain, neither)) == {"nic1": "br0"}


def test_the_file_follows_one_of_two_only():
    text = '[[subnet]]\ninterface = "nic1"\n[[subnet]]\ninterface = "nic2"\n'
    assert followed(text, moves(THREE, with_interface(THREE, bridge("nic1", "nic2")))) == text.replace("nic1", "br0")
