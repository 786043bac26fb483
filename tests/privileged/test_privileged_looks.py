"""What is looked at before a version is called good."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from paper_box import keep_record
from paper_computer import computer

from appliance import certificates, server_tls
from appliance.errors import ApplianceError
from appliance.privileged import looks, trial
from appliance.privileged.computer import Computer
from appliance.updates.record import Record, Stage, Update, begin

UDP = "  sl  local_address rem_address st\n  1: 00000000:{:04X} 00000000:0000 07\n"
SUBNET = '[[subnet]]\ninterface = "br0"\nranges = ["10.77.0.50-10.77.0.60"]\n'


def configured(on: Computer, text: str, place: str = looks.CONFIGURED) -> None:
    path = (on.roots.etc if place == looks.CONFIGURED else on.roots.share) / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@asynccontextmanager
async def console(tmp_path: Path, status: int, said: str = '{"status": "ok", "serves": []}') -> AsyncIterator[int]:
    """A console that answers so; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d Words\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said.encode()))
        writer.close()

    authority = certificates.authority(tmp_path, 1_800_000_000.0)
    tls: ssl.SSLContext = server_tls.ServerTls(authority, ["localhost"], 1_800_000_000.0).context
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def site(tmp_path: Path, listen: str, more: str = "") -> str:
    return f'[site]\nstate_dir = "{tmp_path}"\n[web]\nlisten = ["{listen}"]\n{more}'


async def wrong(on: Computer) -> dict[str, str]:
    return {found.criterion: found.wrong for found in await looks.look(on) if not found.good}


async def test_all_that_has_to_hold(tmp_path: Path) -> None:
    on, programs = computer(tmp_path / "box", {"virsh": "10.0", "journalctl": ""})
    (on.roots.proc / "net").mkdir()
    (on.roots.proc / "net/udp").write_text(UDP.format(67))
    async with console(tmp_path, 200, '{"status": "ok", "serves": ["dhcp", "tftp"]}') as port:
        configured(on, site(tmp_path, f"0.0.0.0:{port}", SUBNET))
        assert await wrong(on) == {"TFTP is served": "nothing is bound to UDP port 69"}
    async with console(tmp_path, 200, '{"status": "ok", "serves": ["dhcp"]}') as port:
        configured(on, site(tmp_path, f"127.0.0.1:{port}", SUBNET))
        assert await wrong(on) == {}
        assert [found.criterion for found in await looks.look(on)] == [
            "the console answers", "the state can be read", "DHCP is served", "libvirt connects",
        ]  # fmt: skip
    assert ["virsh", "--connect", "qemu:///system", "version"] in programs.ran


async def test_what_users_switched_off_or_what_is_set_aside_needs_no_port(tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "box", {"virsh": "10.0"})
    async with console(tmp_path, 200) as port:
        configured(on, site(tmp_path, f"127.0.0.1:{port}", SUBNET))
        assert await wrong(on) == {}


async def test_a_daemon_that_does_not_say_what_it_serves_is_not_good(tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "box", {"virsh": "10.0"})
    async with console(tmp_path, 200, '{"status": "ok"}') as port:
        configured(on, site(tmp_path, f"127.0.0.1:{port}", SUBNET))
        assert list(await wrong(on)) == ["the daemon says what it serves"]


async def test_before_set_up_there_is_nothing_to_serve(tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "box", {"virsh": ApplianceError("program-failed", "cannot connect")})
    async with console(tmp_path, 503) as port:
        configured(on, site(tmp_path, f"0.0.0.0:{port}"), looks.FIRST)
        assert await wrong(on) == {"the state can be read": "/healthz says 503", "libvirt connects": "cannot connect"}


async def test_a_daemon_that_does_not_start_says_why_in_the_journal(tmp_path: Path) -> None:
    # Its own last words: with --unit= come those of systemd about it, which are always the last.
    said = {"journalctl _SYSTEMD_UNIT=appliance.service": "qrm: store-newer: the state was written by\n"}
    on, _ = computer(tmp_path / "box", {"virsh": ""} | said)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        configured(on, site(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}"))
        found = await wrong(on)
    assert "store-newer" in found["the console answers"]
    assert found["the state can be read"] == "the console could not be asked"


async def test_a_broken_configuration_is_a_reason(tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "box", {})
    configured(on, "[nonsense]\n")
    assert "nonsense" in (await wrong(on))["the configuration can be read"]


def test_the_console_is_asked_where_it_listens() -> None:
    assert looks._place(["0.0.0.0:8443"]) == ("127.0.0.1", 8443)
    assert looks._place(["[::]:443"]) == ("::1", 443)
    assert looks._place(["10.0.0.1:8443", "10.0.0.2:1"]) == ("10.0.0.1", 8443)
    assert IPv4Address(looks._place([])[0]).is_loopback


@pytest.mark.parametrize(("stage", "letter", "expected"), [
    (Stage.GOOD, "B", True), (Stage.GOOD, "A", False), (Stage.TRYING, "B", False), (Stage.FELL_BACK, "A", True),
])  # fmt: skip
def test_boot_loaders_are_renewed_by_what_proved_good_alone(
    tmp_path: Path, stage: Stage, letter: str, expected: bool
) -> None:
    on, _ = computer(tmp_path)
    (on.roots.proc / "cmdline").write_text(f"rauc.slot={letter}")
    assert trial.at_home(on)
    keep_record(on, begin(Record(), Update("B", "0.5.0", "A", "0.4.0", 1.0, stage), 1.0))
    assert trial.at_home(on) is expected
