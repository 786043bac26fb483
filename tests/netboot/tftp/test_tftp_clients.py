"""Independent clients: through one port or many, in blocks and windows of every size, over a wire that does harm."""

import asyncio
import contextlib
import os

import pytest
from bad_wire import BadWire
from test_tftp_server import ADDRESS, Client, client_program, serving

from appliance.netboot.tftp.facts import TftpFinished
from appliance.netboot.tftp.files import DirectoryFiles
from appliance.netboot.tftp.packet import Ack, Data, Mode, OptionsAck, ReadRequest
from appliance.netboot.tftp.server import TftpServer

SIZE = 100_001


@pytest.fixture
def content(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "loader").write_bytes(os.urandom(SIZE))
    return (tmp_path / "root" / "loader").read_bytes()


@pytest.fixture
def files(content, tmp_path):
    return DirectoryFiles(tmp_path / "root")


def curl(port, *more):
    return ["curl", "-sS", *more, "-o", "got", f"tftp://{ADDRESS}:{port}/loader"]


def atftp(port, *options):
    flags = [flag for option in options for flag in ("--option", option)]
    return ["atftp", *flags, "-g", "-r", "loader", "-l", "got", ADDRESS, str(port)]


def tftp_hpa(port):
    return ["tftp", "-4", "-m", "binary", ADDRESS, str(port), "-c", "get", "loader", "got"]


def busybox(port, *more):
    return ["busybox", "tftp", *more, "-g", "-r", "loader", "-l", "got", ADDRESS, str(port)]


CLIENTS = {
    "curl": lambda port: curl(port),
    "curl-1468": lambda port: curl(port, "--tftp-blksize", "1468"),
    "curl-65464": lambda port: curl(port, "--tftp-blksize", "65464"),
    "curl-plain": lambda port: curl(port, "--tftp-no-options"),
    "atftp": lambda port: atftp(port),
    "atftp-1468-16": lambda port: atftp(port, "blksize 1468", "windowsize 16"),
    "atftp-windows": lambda port: atftp(port, "windowsize 64"),
    "tftp-hpa": tftp_hpa,
    "busybox": lambda port: busybox(port),
    "busybox-1468": lambda port: busybox(port, "-b", "1468"),
}


@contextlib.asynccontextmanager
async def one_port(files):
    facts = []
    server = TftpServer(ADDRESS, 0, files, facts.append, single_port=True)
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        try:
            yield server, facts
        finally:
            server.close()


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_client_gets_the_file_from_a_port_of_the_transfer(files, content, tmp_path, name):
    async with serving(files, block_size=65464) as (server, facts):
        code, said = await client_program(*CLIENTS[name](server.port), cwd=tmp_path)
        assert code == 0, said
        await facts.until(lambda facts: any(isinstance(fact, TftpFinished) for fact in facts))
    assert (tmp_path / "got").read_bytes() == content


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_client_gets_the_file_through_one_port(files, content, tmp_path, name):
    async with one_port(files) as (server, _):
        code, said = await client_program(*CLIENTS[name](server.port), cwd=tmp_path)
    assert code == 0, said
    assert (tmp_path / "got").read_bytes() == content


async def test_with_one_port_nothing_comes_from_another_and_clients_are_kept_apart(files, content):
    async with one_port(files) as (server, facts):
        with Client(server) as first, Client(server) as second, Client(server) as stranger:
            for client in (first, second):
                client.send(ReadRequest("loader", Mode.OCTET, {"blksize": "1024", "windowsize": "3"}))
                assert await client.receive() == (OptionsAck({"blksize": "1024", "windowsize": "3"}), first.server)
            first.send(Ack(0))
            for block in (1, 2, 3):
                packet, sender = await first.receive()
                assert (packet, sender) == (Data(block, content[(block - 1) * 1024 : block * 1024]), first.server)
            stranger.send(Ack(3))
            second.send(Ack(0))
            assert (await second.receive())[0].block == 1
            with pytest.raises(BlockingIOError):
                first.socket.recv(2000)  # neither of these was its own answer
            with pytest.raises(BlockingIOError):
                stranger.socket.recv(2000)
    assert {fact.reason for fact in facts} == {"the server is stopping"}


async def over_a_bad_wire(files, tmp_path, seed, argv, **harm):
    """What the client program left, and how many datagrams were lost or doubled."""
    async with serving(files, transfers_per_source=64, unanswered_per_source=64) as (server, _):
        wire = BadWire(server.port, seed, **harm)
        try:
            code, said = await client_program(*argv(wire.port), cwd=tmp_path)
            assert code == 0, said
        finally:
            wire.close()
    return (tmp_path / "got").read_bytes(), wire.harmed


async def test_curl_gets_the_whole_file_over_a_bad_wire(files, content, tmp_path):
    # Without options: curl asks for a timeout of six seconds otherwise, and gets it.
    got, harmed = await over_a_bad_wire(files, tmp_path, 1, CLIENTS["curl-plain"], lost=0.01)
    assert got == content
    assert harmed > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["curl-plain", "atftp", "atftp-1468-16", "atftp-windows", "tftp-hpa", "busybox-1468"])
async def test_every_client_gets_the_whole_file_over_a_bad_wire(files, content, tmp_path, name, seed):
    got, harmed = await over_a_bad_wire(files, tmp_path, seed, CLIENTS[name])
    assert got == content
    assert harmed > 0
