"""ISOs over the API: brought whole, in pieces and from an address, shown, changed, deleted, and kept for VMs."""

import asyncio
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from web_world import World

from appliance.reconcile.iso_jobs import IsoJobs
from appliance.reconcile.jobs import Jobs
from appliance.web.api.uploads import INTAKE

sys.path.append(str(Path(__file__).parent.parent / "imageformat"))
from disc_files import START, disc, header
from disc_files import catalogue as boots

DISC = disc(boots(START, header(0xEF, 1), START), label=b"DEBIAN 13")
SIZE = len(DISC)
FILE = {"file": "debian.iso", "size": SIZE, "mark": "changed 1"}


async def added(world: World, name: str = "debian", content: bytes = DISC, status: int = 201) -> Any:
    return await world.api("POST", f"/isos?name={name}&description=installs", status, data=content)


async def test_one_life(admin: World) -> None:
    made = await added(admin)
    sha256 = hashlib.sha256(DISC).hexdigest()
    path = admin.services.state_dir / "isos" / f"{sha256}.iso"
    assert {**made, "created": 0} == {
        "id": 1, "name": "debian", "description": "installs", "size": SIZE, "sha256": sha256, "created": 0,
        "label": "DEBIAN 13", "firmware": ["bios", "uefi"], "path": str(path), "missing": False,
    }  # fmt: skip
    assert await admin.api("GET", "/isos/debian") == made == await admin.api("GET", "/isos/1")
    assert (await admin.api("GET", "/isos?q=debian+13"))["items"] == [made]
    assert (await admin.api("GET", "/isos?q=drivers"))["items"] == []
    assert (await admin.api("GET", "/find?q=deb"))["items"][0]["kind"] == "iso"
    changed = await admin.api("PATCH", "/isos/debian", json={"name": "trixie", "description": "new"})
    assert (changed["name"], changed["description"], changed["path"]) == ("trixie", "new", str(path))
    assert (await admin.api("GET", "/isos/trixie/consequences"))["refused"] == ""
    await admin.api("DELETE", "/isos/trixie", 204)
    assert not path.exists()
    assert (await admin.api("GET", "/isos/trixie", 404))["code"] == "iso-unknown"
    kinds = {each["action"] for each in (await admin.api("GET", "/audit"))["items"]}
    assert {"iso.create", "iso.change", "iso.delete"} <= kinds
    told = [each["text"] for each in (await admin.api("GET", "/events?kind=iso.changed"))["items"]]
    assert told == ["admin deleted ISO trixie", "admin changed ISO debian", "admin added ISO debian"]


@pytest.mark.parametrize(
    ("name", "content", "status", "code", "field"),
    [
        ("debian", b"no disc", 422, "iso-format", "file"),
        ("Not%20A%20Name", DISC, 422, "name-invalid", "name"),
        ("debian", b"", 422, "upload-empty", ""),
        ("debian", DISC[:-2048], 422, "iso-format", "file"),
    ],
)
async def test_what_cannot_be_is_refused(
    admin: World, name: str, content: bytes, status: int, code: str, field: str
) -> None:
    refused = await added(admin, name, content, status)
    assert (refused["code"], refused["field"]) == (code, field)
    assert (await admin.api("GET", "/isos"))["items"] == []


async def test_it_comes_in_pieces(admin: World) -> None:
    begun = await admin.api("PUT", "/uploads/isos/debian", json=FILE | {"description": "installs"})
    assert (begun["kind"], begun["received"]) == ("iso", 0)

    async def piece(first: int, last: int) -> Any:
        headers = {"Content-Range": f"bytes {first}-{last}/{SIZE}", "Content-Type": "application/octet-stream"}
        address = f"/uploads/isos/debian/{begun['turn']}"
        return await admin.api("PUT", address, data=DISC[first : last + 1], headers=headers)

    assert (await piece(0, 999))["received"] == 1000
    assert (await admin.api("GET", "/uploads/isos/debian"))["received"] == 1000
    task = (await piece(1000, SIZE - 1))["task"]
    services = admin.services
    kinds = IsoJobs(admin.client.app[INTAKE], services.clock).kinds()
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        running = group.create_task(Jobs(services.store, services.bus, services.clock, kinds).run())
        while (found := await admin.api("GET", f"/tasks/{task}"))["status"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
        running.cancel()
    assert (found["status"], found["title"], found["result"]["name"]) == ("done", "Add ISO debian", "debian")
    assert (await admin.api("GET", "/isos/debian"))["firmware"] == ["bios", "uefi"]
    assert (await admin.api("PUT", "/uploads/isos/debian", 409, json=FILE))["code"] == "name-taken"
    await admin.api("PUT", "/uploads/isos/other", json=FILE)
    await admin.api("DELETE", "/uploads/isos/other", 204)
    assert (await admin.api("GET", "/uploads"))["items"] == []


async def test_it_is_fetched_from_elsewhere_alone(admin: World) -> None:
    asked = {"name": "debian", "url": "https://images.example/debian.iso", "sha256": "ab" * 32}
    for url in ("http://127.0.0.1/x", "http://[::1]/x", "http://169.254.169.254/x", "http://[64:ff9b::7f00:1]/x"):
        refused = await admin.api("POST", "/isos/fetch", 422, json=asked | {"url": url})
        assert (refused["code"], refused["field"]) == ("url-refused", "url")
    task = await admin.api("POST", "/isos/fetch", 202, json=asked)
    assert (task["kind"], task["title"], task["status"]) == ("iso.fetch", "Fetch ISO debian", "waiting")
    assert "kept for a day" in task["cancel"]["text"]
    assert (await admin.api("POST", "/isos/fetch", 409, json=asked))["code"] == "upload-checked"


async def test_vms_that_have_it_in_a_drive_are_named(admin: World) -> None:
    await added(admin)

    async def in_drives(path: Path) -> Sequence[str]:
        return ("web1", "db1") if path.is_file() else ()

    admin.client.app[INTAKE].isos.in_drives = in_drives
    words = "web1, db1 would miss it in the CD-ROM drive; eject it there first"
    assert (await admin.api("GET", "/isos/debian/consequences"))["refused"] == words
    refused = await admin.api("DELETE", "/isos/debian", 409)
    assert (refused["code"], refused["detail"]) == ("iso-used", f"debian cannot be deleted: {words}")
    assert (await admin.api("GET", "/isos/debian"))["missing"] is False
