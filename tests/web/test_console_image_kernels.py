"""Kernels on the page of an image: taken out by a button, and chosen where a deployment has its root on the network."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.accounts import Asker, Role
from appliance.catalogue import Kernel, KernelId
from appliance.store import catalogue, tasks
from appliance.web.keys import SERVICES

sys.path.append(str(Path(__file__).parent.parent / "reconcile"))
from kernel_images import OLDER, VERSION, tar


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def image(fleet: Visitor) -> int:
    async def content() -> AsyncIterator[bytes]:
        yield tar()

    made = await fleet.client.app[SERVICES].imports.add_image("small", "", "", content(), Asker("ada", Role.OPERATOR))
    return made.id


async def test_its_kernel_is_taken_out_by_a_button(fleet: Visitor) -> None:
    number = await image(fleet)
    assert "Take its kernel out" in said(await fleet.get("/images/small"))
    where = await fleet.post("/images/small/kernels", data={"version": ""})
    task = await fleet.client.app[SERVICES].store.read(lambda db: tasks.get(db, int(where.rpartition("/")[2])))
    assert (task.kind, task.title) == ("kernel.extract", "Take a kernel out of image small")
    assert task.arguments["image"] == number
    refused = said(await fleet.post("/images/small/kernels", 422, {"version": "../.."}))
    assert "is no version of a kernel" in refused


async def test_those_that_are_in_it_are_listed_with_what_became_of_them(fleet: Visitor) -> None:
    number, store = await image(fleet), fleet.client.app[SERVICES].store
    new = Kernel(KernelId(0), "six", VERSION, "", "c" * 64, None, 1.0, modules_sha256="d" * 64, origin="small")

    def listed(db):  # type: ignore[no-untyped-def]
        found = catalogue.image(db, "small")
        catalogue.change_image(db, replace(found, kernels=(VERSION, OLDER)))
        catalogue.put_kernel(db, replace(new, image=found.id))

    await store.write(listed)
    page = said(await fleet.get(f"/images/{number}"))
    assert f"{VERSION} : taken out as six" in page
    assert f"{OLDER} Take out" in page
    assert "six (6.12.9-test)" in said(await fleet.get("/deployments/new?image=small&delivery=nfs"))
    assert "The appliance's own" not in said(await fleet.get("/deployments/new?image=small&delivery=disk"))
