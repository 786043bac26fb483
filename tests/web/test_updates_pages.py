"""Updates by console and API, with the privileged helper itself behind them, on a computer of paper."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from console_client import FAST, Visitor, said, visitor
from web_world import World, services_over

from appliance import __version__
from appliance.errors import ApplianceError
from appliance.privileged.update_record import RECORD
from appliance.store.store import open_store
from appliance.updates.record import Record, Stage, Try, Update, begin
from appliance.web.app import make_app
from appliance.web.setup import prepare_setup
from tests.clock import Clock
from tests.privileged.paper_box import Box, keep_record
from tests.privileged.paper_computer import serving

CONTENT = b"a bundle" * 500


@dataclass
class Flashed:
    """A flashed appliance, and somebody who is its administrator, by API and by console."""

    box: Box
    world: World
    pages: Visitor

    @property
    def api(self) -> Any:
        return self.world.api


@asynccontextmanager
async def flashed_in(directory: Path) -> AsyncIterator[Flashed]:
    box, clock = Box(directory / "box"), Clock()
    state_dir = box.bundle.parent.parent
    box.bundle.unlink()
    async with serving(directory, box.computer) as privileged, open_store(state_dir / "store.db") as store:
        services = replace(services_over(store, state_dir, clock), privileged=privileged)
        link = await prepare_setup(store, state_dir, clock())
        assert link
        async with TestClient(TestServer(make_app(services, FAST))) as client:
            world = World(services, clock, client, link)
            token = await world.set_up()
            pages = Visitor(client, services, {})
            pages.headers["Authorization"] = f"Bearer {token}"
            yield Flashed(box, world, pages)


@pytest.fixture
async def flashed(tmp_path: Path) -> AsyncIterator[Flashed]:
    async with flashed_in(tmp_path) as made:
        yield made


async def test_on_other_computers_nothing_is_offered(tmp_path: Path) -> None:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        page = await someone.get("/settings/updates")
        assert "is no flashed appliance" in said(page)
        assert "<form" not in page.partition("<main")[2].partition("</main>")[0]


async def test_by_the_api(flashed: Flashed) -> None:
    found = await flashed.api("GET", "/appliance/update")
    assert (found["here"], found["version"], found["restart"], found["bundle"]) == (True, __version__, False, None)
    assert [(slot["letter"], slot["running"], slot["next"]) for slot in found["slots"]] == [
        ("A", True, True), ("B", False, False),
    ]  # fmt: skip
    made = await flashed.api("PUT", "/appliance/update/bundle", 201, data=CONTENT)
    assert (made["version"], made["size"], made["older"]) == ("0.5.0", len(CONTENT), False)
    wrong = await flashed.api("POST", "/appliance/update/install", 409, json={"version": "0.6.0"})
    assert (wrong["code"], wrong["field"]) == ("bundle-changed", "version")
    task = await flashed.api("POST", "/appliance/update/install", 202, json={"version": "0.5.0"})
    assert task["title"] == "Install update 0.5.0"
    assert (await flashed.api("GET", "/appliance/update"))["task"] == task["id"]
    busy = await flashed.api("PUT", "/appliance/update/bundle", 409, data=CONTENT)
    assert busy["code"] == "update-busy"
    audit = str(await flashed.api("GET", "/audit"))
    assert "update.bring" in audit
    assert "update.install" in audit


async def test_restart_back_and_discard_by_the_api(flashed: Flashed) -> None:
    await flashed.api("PUT", "/appliance/update/bundle", 201, data=CONTENT)
    await flashed.api("DELETE", "/appliance/update/bundle", 204)
    assert (await flashed.api("GET", "/appliance/update"))["bundle"] is None
    unsure = await flashed.api("POST", "/appliance/update/back", 409, json={"slot": "B"})
    assert unsure["code"] == "confirmation-needed"
    await flashed.api("POST", "/appliance/update/back", 204, json={"slot": "B", "confirm": "slot B"})
    assert flashed.box.told()[-1] == "rauc status mark-active rootfs.1"
    await flashed.api("POST", "/appliance/update/restart", 204)
    assert flashed.box.told()[-1] == "systemctl --no-block reboot"


async def test_bad_updates_and_addresses_by_the_api(flashed: Flashed) -> None:
    words = "rauc info: signature verification failed: Verify error: self-signed certificate"
    flashed.box.programs.answers["rauc info"] = ApplianceError("program-failed", words)
    refused = await flashed.api("PUT", "/appliance/update/bundle", 422, data=CONTENT)
    assert (refused["code"], refused["field"]) == ("bundle-untrusted", "file")
    for url in ("http://127.0.0.1/x", "file:///etc/shadow", "http://169.254.169.254/", "nonsense"):
        told = await flashed.api("POST", "/appliance/update/download", 422, json={"url": url})
        assert told["field"] == "url"


async def test_piece_by_piece_by_the_api(flashed: Flashed) -> None:
    await flashed.api("GET", "/appliance/update/upload", 404)
    file = {"name": "new.raucb", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    begun = await flashed.api("PUT", "/appliance/update/upload", json=file)
    assert (begun["received"], begun["bundle"]) == (0, None)
    path = f"/appliance/update/upload/{begun['turn']}"

    async def send(first: int, last: int, status: int = 200, **more: Any) -> Any:
        headers = {"Content-Range": f"bytes {first}-{last}/{len(CONTENT)}"}
        return await flashed.api("PUT", path, status, data=CONTENT[first : last + 1], headers=headers, **more)

    assert (await send(0, 999))["received"] == 1000
    assert (await flashed.api("GET", "/appliance/update/upload"))["received"] == 1000
    assert (await flashed.api("GET", "/appliance/update"))["upload"]["name"] == "new.raucb"
    assert (await send(0, 999, 409))["code"] == "upload-offset"
    unplaced = await flashed.api("PUT", path, 422, data=b"x")
    assert (unplaced["code"], unplaced["field"]) == ("range-invalid", "Content-Range")
    headers = {"Content-Range": f"bytes 1000-1099/{len(CONTENT)}"}
    assert (await flashed.api("PUT", path, 422, data=b"x", headers=headers))["code"] == "piece-length"
    assert (await flashed.api("PUT", "/appliance/update/upload/x", 409, data=b"x" * 100, headers=headers))[
        "code"
    ] == "upload-taken-over"
    done = await send(1000, len(CONTENT) - 1)
    assert (done["bundle"]["version"], done["received"]) == ("0.5.0", len(CONTENT))
    await flashed.api("DELETE", "/appliance/update/upload", 404)


async def test_what_is_half_uploaded_stands_on_the_page(flashed: Flashed) -> None:
    file = {"name": "new.raucb", "size": 2_000_000, "mark": "changed 1"}
    await flashed.api("PUT", "/appliance/update/upload", json=file)
    other = await flashed.api("PUT", "/appliance/update/upload", 409, json={**file, "mark": "changed 2"})
    assert other["code"] == "upload-other"
    assert "new.raucb is half uploaded by admin" in said(await flashed.pages.get("/settings/updates"))
    assert await flashed.pages.post("/settings/updates/stop-upload") == "/settings/updates"
    assert "half uploaded" not in said(await flashed.pages.get("/settings/updates"))
    assert await flashed.pages.post("/settings/updates/stop-upload") == "/settings/updates"


async def test_by_the_console(flashed: Flashed) -> None:
    page = said(await flashed.pages.get("/settings/updates"))
    assert f"Slot A {__version__} , runs, starts next" in page or f"Slot A {__version__}, runs, starts next" in page
    form = FormData()
    form.add_field("file", CONTENT, filename="update.raucb")
    assert await flashed.pages.post("/settings/updates/upload", data=form) == "/settings/updates"
    page = said(await flashed.pages.get("/settings/updates"))
    assert "Install version 0.5.0" in page
    assert "Signature good" in page
    to = await flashed.pages.post("/settings/updates/install", data={"version": "0.5.0"})
    assert to.startswith("/tasks/")
    page = said(await flashed.pages.get("/settings/updates"))
    assert "Install update 0.5.0 goes on" in page
    again = said(await flashed.pages.post("/settings/updates/install", 409, data={"version": "0.5.0"}))
    assert "goes on" in again


async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(flashed: Flashed) -> None:
    page = await flashed.pages.post("/settings/updates/download", 422, data={"url": "http://127.0.0.1/update"})
    assert 'value="http://127.0.0.1/update"' in page
    assert "leads to the appliance itself" in said(page)
    form = FormData()
    form.add_field("file", b"", filename="")
    assert "choose the file" in said(await flashed.pages.post("/settings/updates/upload", 422, data=form))
    flashed.box.programs.answers["rauc info"] = ApplianceError("program-failed", "Invalid bundle format: not a bundle")
    form = FormData()
    form.add_field("file", CONTENT, filename="x")
    assert "this is no update" in said(await flashed.pages.post("/settings/updates/upload", 422, data=form))
    assert "no update to install" in said(
        await flashed.pages.post("/settings/updates/install", 409, data={"version": "1"})
    )


async def test_the_reason_of_an_update_that_fell_back_is_shown(flashed: Flashed) -> None:
    why = "not so: DHCP is served (nothing is bound to UDP port 67)"
    over = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.FELL_BACK, (Try(2.0, (why,)),), why, 3.0)
    keep_record(flashed.box.computer, begin(Record(), over, 1.0))
    assert (flashed.box.computer.roots.state / RECORD).is_file()
    page = said(await flashed.pages.get("/settings/updates"))
    assert "version 0.5.0 was given up after three tries; 0.4.0 runs again" in page
    assert why in page
    (told,) = (await flashed.api("GET", "/appliance/update"))["updates"]
    assert (told["stage"], told["reason"], told["tries"]) == ("fell-back", why, [{"at": 2.0, "reasons": [why]}])


async def test_while_what_runs_is_on_trial_that_is_said(flashed: Flashed) -> None:
    assert not (await flashed.api("GET", "/appliance/update"))["on_trial"]
    await flashed.api("PUT", "/appliance/update/bundle", 201, data=CONTENT)
    trying = Update("A", "0.5.0", "B", "0.4.0", 1.0, Stage.TRYING)
    keep_record(flashed.box.computer, begin(Record(), trying, 1.0))
    assert (await flashed.api("GET", "/appliance/update"))["on_trial"]
    assert "This version is on trial" in said(await flashed.pages.get("/settings/updates"))
    refused = await flashed.api("POST", "/appliance/update/install", 409, json={"version": "0.5.0"})
    assert refused["code"] == "update-on-trial"
    page = said(await flashed.pages.post("/settings/updates/install", 409, data={"version": "0.5.0"}))
    assert "runs on trial" in page


async def test_a_restart_says_what_it_means_before(flashed: Flashed) -> None:
    page = said(await flashed.pages.get("/settings/updates/restart"))
    assert "starts the version that runs" in page
    assert "Machines that run go on" in page
    assert "The appliance restarts" in said(await flashed.pages.post("/settings/updates/restart", 200))
    assert flashed.box.told()[-1] == "systemctl --no-block reboot"


async def test_going_back_takes_the_word_that_it_says(flashed: Flashed) -> None:
    assert "is kept aside" in said(await flashed.pages.get("/settings/updates/back"))
    assert "Type exactly: slot B" in said(
        await flashed.pages.post("/settings/updates/back", 422, data={"confirm": "B"})
    )
    assert not flashed.box.told()
    assert await flashed.pages.post("/settings/updates/back", data={"confirm": "slot B"}) == "/settings/updates"
    assert flashed.box.told() == ["rauc status mark-active rootfs.1"]


async def test_trouble_of_the_helper_leaves_the_page(flashed: Flashed) -> None:
    flashed.box.programs.answers["rauc status --detailed"] = ApplianceError("program-failed", "no D-Bus here")
    page = said(await flashed.pages.get("/settings/updates"))
    assert "is not known: no D-Bus here" in page
    assert "nothing that could be started" in said(await flashed.pages.get("/settings/updates/back"))
