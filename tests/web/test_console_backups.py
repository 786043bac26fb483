"""Backups in the console, the API and qrm: made, brought, restored; and what each of them refuses."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from console_client import Visitor, said, visitor
from paper_computer import computer, serving

from appliance.accounts import Asker, Role
from appliance.backup import incoming
from appliance.backup.contents import Nowhere, read, read_header
from appliance.certificates import authority
from appliance.errors import ApplianceError, Conflict, Denied, NotFound
from appliance.web.backups import Backups

PASSPHRASE = "a horse on a bicycle"
ADA = Asker("ada", Role.ADMIN, "192.0.2.1", "session")


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        state = someone.services.state_dir
        authority(state, someone.services.clock())
        (state / "appliance.toml").write_text(f'[site]\nstate_dir = "{state}"\ndomain = "lab.test"\n')
        yield someone


async def make(ada: Visitor, tmp_path: Path) -> Path:
    """A backup as the browser gets it."""
    form = {"passphrase": PASSPHRASE, "again": PASSPHRASE}
    async with ada.client.post("/settings/backup/download", headers=ada.headers, data=form) as answer:
        assert answer.status == 200, await answer.text()
        assert re.fullmatch(r'attachment; filename="\S+\.qrmstate"', answer.headers["Content-Disposition"])
        path = tmp_path / "made.qrmstate"
        path.write_bytes(await answer.read())
    return path


async def bring(ada: Visitor, path: Path, status: int = 303) -> str:
    data = FormData()
    data.add_field("file", path.read_bytes(), filename="x.qrmstate")
    return await ada.post("/settings/backup/upload", status, data)


async def test_a_backup_is_made_with_a_passphrase_and_nothing_of_it_stays_here(ada: Visitor, tmp_path: Path) -> None:
    made = await make(ada, tmp_path)
    assert read_header(made).derivation is not None, "it is encrypted"
    assert read(made, lambda: PASSPHRASE, Nowhere()).manifest.members
    assert list((ada.services.state_dir / "incoming").iterdir()) == []
    page = await ada.get("/events?kind=state.changed")
    assert "made a backup of the state" in said(page)


@pytest.mark.parametrize(
    ("passphrase", "again", "field"),
    [("short", "short", "passphrase"), ("", "", "passphrase"), (PASSPHRASE, "x", "again")],
)
async def test_what_is_wrong_with_a_passphrase_stands_beside_it(
    ada: Visitor, passphrase: str, again: str, field: str
) -> None:
    page = await ada.post("/settings/backup/download", 422, {"passphrase": passphrase, "again": again})
    assert f'id="{field}-error"' in page
    assert PASSPHRASE not in page


async def test_a_backup_is_brought_looked_at_and_restored(ada: Visitor, tmp_path: Path) -> None:
    made = await make(ada, tmp_path)
    assert await bring(ada, made) == "/settings/backup"
    page = await ada.get("/settings/backup")
    assert "Restore the state of" in said(page)
    wrong = await ada.post("/settings/backup/restore", 422, {"passphrase": "not this one"})
    assert 'id="passphrase-error"' in wrong
    assert "incoming" not in said(wrong), "no name of our files"
    page = await ada.post("/settings/backup/restore", 200, {"passphrase": PASSPHRASE})
    assert "The state is restored" in said(page)
    assert (ada.services.state_dir / "incoming" / "whole" / "store.db").is_file()


async def test_what_is_no_backup_is_said_at_once(ada: Visitor, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"x" * 5000)
    page = await bring(ada, nothing, 422)
    assert 'id="file-error"' in page
    assert "not a backup" in said(page)
    assert incoming.uploaded(ada.services.state_dir) is None
    assert list((ada.services.state_dir / "incoming").iterdir()) == []


async def test_an_upload_can_be_taken_back(ada: Visitor, tmp_path: Path) -> None:
    await bring(ada, await make(ada, tmp_path))
    await ada.post("/settings/backup/discard")
    assert incoming.uploaded(ada.services.state_dir) is None
    await ada.post("/settings/backup/restore", 404, {"passphrase": PASSPHRASE})


async def test_an_old_state_is_removed_once_its_name_is_typed(ada: Visitor) -> None:
    name = "before-restore-20261120T184000Z"
    old = ada.services.state_dir / name
    old.mkdir()
    (old / "store.db").write_bytes(b"x" * 10_000)
    assert name in await ada.get("/settings/backup")
    await ada.post(f"/settings/backup/old/{name}/delete", 422, {"confirm": "x"})
    assert old.exists()
    await ada.post(f"/settings/backup/old/{name}/delete", 303, {"confirm": name})
    assert not old.exists()
    await ada.post(f"/settings/backup/old/{name}/delete", 404, {"confirm": name})


CONFIGURATION = """[site]
state_dir = "/elsewhere"
domain = "old.test"
[[subnet]]
interface = "%s"
ranges = ["127.0.0.50-127.0.0.60"]
"""


def offered(ada: Visitor, interface: str) -> None:
    (ada.services.state_dir / incoming.OFFERED).write_text(CONFIGURATION % interface)


async def test_the_configuration_of_a_backup_is_offered_and_can_be_left(ada: Visitor) -> None:
    offered(ada, "nic7")
    page = await ada.get("/settings/backup")
    assert "old.test" in page
    assert "it is changed by hand" in said(page), "this computer is no flashed appliance"
    await ada.post("/settings/backup/dismiss")
    assert "old.test" not in await ada.get("/settings/backup")


async def test_it_is_used_only_where_its_interfaces_are_here(
    ada: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: dict[str, IPv4Interface | None] = {}
    monkeypatch.setattr("appliance.web.backups.first_addresses", lambda: here)
    on, programs = computer(tmp_path / "paper", {"systemctl": ""})
    async with serving(tmp_path, on) as privileged:
        backups = Backups(replace(ada.services, privileged=privileged))
        with pytest.raises(NotFound):
            await backups.use_configuration(ADA)
        offered(ada, "nic7")
        with pytest.raises(Conflict, match="nic7: there is no such interface"):
            await backups.use_configuration(ADA)
        assert incoming.offered_configuration(ada.services.state_dir), "it can be tried again"
        here["nic7"] = IPv4Interface("192.0.2.1/24")
        with pytest.raises(Conflict, match=r"nic7: .* is outside 192\.0\.2\.0/24"):
            await backups.use_configuration(ADA)
        here["nic7"] = IPv4Interface("127.0.0.1/8")
        await backups.use_configuration(ADA)
    written = (tmp_path / "paper" / "state" / "etc" / "qrm" / "appliance.toml").read_text()
    assert 'domain = "old.test"' in written
    assert f'state_dir = "{ada.services.state_dir}"' in written, "the state is ours"
    assert programs.ran[-1] == ["systemctl", "--no-block", "restart", "appliance.service"]
    assert incoming.offered_configuration(ada.services.state_dir) is None


@pytest.mark.parametrize(
    "act", ["make", "restore", "forget", "use_configuration", "dismiss_configuration", "remove_old"]
)
async def test_a_token_gives_nobody_the_keys_of_the_appliance(ada: Visitor, act: str) -> None:
    token = Asker("ada", Role.ADMIN, "192.0.2.1", "token ci")
    assert token.is_token
    arguments: dict[str, tuple[Any, ...]] = {"make": (PASSPHRASE,), "restore": (PASSPHRASE,), "remove_old": ("x",)}
    with pytest.raises(Denied):
        await getattr(Backups(ada.services), act)(*arguments.get(act, ()), token)


async def test_no_room_is_said_before_anything_is_touched(
    ada: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(ada, await make(ada, tmp_path))

    def no_room(*_: object) -> None:
        raise ApplianceError("restore-no-room", "there are 3 MB free, and the backup needs 90 MB", "free some space")

    monkeypatch.setattr("appliance.backup.unpacked.Unpacking.begin", no_room)
    page = await ada.post("/settings/backup/restore", 507, {"passphrase": PASSPHRASE})
    assert "needs 90 MB" in said(page)
    assert not (ada.services.state_dir / "incoming" / "whole").exists()


async def test_whoever_may_no_more_restores_nothing(
    ada: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(ada, await make(ada, tmp_path))

    async def refused(*_: object) -> None:
        raise Denied("login-needed", "this log-in has ended meanwhile", "log in again")

    monkeypatch.setattr(Backups, "_note", refused)
    await ada.post("/settings/backup/restore", 401, {"passphrase": PASSPHRASE})
    assert not (ada.services.state_dir / "incoming" / "whole").exists()


async def test_what_nobody_fetched_goes_with_the_next_backup(ada: Visitor, tmp_path: Path) -> None:
    left = incoming.directory(ada.services.state_dir) / f"{incoming.DOWNLOAD}0123"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    await make(ada, tmp_path)
    assert not left.exists()
