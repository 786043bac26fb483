"""What is said before an image is deleted: what is lost, what stays, and who keeps it from being deleted."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.catalogue import Image, ImageId, Kernel, KernelId
from appliance.deployment import Deployment, DeploymentId
from appliance.errors import NotFound
from appliance.reconcile.image_consequences import deletion
from appliance.store import catalogue, deployments
from appliance.store.store import Store, open_store

NEW = Image(ImageId(0), "web", "", "squashfs", 3 * 10**9, 12 * 10**8, "ab" * 32, 512, 1.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db") as opened:
        yield opened


async def test_the_file_is_lost_and_kernels_that_were_taken_out_stay(store: Store) -> None:
    image = await store.write(lambda db: catalogue.add_image(db, NEW))
    taken = Kernel(KernelId(0), "web-6.12", "6.12", "", "ab" * 32, None, 1.0, image=image.id, origin="web")
    await store.write(lambda db: catalogue.put_kernel(db, taken))
    await store.write(lambda db: catalogue.put_kernel(db, replace(taken, name="other", image=None)))
    foreseen = await store.read(lambda db: deletion(db, "web"))
    assert foreseen.texts[0].startswith("The stored file of web, 1.2 GB, is deleted")
    assert foreseen.texts[1:] == ("Kernels that were taken out of it stay: web-6.12.",)
    assert (foreseen.confirm, foreseen.refused) == ("web", "")


async def test_deployments_that_use_it_keep_it(store: Store) -> None:
    image = await store.write(lambda db: catalogue.add_image(db, NEW))
    for number in range(7):
        new = Deployment(DeploymentId(0), f"d-{number}", image.id, 1.0)
        await store.write(lambda db, new=new: deployments.add(db, new))
    foreseen = await store.read(lambda db: deletion(db, str(image.id)))
    assert foreseen.refused == "it is used by d-0, d-1, d-2, d-3, d-4 and 2 more; delete the deployment first"


async def test_what_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.read(lambda db: deletion(db, "none"))
