"""The server on loopback, spoken to by independent clients and by hand-made datagrams."""

import asyncio
import contextlib
import os
import socket
import subprocess

import pytest
import tftpy

from appliance.errors import ApplianceError
from appliance.netboot.tftp.facts import TftpFailed, TftpFinished, TftpNotFound
from appliance.netboot.tftp.files import DirectoryFiles, MemoryFile
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.packet import (
    Ack,
    Data,
    Failure,
    Mode,
    OptionsAck,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
)
from appliance.netboot.tftp.server import TftpServer

ADDRESS = "127.0.0.1"


class Facts(list):
    """Published facts, and a way to wait for the next."""

    def __init__(self):
        super().__init__()
        self.waiters = []

    def publish(self, fact):
        self.append(fact)
        for waiter in self.waiters:
            waiter.set()

    async def until(self, condition):
        arrived = asyncio.Event()
        self.waiters.append(arrived)
        async with asyncio.timeout(20):
            while not condition(self):
                await arrived.wait()
                arrived.clear()


@contextlib.asynccontextmanager
async def serving(files, **limits):
    facts = Facts()
    server = TftpServer(ADDRESS, 0, files, facts.publish, TftpLimits(**limits))
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        try:
            yield server, facts
        finally:
            server.close()


class Client:
    """A UDP socket that speaks packets."""

    def __init__(self, server, address=ADDRESS):
        self.server = (server.address, server.port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)

    def send(self, packet, to=None):
        data = packet if isinstance(packet, bytes) else encode(packet)
        self.socket.sendto(data, to or self.server)

    async def receive(self):
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self.socket, readable.set)  # uvloop has no sock_recvfrom
        try:
            async with asyncio.timeout(10):
                await readable.wait()
        finally:
            loop.remove_reader(self.socket)
        data, sender = self.socket.recvfrom(70000)
        return decode(data), sender

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "loader.efi").write_bytes(os.urandom(300_001))
    (root / "even").write_bytes(b"e" * 1024)
    (root / "text").write_bytes(b"one\ntwo\n")
    return root


