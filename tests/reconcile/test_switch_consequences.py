"""What users are told before a subnet is served in another way."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.reconcile.switch_consequences import Holder, switch_consequences

RANGES = (AddressRange(IPv4Address("10.77.0.50"), IPv4Address("10.77.0.99")),)
SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"), ranges=RANGES, lease_seconds=3600)


def holder(last=50, *, reserved=False, state=None):
    return Holder(IPv4Address(f"10.77.0.{last}"), reserved, state)


HOLDERS = [holder(50), holder(51, reserved=True), holder(52, state="active"), holder(53, state="deploying")]


def foreseen(before=SUBNET, holders=HOLDERS, **rules):
    of = switch_consequences(before, replace(before, **rules), holders)
    return " ".join(of.texts), of.confirm


@pytest.mark.parametrize(
    ("rules", "lost", "says"),
    [
        ({"mode": "off"}, 4, "DHCP is silent on br0"),
        ({"mode": "proxy"}, 4, "Another DHCP server has to give the addresses on br0"),
        ({"mode": "reservations"}, 3, "only those are answered who have an address reserved"),
        ({"serve_non_pxe": False}, 1, "computers get an address only if they network-boot"),
    ],
)
def test_what_clients_lose_is_counted_and_confirmed(rules, lost, says):
    text, confirm = foreseen(**rules)
    assert says in text
    leases = "1 lease cannot" if lost == 1 else f"{lost} leases cannot"
    assert f"{leases} be renewed any more" in text
    assert "60 minutes from now at the latest" in text
    assert confirm == "br0"


def test_machines_in_the_middle_of_something_are_named():
    assert "1 machine of them are in the middle of something" in foreseen(mode="off")[0]
    assert "in the middle" not in foreseen(serve_non_pxe=False)[0]


@pytest.mark.parametrize("mode", ["proxy", "reservations", "authoritative"])
def test_what_clients_gain_is_told_and_needs_no_word(mode):
    text, confirm = foreseen(replace(SUBNET, mode="off"), mode=mode)
    assert text
    assert confirm is None


def test_to_give_addresses_is_told_with_what_it_waits_for():
    text, _ = foreseen(replace(SUBNET, mode="proxy"), mode="authoritative")
    assert "Everybody that asks on br0 gets an address of 10.77.0.50 to 10.77.0.99." in text
    assert "looked whether another DHCP server answers" in text
    assert "not believed to be who they say" in text
    forced = replace(SUBNET, mode="off", other_servers="ignore", ranges=(), serve_non_pxe=False)
    text, _ = foreseen(forced, mode="authoritative")
    assert "Whatever network-boots or is known that asks on br0 gets one that is reserved" in text
    assert "looked whether" not in text
    remote = replace(SUBNET, mode="off", remote=IPv4Network("10.78.0.0/24"))
    assert "looked whether" not in foreseen(remote, mode="authoritative")[0], "nobody can look behind a relay"


def test_to_force_service_is_confirmed_and_to_take_it_back_is_not():
    text, confirm = foreseen(other_servers="ignore")
    assert "two computers may be given the same address" in text
    assert confirm == "br0"
    assert foreseen(replace(SUBNET, other_servers="ignore"), other_servers="refuse")[1] is None
    assert foreseen(replace(SUBNET, mode="proxy"), other_servers="ignore")[1] is None, "it counts for nothing there"


@pytest.mark.parametrize(
    ("value", "says"),
    [("local-disk", "sent to their own disks"), ("ignore", "not told what to boot"), ("enlist", "are enlisted")],
)
def test_unknown_machines_lose_no_address(value, says):
    before = replace(SUBNET, unknown_machines="enlist" if value != "enlist" else "ignore")
    text, confirm = foreseen(before, unknown_machines=value)
    assert says in text
    assert confirm is None


def test_who_gets_a_root_is_said_with_what_it_is_known_by():
    text, confirm = foreseen(network_roots="trust")
    assert "get it on br0 at once, with its keys and secrets" in text
    assert "known by their network addresses only" in text
    assert confirm is None, "nobody loses anything"
    text, confirm = foreseen(replace(SUBNET, network_roots="trust"), network_roots="ask")
    assert "wait on br0 until somebody lets them in" in text
    assert confirm is None


def test_to_serve_other_computers_again_takes_nothing():
    text, confirm = foreseen(replace(SUBNET, serve_non_pxe=False), serve_non_pxe=True)
    assert text == "Computers that do not network-boot get addresses on br0 as well."
    assert confirm is None


def test_nothing_changes():
    assert foreseen() == ("Nothing changes on br0.", None)


def test_without_a_lease_to_lose_a_narrower_mode_is_still_confirmed():
    text, confirm = foreseen(holders=[], mode="off")
    assert "cannot be renewed" not in text
    assert confirm == "br0"
