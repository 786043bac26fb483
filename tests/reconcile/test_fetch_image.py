"""Images from an address: gone on with, compared, given up, and never from where nothing is to be fetched."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ThreadedResolver, web
from aiohttp.test_utils import TestServer
from kernel_images import bzimage, tar
from test_intake import ADA, DISK, World

from appliance.catalogue import KernelWords
from appliance.errors import Conflict, Invalid
from appliance.events import Bus
from appliance.intake import ImageWish, ModulesWish
from appliance.reconcile import fetch_image, intake, intake_work
from appliance.reconcile.fetch_image import Checks
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.jobs import Jobs
from appliance.store import catalogue, tasks
from appliance.store.store import open_store
from appliance.task import Status, Task, with_canceller

SHA256 = hashlib.sha256(DISK).hexdigest()


@dataclass
class Mirror:
    """A server of somebody else's: what it gives, what it was asked for, after how many bytes it hangs up."""

    content: bytes = DISK
    mark: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    length: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    stall: asyncio.Event | None = None
    part: Path | None = None
    """Where it is stored: the line is cut once what was sent is there."""
    base: str = ""

    async def give(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({name: request.headers.get(name, "") for name in ("Range", "If-Range")})
        first, size = 0, len(self.content)
        same = request.headers.get("If-Range") in (None, self.mark)
        if self.ranges and same and "Range" in request.headers:
            first = int(request.headers["Range"].removeprefix("bytes=").rstrip("-"))
        response = web.StreamResponse(status=206 if first else 200, headers={"ETag": self.mark})
        if first:
            response.headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        if self.length:
            response.content_length = size - first
        await response.prepare(request)
        end = first + self.cuts.pop(0) if self.cuts else size
        await response.write(self.content[first:end])
        while self.part is not None and not (self.part.exists() and self.part.stat().st_size >= end):
            await asyncio.sleep(0.01)
        if self.stall is not None:
            await self.stall.wait()
        if end < size and request.transport is not None:
            request.transport.abort()
        return response


@asynccontextmanager
async def serving(mirror: Mirror) -> AsyncIterator[Mirror]:
    async def inward(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})

    async def home(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://home.example:{request.url.port}/disk.raw"})

    app = web.Application()
    app.router.add_get("/disk.raw", mirror.give)
    app.router.add_get("/inward", inward)
    app.router.add_get("/home", home)
    async with TestServer(app) as server:
        mirror.base = f"http://127.0.0.1:{server.port}"
        yield mirror


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(intake, "check_source", anything)  # tests fetch from this computer
    monkeypatch.setattr(fetch_image, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(intake_work, "LOOK_EVERY", 0.02)
    async with open_store(tmp_path / "store.db") as store:
        bus = Bus()
        imports = Imports(store, bus, tmp_path, time.time)
        yield World(tmp_path, store, bus, imports, Intake(store, bus, time.time, imports))


def anything(_: str) -> None:
    """All addresses are asked."""


async def fetched(world: World, url: str, sha256: str = SHA256, checks: Checks | None = None) -> Task:
    task = await world.intake.fetch(ImageWish("web", url=url), sha256, ADA, replace=False)
    return await worked(world, task, checks)


@asynccontextmanager
async def at_work(world: World, checks: Checks | None = None) -> AsyncIterator[None]:
    kinds = IntakeJobs(world.intake, time.time, checks or Checks(anything, anything)).kinds()
    running = asyncio.get_running_loop().create_task(Jobs(world.store, world.bus, time.time, kinds).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def worked(world: World, task: Task, checks: Checks | None = None) -> Task:
    async with at_work(world, checks):
        return await world.ended(task)


async def test_it_goes_on_where_the_line_was_lost(world: World) -> None:
    async with serving(Mirror(cuts=[300_000, 400_000], part=part(world))) as mirror:
        task = await fetched(world, f"{mirror.base}/disk.raw")
    assert (task.status, task.reason) == (Status.DONE, "")
    assert [each["Range"] for each in mirror.asked] == ["", "bytes=300000-", "bytes=700000-"]
    assert mirror.asked[1]["If-Range"] == '"one"'
    image = await world.image()
    assert (image.stored_sha256, image.architecture) == (SHA256, "amd64")
    assert world.imports.image_path(image.id).read_bytes() == DISK
    assert world.here() == set()


async def test_it_goes_on_after_a_restart_of_the_daemon(world: World) -> None:
    hang = asyncio.Event()
    async with serving(Mirror(cuts=[300_000], stall=hang)) as mirror:
        task = await world.intake.fetch(ImageWish("web", url=f"{mirror.base}/disk.raw"), SHA256, ADA, replace=False)
        async with at_work(world):
            while not (standing := await world.intake.standing()) or standing[0].received < 300_000:
                await asyncio.sleep(0.01)
        hang.set()
        mirror.stall = None
        ended = await worked(world.again(), task)
    assert ended.status is Status.DONE
    assert mirror.asked[-1]["Range"] == "bytes=300000-"


@pytest.mark.parametrize("change", ["ranges", "mark"])
async def test_a_server_that_begins_anew_is_followed(world: World, change: str) -> None:
    async with serving(Mirror(cuts=[300_000], part=part(world))) as mirror:
        if change == "ranges":
            mirror.ranges = False
        else:
            original = mirror.give

            async def changed(request: web.Request) -> web.StreamResponse:
                if mirror.asked:
                    mirror.mark = '"two"'
                return await original(request)

            mirror.give = changed  # type: ignore[method-assign]
        task = await fetched(world, f"{mirror.base}/disk.raw")
    assert task.status is Status.DONE
    assert world.imports.image_path((await world.image()).id).read_bytes() == DISK


async def test_another_checksum_is_never_listed(world: World) -> None:
    async with serving(Mirror()) as mirror:
        task = await fetched(world, f"{mirror.base}/disk.raw", "ab" * 32)
    assert (task.status, task.code) == (Status.FAILED, "upload-differs")
    assert SHA256 in task.reason
    assert world.here() == set()


async def test_a_server_that_drips_is_given_up_and_what_came_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_image, "WINDOW_SECONDS", -1.0)
    async with serving(Mirror(cuts=[1000, 1000, 1000, 1000], part=part(world))) as mirror:
        task = await fetched(world, f"{mirror.base}/disk.raw")
    assert (task.status, task.code) == (Status.FAILED, "fetch-failed")
    assert "stalls" in task.reason
    assert len(mirror.asked) == 3, "as often as there are pauses, and once before them"
    assert world.here() == {"web.json", "web.part"}


def part(world: World) -> Path:
    return world.imports.images / intake.DIRECTORY / "web.part"


async def test_a_silent_server_does_not_keep_it_from_being_cancelled(world: World) -> None:
    hang = asyncio.Event()
    async with serving(Mirror(cuts=[100], stall=hang)) as mirror:
        task = await world.intake.fetch(ImageWish("web", url=f"{mirror.base}/disk.raw"), SHA256, ADA, replace=False)
        async with at_work(world):
            while not mirror.asked:
                await asyncio.sleep(0.01)
            await world.store.write(lambda db: tasks.put(db, with_canceller(tasks.get(db, task.id), "ada")))
            ended = await world.ended(task)
        hang.set()
    assert ended.status is Status.CANCELLED


async def test_a_server_that_does_not_say_how_much_is_refused(world: World) -> None:
    async with serving(Mirror(length=False)) as mirror:
        task = await fetched(world, f"{mirror.base}/disk.raw")
    assert (task.status, task.code) == (Status.FAILED, "fetch-unfit")
    assert len(mirror.asked) == 1, "asking again is of no use"


async def test_redirects_and_names_that_change_lead_nowhere_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may lead elsewhere when it is asked again: what is connected to is what was checked."""
    real = ThreadedResolver.resolve

    async def rebinding(self: ThreadedResolver, host: str, *more: Any) -> Any:
        return await real(self, "127.0.0.1" if host == "home.example" else host, *more)

    monkeypatch.setattr(ThreadedResolver, "resolve", rebinding)
    async with serving(Mirror()) as mirror:
        port = mirror.base.rpartition(":")[2]
        own = Checks(anything)
        for url in (f"{mirror.base}/home", f"http://home.example:{port}/disk.raw"):
            task = await fetched(world, url, checks=own)
            assert (task.status, task.code) == (Status.FAILED, "url-refused"), url
        task = await fetched(world, f"{mirror.base}/inward", checks=Checks(but_link_local, anything))
        assert (task.status, task.code) == (Status.FAILED, "url-refused")
    assert mirror.asked == []


def but_link_local(url: str) -> None:
    if "169.254" in url:
        raise Invalid("url-refused", "link-local")


async def test_what_cannot_be_is_refused_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    url = "https://mirror.example/disk.raw"
    for wish, sha256, field_ in (
        (ImageWish("web", url="http://127.0.0.1/x"), SHA256, "url"),
        (ImageWish("web", url="ftp://mirror.example/x"), SHA256, "url"),
        (ImageWish("web", url=url), "ABC", "sha256"),
        (ImageWish("-", url=url), SHA256, "name"),
    ):
        with pytest.raises(Invalid) as refused:
            await world.intake.fetch(wish, sha256, ADA, replace=False)
        assert refused.value.field == field_
    await world.intake.fetch(ImageWish("web", url=url), SHA256.upper(), ADA, replace=False)
    with pytest.raises(Conflict) as busy:
        await world.intake.fetch(ImageWish("web", url=url), SHA256, ADA, replace=False)
    assert busy.value.code == "upload-checked"
    assert (await world.intake.standing()) == [], "nothing is here of it yet"


async def test_modules_of_a_kernel_are_fetched_too_and_kept_with_it(world: World) -> None:
    await world.imports.add_kernel(KernelWords("six"), chunks(bzimage()), chunks(b""), ADA)
    content = tar()
    async with serving(Mirror(content, cuts=[3000])) as mirror:
        asked = ModulesWish("six", f"{mirror.base}/disk.raw"), hashlib.sha256(content).hexdigest(), ADA
        task = await worked(world, await world.intake.fetch(*asked, replace=False))
    assert (task.status, task.reason, task.result["name"]) == (Status.DONE, "", "six")
    kernel = await world.store.read(lambda db: catalogue.kernel(db, "six"))
    assert world.imports.kernel_file(kernel.id, "modules").stat().st_size == kernel.modules_bytes
    assert await world.intake.standing() == []
    async with serving(Mirror(content)) as mirror:
        wrong = ModulesWish("six", f"{mirror.base}/disk.raw"), "ab" * 32, ADA
        task = await worked(world, await world.intake.fetch(*wrong, replace=False))
    assert (task.status, task.code) == (Status.FAILED, "upload-differs")


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content
