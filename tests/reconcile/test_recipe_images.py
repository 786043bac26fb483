"""Images by recipes: the task that makes one, what it believes of what was made, and what a restart leaves."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance.accounts import Asker, Role
from appliance.bootdisk import layout
from appliance.catalogue import disk_obstacle
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.half_upload import Identity
from appliance.intake import IMAGE_BUILD, ImageWish
from appliance.recipes.building import FAILED, ORDER, SAID
from appliance.recipes.order import IMAGE, Order
from appliance.recipes.shelf import OURS, Shelf
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Intake
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.recipe_build import ChildBuilder, Place
from appliance.reconcile.recipes import ImageOrder, Recipes
from appliance.store import catalogue, events, tasks
from appliance.store.store import Store, open_store
from appliance.task import Status, Task, prospect, with_canceller

ADA = Asker("ada", Role.OPERATOR)
WEB = ImageOrder("web", "debian-13", ("curl",))
RECIPE = (OURS / "debian-13.toml").read_text()


class PaperBuilder:
    """Does in a place what a test says."""

    def __init__(self, does: Callable[[Path], object]) -> None:
        self._does, self.orders, self.hold = does, list[Order](), asyncio.Event()
        self.hold.set()
        self.cancelled = 0

    async def build(self, place: Path) -> None:
        self.orders.append(msgspec.json.decode((place / ORDER).read_bytes(), type=Order))
        await asyncio.to_thread(self._does, place)
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def squashfs(place: Path) -> None:
    tree = place / "tree" / "etc"
    tree.mkdir(parents=True)
    (tree / "os-release").write_text('PRETTY_NAME="Debian of paper"\n')
    (place / SAID).write_text('{"share": 0.3, "text": "extracting archives..."}\n{"share": 0.8, "text": "creating ta')
    argv = ["mksquashfs", place / "tree", place / IMAGE, "-quiet", "-no-progress"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


async def has_all(keyring: str, whole_disk: bool) -> None:
    """Nothing is missing here."""


class World:
    def __init__(self, state: Path, store: Store, builder: PaperBuilder) -> None:
        self.state, self.store, self.builder, bus = state, store, builder, Bus()
        self.bus = bus
        self.imports = Imports(store, bus, state, time.time)
        self.intake = Intake(store, bus, time.time, self.imports)
        shelf = Shelf(state / "recipes")
        self.recipes = Recipes(
            store, bus, time.time, self.intake, shelf, builder, "http://10.77.0.3:3128", tools=has_all
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        running = asyncio.get_running_loop().create_task(
            Jobs(self.store, self.bus, time.time, self.recipes.jobs()).run()
        )
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def ended(self, task: Task) -> Task:
        while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
            await asyncio.sleep(0.01)
        return found

    async def built(self, wanted: ImageOrder = WEB) -> Task:
        task = await self.recipes.build(wanted, ADA)
        async with self.working():
            return await self.ended(task)

    def places(self) -> list[Path]:
        return list((self.state / "images" / "building").glob("*"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db") as opened:
        yield opened


async def test_an_image_is_made_told_of_and_listed(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs))
    done = await world.built()
    assert (done.status, done.kind, done.title) == (Status.DONE, IMAGE_BUILD, "Make image web"), done
    image = await store.read(lambda db: catalogue.image(db, "web"))
    assert (image.format, image.distribution) == ("squashfs", "Debian of paper")
    assert image.description == "Debian 13 (trixie)"
    assert world.imports.image_path(image.id).stat().st_size == image.stored_size
    (order,) = world.builder.orders
    assert (order.recipe.suite, order.packages, order.proxy) == ("trixie", ("curl",), "http://10.77.0.3:3128")
    log = [line.text for line in await store.read(lambda db: tasks.lines(db, done.id, 0, 100))]
    assert "extracting archives..." in log
    assert world.places() == []


async def test_why_there_is_none_is_the_task_s_reason(store: Store, tmp_path: Path) -> None:
    def fails(place: Path) -> None:
        (place / FAILED).write_text('{"code": "recipe-failed", "message": "no such package", "hint": "name others"}')

    world = World(tmp_path, store, PaperBuilder(fails))
    done = await world.built()
    assert (done.status, done.code) == (Status.FAILED, "recipe-failed")
    assert "no such package. name others" in done.reason
    assert world.places() == []


@pytest.mark.parametrize("what", ["nothing", "link", "second name", "disk"])
async def test_nothing_but_a_root_file_system_of_one_s_own_becomes_an_image(
    what: str, store: Store, tmp_path: Path
) -> None:
    """Who makes it reads packages of strangers: a link in the place of the image would be read by the daemon."""
    secret = tmp_path / "images" / "authority"

    def makes(place: Path) -> None:
        secret.write_bytes(b"hsqs" + b"secret" * 1000)
        if what == "link":
            (place / IMAGE).symlink_to(secret)
        elif what == "second name":
            os.link(secret, place / IMAGE)
        elif what == "disk":
            (place / IMAGE).write_bytes(b"\0" * 510 + b"\x55\xaa" + b"\0" * 8192)

    world = World(tmp_path, store, PaperBuilder(makes))
    done = await world.built()
    assert done.status is Status.FAILED
    assert await store.read(catalogue.images) == []
    assert secret.exists()


def whole_disk(place: Path) -> None:
    """With a table that says for which processor it is."""
    of = layout.server(1 << 20, lambda part: uuid.uuid5(uuid.NAMESPACE_DNS, part))
    (place / "root").write_bytes(bytes(1 << 20))
    parts = layout.parts(of, b"\xeb" * 512, b"core", {"esp": place / "root", "root": place / "root"})
    with (place / "raw").open("wb") as raw:
        for part in parts:
            raw.seek(part.sector * 512)
            raw.write(part.content if isinstance(part.content, bytes) else part.content.read_bytes())
    subprocess.run(["zstd", "-q", place / "raw", "-o", place / IMAGE], check=True)


async def test_a_whole_disk_is_listed_as_one_that_starts_by_itself(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(whole_disk))
    done = await world.built(as_disk(WEB))
    assert done.status is Status.DONE, done
    image = await store.read(lambda db: catalogue.image(db, "web"))
    assert (image.format, image.firmware, image.architecture) == ("raw.zst", ("bios", "uefi"), "amd64")
    assert disk_obstacle(image) == ""
    assert world.builder.orders[0].disk


@pytest.mark.parametrize("disk", [True, False])
async def test_what_was_not_asked_for_is_no_image(disk: bool, store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs if disk else whole_disk))
    done = await world.built(as_disk(WEB) if disk else WEB)
    assert done.status is Status.FAILED
    assert await store.read(catalogue.images) == []


async def test_no_disk_is_made_by_a_recipe_that_names_no_kernel(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(whole_disk))
    with pytest.raises(Conflict, match="names no kernel") as refused:
        await world.recipes.build(ImageOrder("web", "ubuntu-2404", disk=True), ADA)
    assert (refused.value.code, refused.value.field) == ("recipe-no-disk", "disk")


def as_disk(wanted: ImageOrder) -> ImageOrder:
    return msgspec.structs.replace(wanted, disk=True)


async def test_cancelled_it_ends_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs))
    world.builder.hold.clear()
    task = await world.recipes.build(WEB, ADA)
    async with world.working():
        while not world.builder.orders:
            await asyncio.sleep(0.01)
        assert prospect(await store.read(lambda db: tasks.get(db, task.id)), None).possible
        await store.write(lambda db: tasks.put(db, with_canceller(tasks.get(db, task.id), "ada")))
        done = await world.ended(task)
    assert done.status is Status.CANCELLED
    assert world.builder.cancelled == 1
    assert (world.places(), await store.read(catalogue.images)) == ([], [])


async def test_after_a_kill_it_is_begun_anew_and_places_of_tasks_that_are_over_go(store: Store, tmp_path: Path) -> None:
    first = World(tmp_path, store, PaperBuilder(squashfs))
    first.builder.hold.clear()
    task = await first.recipes.build(WEB, ADA)
    async with first.working():
        while not first.builder.orders:
            await asyncio.sleep(0.01)
    old = tmp_path / "images" / "building" / "00000000000000ff"
    old.mkdir(parents=True)
    (tmp_path / "images" / "building" / f"{task.id:016x}").mkdir(exist_ok=True)
    again = World(tmp_path, store, PaperBuilder(squashfs))
    async with again.working():
        assert (await again.ended(task)).status is Status.DONE
    assert again.places() == []


async def test_it_is_not_made_twice_where_a_kill_came_after_it_was_listed(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs))
    done = await world.built()
    await store.write(lambda db: tasks.put(db, replace(done, status=Status.RUNNING, ended=None)))
    again = World(tmp_path, store, PaperBuilder(squashfs))
    async with again.working():
        assert (await again.ended(done)).status is Status.DONE
    assert again.builder.orders == []


async def test_names_mirrors_and_tools_are_looked_at_first(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs))
    with pytest.raises(NotFound, match="no recipe"):
        await world.recipes.build(ImageOrder("web", "debian-99"), ADA)
    with pytest.raises(Invalid):
        await world.recipes.build(ImageOrder("../web", "debian-13"), ADA)
    with pytest.raises(Invalid, match="no name of a package"):
        await world.recipes.build(ImageOrder("web", "debian-13", ("--help",)), ADA)
    await world.built()
    with pytest.raises(Conflict, match="another image"):
        await world.recipes.build(WEB, ADA)
    await world.intake.begin(ImageWish("half", ""), Identity("x", 10, "", ""), ADA, replace=False)
    with pytest.raises(Conflict, match="half uploaded"):
        await world.recipes.build(ImageOrder("half", "debian-13"), ADA)
    going = await world.recipes.build(ImageOrder("next", "debian-13"), ADA)
    with pytest.raises(Conflict, match="goes on"):
        await world.recipes.build(ImageOrder("next", "debian-12"), ADA)
    assert going.open


async def test_recipes_that_are_kept_and_removed_stand_in_the_events(store: Store, tmp_path: Path) -> None:
    world = World(tmp_path, store, PaperBuilder(squashfs))
    await world.recipes.keep("mine", RECIPE, ADA)
    assert (await world.recipes.one("mine")).text == RECIPE
    await world.recipes.remove("mine", ADA)
    told = [each.text for each in await store.read(lambda db: events.query(db, kind="recipe.changed"))]
    assert sorted(told) == ["ada keeps recipe mine", "ada removed recipe mine"]


async def test_the_daemon_s_own_child_says_why_it_made_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real program, on a computer that has none of what it needs."""
    (tmp_path / ORDER).write_bytes(msgspec.json.encode(Order(Shelf(tmp_path / "own").usable("debian-13"))))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    await ChildBuilder().build(tmp_path)
    assert b"recipe-tools-missing" in (tmp_path / FAILED).read_bytes()


async def test_a_program_that_ends_in_the_middle_has_made_nothing(tmp_path: Path) -> None:
    await ChildBuilder().build(tmp_path)
    with pytest.raises(ApplianceError, match="ended in the middle"):
        Place(tmp_path).image()
