"""The real daemon in a network of its own: it starts whole or says why not, stops at once, and survives kill -9."""

import asyncio
import json
import re
import signal
import sqlite3
import ssl
import time
from contextlib import AsyncExitStack

import psutil
import pytest
from aiohttp import web
from daemon_namespace import Daemon

from appliance.assembly.parts import Site
from appliance.daemon import _bind, _listen, _tell_started
from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.store.schema import MIGRATIONS

MEMORY_LIMIT = 80 * 1000 * 1000
PRIVATE = ("authority.pem", "store.db", "lock")
BUSY_TCP = "import socket,sys; s = socket.create_server(('{}', {})); print(1, flush=True); sys.stdin.read()"
BUSY_UDP = (
    "import socket,sys; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('{}', {}));"
    " print(1, flush=True); sys.stdin.read()"
)


def test_ready_means_that_everything_is_served(daemon, namespace):
    daemon.start()
    assert daemon.told[0].startswith("EXTEND_TIMEOUT_USEC="), "copying the stack may take its time"
    assert namespace.curl("http://10.77.0.1/time")[0] == 200
    assert namespace.curl("http://10.77.0.1/boot/undionly.kpxe")[1].startswith("undionly.kpxe")
    assert namespace.curl("https://10.77.0.1/control/v1/work")[0] == 401
    assert namespace.curl("https://127.0.0.1:8443/api/v1/machines")[0] == 401
    assert namespace.run("dig", "+short", "@10.77.0.1", "appliance.lab.test") == "10.77.0.1\n"
    assert namespace.run("curl", "--silent", "tftp://10.77.0.1/undionly.kpxe").startswith("undionly.kpxe")
    assert ":67 " in namespace.run("ss", "-lunH")


def test_the_set_up_link_is_private_and_not_in_the_log(daemon):
    daemon.start()
    link = daemon.path / "state" / "setup-url"
    assert link.stat().st_mode & 0o777 == 0o600
    secret = link.read_text().split("token=")[-1].split()[0]
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", secret), "80 bits, to be typed from a screen"
    assert secret not in daemon.words()
    modes = {name: (daemon.path / "state" / name).stat().st_mode & 0o077 for name in PRIVATE}
    assert set(modes.values()) == {0}


def test_the_fingerprint_to_compare_with_is_in_the_log_and_in_its_file(daemon):
    """Console and ``qrm login`` send their reader to both."""
    daemon.start()
    fingerprint = (daemon.path / "state" / "ca-fingerprint").read_text().strip()
    assert len(fingerprint) == 64
    assert fingerprint in daemon.words()
    assert str(daemon.path / "state" / "setup-url") in daemon.words()


