"""The console's certificate changes while connections go on, and nobody is ever locked out."""

import asyncio
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from appliance import OWN_CERTIFICATE
from appliance.certificates import authority
from appliance.chains import read_chain
from appliance.console_tls import FILE, ConsoleTls
from appliance.errors import ApplianceError
from appliance.server_tls import ServerTls
from tests.chains import DAY, NOW, Signed, rsa_key


class World:
    """A console's TLS with a clock, and what it told."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now, self.told = directory, NOW, list[str]()
        self.authority = authority(directory, NOW)
        self.tls = self.start()

    def start(self) -> ConsoleTls:
        names = ["localhost", "127.0.0.1"]
        self.tls = ConsoleTls(ServerTls(self.authority, names, NOW), self.directory, names, lambda: self.now)
        return self.tls

    async def tell(self, text: str, hint: str) -> None:
        assert hint
        self.told.append(text)

    async def shown(self, name: str = "boot.example.com") -> bytes:
        """The certificate that a new connection is shown, DER."""
        async with serving(self.tls) as port:
            _, writer = await _connect(port, name)
            shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return shown


@asynccontextmanager
async def serving(tls: ConsoleTls) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _connect(port: int, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def der(signed: Signed) -> bytes:
    return ssl.PEM_cert_to_DER_cert(signed.pem.decode().partition("-----END")[0] + "-----END CERTIFICATE-----\n")


@pytest.mark.parametrize("key", [None, "rsa"])
async def test_it_is_switched_without_a_restart_and_back(world: World, key: str | None) -> None:
    signed = Signed(key=rsa_key() if key else None)
    own = await world.shown()
    async with serving(world.tls) as port:
        reader, writer = await _connect(port, "localhost")
        world.tls.use(read_chain(signed.pem, signed.key_pem, NOW))
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()
    assert await world.shown() == der(signed) != own
    assert await world.shown("whatever") == der(signed), "whoever asks for another name"
    assert await world.shown(OWN_CERTIFICATE) == own, "who has pinned our authority"
    assert "boot.example.com" in world.tls.names
    stored = world.directory / FILE
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    world.start()
    assert await world.shown() == der(signed), "after a restart"
    world.tls.forget()
    assert not stored.exists()
    assert ssl.DER_cert_to_PEM_cert(await world.shown()) != ssl.DER_cert_to_PEM_cert(der(signed))
    world.tls.forget()


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
async def test_a_stored_one_that_is_damaged_gives_way_to_ours(world: World, content: bytes) -> None:
    (world.directory / FILE).write_bytes(content)
    world.start()
    assert world.tls.chain is None
    shown = x509.load_der_x509_certificate(await world.shown())
    assert shown.issuer == world.authority.certificate.subject
    assert "cannot be used" in world.tls.notice()
    for _ in range(3):
        await world.tls.check(world.tell)
    assert len(world.told) == 1, "told once"


async def test_one_with_the_key_of_another_gives_way_to_ours(world: World) -> None:
    (world.directory / FILE).write_bytes(Signed().pem + Signed().key_pem)
    world.start()
    assert "the key is not the certificate's" in world.tls.notice()


async def test_the_end_is_warned_of_and_then_ours_comes_back(world: World) -> None:
    signed = Signed()
    world.tls.use(read_chain(signed.pem, signed.key_pem, NOW))
    await world.tls.check(world.tell)
    assert (world.told, world.tls.notice()) == ([], "")
    world.now = NOW + 61 * DAY
    await world.tls.check(world.tell)
    assert "ends on" in world.told[-1]
    world.now = NOW + 90 * DAY
    await world.tls.check(world.tell)
    assert "cannot be used: certificate 1 ended" in world.told[-1]
    assert await world.shown() != der(signed)
    world.now = NOW
    await world.tls.check(world.tell)
    assert await world.shown() == der(signed), "the clock was wrong"


async def test_a_disk_that_does_not_take_it_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ApplianceError("state-unwritable", "no room", "free some")

    signed = Signed()
    monkeypatch.setattr("appliance.console_tls.write_whole", full)
    with pytest.raises(ApplianceError):
        world.tls.use(read_chain(signed.pem, signed.key_pem, NOW))
    assert world.tls.chain is None
    assert await world.shown() != der(signed)
