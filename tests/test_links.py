"""Interfaces as the kernel tells them, read from what it really says, and which of them end in a cable."""

import errno
import socket
import struct
import sys

import pytest
from daemon_namespace import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from appliance.links import ASK_FOR_ALL, Link, cables, named, read

PROGRAM = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from appliance.links import ASK_FOR_ALL, read
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
kernel.bind((0, 1))
kernel.send(ASK_FOR_ALL)
done = False
while not done:
    said = kernel.recv(65536)
    done = read(said, {})
    print(said.hex(), flush=True)
for line in sys.stdin:
    print(kernel.recv(65536).hex(), flush=True)
"""


@pytest.fixture
def kernel(namespace):
    """A program that hands on what the kernel of the namespace says."""
    argv = [sys.executable, "-c", PROGRAM, REPOSITORY]
    with namespace.popen(*argv, stdin=-1, stdout=-1, text=True) as program:
        yield program
        program.kill()


def everything(kernel):
    links = {}
    while not read(bytes.fromhex(kernel.stdout.readline()), links):
        continue
    return links


def follow(kernel, links, until):
    """Take what the kernel says until something holds of it."""
    while not until(links):
        kernel.stdin.write("next\n")
        kernel.stdin.flush()
        read(bytes.fromhex(kernel.stdout.readline()), links)


def test_what_the_kernel_says_of_a_bridge_and_its_port(kernel, namespace):
    links = everything(kernel)
    bridge, port = (named(each, links) for each in ("br0", "port0"))
    assert (bridge.kind, bridge.up, bridge.carrier, bridge.master) == ("bridge", True, True, 0)
    assert (port.kind, port.up, port.carrier, port.master) == ("veth", True, True, bridge.index)
    assert not any(each.hardware for each in links.values())
    assert named("nowhere", links) is None
    namespace.run("ip", "link", "set", "port1", "down")
    follow(kernel, links, lambda now: not named("port0", now).carrier)
    assert named("port0", links).up, "it is the other end that was switched off"
    assert not named("port1", links).up
    namespace.run("ip", "link", "set", "port0", "nomaster")
    follow(kernel, links, lambda now: named("port0", now).master == 0)
    assert named("port0", links), "it left the bridge, and is there"
    namespace.run("ip", "link", "delete", "port0")
    follow(kernel, links, lambda now: not named("port0", now) and not named("port1", now))


def attribute(kind, value):
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def message(kind, body):
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def test_a_device_on_a_bus_is_hardware():
    links = {}
    body = struct.pack("=BxHiII", 0, 1, 2, 0x11043, 0) + attribute(3, b"nic0\0") + attribute(56, b"0000:00:03.0\0")
    assert read(message(16, body) + message(3, b"\0" * 4), links)
    assert links == {2: Link(2, "nic0", up=True, carrier=True, hardware=True)}
    assert not read(message(17, body), links)
    assert links == {}


def test_what_an_interface_stands_on_is_ours_or_of_another_namespace():
    links = {}
    index, kind = struct.pack("=I", 7), attribute(18 | 0x8000, attribute(1, b"vlan\0"))
    body = struct.pack("=BxHiII", 0, 1, 2, 0, 0) + attribute(3, b"x\0") + attribute(5, index) + kind
    read(message(16, body), links)
    assert links[2] == Link(2, "x", "vlan", lower=7)
    read(message(16, body + attribute(37, index)), links)
    assert links[2].lower == 0


def test_a_refusal_is_an_error():
    with pytest.raises(OSError, match="does not tell") as refused:
        read(message(2, struct.pack("=i", -errno.EPERM)), {})
    assert refused.value.errno == errno.EPERM


@given(st.binary(max_size=200), st.sampled_from([2, 3, 16, 17]))
def test_nonsense_is_nothing(data, kind):
    for said in (data, message(kind, data)):
        try:
            read(said, {})
        except OSError:
            assert struct.unpack_from("=IH", said)[1] == 2


def bridge(*ports):
    links = [Link(1, "br0", "bridge", up=True), *ports]
    return links[0], {each.index: each for each in links}


NIC = Link(2, "nic0", hardware=True, master=1)
TAP = Link(3, "vnet0", "tun", master=1)


@pytest.mark.parametrize(
    ("ports", "names"),
    [
        ([NIC], ["nic0"]),
        ([TAP], []),
        ([], []),
        ([NIC, TAP, Link(4, "nic1", hardware=True)], ["nic0"]),
        ([Link(5, "veth0", "veth", master=1)], []),
        ([Link(6, "bond0", "bond", master=1), Link(2, "nic0", hardware=True, master=6)], ["bond0"]),
        ([Link(7, "nic0.5", "vlan", master=1, lower=2), Link(2, "nic0", hardware=True)], ["nic0.5"]),
        ([Link(7, "x.5", "vlan", master=1, lower=9)], []),
    ],
)
def test_a_bridge_goes_by_its_ports_that_lead_out(ports, names):
    assert [each.name for each in cables(*bridge(*ports))] == names


def test_others_go_by_their_own_link():
    for link in (NIC, Link(6, "bond0", "bond"), Link(5, "veth0", "veth"), Link(7, "nic0.5", "vlan", lower=2)):
        assert cables(link, {2: NIC, link.index: link}) == (link,)
    assert cables(TAP, {3: TAP}) == ()


def test_a_vlan_of_a_bridge_goes_by_the_bridge():
    _, links = bridge(NIC, TAP)
    assert cables(Link(8, "br0.7", "vlan", lower=1), links) == (NIC,)
    _, links = bridge(TAP)
    assert cables(Link(8, "br0.7", "vlan", lower=1), links) == ()


def test_the_request_is_what_the_kernel_takes():
    assert len(ASK_FOR_ALL) == 32
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as own:
        own.send(ASK_FOR_ALL)
        links = {}
        while not read(own.recv(65536), links):
            continue
    assert named("lo", links).index == 1
