"""The pool's own promises; most of it is tested through conversations."""

from ipaddress import IPv4Address, IPv4Interface

from appliance.lease import Lease, LeaseState, Reservation
from appliance.netboot.dhcp.expiries import Expiries
from appliance.netboot.dhcp.pool import Pool
from appliance.netboot.dhcp.subnet import AddressRange, Subnet

MAC = "52:54:00:00:00:01"


def ip(text: str) -> IPv4Address:
    return IPv4Address(text)


def subnet(first: str, last: str, address: str = "10.0.0.1/8") -> Subnet:
    return Subnet("br0", IPv4Interface(address), ranges=(AddressRange(ip(first), ip(last)),), gateway=ip("10.0.0.2"))


def test_sixteen_million_addresses_cost_nothing_until_used() -> None:
    pool = Pool(subnet("10.0.0.0", "10.255.255.255"))
    choice = pool.choose(MAC, None, 0.0)
    assert choice is not None
    assert choice.address == ip("10.0.0.3"), "neither network, nor us, nor the gateway"


def test_our_own_and_special_addresses_are_never_available() -> None:
    pool = Pool(subnet("10.0.0.0", "10.255.255.255"))
    for text in ("10.0.0.0", "10.0.0.1", "10.0.0.2", "10.255.255.255", "11.0.0.1"):
        assert not pool.available(MAC, ip(text), 0.0)


def test_reservation_of_our_own_address_is_left_out() -> None:
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"), [Reservation(MAC, ip("10.0.0.1"))])
    assert pool.reservation(MAC) is None


def test_stored_lease_outside_the_subnet_is_left_alone() -> None:
    stored = Lease(MAC, ip("192.0.2.9"), "br0", b"", "", 0.0, 1e9, LeaseState.BOUND)
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"), leases=[stored])
    assert pool.binding(MAC) is None


def test_newest_of_two_stored_leases_of_a_machine_counts() -> None:
    old = Lease(MAC, ip("10.0.0.10"), "br0", b"", "", 5.0, 1e9, LeaseState.BOUND)
    new = Lease(MAC, ip("10.0.0.11"), "br0", b"", "", 6.0, 1e9, LeaseState.BOUND)
    released = Lease(MAC, ip("10.0.0.12"), "br0", b"", "", 9.0, 9.0, LeaseState.RELEASED)
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"), leases=[new, released, old])
    choice = pool.choose(MAC, None, 100.0)
    assert choice is not None
    assert (choice.address, choice.fresh) == (ip("10.0.0.11"), False)


def test_expiries_come_in_order_and_once() -> None:
    expiries = Expiries()
    expiries.add(ip("10.0.0.1"), 20.0)
    expiries.add(ip("10.0.0.2"), 10.0)
    expiries.add(ip("10.0.0.1"), 5.0)
    expiries.add(ip("10.0.0.1"), 30.0)
    assert expiries.first() == 5.0
    assert expiries.due(12.0) == [ip("10.0.0.1"), ip("10.0.0.2")]
    assert expiries.due(100.0) == []
    assert expiries.first() is None


def leased(mac: str, address: str, start: float, state: LeaseState = LeaseState.BOUND, end: float = 50.0) -> Lease:
    return Lease(mac, ip(address), "br0", b"", "", start, end, state)


def test_an_address_is_held_by_whom_it_was_leased_to_last() -> None:
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"))
    assert pool.holder(ip("10.0.0.10")) is None
    pool.hold(MAC, ip("10.0.0.10"), 1.0)
    assert pool.holder(ip("10.0.0.10")) is None, "an offer is no lease"
    pool.bind(leased(MAC, "10.0.0.10", 1.0), 1.0)
    assert pool.holder(ip("10.0.0.10")) == MAC
    pool.release(MAC, 60.0)
    assert pool.holder(ip("10.0.0.10")) == MAC, "iPXE does not renew, and asks on"
    pool.bind(leased("52:54:00:00:00:02", "10.0.0.10", 70.0), 70.0)
    assert pool.holder(ip("10.0.0.10")) == "52:54:00:00:00:02"


def test_an_address_that_was_left_for_another_or_set_aside_is_nobody_s() -> None:
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"))
    pool.bind(leased(MAC, "10.0.0.10", 1.0), 1.0)
    pool.bind(leased(MAC, "10.0.0.11", 2.0), 2.0)
    assert (pool.holder(ip("10.0.0.10")), pool.holder(ip("10.0.0.11"))) == (None, MAC)
    pool.quarantine(leased(MAC, "10.0.0.11", 3.0, LeaseState.DECLINED))
    assert pool.holder(ip("10.0.0.11")) is None


def test_leases_of_the_disk_are_held_at_once_after_a_start() -> None:
    released = leased("52:54:00:00:00:02", "10.0.0.11", 9.0, LeaseState.RELEASED)
    pool = Pool(subnet("10.0.0.10", "10.0.0.20"), leases=[leased(MAC, "10.0.0.10", 5.0), released])
    assert pool.holder(ip("10.0.0.10")) == MAC
    assert pool.holder(ip("10.0.0.11")) == "52:54:00:00:00:02"
