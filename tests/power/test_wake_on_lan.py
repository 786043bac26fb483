"""Magic packets: what is in them, where they go, and that they leave."""

import socket
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.power.driver import Target
from appliance.power.wake_on_lan import TIMES, WakeOnLan, Way, magic_packet, secure_on, ways
from appliance.power_switch import PowerError

MAC = "52:54:00:12:34:56"
PACKET = bytes.fromhex("ffffffffffff" + "525400123456" * 16)
NETWORKS = {
    "br0": IPv4Interface("10.77.0.1/24"),
    "br1": IPv4Interface("10.78.1.1/16"),
    "ptp": IPv4Interface("10.9.9.0/31"),
}


async def no_pause(seconds):
    """No waiting between two rounds."""


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("0.0.0.0", 0))  # broadcasts reach no socket that is bound to an address
        made.setblocking(False)
        yield made


def received(receiver):
    found = []
    while True:
        try:
            found.append(receiver.recv(4096))
        except BlockingIOError:
            return found


def test_a_magic_packet():
    assert magic_packet(MAC) == PACKET
    assert magic_packet(MAC, secure_on("00:11:22-aabbCC")) == PACKET + bytes.fromhex("001122aabbcc")
    assert len(PACKET) == 102


def test_where_packets_go():
    target = Target("web1", (MAC,), IPv4Address("10.77.0.60"), NETWORKS)
    assert list(ways(target, "192.0.2.255")) == [
        Way("10.77.0.255", "10.77.0.1", "br0"),
        Way("10.78.255.255", "10.78.1.1", "br1"),
        Way("255.255.255.255", "10.9.9.0", "ptp"),
        Way("10.77.0.60"),
        Way("192.0.2.255"),
    ]


async def test_packets_leave_by_the_interface_and_to_every_address(receiver):
    target = Target("web1", (MAC, "52:54:00:12:34:57"), None, {"lo": IPv4Interface("127.0.0.1/8")})
    await WakeOnLan(target, "127.0.0.1", receiver.getsockname()[1], "", no_pause).on()
    found = received(receiver)
    assert found.count(PACKET) == 2 * TIMES, "by broadcast, and to the added address"
    assert found.count(magic_packet("52:54:00:12:34:57")) == 2 * TIMES


async def test_the_secure_on_password_goes_along_and_is_shown_to_nobody(receiver):
    target = Target("web1", (MAC,))
    switch = WakeOnLan(target, "127.0.0.1", receiver.getsockname()[1], "00:11:22:aa:bb:cc", no_pause)
    await switch.on()
    assert received(receiver)[0] == PACKET + bytes.fromhex("001122aabbcc")
    assert "aa:bb:cc" not in repr(switch)


async def test_one_way_that_is_closed_closes_no_other(receiver):
    target = Target("web1", (MAC,), None, {"nonet0": IPv4Interface("10.77.0.1/24")})
    await WakeOnLan(target, "127.0.0.1", receiver.getsockname()[1], "", no_pause).on()
    assert received(receiver)


@pytest.mark.parametrize(
    ("target", "address", "code"),
    [
        (Target("web1", ()), "127.0.0.1", "power-failed"),
        (Target("web1", (MAC,)), "", "power-failed"),
        (Target("web1", (MAC,), None, {"nonet0": IPv4Interface("10.77.0.1/24")}), "", "power-failed"),
        (Target("web1", (MAC,)), "no-such-host.invalid", "power-unreachable"),
    ],
)
async def test_what_cannot_leave_is_told(target, address, code):
    with pytest.raises(PowerError) as caught:
        await WakeOnLan(target, address, 9, "", no_pause).on()
    assert caught.value.code == code
    assert caught.value.hint