async def client_program(*argv, cwd):
    """Run an independent client; its exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("name", ["loader.efi", "even"])
async def test_tftp_hpa_fetches(root, tmp_path, name):
    async with serving(DirectoryFiles(root)) as (server, facts):
        code, said = await client_program(
            "tftp", "-4", "-m", "binary", ADDRESS, str(server.port), "-c", "get", name, "got", cwd=tmp_path
        )
        assert code == 0, said
        await facts.until(lambda facts: len(facts) == 1)
    assert (tmp_path / "got").read_bytes() == (root / name).read_bytes()
    assert isinstance(facts[0], TftpFinished)
    assert facts[0].bytes == (root / name).stat().st_size


async def test_tftp_hpa_fetches_netascii(root, tmp_path):
    async with serving(DirectoryFiles(root)) as (server, _):
        await client_program(
            "tftp", "-4", "-m", "ascii", ADDRESS, str(server.port), "-c", "get", "text", "got", cwd=tmp_path
        )
    assert (tmp_path / "got").read_bytes() == b"one\ntwo\n"


async def test_tftp_hpa_may_not_write(root, tmp_path):
    (tmp_path / "new").write_bytes(b"x")
    async with serving(DirectoryFiles(root)) as (server, facts):
        _, said = await client_program("tftp", "-4", ADDRESS, str(server.port), "-c", "put", "new", "new", cwd=tmp_path)
    assert "code 2: this server is read only" in said, "an access violation"
    assert facts == [TftpFailed(ADDRESS, "new", "the client tried to write")]
    assert not (root / "new").exists()


@pytest.mark.parametrize("options", [[], ["blksize 1468"], ["windowsize 8"], ["blksize 1400", "windowsize 3"]])
async def test_atftp_fetches(root, tmp_path, options):
    flags = [flag for option in options for flag in ("--option", option)]
    async with serving(DirectoryFiles(root)) as (server, _):
        code, said = await client_program(
            "atftp", *flags, "-g", "-r", "loader.efi", "-l", "got", ADDRESS, str(server.port), cwd=tmp_path
        )
    assert code == 0, said
    assert (tmp_path / "got").read_bytes() == (root / "loader.efi").read_bytes()


@pytest.mark.parametrize("flags", [[], ["--tftp-blksize", "1400"], ["--tftp-no-options"]])
async def test_curl_fetches(root, tmp_path, flags):
    async with serving(DirectoryFiles(root)) as (server, _):
        url = f"tftp://{ADDRESS}:{server.port}/loader.efi"
        code, said = await client_program("curl", "-sS", *flags, "-o", "got", url, cwd=tmp_path)
    assert code == 0, said
    assert (tmp_path / "got").read_bytes() == (root / "loader.efi").read_bytes()


async def test_curl_hears_that_a_file_is_missing(root, tmp_path):
    async with serving(DirectoryFiles(root)) as (server, facts):
        url = f"tftp://{ADDRESS}:{server.port}/nothing"
        code, _ = await client_program("curl", "-sS", url, cwd=tmp_path)
    assert code == 68  # CURLE_TFTP_NOTFOUND
    assert facts == [TftpNotFound(ADDRESS, "nothing")]


async def test_tftpy_fetches(root, tmp_path):
    async with serving(DirectoryFiles(root)) as (server, _):
        client = tftpy.TftpClient(ADDRESS, server.port, options={"blksize": 1024, "tsize": 0})
        await asyncio.to_thread(client.download, "loader.efi", str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == (root / "loader.efi").read_bytes()


async def test_many_clients_at_once(root, tmp_path):
    async with serving(DirectoryFiles(root), transfers_per_source=64, unanswered_per_source=64) as (
        server,
        facts,
    ):
        url = f"tftp://{ADDRESS}:{server.port}/loader.efi"
        async with asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(client_program("curl", "-sS", "-o", f"got{number}", url, cwd=tmp_path))
        await facts.until(lambda facts: len(facts) == 12)
    assert {(tmp_path / f"got{number}").read_bytes() for number in range(12)} == {(root / "loader.efi").read_bytes()}


async def test_every_transfer_has_its_own_port_and_strangers_get_error_5(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as first, Client(server) as second, Client(server) as stranger:
            first.send(ReadRequest("even", Mode.OCTET))
            second.send(ReadRequest("even", Mode.OCTET))
            data, first_port = await first.receive()
            _, second_port = await second.receive()
            assert len({first_port[1], second_port[1], server.port}) == 3
            stranger.send(Ack(1), first_port)
            answer, _ = await stranger.receive()
            assert answer.code == 5
            stranger.send(Failure(5, "answering this would never end"), first_port)
            first.send(Ack(data.block), first_port)
            assert (await first.receive())[0] == Data(2, b"e" * 512)
            first.send(Ack(2), first_port)
            assert (await first.receive())[0] == Data(3, b"")
            first.send(Ack(3), first_port)
            await facts.until(lambda facts: len(facts) == 1)
    assert facts[0].bytes == 1024


async def test_repeated_request_of_one_port_starts_nothing_new(root):
    async with serving(DirectoryFiles(root)) as (server, _):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET))
            client.send(ReadRequest("even", Mode.OCTET))
            _, port = await client.receive()
            client.send(Ack(1), port)
            packet, again = await client.receive()
            assert (packet.block, again) == (2, port)


async def test_a_repeated_request_that_we_read_late_disturbs_nothing(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET))
            _, port = await client.receive()
            client.send(Ack(1), port)
            assert (await client.receive())[0].block == 2
            client.send(ReadRequest("even", Mode.OCTET))
            client.send(Ack(2), port)
            packet, again = await client.receive()
            assert (packet, again) == (Data(3, b""), port)
            client.send(Ack(3), port)
            await facts.until(lambda facts: len(facts) == 1)
    assert facts[0].bytes == 1024


async def test_a_request_is_heard_again_once_its_transfer_got_no_answers(root):
    async with serving(DirectoryFiles(root)) as (server, _):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET))
            _, port = await client.receive()
            client.send(Ack(1), port)
            for _ in range(2):
                assert (await client.receive())[0].block == 2, "which had to be repeated: the client began anew"
            client.send(ReadRequest("even", Mode.OCTET))
            packets = [await client.receive() for _ in range(2)]
            assert any(isinstance(packet, Data) and packet.block == 1 for packet, _ in packets)


async def test_a_new_request_from_the_same_port_replaces_the_old(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET))
            await client.receive()
            client.send(ReadRequest("text", Mode.OCTET))
            packets = {type(packet): packet for packet, _ in [await client.receive(), await client.receive()]}
            assert packets[Data].payload == b"one\ntwo\n"
            await facts.until(lambda facts: len(facts) == 1)
    assert "anew" in facts[0].reason


async def test_size_probe_is_no_error(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET, {"tsize": "0"}))
            answer, port = await client.receive()
            assert answer == OptionsAck({"tsize": "1024"})
            client.send(Failure(0, "thanks"), port)
            client.send(ReadRequest("missing", Mode.OCTET))
            await facts.until(lambda facts: len(facts) == 1)
    assert facts == [TftpNotFound(ADDRESS, "missing")]


async def test_the_boot_of_ovmf_as_captured():
    """UEFI's PXE client first asks for the size and aborts, then fetches in windows of four blocks."""
    async with serving(FailingFiles()) as (server, facts):
        with Client(server) as probe, Client(server) as fetch:
            probe.send(b"\0\1loader.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0")
            answer, port = await probe.receive()
            assert answer == OptionsAck({"tsize": "2", "blksize": "1468", "windowsize": "4"})
            probe.send(b"\0\5\0\x08User aborted the transfer\0", port)
            fetch.send(b"\0\1loader.efi\0octet\0blksize\x001468\0windowsize\x004\0")
            answer, port = await fetch.receive()
            assert answer == OptionsAck({"blksize": "1468", "windowsize": "4"})
            fetch.send(b"\0\4\0\0", port)
            assert (await fetch.receive())[0] == Data(1, b"ok")
            fetch.send(b"\0\4\0\1", port)
            await facts.until(lambda facts: len(facts) == 1)
    assert isinstance(facts[0], TftpFinished)


