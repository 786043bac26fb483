"""The page that gives a kernel its modules: by its form without scripts, from an address, and what is on its way."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import FormData
from console_client import Visitor, said, visitor

from appliance.accounts import Asker, Role
from appliance.catalogue import KernelWords
from appliance.half_upload import Identity
from appliance.intake import ModulesWish
from appliance.store import catalogue, tasks
from appliance.web.api.uploads import INTAKE

sys.path.append(str(Path(__file__).parent.parent / "reconcile"))
from kernel_images import VERSION, bzimage, tar

ADA = Asker("ada", Role.OPERATOR)
ASKED = {"url": "https://images.example/modules.tar.xz", "sha256": "ab" * 32}


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        await someone.services.imports.add_kernel(KernelWords("six"), chunks(bzimage()), chunks(b""), ADA)
        yield someone


def form(content: bytes) -> FormData:
    data = FormData()
    data.add_field("file", content, filename="modules.tar")
    return data


async def test_the_form_gives_it_its_modules(fleet: Visitor) -> None:
    listed = await fleet.get("/kernels")
    assert 'aria-label="Give six its modules"' in listed
    assert f"where the version is {VERSION}" in said(await fleet.get("/kernels/six/modules/new"))
    assert await fleet.post("/kernels/six/modules/new", data=form(tar())) == "/kernels"
    kernel = await fleet.services.store.read(lambda db: catalogue.kernel(db, "six"))
    assert kernel.modules_bytes
    assert "Give six its modules" not in await fleet.get("/kernels")
    assert "takes their place" in said(await fleet.get("/kernels/six/modules/new"))


async def test_what_is_wrong_stands_beside_its_field(fleet: Visitor) -> None:
    page = await fleet.post("/kernels/six/modules/new", 422, form(b"no archive"))
    assert 'id="file-error"' in page
    assert "neither a tar archive nor a squashfs" in said(page)
    nothing = FormData()
    nothing.add_field("other", "words", content_type="text/plain")
    assert "Choose the archive" in said(await fleet.post("/kernels/six/modules/new", 422, nothing))
    for field, wrong in (("url", "https://127.0.0.1/a.tar"), ("sha256", "12")):
        page = await fleet.post("/kernels/six/modules/fetch", 422, ASKED | {field: wrong})
        assert f'id="{field}-error"' in page
        for typed in (ASKED | {field: wrong}).values():
            assert f'value="{typed}"' in page, "nothing typed is lost"


async def test_they_are_fetched_by_a_task(fleet: Visitor) -> None:
    where = await fleet.post("/kernels/six/modules/fetch", data=ASKED)
    [task] = await fleet.services.store.read(tasks.open_jobs)
    assert (where, task.kind, task.title) == (f"/tasks/{task.id}", "modules.fetch", "Fetch the modules of kernel six")
    assert "kept for a day" in said(await fleet.get(f"{where}/cancel"))
    assert "goes on" in said(await fleet.post("/kernels/six/modules/fetch", 409, ASKED))


async def test_what_is_half_here_stands_with_the_kernels_and_is_removed_there(fleet: Visitor) -> None:
    intake = fleet.client.app[INTAKE]
    await intake.begin(ModulesWish("six"), Identity("m.tar", 1 << 20), ADA, replace=False)
    assert "six , its modules: m.tar , 0 B of 1.0 MB, by ada" in said(await fleet.get("/kernels"))
    assert await fleet.post("/kernels/six/modules/stop") == "/kernels"
    assert await fleet.post("/kernels/six/modules/stop") == "/kernels", "nothing there is no error"
    assert await intake.standing() == []


async def test_the_appliance_s_own_takes_none(fleet: Visitor) -> None:
    page = said(await fleet.get("/kernels/maintenance/modules/new"))
    assert "came with its modules" in page
    assert "Upload" not in page
