"""What the console shows of machines that wait to be let in to their roots, and of deployments without a disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.machine import MachineId, parse_mac
from appliance.screencode import Waits, code
from appliance.store import roots

NODE = "r77"


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_who_asks_is_seen_wherever_machines_are(fleet: Visitor) -> None:
    assert "asks to be let in node-77 restarted by itself, and waits to be let in to kiosk-1" in said(
        await fleet.get("/")
    )
    assert "1 of 15 machines" in said(await fleet.get("/machines?state=asking"))
    for path in ("/machines", "/deployments", f"/machines/{NODE}"):
        assert "asks to be let in" in said(await fleet.get(path)), path
    for path in (f"/machines/{NODE}/timeline", "/deployments/kiosk-1"):
        page = await fleet.get(path)
        assert "it asks from 10.77.0.77" in said(page)
        assert f'href="/machines/{NODE}/admit"' in page


async def test_it_is_let_in_once_it_was_said_what_it_gets(fleet: Visitor) -> None:
    page = said(await fleet.get(f"/machines/{NODE}/admit"))
    assert "node-77 gets the root of kiosk-1, with its keys and secrets" in page
    assert await fleet.post(f"/machines/{NODE}/admit") == f"/machines/{NODE}"
    assert await fleet.services.store.read(lambda db: roots.waiting(db, MachineId(NODE))) is None
    page = await fleet.get(f"/machines/{NODE}")
    assert "asks to be let in" not in page
    assert f"/machines/{NODE}/admit" not in page
    assert "let in machine node-77" in said(await fleet.get("/settings/audit"))


async def test_who_does_not_ask_has_no_button_and_the_page_says_why(fleet: Visitor) -> None:
    assert "/machines/m0000/admit" not in await fleet.get("/machines/m0000")
    assert "node-11 does not ask to be let in" in said(await fleet.get("/machines/m0000/admit"))
    assert "root-not-asked" in await fleet.post("/machines/m0000/admit", 409)


async def test_a_form_for_memory_says_nothing_of_disks(fleet: Visitor) -> None:
    page = await fleet.get("/deployments/new?image=live-13&delivery=ram")
    assert "no disk is touched" in said(page)
    assert 'name="disk"' not in page
    assert 'name="wipe"' not in page
    assert 'name="disk_size"' not in page
    for more in ("", "&delivery=pigeon"):
        page = await fleet.get(f"/deployments/new?image=debian-13{more}")
        assert 'name="disk"' in page
        assert 'name="disk_size"' in page
    form = {"name": "kiosk-2", "image": "live-13", "delivery": "ram"}
    foreseen = await fleet.post("/deployments/new", data=form)
    assert "its disks are not touched" in said(await fleet.get(foreseen))
    page = said(await fleet.get("/deployments/kiosk-2"))
    assert "into the machine's memory (ram)" in page
    assert "Disk" not in page
    page = await fleet.post("/deployments/new", 422, form | {"name": "kiosk-3", "delivery": "pigeon"})
    assert "delivery &#39;pigeon&#39; is not available" in page


async def test_what_was_asked_of_a_disk_that_no_one_touches_is_said_and_gone(fleet: Visitor) -> None:
    """Without scripts a size may stand in the form when memory is chosen."""
    form = {"name": "kiosk-3", "image": "live-13", "delivery": "ram", "disk_size": "500"}
    page = await fleet.post("/deployments/new", 422, form)
    assert "delivery ram touches no disk of the machine: it needs none of any size" in said(page)
    assert 'name="disk_size"' not in page
    assert 'name="disk_size"' not in await fleet.get("/deployments/kiosk-1/edit")
    page = await fleet.post(
        "/deployments/kiosk-1/edit", 422, {"name": "kiosk-1", "image": "live-13", "disk_size": "500"}
    )
    assert "touches no disk of the machine" in said(page)
    assert 'name="disk_size"' not in page
    assert 'name="disk_size"' in await fleet.get("/deployments/web-1/edit")


async def test_an_image_offers_what_can_be_done_with_it(fleet: Visitor) -> None:
    page = await fleet.get("/images/live-13")
    assert "/deployments/new?image=live-13&amp;delivery=ram" in page or "image=live-13&delivery=ram" in page
    assert "Deployed into memory" in said(page)
    assert "Size 400 MB of files" in said(page)
    assert "Sector size" not in page
    assert "Not to a disk it is a root file system (squashfs)" in said(page)
    page = await fleet.get("/images/debian-13")
    assert "Deployed to a disk" in said(page)
    assert "Size 2.1 GB on disk" in said(page)
    assert "Sector size 512 bytes" in said(page)
    assert "/deployments/new?image=debian-13" in page


async def test_the_code_of_a_screen_leads_to_where_it_is_let_in(fleet: Visitor) -> None:
    page = await fleet.get(f"/find?q={code(parse_mac('52:54:00:00:77:4d'), Waits.LET_IN)}")
    assert f'href="/machines/{NODE}"' in page
