"""What firewalls and links ask of TFTP: one port for everything, and blocks no larger than they let through."""

import asyncio
import contextlib

from test_tftp_server import ADDRESS, Client, Facts

from appliance.config_subnets import SubnetSection
from appliance.netboot.tftp.facts import TftpFinished
from appliance.netboot.tftp.files import RenderedFiles
from appliance.netboot.tftp.packet import Ack, Data, Mode, OptionsAck, ReadRequest
from appliance.netboot.tftp.server import TftpServer

FILES = RenderedFiles({"one": lambda *_: b"1" * 700, "two": lambda *_: b"2" * 700})


@contextlib.asynccontextmanager
async def serving(**settings):
    facts = Facts()
    server = TftpServer(ADDRESS, 0, FILES, facts.publish, **settings)
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        try:
            yield server, facts
        finally:
            server.close()


async def test_through_one_port_everybody_is_served_and_kept_apart():
    async with serving(single_port=True) as (server, facts):
        with Client(server) as first, Client(server, "127.0.0.2") as second, Client(server) as stranger:
            first.send(ReadRequest("one", Mode.OCTET))
            second.send(ReadRequest("two", Mode.OCTET))
            for client, letter in ((first, b"1"), (second, b"2")):
                packet, sender = await client.receive()
                assert sender[1] == server.port, "a firewall that follows no TFTP lets nothing else through"
                assert packet == Data(1, letter * 512)
            stranger.send(Ack(1))
            for client, letter in ((first, b"1"), (second, b"2")):
                client.send(Ack(1))
                assert await client.receive() == (Data(2, letter * 188), (ADDRESS, server.port))
                client.send(Ack(2))
            await facts.until(lambda facts: sum(isinstance(fact, TftpFinished) for fact in facts) == 2)


async def test_blocks_are_as_large_as_the_subnet_allows_and_1468_by_default():
    assert SubnetSection().tftp_block_size == 1468
    asked = ReadRequest("one", Mode.OCTET, {"blksize": "9000"})
    async with serving() as (server, _):
        with Client(server) as client:
            client.send(asked)
            assert (await client.receive())[0] == OptionsAck({"blksize": "1468"})
    sizes = {"127.0.0.1": 1024, "127.0.0.2": 8192}
    async with serving(block_size=sizes.__getitem__) as (server, _):
        for address, size in sizes.items():
            with Client(server, address) as client:
                client.send(asked)
                assert (await client.receive())[0] == OptionsAck({"blksize": str(size)})
