"""Users, tokens, log-ins, the audit log and the certificate by ``qrm``; no secret is ever an argument."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_world import Cli
from web_world import NAME, PASSWORD

from appliance.chains import read_chain
from appliance.cli.trust import context
from appliance.console_tls import ConsoleTls
from appliance.server_tls import ServerTls
from tests.chains import NOW, Signed

OTHER = "another long password"


async def test_users(qrm: Cli) -> None:
    ended = await qrm.run("users", "create", "eva", "--role", "operator", stdin=f"{OTHER}\n")
    assert "eva may log in as operator" in ended.out
    assert [each["name"] for each in (await qrm.run("users", "--json")).json["items"]] == [NAME, "eva"]
    await qrm.run("users", "set", "eva", "--role", "viewer", "--disabled")
    shown = (await qrm.run("users", "show", "eva", "--json")).json
    assert (shown["role"], shown["disabled"]) == ("viewer", True)
    assert "disabled" in (await qrm.run("users")).out
    await qrm.run("users", "password", "eva", stdin=f"{PASSWORD}\n")
    await qrm.run("users", "set", "eva", code=2)
    assert "confirmation-needed" in (await qrm.run("users", "delete", "eva", code=1)).err
    await qrm.run("users", "delete", "eva", "--confirm", "eva")
    assert "user-unknown" in (await qrm.run("users", "show", "eva", code=4)).err
    assert "last-admin" in (await qrm.run("users", "delete", NAME, "--confirm", NAME, code=4)).err
    assert "name-invalid" in (await qrm.run("users", "create", "\u202eeva", stdin=f"{OTHER}\n", code=4)).err


async def test_ones_own_password(qrm: Cli) -> None:
    assert "password-wrong" in (await qrm.run("passwd", stdin=f"wrong\n{OTHER}\n", code=4)).err
    await qrm.run("passwd", stdin=f"{PASSWORD}\n{OTHER}\n")
    await qrm.run("machines")
    kept = (qrm.config / "qrm" / "credentials.json").read_text()
    assert OTHER not in kept
    await qrm.run("login", stdin=f"{OTHER}\n")


async def test_a_token_is_what_a_program_logs_in_with(qrm: Cli) -> None:
    made = await qrm.run("tokens", "create", "nightly", "--scope", "operator", "--days", "2")
    token = made.out.strip()
    assert token.startswith("qrm_")
    assert "this once" in made.err
    assert token not in (await qrm.run("tokens")).out
    ended = await qrm.run("login", qrm.url, "--token-stdin", stdin=f"{token}\n")
    assert f"as {NAME}" in ended.out
    await qrm.run("machines")
    assert "token-insufficient" in (await qrm.run("tokens", "create", "more", code=4)).err
    assert "role-missing" in (await qrm.run("users", code=4)).err
    assert "login-needed" in (await qrm.run("login", qrm.url, "--token-stdin", stdin="qrm_0\n", code=4)).err
    await qrm.run("machines")
    await qrm.run("tokens", "delete", "nightly", "--confirm", "nightly")
    assert "log in again" in (await qrm.run("machines", code=4)).err


async def test_log_ins(qrm: Cli) -> None:
    await qrm.log_in()
    found = (await qrm.run("sessions", "--json")).json["items"]
    assert [each["current"] for each in found].count(True) == 1
    (other,) = [each["id"] for each in found if not each["current"]]
    await qrm.run("sessions", "end", other)
    assert "session-unknown" in (await qrm.run("sessions", "end", other, code=4)).err
    assert NAME in (await qrm.run("sessions", "--everybody")).out


async def test_access_is_filtered_sorted_and_cut(qrm: Cli) -> None:
    await qrm.log_in()
    for name in ("eva", "evan"):
        await qrm.run("users", "create", name, stdin=f"{OTHER}\n")
    for name in ("one", "two"):
        await qrm.run("tokens", "create", name)
    for words, found in (
        (("users", "-q", "ev", "--sort", "-name"), ["evan", "eva"]),
        (("users", "list", "--role", "viewer", "--enabled", "--limit", "1"), ["eva"]),
        (("users", "--disabled"), []),
        (("tokens", "--valid", "--scope", "viewer", "--sort", "-name"), ["two", "one"]),
        (("tokens", "--everybody", "-q", "two"), ["two"]),
        (("tokens", "--user", "eva"), []),
        (("tokens", "--expired"), []),
    ):
        assert [each["name"] for each in (await qrm.run(*words, "--json")).json["items"]] == found, words
    assert (await qrm.run("sessions", "--user", "eva", "--json")).json["items"] == []
    assert "1 more are not shown" in (await qrm.run("tokens", "--limit", "1")).err


async def test_the_audit_log(qrm: Cli) -> None:
    await qrm.run("users", "create", "eva", stdin=f"{OTHER}\n")
    await qrm.run("users", "set", "eva", "--role", "operator")
    ended = await qrm.run("audit", "--action", "user", "--subject", "eva")
    assert "user.change eva  role: viewer -> operator" in ended.out
    assert OTHER not in ended.out
    found = (await qrm.run("audit", "--who", NAME, "--limit", "1", "--json")).json
    assert found["items"][0]["action"] == "user.change"
    await qrm.run("audit", "--since", "soon", code=2)


class Switching:
    """A TLS server with a console's certificate."""

    def __init__(self, tls: ConsoleTls, pem: str, port: int) -> None:
        self.tls, self.pem, self.port = tls, pem, port

    async def reach(self, made: ssl.SSLContext) -> None:
        """Connect as ``qrm`` does: with a socket that is wrapped; raises SSLCertVerificationError."""

        def connect() -> None:
            with socket.create_connection(("127.0.0.1", self.port), 5) as plain:
                made.wrap_socket(plain, server_hostname="boot.example.com").close()

        await asyncio.to_thread(connect)


@pytest.fixture
async def switching(tmp_path: Path, stranger: Cli) -> AsyncIterator[Switching]:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    names = ["127.0.0.1"]
    tls = ConsoleTls(ServerTls(stranger.authority, names, time.time()), tmp_path / "config", names, lambda: NOW)
    (tmp_path / "config").mkdir(exist_ok=True)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls.context)
    async with server:
        yield Switching(tls, stranger.authority.pem.decode(), server.sockets[0].getsockname()[1])


async def test_who_has_pinned_the_authority_is_not_locked_out_by_another_certificate(switching: Switching) -> None:
    pinned = context(switching.pem, names_matter=False)
    await switching.reach(pinned)
    signed = Signed()
    switching.tls.use(read_chain(signed.pem, signed.key_pem, NOW))
    await switching.reach(pinned)
    with pytest.raises(ssl.SSLCertVerificationError):
        await switching.reach(context(switching.pem, names_matter=True))
