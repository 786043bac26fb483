"""Deployments that run from memory, over the API: what may, and what is said before it is done."""

import pytest
from roots_seed import put_live_image
from web_world import World

from appliance.catalogue import Image


async def live_image(world: World, size: int = 400_000_000) -> Image:
    return await world.services.store.write(lambda db: put_live_image(db, size))


async def test_what_runs_from_memory_touches_no_disk(admin: World) -> None:
    await admin.machine()
    await live_image(admin)
    body = {"name": "kiosk-1", "image": "live-13", "delivery": "ram"}
    assert (await admin.api("POST", "/deployments", 201, json=body))["delivery"] == "ram"
    foreseen = await admin.api("GET", "/deployments/kiosk-1/consequences?action=start")
    assert foreseen["texts"] == ["node-1 runs kiosk-1 from its memory; its disks are not touched."]
    assert (foreseen["disk"], foreseen["confirm"], foreseen["destroys"]) == (None, None, False)
    await admin.api("POST", "/deployments/kiosk-1/start", 202)
    shown = await admin.api("GET", "/deployments/kiosk-1")
    assert (shown["disk"], shown["machine"]["name"]) == (None, "node-1")


async def test_what_does_not_fit_into_memory_is_refused(admin: World) -> None:
    await admin.machine()
    await live_image(admin, 4 << 30)
    await admin.api("POST", "/deployments", 201, json={"name": "kiosk-1", "image": "live-13", "delivery": "ram"})
    problem = await admin.api("POST", "/deployments/kiosk-1/start", 409)
    assert "MiB of memory" in problem["detail"]


@pytest.mark.parametrize(("image", "delivery", "says"), [
    ("live-13", "disk", "it is a root file system (squashfs)"),
    ("demo", "ram", "it is a whole disk"),
])  # fmt: skip
async def test_an_image_is_for_some_deliveries_and_not_for_others(
    admin: World, image: str, delivery: str, says: str
) -> None:
    await admin.machine()
    await admin.image()
    await live_image(admin)
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": image, "delivery": delivery})
    problem = await admin.api("POST", "/deployments/web-1/start", 409)
    assert (problem["code"], says in problem["detail"]) == ("image-not-deployable", True)


async def test_an_image_says_how_it_can_be_deployed(admin: World) -> None:
    await admin.image()
    await live_image(admin)
    assert (await admin.api("GET", "/images/demo"))["deliveries"] == ["disk"]
    assert (await admin.api("GET", "/images/live-13"))["deliveries"] == ["ram", "iscsi", "nfs"]
