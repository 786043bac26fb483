"""Deployments, images and kernels changed after they were made."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.store import catalogue, deployments


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_a_deployment_is_changed_and_shown_as_it_is(fleet: Visitor) -> None:
    page = await fleet.get("/deployments/batch-1/edit")
    assert 'name="cpus" inputmode="numeric" value="8"' in page
    assert 'name="memory" inputmode="decimal" value="16"' in page
    form = {"name": "batch-2", "image": "rocky-10", "cpus": "4", "memory": "1.5", "tags": "gpu, rack-7", "wipe": "yes"}
    form["wipe_method"] = "overwrite"
    await fleet.post("/deployments/batch-1/edit", data=form)
    made = await fleet.services.store.read(lambda db: deployments.get(db, "batch-2"))
    assert (made.requirements.cpus, made.requirements.memory_bytes) == (4, 3 << 29)
    assert made.requirements.tags == ("gpu", "rack-7")
    assert (made.wipe_on_release, made.wipe_method) == (True, "overwrite")
    assert "the disk is wiped: zeros are written to all of it" in said(await fleet.get("/deployments/batch-2"))
    assert 'value="overwrite" selected' in await fleet.get("/deployments/batch-2/edit")
    assert "tags gpu, rack-7" in said(await fleet.get("/deployments/batch-2"))


async def test_a_machine_shows_how_its_disks_were_wiped(fleet: Visitor) -> None:
    page = said(await fleet.get("/machines/node-13"))
    assert "Samsung PM893, 480 GB, S4EVNX0R00013 : discard, 36 MB read back" in page
    assert "before that ATA secure erase" in page
    assert "4096 bytes that it hides (HPA or DCO) were perhaps not reached" in page


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "web-1"}, "another deployment is called web-1"),
        ({"name": "No Name"}, "cannot be a name"),
        ({"cpus": "many"}, "Type a whole number above 0"),
        ({"tags": "Ümlaut"}, "tag"),
        ({"image": "gone"}, "there is no image"),
        ({"ssh_keys": "not a key"}, "is not an SSH public key"),
        ({"wipe_method": "burn"}, "'burn' is no way to wipe a disk"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field_and_nothing_typed_is_lost(
    fleet: Visitor, change: dict[str, str], why: str
) -> None:
    form = {"name": "batch-1", "image": "debian-13", "memory": "7"} | change
    page = await fleet.post("/deployments/batch-1/edit", 422, data=form)
    assert why in said(page)
    assert 'value="7"' in page


async def test_what_runs_keeps_its_name(fleet: Visitor) -> None:
    form = {"name": "other", "image": "debian-13"}
    assert "release it first" in said(await fleet.post("/deployments/web-1/edit", 422, data=form))


async def test_an_image_gets_another_name_and_description(fleet: Visitor) -> None:
    await fleet.post("/images/rocky-10/edit", data={"name": "rocky", "description": "Rocky Linux 10"})
    image = await fleet.services.store.read(lambda db: catalogue.image(db, "rocky"))
    assert image.description == "Rocky Linux 10"
    assert "another image is called" in said(
        await fleet.post("/images/rocky/edit", 422, data={"name": "debian-13", "description": ""})
    )


async def test_the_appliances_own_kernel_stays(fleet: Visitor) -> None:
    form = {"name": "mine", "cmdline": "quiet"}
    assert "belongs to the maintenance stack" in said(await fleet.post("/kernels/maintenance/edit", 422, data=form))
