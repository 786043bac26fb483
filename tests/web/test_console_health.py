"""Health, disks that blink and the factory reset, in console and API, with a helper and without one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from paper_computer import Programs, computer, serving
from web_world import World

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Denied, NotFound
from appliance.health.verdict import PARTS, Level, worst
from appliance.updates.grubenv import parse, render
from appliance.web import health as health_room
from appliance.web.health import Health

ADA = Asker("ada", Role.ADMIN, "192.0.2.1", "session")
LSBLK = {
    "blockdevices": [{"name": "sda", "type": "disk", "size": 1 << 40, "model": "WD", "serial": "WD-1", "rota": True}]
}


@asynccontextmanager
async def flashed(world: World, directory: Path) -> AsyncIterator[tuple[Health, Programs, Path]]:
    """The health of an appliance with a helper, the programs of its computer, and the notes of its boot loader."""
    failing = ApplianceError("program-failed", "it did not say")
    answers = {"lsblk": json.dumps(LSBLK), "systemctl": "", "chronyc": failing, "rauc": failing, "busctl": failing}
    on, programs = computer(directory / "paper", answers)
    notes = on.roots.boot / "efi" / "qrm" / "grubenv"
    notes.parent.mkdir(parents=True)
    notes.write_bytes(render({"ORDER": "A B"}))
    async with serving(directory, on) as privileged:
        yield Health(replace(world.services, privileged=privileged), lambda: None), programs, notes


async def test_a_computer_that_was_not_flashed_says_so_and_is_not_ill_for_it(admin: World) -> None:
    found = await admin.api("GET", "/appliance/health")
    assert {each["part"] for each in found["findings"]} == set(PARTS)
    assert not found["flashed"]
    disks = next(each for each in found["findings"] if each["part"] == "disks")
    assert (disks["level"], disks["name"]) == ("unknown", "Disks")
    assert (await admin.api("POST", "/appliance/disks/sda/identify", 409))["code"] == "helper-missing"
    assert (await admin.api("GET", "/appliance/packages"))["items"] == []


async def test_what_cannot_be_asked_is_told_and_the_rest_comes(admin: World, tmp_path: Path) -> None:
    async with flashed(admin, tmp_path) as (health, _, _notes):
        report = await health.report()
    by_part = {each.part: each for each in report.findings}
    assert report.facts.flashed
    assert "it did not say" in by_part["slots"].text
    assert report.facts.disks is not None
    assert report.facts.disks[0][0].serial == "WD-1"
    assert worst(report.findings) is not Level.BAD


async def test_readers_do_not_ask_the_disks_all_the_time(admin: World, tmp_path: Path) -> None:
    async with flashed(admin, tmp_path) as (health, programs, _):
        await health.report()
        asked = len(programs.ran)
        await health.report()
        assert len(programs.ran) == asked
        admin.clock.now += health_room.FRESH_SECONDS
        await health.report()
        assert len(programs.ran) > asked


async def test_the_list_of_packages_is_that_of_the_image(
    admin: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_room, "SHARE", tmp_path)
    listed = [{"kind": "debian", "name": "bash", "version": "5.2", "licences": ["GPL-3+"]}]
    (tmp_path / "packages.json").write_text(json.dumps(listed))
    (tmp_path / "version").write_text("VERSION=1.2.3\nBUILD=20261122-abc\nDATE=2026-11-22\n")
    assert (await admin.api("GET", "/appliance/packages"))["items"] == listed
    assert (await admin.api("GET", "/appliance/health"))["version"] == "1.2.3"


async def test_a_factory_reset_takes_the_name_and_a_person(admin: World, tmp_path: Path) -> None:
    async with flashed(admin, tmp_path) as (health, programs, notes):
        with pytest.raises(Conflict) as caught:
            await health.factory_reset("something", ADA)
        assert caught.value.field == "confirm"
        with pytest.raises(Denied):
            await health.factory_reset(health.name, Asker("ada", Role.ADMIN, "192.0.2.1", "token ci"))
        assert parse(notes.read_bytes()) == {"ORDER": "A B"}
        assert programs.ran == []
        await health.factory_reset(health.name, ADA)
        assert parse(notes.read_bytes())["factory_reset"] == "1"
        assert programs.ran == [["systemctl", "--no-block", "reboot"]]


async def test_without_a_helper_nothing_is_reset(admin: World) -> None:
    name = (await admin.api("GET", "/appliance/health"))["name"]
    assert (await admin.api("POST", "/appliance/factory-reset", 409, json={"confirm": "x"}))["field"] == "confirm"
    refused = await admin.api("POST", "/appliance/factory-reset", 409, json={"confirm": name})
    assert refused["code"] == "helper-missing"


async def test_a_disk_that_is_not_there_does_not_blink(admin: World, tmp_path: Path) -> None:
    async with flashed(admin, tmp_path) as (health, _, _notes):
        with pytest.raises(NotFound):
            await health.identify("sdz")


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_the_pages(ada: Visitor) -> None:
    page = said(await ada.get("/settings/health"))
    for title, _ in PARTS.values():
        assert title in page
    assert "Make a support bundle" in page
    assert "Not possible: this computer is no flashed appliance" in said(
        await ada.get("/settings/health/factory-reset")
    )
    page = await ada.post("/settings/health/factory-reset", 422, {"confirm": "x"})
    assert "Not possible" in page, "there is nothing to type where it cannot be done"
