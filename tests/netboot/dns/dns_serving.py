"""A DNS server on loopback, and clients that are not ours."""

import asyncio
import contextlib
import random
import socket
import struct
import subprocess
from ipaddress import IPv4Address, IPv4Network

import dnslib

from appliance.netboot.dns.server import DnsServer
from appliance.netboot.dns.zone import Zone

ADDRESS = "127.0.0.1"
LOOPBACK = [IPv4Network("127.0.0.0/8")]


def make_zone():
    """lab.test with one machine, web1 at 10.77.0.51."""
    zone = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 300)
    zone.publish("machine:1", "web1", IPv4Address("10.77.0.51"), None, "machine")
    return zone


@contextlib.asynccontextmanager
async def serving(zone, forwarder=None, allowed=LOOPBACK, limits=None, addresses=(ADDRESS,), port=0):
    """A running server; its facts are in `server.facts`."""
    facts = []
    server = DnsServer(addresses, port or free_port(), zone, forwarder, allowed, facts.append, limits)
    server.facts = facts
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        try:
            yield server
        finally:
            server.close()


async def dig(server, *words):
    """What dig says; its exit code must be 0."""
    process = await asyncio.create_subprocess_exec(
        "dig",
        f"@{server.addresses[0]}",
        "-p",
        str(server.port),
        "+tries=1",
        "+timeout=8",
        *words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def ask(port, data, address=ADDRESS, source=ADDRESS):
    """The datagram that answers `data`."""
    loop = asyncio.get_running_loop()
    answer = loop.create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, received, addr):
            if not answer.done():
                answer.set_result(received)

    transport, _ = await loop.create_datagram_endpoint(Client, (source, 0), (address, port))
    try:
        transport.sendto(data)
        async with asyncio.timeout(15):
            return await answer
    finally:
        transport.close()


def question(name, qtype="A", ident=1, edns=None):
    """A query in wire form."""
    record = dnslib.DNSRecord.question(name, qtype)
    record.header.id = ident
    if edns is not None:
        record.add_ar(dnslib.EDNS0(udp_len=edns))
    return record.pack()


def framed(data):
    """A message as TCP carries it."""
    return struct.pack("!H", len(data)) + data


async def read_framed(reader):
    """The next message from a TCP connection."""
    async with asyncio.timeout(15):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(length)


def free_port():
    """A port free for UDP and TCP, from below those that the kernel gives to clients meanwhile."""
    while True:
        port = random.randrange(10_000, 30_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((ADDRESS, port))
            return port


class FakeUpstream(asyncio.DatagramProtocol):
    """An upstream that answers as told: `reply(data, record)` gives datagrams to send."""

    def __init__(self, reply):
        self.reply = reply
        self.queries = []
        self.sources = []
        self.arrived = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.name = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data, addr):
        record = dnslib.DNSRecord.parse(data)
        self.queries.append(record)
        self.sources.append(addr)
        self.arrived.set()
        for answer in self.reply(data, record):
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def upstream(reply, port=0):
    """A FakeUpstream on a port of its own."""
    transport, fake = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: FakeUpstream(reply), (ADDRESS, port)
    )
    try:
        yield fake
    finally:
        transport.close()
