"""Trust on first use, and never a password in an argument."""

import asyncio
import json
import os
import pty
import stat
from pathlib import Path

import pytest
from cli_world import Cli
from web_world import NAME, PASSWORD

from appliance.certificates import authority
from appliance.store import accounts
from appliance.web.setup import prepare_setup


def _kept(cli: Cli) -> Path:
    return cli.config / "qrm" / "credentials.json"


async def test_by_fingerprint(stranger: Cli) -> None:
    written = stranger.authority.fingerprint.upper()
    colons = ":".join(written[at : at + 2] for at in range(0, 64, 2))
    await stranger.run("login", stranger.url, "--fingerprint", colons, stdin=f"{PASSWORD}\n")
    kept = _kept(stranger)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PASSWORD not in kept.read_text()
    assert (await stranger.run("machines", "--json")).json == {"items": [], "next": None, "total": 0}


async def test_the_first_administrator(stranger: Cli) -> None:
    """With the link as the log has it; it works once."""
    store = stranger.world.services.store
    await store.write(lambda db: accounts.delete_user(db, NAME))
    link = await prepare_setup(store, stranger.world.services.state_dir, stranger.world.clock())
    refused = await stranger.run("setup", f"{stranger.url}/setup?token=secret", code=1)
    assert f"qrm setup {stranger.url};" in refused.err
    assert "secret" not in refused.err
    trusted = ("setup", stranger.url, "--user", "eva", "--fingerprint", stranger.authority.fingerprint)
    typed = f"{stranger.url}{link}\n{PASSWORD}\n"
    assert "setup-token" in (await stranger.run(*trusted, stdin=f"wrong\n{PASSWORD}\n", code=4)).err
    assert "as eva" in (await stranger.run(*trusted, stdin=typed)).out
    assert (await stranger.run("users", "show", "eva", "--json")).json["role"] == "admin"
    assert "setup" in (await stranger.run(*trusted, stdin=typed, code=4)).err
    assert PASSWORD not in _kept(stranger).read_text()


async def test_a_wrong_fingerprint_is_refused_before_the_password_is_sent(stranger: Cli) -> None:
    ended = await stranger.run("login", stranger.url, "--fingerprint", "0" * 64, stdin=f"{PASSWORD}\n", code=4)
    assert "fingerprint-differs" in ended.err
    assert not _kept(stranger).exists()
    await stranger.run("login", stranger.url, "--fingerprint", "zz", code=1)


async def test_by_file(stranger: Cli, tmp_path: Path) -> None:
    await stranger.run("login", stranger.url, "--ca", str(tmp_path / "ca.pem"), stdin=f"{PASSWORD}\n")
    await stranger.run("machines")
    (tmp_path / "bad.pem").write_text("nothing")
    ended = await stranger.run("login", stranger.url, "--ca", str(tmp_path / "bad.pem"), code=1)
    assert "ca-unreadable" in ended.err


async def test_nobody_there_to_be_asked(stranger: Cli) -> None:
    ended = await stranger.run("login", stranger.url, stdin=f"{PASSWORD}\n", code=1)
    assert "authority-unknown" in ended.err
    assert stranger.authority.fingerprint in ended.err.replace(" ", "").replace("\n", "")


@pytest.mark.parametrize(("said", "code"), [("y", 0), ("n", 1)])
async def test_first_contact_asks_a_person(stranger: Cli, said: str, code: int) -> None:
    terminal, side = pty.openpty()
    process = await stranger.start("login", stranger.url, stdin=side, start_new_session=True)
    os.close(side)
    os.write(terminal, f"{said}\n".encode())
    assert process.stderr is not None
    err = b""
    try:
        async with asyncio.timeout(30):
            while (more := await process.stderr.read(4096)) and b"Password of" not in (err := err + more):
                pass
            os.write(terminal, f"{PASSWORD}\n".encode())  # only now: asking for it discards what was typed before
            err += await process.stderr.read()
            await process.wait()
    finally:
        os.close(terminal)
    assert process.returncode == code, err
    assert stranger.authority.fingerprint in err.decode().replace(" ", "").replace("\n", "")
    assert _kept(stranger).exists() is (code == 0)
    if code == 0:
        await stranger.run("machines")


async def test_wrong_password(stranger: Cli) -> None:
    fingerprint = stranger.authority.fingerprint
    ended = await stranger.run("login", stranger.url, "--fingerprint", fingerprint, stdin="wrong\n", code=4)
    assert "login-wrong" in ended.err


async def test_another_authority_later_is_not_trusted(qrm: Cli, tmp_path: Path) -> None:
    kept = json.loads(_kept(qrm).read_text())
    (tmp_path / "other").mkdir()
    kept["servers"][qrm.url]["ca"] = authority(tmp_path / "other", 1_700_000_000.0).pem.decode()
    _kept(qrm).write_text(json.dumps(kept))
    ended = await qrm.run("machines", code=3)
    assert "certificate-distrusted" in ended.err
    assert "--fingerprint" in ended.err


async def test_log_out(qrm: Cli) -> None:
    await qrm.run("logout")
    ended = await qrm.run("machines", code=4)
    assert "qrm login" in ended.err
    await qrm.run("login", stdin=f"{PASSWORD}\n")  # the address and its authority are still known
    await qrm.run("machines")


async def test_errors_before_any_contact(stranger: Cli) -> None:
    assert "not-logged-in" in (await stranger.run("machines", code=1)).err
    for url in ("http://127.0.0.1", "https://", "https://a:b@c", "https://x/path", "https://x:99999"):
        assert "url-invalid" in (await stranger.run("login", url, code=1)).err
    await stranger.run("login", stranger.url, "--ca", "x", "--fingerprint", "y", code=2)
    await stranger.run("machines", "--nonsense", code=2)
    await stranger.run("nonsense", code=2)
    ended = await stranger.run("login", "https://127.0.0.1:1", "--fingerprint", "0" * 64, code=3)
    assert "not-reachable" in ended.err


async def test_a_spoilt_file_is_said(qrm: Cli) -> None:
    _kept(qrm).write_text('{"current": 1}')
    assert "credentials-unreadable" in (await qrm.run("machines", code=1)).err
