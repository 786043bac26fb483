"""What is on its way, in the console: shown with its list, removed there, and fetched from an address."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.accounts import Asker, Role
from appliance.catalogue import Image, ImageId
from appliance.half_upload import Identity
from appliance.intake import ImageWish, KernelWish
from appliance.store import catalogue, tasks
from appliance.web.api.uploads import INTAKE

ADA = Asker("ada", Role.OPERATOR)
FILE = Identity("<b>disk</b>.raw", 1 << 20, "", "changed 1")
ASKED = {"url": "https://images.example/a.raw", "sha256": "ab" * 32, "name": "alma-10", "description": "a disk"}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_what_is_half_here_stands_above_its_list_and_is_removed_there(fleet: Visitor) -> None:
    intake = fleet.client.app[INTAKE]
    assert "On the way" not in said(await fleet.get("/images"))
    await intake.begin(ImageWish("alma-10"), FILE, ADA, replace=False)
    await intake.begin(KernelWish("six"), FILE, ADA, replace=False)
    page = said(await fleet.get("/images"))
    assert "alma-10 : <b>disk</b>.raw , 0 B of 1.0 MB, by ada. Choose the same file" in page
    assert "six" not in page
    assert "six : <b>disk</b>.raw" in said(await fleet.get("/kernels"))
    assert await fleet.post("/images/uploads/alma-10/stop") == "/images"
    assert await fleet.post("/images/uploads/alma-10/stop") == "/images", "nothing there is no error"
    assert await fleet.post("/kernels/uploads/six/stop") == "/kernels"
    assert await intake.standing() == []


async def test_an_image_is_fetched_by_a_task(fleet: Visitor) -> None:
    where = await fleet.post("/images/fetch/new", data=ASKED)
    [task] = await fleet.services.store.read(tasks.open_jobs)
    assert (where, task.kind, task.title) == (f"/tasks/{task.id}", "image.fetch", "Fetch image alma-10")
    assert "Fetch image alma-10" in said(await fleet.get(where))
    assert "kept for a day" in said(await fleet.get(f"{where}/cancel"))
    assert "goes on" in said(await fleet.post("/images/fetch/new", 409, ASKED))
    for field, wrong in (("url", "https://127.0.0.1/a.raw"), ("sha256", "12"), ("name", "debian-13")):
        status = 409 if field == "name" else 422
        page = await fleet.post("/images/fetch/new", status, ASKED | {field: wrong})
        assert f'id="{field}-error"' in page
        for typed in (ASKED | {field: wrong}).values():
            assert f'value="{typed}"' in page, "nothing typed is lost"


async def test_an_image_that_is_no_disk_says_so(fleet: Visitor) -> None:
    new = Image(ImageId(0), "root", "", "tar", 5, 5, "ab", 512, 1.0, "amd64", "Debian <13>", ())
    await fleet.services.store.write(lambda db: catalogue.add_image(db, new))
    page = said(await fleet.get("/images/root"))
    for fact in ("Distribution Debian <13>", "Architecture amd64", "it is a root file system (tar)"):
        assert fact in page
