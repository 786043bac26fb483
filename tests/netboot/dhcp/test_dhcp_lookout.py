"""The look for other DHCP servers: a wire of one's own, on which somebody answers, nobody, or which is broken."""

import asyncio
import errno
import socket
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.netboot.dhcp import lookout as looking
from appliance.netboot.dhcp import outlook as standing
from appliance.netboot.dhcp.facts import ForeignReply, ServiceBegins, ServiceHeld
from appliance.netboot.dhcp.frame import Endpoint, udp_frame
from appliance.netboot.dhcp.lookout import Lookout
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BOOTREPLY, Packet, decode, encode
from appliance.netboot.dhcp.reply import BROADCAST_MAC, EVERYBODY
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import Subnet

OURS, OTHER = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.2")
CARD = "52:54:00:00:00:fe"


class Wire:
    """Our end of it is the lookout's socket."""

    def __init__(self):
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.opened = 0

    def open(self, interface, port):
        self.opened += 1
        return self.near.dup()

    def offers(self, server):
        given = {Code.MESSAGE_TYPE: bytes([MessageKind.OFFER]), Code.SERVER_ID: server.packed}
        packet = Packet(op=BOOTREPLY, xid=1, chaddr=bytes(6), yiaddr=IPv4Address("10.77.0.99"), options=given)
        ends = Endpoint("52:54:00:00:00:02", server, 67), Endpoint(BROADCAST_MAC, EVERYBODY, 68)
        self.far.send(udp_frame(*ends, encode(packet)))

    def close(self):
        self.near.close()
        self.far.close()


class World:
    """A lookout with everything that it is told and tells; time stands still."""

    def __init__(self):
        self.now, self.told, self.held, self.remembered = 1000.0, [], [], []
        self.looked = asyncio.Event()
        subnets = ServedSubnets([Subnet("br0", IPv4Interface("10.77.0.1/24"))])
        self.lookout = Lookout(subnets, self._hold, self.told.append, self._remember, lambda: self.now)
        self.lookout.go_on({})

    def _hold(self, interface, held):
        self.held.append(held)

    async def _remember(self, interface, at):
        self.remembered.append(at)
        self.looked.set()

    async def look(self):
        """Until one look is over."""
        self.looked.clear()
        await self.until(self.looked)

    async def until(self, event):
        """Run until something has happened."""
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.lookout.run())
            await event.wait()
            running.cancel()


@pytest.fixture
def wire(monkeypatch):
    made = Wire()
    monkeypatch.setattr(looking, "udp_socket", made.open)
    monkeypatch.setattr(looking, "own_address", lambda _: CARD)
    monkeypatch.setattr(looking, "PAUSES", (0.01, 0.01))
    yield made
    made.close()


async def test_where_nobody_answers_service_begins_and_that_is_remembered(wire):
    world = World()
    assert world.held == [True], "nothing is given before the look"
    await world.look()
    assert (world.held, world.told, world.remembered) == ([True, False], [], [1000.0])
    asked = [wire.far.recv(2000) for _ in looking.PAUSES]
    messages = [decode(frame[42:]) for frame in asked]
    assert all(each.options[Code.MESSAGE_TYPE][0] == MessageKind.DISCOVER for each in messages)
    assert len({each.chaddr for each in messages}) == 1, "others hold back one address for it, not two"


async def test_who_gives_addresses_is_told_of_and_holds_service_until_it_is_gone(wire):
    world = World()
    wire.offers(OTHER)
    wire.offers(OURS)
    await world.look()
    assert world.held == [True, True]
    assert world.told == [ForeignReply(OTHER, "br0", 1000.0), ServiceHeld("br0", (OTHER,), 1000.0)]
    assert world.remembered == [0.0]
    world.now += standing.HELD_SECONDS
    await world.look()
    assert world.held[-1] is False
    assert world.told[2:] == [ServiceBegins("br0", world.now)]


async def test_a_wire_that_cannot_be_looked_at_holds_service_and_fills_no_log(monkeypatch, caplog):
    tries, enough = [], asyncio.Event()

    def fails(interface, port):
        tries.append(interface)
        if len(tries) == 30:
            enough.set()
        raise OSError(errno.ENETDOWN, "Network is down")

    monkeypatch.setattr(looking, "udp_socket", fails)
    monkeypatch.setattr(standing, "BLIND_SECONDS", 0.0)
    world = World()
    await world.until(enough)
    assert set(world.held) == {True}
    assert [record.getMessage() for record in caplog.records] == [
        "looking for other DHCP servers on br0: [Errno 100] Network is down"
    ]