def test_one_computer_cannot_take_all_connections(daemon, namespace):
    """It opens as many as it can and says nothing; who comes from elsewhere is served."""
    daemon.start()
    program = (
        "import socket,sys\nopen_ = [socket.create_connection(('10.77.0.1', 80)) for _ in range(400)]\n"
        "for each in open_: each.settimeout(0.5)\n"
        "def left(each):\n"
        "    try: return each.recv(1) != b''\n"
        "    except TimeoutError: return True\n"
        "    except ConnectionError: return False\n"
        "closed = sum(not left(each) for each in open_[-100:])\n"
        "print(closed, flush=True); sys.stdin.read()"
    )
    with namespace.popen("python3", "-c", program, stdin=-1, stdout=-1) as hoarder:
        assert hoarder.stdout.readline() == b"100\n"
        namespace.run("ip", "address", "add", "10.77.0.9/24", "dev", "br0")
        assert namespace.curl("http://10.77.0.1/time", "--interface", "10.77.0.9")[0] == 200
        hoarder.kill()
    soft = psutil.Process(daemon.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft[0] == soft[1]


async def test_a_full_disk_does_not_keep_it_from_starting(caplog, tmp_path):
    class Full:
        async def write(self, *_):
            raise ApplianceError("store-failed", "the disk is full")

    with caplog.at_level("INFO"):
        await _tell_started(Full(), Bus(), "ab" * 32, None, tmp_path)
    assert "the disk is full" in caplog.text
    assert "the fingerprint of the certificate authority is abab" in caplog.text


async def test_a_connection_that_never_asks_is_closed(monkeypatch):
    monkeypatch.setattr("appliance.daemon.IDLE_SECONDS", 0.05)
    async with AsyncExitStack() as bound, asyncio.timeout(20):
        site = Site("test", web.Application(), (("127.0.0.1", 0),), per_source=5)
        runner, _, (listening,) = await _bind(bound, site)
        server = await _listen(runner, site, listening)
        bound.callback(server.close)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: ")
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_never_agrees_on_tls_is_closed(monkeypatch):
    monkeypatch.setattr("appliance.daemon.HANDSHAKE_SECONDS", 0.05)
    async with AsyncExitStack() as bound, asyncio.timeout(20):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        runner, site, (listening,) = await _bind(bound, Site("test", web.Application(), (("127.0.0.1", 0),), tls=tls))
        server = await _listen(runner, site, listening)
        bound.callback(server.close)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        assert await reader.read() == b""
        writer.close()


def test_memory_at_rest(daemon):
    daemon.start()
    daemon.boot()
    used = psutil.Process(daemon.process.pid).memory_info().rss
    print(f"the daemon at rest uses {used / 1e6:.1f} MB")
    assert used < MEMORY_LIMIT


def test_sigterm_ends_it_quickly_with_a_poll_open(daemon, namespace):
    daemon.start()
    token, nonce = daemon.boot()
    mac = "52:54:00:00:00:01"
    body = {"boot_token": token, "machine_token": "a" * 64, "nonce": nonce, "mac": mac, "macs": [mac]}
    status, said = namespace.curl("https://10.77.0.1/control/v1/redeem", "--data", json.dumps(body))
    assert status == 200, said
    url = f"http://10.77.0.1/poll/{json.loads(said)['poll']}"
    with namespace.popen("curl", "--silent", "--verbose", url, stderr=-1, stdout=-1, text=True) as poll:
        assert any(line.startswith("> Host") for line in poll.stderr), "the request is on its way"
        assert namespace.curl("http://10.77.0.1/time")[0] == 200
        began = time.monotonic()
        assert daemon.end(signal.SIGTERM) == 0, daemon.words()
        assert time.monotonic() - began < 8
        poll.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_right_after_ready_is_a_clean_one(daemon, number):
    daemon.start()
    assert daemon.end(number) == 0, daemon.words()
    assert "Traceback" not in daemon.words()


def test_it_starts_again_after_kill_9_with_what_it_knew(daemon, namespace):
    daemon.start()
    daemon.boot()
    fingerprint = (daemon.path / "state" / "ca-fingerprint").read_text()
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert (daemon.path / "state" / "ca-fingerprint").read_text() == fingerprint
    assert daemon.end(signal.SIGTERM) == 0
    with sqlite3.connect(daemon.path / "state" / "store.db") as db:
        assert db.execute("SELECT name FROM machines").fetchall() == [("node-000001",)]


def test_a_second_daemon_on_the_same_state_is_refused(daemon, tmp_path):
    daemon.start()
    second = Daemon(daemon.namespace, tmp_path / "two")
    second.configure(f"{second.path}/state", f"{daemon.path}/state")
    assert "state-in-use" in second.refuses()
    assert daemon.process.poll() is None


@pytest.mark.parametrize(
    ("program", "address", "port", "says"),
    [
        (BUSY_TCP, "10.77.0.1", 80, "TCP 10.77.0.1 port 80"),
        (BUSY_TCP, "10.77.0.1", 443, "TCP 10.77.0.1 port 443"),
        (BUSY_TCP, "127.0.0.1", 8443, "TCP 127.0.0.1 port 8443"),
        (BUSY_UDP, "10.77.0.1", 69, "69"),
        (BUSY_UDP, "10.77.0.1", 53, "53"),
        (BUSY_UDP, "0.0.0.0", 67, "67"),
    ],
)
def test_a_port_in_use_is_named(daemon, namespace, program, address, port, says):
    with namespace.popen("python3", "-c", program.format(address, port), stdin=-1, stdout=-1) as holder:
        assert holder.stdout.readline()
        words = daemon.refuses()
        holder.kill()
    assert says in words
    assert "Traceback" not in words
    assert words.startswith("qrm: "), "a code and a sentence"
    assert "\n  " in words, "and a hint"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("/stack", "/nowhere", "no maintenance stack to boot"),
        ("[boot]", "[boots]", "[boots] is unknown"),
        ("127.0.0.1:8443", "192.0.2.1:8443", "192.0.2.1 port 8443"),
        ("/state", "/qrm.toml/state", "state-unusable"),
    ],
)
def test_what_the_computer_lacks_is_said(daemon, old, new, says):
    daemon.configure(old, new)
    words = daemon.refuses()
    assert says in words
    assert "Traceback" not in words


@pytest.mark.parametrize("content", [b"no database " * 500, None])
def test_a_store_that_cannot_be_used_is_said(daemon, content):
    state = daemon.path / "state"
    state.mkdir()
    if content is None:
        with sqlite3.connect(state / "store.db") as db:
            db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    else:
        (state / "store.db").write_bytes(content)
    words = daemon.refuses()
    assert "store-newer" in words if content is None else "store-unusable" in words
    assert "Traceback" not in words