async def test_unanswered_transfers_of_one_source_are_limited(root):
    async with serving(DirectoryFiles(root), unanswered_per_source=2) as (server, _):
        with contextlib.ExitStack() as stack:
            greedy = [stack.enter_context(Client(server)) for _ in range(4)]
            other = stack.enter_context(Client(server, "127.0.0.2"))
            for client in greedy[:2]:
                client.send(ReadRequest("even", Mode.OCTET))
                port = (await client.receive())[1]
            greedy[2].send(ReadRequest("even", Mode.OCTET))
            other.send(ReadRequest("even", Mode.OCTET))
            await other.receive()  # the server has read the greedy third request by now
            with pytest.raises(BlockingIOError):
                greedy[2].socket.recv(1000)
            greedy[1].send(Ack(1), port)
            await greedy[1].receive()
            greedy[3].send(ReadRequest("even", Mode.OCTET))
            await greedy[3].receive()


async def test_total_transfers_are_limited(root):
    async with serving(DirectoryFiles(root), transfers=1) as (server, facts):
        with Client(server) as first, Client(server, "127.0.0.2") as second:
            first.send(ReadRequest("even", Mode.OCTET))
            _, port = await first.receive()
            first.send(Ack(1), port)
            await first.receive()  # whoever has answered keeps its place
            second.send(ReadRequest("text", Mode.OCTET))
            second.send(b"\0\1garbage")
            assert (await second.receive())[0].code == 4  # and so the request before was dropped
            first.send(Ack(2), port)
            _, port = await first.receive()
            first.send(Ack(3), port)
            await facts.until(lambda facts: len(facts) == 1)
            second.send(ReadRequest("text", Mode.OCTET))
            await second.receive()


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\3\0\1xxxx", b"\0\4\0\1", b"\0\5\0\1no\0", b"\0\6a\0b\0", b"\xff" * 60000]
)
async def test_what_is_no_request_is_not_answered(root, data):
    async with serving(DirectoryFiles(root)) as (server, _):
        with Client(server) as client:
            client.send(data)
            client.send(ReadRequest("text", Mode.OCTET))
            assert (await client.receive())[0] == Data(1, b"one\ntwo\n")


