"""Images and kernels that arrive piece by piece over the API, and from an address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from web_world import World

from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.jobs import Jobs
from appliance.web.api.uploads import INTAKE

CONTENT = bytes(range(256)) * 32
SIZE = len(CONTENT)
FILE = {"file": "disk.raw", "size": SIZE, "mark": "changed 1"}


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[None]:
    services = world.services
    kinds = IntakeJobs(world.client.app[INTAKE], services.clock).kinds()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(Jobs(services.store, services.bus, services.clock, kinds).run())
        yield
        running.cancel()


async def piece(world: World, said: Any, first: int, last: int, status: int = 200, where: str = "images/demo") -> Any:
    headers = {"Content-Range": f"bytes {first}-{last}/{SIZE}", "Content-Type": "application/octet-stream"}
    address = f"/uploads/{where}/{said['turn']}"
    return await world.api("PUT", address, status, data=CONTENT[first : last + 1], headers=headers)


async def done(world: World, task: int) -> Any:
    async with asyncio.timeout(20):
        while (found := await world.api("GET", f"/tasks/{task}"))["status"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
    return found


async def test_an_image_comes_in_pieces(admin: World) -> None:
    begun = await admin.api("PUT", "/uploads/images/demo", json=FILE | {"description": "a disk"})
    assert (begun["received"], begun["task"], begun["kind"], begun["name"]) == (0, None, "image", "demo")
    assert (await piece(admin, begun, 0, 999))["received"] == 1000
    shown = await admin.api("GET", "/uploads/images/demo")
    assert (shown["received"], shown["turn"], shown["by"]) == (1000, "", "admin")
    assert (await admin.api("GET", "/uploads"))["items"] == [shown]
    assert (await piece(admin, begun, 500, 1500, 409))["code"] == "upload-offset"
    again = await admin.api("PUT", "/uploads/images/demo", json=FILE)
    assert (await piece(admin, begun, 1000, SIZE - 1, 409))["code"] == "upload-taken-over"
    last = await piece(admin, again, 1000, SIZE - 1)
    async with at_work(admin):
        task = await done(admin, last["task"])
    assert (task["status"], task["result"]["name"]) == ("done", "demo")
    image = await admin.api("GET", "/images/demo")
    assert (image["format"], image["size"], image["obstacle"]) == ("raw", SIZE, "")
    assert (await admin.api("GET", "/uploads"))["items"] == []
    assert (await admin.api("PUT", "/uploads/images/demo", 409, json=FILE))["code"] == "name-taken"


async def test_another_file_is_refused_and_what_is_half_here_removed(admin: World) -> None:
    begun = await admin.api("PUT", "/uploads/kernels/six", json=FILE | {"initrd_size": 100, "cmdline": "quiet"})
    await piece(admin, begun, 0, 99, where="kernels/six")
    other = FILE | {"mark": "changed 2", "initrd_size": 100}
    refused = await admin.api("PUT", "/uploads/kernels/six", 409, json=other)
    assert refused["code"] == "upload-other"
    assert (await admin.api("PUT", "/uploads/kernels/six", json=other | {"replace": True}))["received"] == 0
    assert (await admin.api("GET", "/uploads/kernels/six"))["size"] == SIZE
    await admin.api("DELETE", "/uploads/kernels/six", 204)
    for method, address in (("GET", "kernels/six"), ("DELETE", "kernels/six"), ("GET", "images/..%2f..%2fstore")):
        assert (await admin.api(method, f"/uploads/{address}", 404))["code"] == "upload-missing"
    await admin.api("PUT", "/uploads/images/demo", json=FILE)
    await admin.api("DELETE", "/uploads/images/demo", 204)


@pytest.mark.parametrize(
    ("address", "wrong", "field"),
    [
        ("images/demo", {"size": 0}, "size"),
        ("images/demo", {"size": 1 << 60}, "size"),
        ("images/demo", {"size": (1 << 44) + 1}, "size"),
        ("images/demo", {"sha256": "xyz"}, "sha256"),
        ("images/demo", {"file": ""}, "name"),
        ("images/demo", {"format": "vmdk"}, "format"),
        ("images/Not%20A%20Name", {}, "name"),
        ("kernels/six", {"initrd_size": SIZE}, "initrd_size"),
        ("kernels/six", {"initrd_size": -1}, "initrd_size"),
        ("kernels/six", {"cmdline": "a\nb"}, "cmdline"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_with_its_field(
    admin: World, address: str, wrong: dict[str, Any], field: str
) -> None:
    assert (await admin.api("PUT", f"/uploads/{address}", 422, json=FILE | wrong))["field"] == field
    assert (await admin.api("GET", "/uploads"))["items"] == []


async def test_pieces_without_a_place_are_refused(admin: World) -> None:
    begun = await admin.api("PUT", "/uploads/images/demo", json=FILE)
    address = f"/uploads/images/demo/{begun['turn']}"
    assert (await admin.api("PUT", address, 422, data=b"x"))["code"] == "range-invalid"
    headers = {"Content-Range": f"bytes 0-9/{SIZE}"}
    assert (await admin.api("PUT", address, 422, data=b"x", headers=headers))["code"] == "piece-length"


async def test_an_image_is_fetched_from_elsewhere_alone(admin: World) -> None:
    asked = {"name": "demo", "url": "https://images.example/disk.raw", "sha256": "ab" * 32}
    for url in ("http://127.0.0.1/x", "http://[::1]/x", "http://169.254.169.254/x", "http://[64:ff9b::7f00:1]/x"):
        refused = await admin.api("POST", "/images/fetch", 422, json=asked | {"url": url})
        assert (refused["code"], refused["field"]) == ("url-refused", "url")
    assert (await admin.api("POST", "/images/fetch", 422, json=asked | {"sha256": "1"}))["field"] == "sha256"
    task = await admin.api("POST", "/images/fetch", 202, json=asked)
    assert (task["kind"], task["title"], task["status"]) == ("image.fetch", "Fetch image demo", "waiting")
    assert "kept for a day" in task["cancel"]["text"]
    assert (await admin.api("POST", "/images/fetch", 409, json=asked))["code"] == "upload-checked"
