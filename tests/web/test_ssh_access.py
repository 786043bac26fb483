"""SSH to the appliance itself in API and console, with the privileged helper behind them, on a computer of paper."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from access_world import person, token
from aiohttp import FormData
from console_client import Visitor, said, visitor
from web_world import World

from appliance.errors import ApplianceError
from appliance.privileged import ssh
from tests.privileged.paper_computer import Programs, computer, serving

ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE ada@laptop"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh <b>bob</b>"
PRINT = "SHA256:BdWo7RlwSPz2TdW98BrLAcTWyJHn6F+JnCHFzThwFaA"
PATH = "/appliance/ssh"


class Appliance:
    """Somebody who is logged in to a flashed appliance."""

    def __init__(self, visitor: Visitor, state: Path, programs: Programs) -> None:
        self.visitor, self.programs, self.keys = visitor, programs, state / ssh.KEYS

    async def api(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {**self.visitor.headers, "Accept": "application/json"}
        async with self.visitor.client.request(method, f"/api/v1{path}", headers=headers, **options) as response:
            assert response.status == status, await response.text()
            return await response.json(content_type=None)

    async def put(self, *keys: str, status: int = 200, **more: Any) -> Any:
        return await self.api("PUT", PATH, status, json={"keys": list(keys), **more})


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Appliance]:
    on, programs = computer(tmp_path / "paper", {"systemctl": "", "systemctl show": "active", "wall": ""})
    (tmp_path / "state").mkdir()
    async with (
        serving(tmp_path, on) as privileged,
        visitor(tmp_path / "state", fleet=False, privileged=privileged) as someone,
    ):
        await someone.log_in()
        yield Appliance(someone, on.roots.state, programs)


async def test_keys_are_let_in_shown_and_let_in_no_more(box: Appliance) -> None:
    found = await box.api("GET", PATH)
    assert (found["here"], found["on"], found["keys"]) == (True, False, [])
    found = await box.put(ADA, BOB)
    assert (found["on"], found["active"]) == (True, "active")
    assert found["keys"][0] == {"kind": "ssh-ed25519", "fingerprint": PRINT, "comment": "ada@laptop", "line": ADA}
    assert await box.api("GET", PATH) == found
    assert (await box.put())["keys"] == []
    assert not box.keys.exists()


async def test_whoever_changes_them_is_told_of(box: Appliance) -> None:
    await box.put(ADA)
    await box.put(ADA)
    await box.put()
    events = (await box.api("GET", "/events?kind=appliance.ssh"))["items"]
    assert [each["reason"] for each in events] == [
        "let in no more: ada@laptop; SSH is switched off",
        "let in: ada@laptop",
    ]
    audit = [each for each in (await box.api("GET", "/audit"))["items"] if each["action"] == "ssh.authorize"]
    assert [(each["who"], each["before"], each["after"]) for each in audit] == [
        ("admin", {PRINT: "ssh-ed25519 ada@laptop"}, {}),
        ("admin", {}, {PRINT: "ssh-ed25519 ada@laptop"}),
    ]


async def test_what_is_wrong_is_said_and_nothing_changes(box: Appliance) -> None:
    seen = await box.put(ADA)
    wrong = await box.put(BOB, "ssh-ed25519 AAAA", status=422)
    assert (wrong["code"], wrong["field"]) == ("ssh-key-invalid", "keys")
    assert (await box.put(BOB, status=409, version="0" * 16))["code"] == "ssh-keys-changed"
    assert (await box.put(*[BOB] * 33, status=422))["code"] == "body-field"
    assert (await box.api("GET", PATH))["version"] == seen["version"]
    await box.put(BOB, version=seen["version"])


async def test_no_token_lets_anybody_in(admin: World) -> None:
    """A token that could give itself a shell of root would be worth more than any administrator."""
    program = await token(await person(admin, admin, "admin"), "admin")
    refused = await program.api("PUT", PATH, 403, json={"keys": [ADA]})
    assert refused["code"] == "token-insufficient"


async def test_a_computer_that_was_not_flashed(admin: World) -> None:
    found = await admin.api("GET", PATH)
    assert (found["here"], found["on"]) == (False, False)
    assert (await admin.api("PUT", PATH, 409, json={"keys": [ADA]}))["code"] == "helper-missing"


async def test_its_pages(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        assert "not a flashed appliance" in said(await someone.get("/settings/ssh"))
        assert "Not possible: this computer is not" in said(await someone.get("/settings/ssh/remove"))
        assert "no privileged helper" in said(await someone.post("/settings/ssh", 409, {"keys": ADA}))


async def test_the_page(box: Appliance) -> None:
    page = said(await box.visitor.get("/settings/ssh"))
    assert "SSH off: nobody can log in" in page
    assert "Whoever has such a key is root of this appliance" in page
    assert await box.visitor.post("/settings/ssh", 303, {"keys": f"\n{ADA}\n{BOB}\n"}) == "/settings/ssh"
    page = await box.visitor.get("/settings/ssh")
    assert "SSH on, for the management networks" in said(page)
    assert "ssh root@127.0.0.1" in said(page)
    assert "<b>bob</b>" in said(page).replace("&lt;", "<")
    assert "<b>bob" not in page
    first, second = re.findall(r'href="(/settings/ssh/remove[^"]*)"', page)
    assert "SSH is switched off" not in said(await box.visitor.get(first))
    await box.visitor.post(first, 303, {"fingerprint": PRINT})
    assert "switch SSH off" in said(await box.visitor.get(second))
    assert "it may be gone already" in said(await box.visitor.get(first))
    await box.visitor.post(first, 404, {"fingerprint": PRINT})
    assert box.keys.read_text() == f"{ssh.HEAD}{BOB}\n"


async def test_a_file_of_keys_and_what_is_wrong_with_one(box: Appliance) -> None:
    form = FormData()
    form.add_field("keys", "")
    form.add_field("keys_file", ADA.encode(), filename="id.pub")
    assert await box.visitor.post("/settings/ssh", 303, form) == "/settings/ssh"
    page = await box.visitor.post("/settings/ssh", 422, {"keys": "<i>x"})
    assert "is not an SSH public key" in said(page)
    assert "&lt;i&gt;x</textarea>" in page
    assert "is let in already" in said(await box.visitor.post("/settings/ssh", 409, {"keys": ADA}))
    await box.visitor.post("/settings/ssh", 422, {})


async def test_what_cannot_be_asked_and_what_others_wrote(box: Appliance) -> None:
    await box.put(ADA)
    box.keys.write_text(f"{box.keys.read_text()}restrict {BOB}\n")
    box.programs.answers["systemctl show"] = "failed"
    page = said(await box.visitor.get("/settings/ssh"))
    assert "1 more line was written by somebody" in page
    assert "The SSH server does not start" in page
    await box.put(ADA)
    told = (await box.api("GET", "/events?kind=appliance.ssh"))["items"]
    assert told[0]["reason"] == "lines that were written by hand are gone"
    box.programs.answers["systemctl"] = ApplianceError("program-failed", "no systemd")
    assert "no systemd" in said(await box.visitor.post("/settings/ssh", 500, {"keys": BOB}))
    told = (await box.api("GET", "/events?kind=appliance.ssh"))["items"]
    assert told[0]["reason"] == "let in: <b>bob</b>", "the keys are in force, whatever was said"


async def test_nobody_is_let_in_where_it_cannot_be_noted(box: Appliance, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise ApplianceError("store-failed", "the disk is full")

    monkeypatch.setattr("appliance.web.ssh_access.audit.note", full)
    await box.visitor.post("/settings/ssh", 503, {"keys": ADA})
    assert not box.keys.exists()


async def test_keys_that_are_no_text_are_told(box: Appliance) -> None:
    await box.put(ADA)
    box.keys.write_bytes(box.keys.read_bytes() + b"ssh-ed25519 \xff\n")
    page = said(await box.visitor.get("/settings/ssh"))
    assert "1 more line was written by somebody" in page
    assert "SSH on" in page