@pytest.mark.parametrize("data", [b"\0\1", b"\0\1abc", b"\0\1a\0mail\0", b"\0\1\0octet\0", b"\0\2" + b"x" * 5000])
async def test_malformed_requests_get_error_4(root, data):
    async with serving(DirectoryFiles(root)) as (server, _):
        with Client(server) as client:
            client.send(data)
            assert (await client.receive())[0].code == 4


async def test_write_request_by_hand(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(WriteRequest("evil\x1b[31m"))
            assert (await client.receive())[0].code == 2
    assert facts[0].name == "evil?[31m"


class FailingFiles:
    """A source with a fault of its own."""

    def open(self, name, client):
        if name == "bad":
            raise RuntimeError("no template")
        return MemoryFile(b"ok")


async def test_a_failing_source_harms_only_its_request():
    async with serving(FailingFiles()) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("bad", Mode.OCTET))
            assert isinstance((await client.receive())[0], Failure)
            client.send(ReadRequest("good", Mode.OCTET))
            assert (await client.receive())[0] == Data(1, b"ok")
    assert facts[0] == TftpFailed(ADDRESS, "bad", "cannot open the file: no template")


async def test_close_tells_running_clients(root):
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("even", Mode.OCTET))
            await client.receive()
            server.close()
            assert "stopping" in (await client.receive())[0].message
            await facts.until(lambda facts: len(facts) == 1)
    assert facts == [TftpFailed(ADDRESS, "even", "the server is stopping")]


async def test_port_in_use_is_said_clearly():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((ADDRESS, 0))
        port = other.getsockname()[1]
        server = TftpServer(ADDRESS, port, FailingFiles(), lambda fact: None)
        with pytest.raises(ApplianceError, match=f"{ADDRESS} port {port}: Address already in use") as caught:
            await server.start()
    assert caught.value.code == "tftp-bind"


async def test_close_without_run_frees_the_port():
    server = TftpServer(ADDRESS, 0, FailingFiles(), lambda fact: None)
    await server.start()
    server.close()
    await server.run()
    again = TftpServer(ADDRESS, server.port, FailingFiles(), lambda fact: None)
    await again.start()
    again.close()


async def test_errors_are_rationed_and_a_file_is_still_had(root):
    async with serving(DirectoryFiles(root), refusals_per_source=5) as (server, facts):
        with Client(server) as asker, Client(server) as real:
            for _ in range(40):
                asker.send(ReadRequest("missing", Mode.OCTET))
            await facts.until(lambda facts: len(facts) == 40)
            answers = 0
            with contextlib.suppress(BlockingIOError):
                while asker.socket.recv(1000):
                    answers += 1
            assert 5 <= answers <= 10  # the forty may lie in two seconds
            real.send(ReadRequest("text", Mode.OCTET))
            assert (await real.receive())[0] == Data(1, b"one\ntwo\n")


async def test_a_transfer_without_a_port_ends_alone(root, monkeypatch):
    monkeypatch.setattr("appliance.netboot.tftp.server.OwnPort", no_port)
    async with serving(DirectoryFiles(root)) as (server, facts):
        with Client(server) as client:
            client.send(ReadRequest("text", Mode.OCTET))
            await facts.until(len)
            assert facts == [TftpFailed(ADDRESS, "text", "cannot open a port for the transfer: no more")]
            monkeypatch.undo()
            client.send(ReadRequest("text", Mode.OCTET))
            assert (await client.receive())[0] == Data(1, b"one\ntwo\n")


def no_port(*_):
    raise OSError("no more")
