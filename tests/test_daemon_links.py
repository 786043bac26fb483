"""The real daemon in a real network: its cable is pulled and put back."""

import time

import pytest
from test_daemon_reservations import Administrator

SECONDS = 60


@pytest.fixture
def admin(daemon, namespace):
    """The daemon serves port0, a cable whose other end is port1."""
    namespace.run("ip", "link", "set", "port0", "nomaster")
    namespace.run("ip", "address", "del", "10.77.0.1/24", "dev", "br0")
    namespace.run("ip", "address", "add", "10.77.0.1/24", "dev", "port0")
    daemon.configure('"br0"', '"port0"')
    daemon.start()
    return Administrator(daemon)


def told(admin, count):
    """The texts of what was told of links, once there are so many."""
    end = time.monotonic() + SECONDS
    while True:
        found = [each["text"] for each in admin.ask("GET", "/events?kind=network.link")["items"]]
        if len(found) >= count:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.2)


def subnet(admin):
    (found,) = admin.ask("GET", "/network/subnets")["items"]
    return found["linked"], found["link_trouble"]


def test_a_pulled_cable_is_told_and_that_it_is_back(daemon, namespace, admin):
    assert subnet(admin) == (True, "")
    namespace.run("ip", "link", "set", "port1", "down")
    cut = "no link on port0: no machine can boot over it"
    assert told(admin, 1) == [cut]
    assert subnet(admin) == (False, f"{cut}; plug the cable in, or switch the switch on")
    namespace.run("ip", "link", "set", "port1", "up")
    assert told(admin, 2) == ["link on port0 again", cut]
    assert subnet(admin) == (True, "")
    daemon.boot()


def test_a_bridge_whose_ports_end_in_no_cable_is_not_told_of(daemon, namespace):
    """As in the lab, where it has no carrier while all virtual machines are off."""
    namespace.run("ip", "link", "set", "port0", "down")
    daemon.start()
    admin = Administrator(daemon)
    end = time.monotonic() + SECONDS
    while subnet(admin) != (None, ""):
        assert time.monotonic() < end, subnet(admin)
        time.sleep(0.2)
    assert told(admin, 0) == []
