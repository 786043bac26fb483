"""Listening sockets, messages to the service manager, and the lock on the state directory."""

import asyncio
import contextlib
import errno
import os
import socket
from pathlib import Path

import pytest
import uvloop

from appliance.errors import ApplianceError
from appliance.listening import PerSource, listen_tcp, passed_sockets, raise_descriptor_limit
from appliance.notify import ServiceNotifier
from appliance.state import state_directory, write_whole


def code_of(call, *arguments):
    with pytest.raises(ApplianceError) as caught:
        call(*arguments)
    assert caught.value.hint
    return caught.value.code


def test_a_port_in_use_and_an_address_that_is_not_ours():
    with listen_tcp("127.0.0.1", 0, "test") as first:
        assert code_of(listen_tcp, "127.0.0.1", first.getsockname()[1], "test") == "port-in-use"
    assert code_of(listen_tcp, "192.0.2.1", 0, "test") == "address-unusable"
    assert code_of(listen_tcp, "no.such.name.invalid", 0, "test") == "address-unusable"


class Echo(asyncio.Protocol):
    """Greets, repeats what it hears, and says when a connection was lost."""

    def __init__(self, lost):
        self._lost = lost

    def connection_made(self, transport):
        self._transport = transport
        transport.write(b"hello")

    def data_received(self, data):
        self._transport.write(data)

    def connection_lost(self, exc):
        self._lost.set()


@pytest.mark.parametrize("loop_kind", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_one_source_has_so_many_connections_and_gets_them_back(loop_kind):
    async def talk():
        lost, made = asyncio.Event(), []
        server = await asyncio.get_running_loop().create_server(PerSource(lambda: Echo(lost), 2), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def greeting(source):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            made.append((reader, writer))
            try:
                return await reader.read(5)
            except ConnectionError:
                return b""

        async with server:
            assert [await greeting("127.0.0.1") for _ in range(4)] == [b"hello", b"hello", b"", b""]
            assert await greeting("127.0.0.2") == b"hello", "others are not concerned"
            reader, writer = made[0]
            writer.write(b"echo")
            assert await reader.readexactly(4) == b"echo"
            assert not lost.is_set(), "who was turned away had no protocol"
            writer.write_eof()
            assert await reader.read() == b""
            await lost.wait()
            assert [await greeting("127.0.0.1") for _ in range(2)] == [b"hello", b""]
            for _, each in made:
                each.close()

    with asyncio.Runner(loop_factory=loop_kind) as runner:
        runner.run(asyncio.wait_for(talk(), 30))


def test_as_many_descriptors_as_the_computer_allows(monkeypatch):
    limits = [(1024, 65536)]
    monkeypatch.setattr("resource.getrlimit", lambda _: limits[-1])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.append(wanted))
    raise_descriptor_limit()
    raise_descriptor_limit()
    assert limits == [(1024, 65536), (65536, 65536)]


def test_sockets_for_another_process_are_not_ours():
    assert passed_sockets({}, "web") == []
    assert passed_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}, "web") == []
    assert passed_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}, "web") == []


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(10)
        yield made


def test_the_service_manager_hears_what_it_is_told(manager):
    ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()}).tell("READY=1", "STATUS=serving")
    assert manager.recv(100) == b"READY=1\nSTATUS=serving"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/no/such/socket"}, {"NOTIFY_SOCKET": "@" + "x" * 300}])
def test_a_service_manager_that_is_not_there_is_no_error(environment):
    ServiceNotifier(environment).tell("READY=1")


async def test_the_watchdog_is_fed_twice_a_period_and_only_if_there_is_one(manager):
    await ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()}).watchdog()
    fed = ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000"})
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(fed.watchdog())
        for _ in range(3):
            assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
        feeding.cancel()


async def test_a_long_start_asks_for_more_time_until_it_is_over(manager, monkeypatch):
    """Copying the stack and adding images may take longer than the 90 s that a start has."""
    monkeypatch.setattr("appliance.notify.STARTING_SECONDS", 0.001)
    with ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()}).starting():
        for _ in range(3):
            told = (await asyncio.to_thread(manager.recv, 100)).decode()
            key, _, value = told.partition("=")
            assert key == "EXTEND_TIMEOUT_USEC"
            assert int(value) / 1e6 >= 60
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while manager.recv(100):
            """Whatever was told before the end."""
    await asyncio.sleep(0.01)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_one_daemon_per_state_directory(tmp_path):
    path = tmp_path / "deep" / "state"
    with state_directory(path):
        assert path.stat().st_mode & 0o777 == 0o700

        def again():
            with state_directory(path):
                raise AssertionError("two at once")

        assert code_of(again) == "state-in-use"
    with state_directory(path):
        assert (path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_state_directory_that_others_may_write_to_is_refused(tmp_path, mode):
    """Who may write there may put a store, keys or images of their own in place."""
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(mode)

    def enter():
        with state_directory(path):
            raise AssertionError

    assert code_of(enter) == "state-shared"
    assert list(path.iterdir()) == []
    path.chmod(0o755)
    with state_directory(path):
        assert (path / "lock").exists()


def test_a_lock_that_fails_for_another_reason_is_not_another_daemon(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)

    def enter():
        with state_directory(tmp_path):
            raise AssertionError

    assert code_of(enter) == "state-unusable"


def test_a_state_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")

    def enter():
        with state_directory(tmp_path / "file" / "state"):
            raise AssertionError

    assert code_of(enter) == "state-unusable"


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "secret"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_of_a_file_is_on_disk_before_anybody_relies_on_it(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink()))
    write_whole(tmp_path / "secret", b"one")
    assert synced == [tmp_path / "secret.part", tmp_path]


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "make it writable")])
def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch, number, says):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(ApplianceError) as caught:
        write_whole(tmp_path / "secret", b"one")
    assert caught.value.code == "state-unwritable"
    assert says in caught.value.hint
    assert not (tmp_path / "secret").exists()
