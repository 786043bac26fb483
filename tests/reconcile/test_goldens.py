"""Golden volumes of images: made once for a pool, whoever wants them, whatever is cut off; with the real programs."""

import asyncio
import contextlib
import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pool_world import PoolWorld

from appliance.accounts import APPLIANCE
from appliance.catalogue import Image, ImageId
from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.filesystem.ext4 import uuid_for
from appliance.pool import Deed, Use, Work
from appliance.reconcile.imports import Imports
from appliance.reconcile.pool_wishes import PoolWish
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.storage.directory import VOLUMES, prepare
from appliance.storage.memory import BLOCK
from appliance.store import catalogue, goldens, pools, tasks
from appliance.store.store import Store, open_store
from appliance.task import Status
from appliance.volume import PoolKind
from tests.filesystem.read_back import content, head, sound
from tests.imageformat.image_files import entry, tar
from tests.people import ADA
from tests.programs_of_debian_13 import first_in_path

FILLING = "filling"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    first_in_path(monkeypatch, tmp_path_factory.mktemp("programs"))


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    async with open_store(tmp_path / "store.db") as made:
        yield made


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> Any:
    made = PoolWorld(store, state=tmp_path)
    async with made.at_work():
        await made.made()
        yield made


def root(words: bytes = b"hello") -> bytes:
    folders = [(entry(f"./{name}", tarfile.DIRTYPE), b"") for name in ("etc", "usr", "usr/bin")]
    return tar(*folders, (entry("./etc/motd", content=words), words))


async def listed(world: PoolWorld, name: str = "webserver", data: bytes = root(), form: str = "tar") -> Image:
    """An image whose content is stored."""
    digest = hashlib.sha256(data).hexdigest()
    new = Image(ImageId(0), name, "", form, len(data), len(data), digest, 512, world.now)  # type: ignore[arg-type]
    image = await world.store.write(lambda db: catalogue.add_image(db, new))
    (world.state / "images").mkdir(exist_ok=True)
    (world.state / "images" / str(image.id)).write_bytes(data)
    return image


async def pool_of(world: PoolWorld, name: str = "fast") -> Any:
    return await world.store.read(lambda db: pools.get(db, name))


def file_of(world: PoolWorld, volume: str, into: Path) -> Path:
    """The content of a volume in memory, as a file."""
    memory = world.memories["fast"]
    path = into / volume
    path.write_bytes(memory.read(volume, 0, memory.kept[volume].new.size))
    return path


async def test_it_is_made_once_and_holds_the_image(world: PoolWorld, tmp_path: Path) -> None:
    image, pool, heard = await listed(world), await pool_of(world), list[str]()
    golden = await world.goldens.golden(image, pool, lambda _, words: heard.append(words))
    assert (golden.fs_uuid, golden.name, golden.image) == (uuid_for(golden.volume), "webserver", image.id)
    assert heard
    (view,) = (await world.seen()).volumes
    assert (view.volume.id, view.volume.size, view.volume.read_only) == (golden.volume, golden.size, True)
    assert (view.known.use, view.known.of, view.known.golden) == (Use.IMAGE, str(image.id), True)
    file = file_of(world, golden.volume, tmp_path)
    assert sound(file)
    assert content(file, "/etc/motd") == b"hello"
    assert head(file)["Filesystem UUID"] == golden.fs_uuid
    assert await world.goldens.golden(image, pool) == golden
    assert len((await world.seen()).volumes) == 1
    assert list((tmp_path / FILLING).iterdir()) == [], "what was made to fill it is gone"
    (told,) = await world.events("volume.changed")
    assert "golden volume webserver of image webserver" in told.text
    assert told.reason
    assert len(await world.audited("volume.fill")) == 1


async def test_two_who_want_it_wait_for_one(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    one, other = await asyncio.gather(world.goldens.golden(image, pool), world.goldens.golden(image, pool))
    assert one == other
    assert world.memories["fast"].asked.count("fill") == 1


async def test_who_does_not_wait_any_more_stops_nobody_else(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    async with asyncio.TaskGroup() as group:
        one = group.create_task(world.goldens.golden(image, pool))
        while not await world.works():
            await asyncio.sleep(0)
        other = group.create_task(world.goldens.golden(image, pool))
        one.cancel()
    assert one.cancelled()
    assert other.result().name == "webserver"


async def test_other_content_has_a_volume_of_its_own(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    first = await world.goldens.golden(image, pool)
    data = root(b"changed")
    changed = await _changed(world, image, data)
    second = await world.goldens.golden(changed, pool)
    assert second.volume != first.volume
    kept = {each.volume.id: each.known.golden for each in (await world.seen()).volumes}
    assert kept == {first.volume: False, second.volume: True}, "the one of before may be deleted"


async def _changed(world: PoolWorld, image: Image, data: bytes) -> Image:
    digest = hashlib.sha256(data).hexdigest()
    changed = replace(image, stored_sha256=digest, stored_size=len(data))
    await world.store.write(lambda db: catalogue.change_image(db, changed))
    (world.state / "images" / str(image.id)).write_bytes(data)
    return changed


async def test_one_that_was_deleted_past_us_is_made_anew(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    first = await world.goldens.golden(image, pool)
    del world.memories["fast"].kept[first.volume]
    second = await world.goldens.golden(image, pool)
    assert second.volume != first.volume
    assert "not in fast any more" in (await world.events("volume.changed"))[1].text


async def test_one_that_was_deleted_by_us_is_forgotten(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    first = await world.goldens.golden(image, pool)
    with pytest.raises(ApplianceError):
        await world.volumes.delete("fast", first.volume, "webserver", ADA)
    await world.volumes.mark("fast", first.volume, ADA, golden=False)
    await world.volumes.delete("fast", first.volume, "webserver", ADA)
    assert await world.store.read(lambda db: goldens.of_image(db, image.id)) == []
    assert (await world.goldens.golden(image, pool)).volume != first.volume


async def test_who_renames_or_marks_it_loses_nothing(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    first = await world.goldens.golden(image, pool)
    await world.volumes.rename("fast", first.volume, "web", ADA)
    await world.volumes.mark("fast", first.volume, ADA, golden=False)
    again = await world.goldens.golden(image, pool)
    assert (again.volume, again.name, again.golden) == (first.volume, "web", False)


async def test_by_hand_it_is_a_task_and_made_once(world: PoolWorld) -> None:
    image = await listed(world)
    done = await world.goldens.make("fast", "webserver", "golden-web", ADA)
    assert done.task is not None
    assert "golden-web" in done.task.title
    for name in ("", "other"):
        with pytest.raises(ApplianceError) as caught:
            await world.goldens.make("fast", "webserver", name, ADA)
        assert caught.value.code == "golden-there"
    assert (await world.ended(done.task)).status is Status.DONE
    with pytest.raises(ApplianceError, match="golden-web"):
        await world.goldens.make("fast", str(image.id), "", ADA)
    clone = await world.volumes.clone("fast", "golden-web", VolumeWish("customer1"), ADA)
    assert clone.volume


async def test_a_name_that_is_taken_is_not_taken_away(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    await world.volume("webserver")
    with pytest.raises(ApplianceError) as caught:
        await world.goldens.make("fast", "webserver", "webserver", ADA)
    assert caught.value.code == "name-taken"
    golden = await world.goldens.golden(image, pool)
    assert golden.name == f"webserver-{golden.volume[:8]}"


async def test_a_disk_has_none(world: PoolWorld) -> None:
    image, pool = await listed(world, form="raw"), await pool_of(world)
    with pytest.raises(ApplianceError) as caught:
        await world.goldens.golden(image, pool)
    assert caught.value.code == "image-not-deployable"
    assert await world.works() == []


async def test_what_cannot_be_made_says_why_and_leaves_nothing(world: PoolWorld, tmp_path: Path) -> None:
    folders = [(entry(f"./{name}", tarfile.DIRTYPE), b"") for name in ("etc", "usr")]
    image = await listed(world, data=tar(*folders, (entry("./nowhere/x", content=b"x"), b"x")))
    with pytest.raises(ApplianceError, match="nowhere") as caught:
        await world.goldens.golden(image, await pool_of(world))
    assert caught.value.code == "filesystem-failed"
    assert not (await world.seen()).volumes
    assert await world.works() == []
    assert list((tmp_path / FILLING).iterdir()) == []


async def test_a_full_pool_takes_none(world: PoolWorld) -> None:
    image, memory = await listed(world), world.memories["fast"]
    memory.size = 300 << 20
    await world.volume("much", 300 << 20)
    (much,) = memory.kept.values()
    much.blocks = {number: bytearray(1) for number in range((300 << 20) // BLOCK - 1)}
    with pytest.raises(ApplianceError) as caught:
        await world.goldens.golden(image, await pool_of(world))
    assert caught.value.code == "pool-too-small"
    assert [each.volume.name for each in (await world.seen()).volumes] == ["much"]


async def test_who_cancels_the_task_has_it_undone(
    world: PoolWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, pool, reached = await listed(world), await pool_of(world), asyncio.Event()

    async def slow(*_: object) -> int:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("appliance.reconcile.fillings.make", slow)
    monkeypatch.setattr("appliance.reconcile.pool_jobs.HEAR_EVERY", 0.01)
    monkeypatch.setattr("appliance.reconcile.jobs.TELL_EVERY", 0.0)
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(_code(world, image, pool))
        await reached.wait()
        (work,) = await world.works()
        await _cancel(world.store, work.task)
    assert waits.result() == "golden-cancelled"
    assert not (await world.seen()).volumes
    assert await world.works() == []


async def _code(world: PoolWorld, image: Image, pool: Any) -> str:
    try:
        await world.goldens.golden(image, pool)
    except ApplianceError as error:
        return error.code
    return ""


async def _cancel(store: Store, key: Any) -> None:
    await store.write(lambda db: tasks.put(db, replace(tasks.get(db, key), cancelled_by="ada")))


async def test_deleting_the_image_says_what_becomes_of_it(world: PoolWorld, tmp_path: Path) -> None:
    image, pool = await listed(world), await pool_of(world)
    golden = await world.goldens.golden(image, pool)
    await Imports(world.store, Bus(), tmp_path, lambda: world.now).delete_image("webserver", ADA)
    (told,) = await world.events("image.changed")
    assert told.text == "ada deleted image webserver; made of it and kept, golden no longer: webserver"
    (view,) = (await world.seen()).volumes
    assert (view.volume.id, view.known.golden) == (golden.volume, False)
    await world.volumes.delete("fast", golden.volume, "webserver", ADA)


async def test_an_image_that_is_deleted_meanwhile_makes_none(world: PoolWorld) -> None:
    image, pool = await listed(world), await pool_of(world)
    stale = await _changed(world, image, root(b"later"))
    with pytest.raises(ApplianceError) as caught:
        await world.goldens.golden(image, pool)
    assert caught.value.code == "image-changed"
    assert (await world.goldens.golden(stale, pool)).sha256 == stale.stored_sha256


async def test_killed_between_any_two_steps_it_is_made_once(store: Store, tmp_path: Path) -> None:
    """Of the driver; what a new daemon finds it goes on with."""
    for steps in range(0, 60, 3):
        world = PoolWorld(store, state=tmp_path)
        async with world.at_work():
            await world.made(f"pool{steps}")
        image = await listed(world, f"web{steps}")
        memory = world.memories[f"pool{steps}"]
        memory.steps_left = steps
        with contextlib.suppress(BaseExceptionGroup):
            async with world.at_work():
                await world.goldens.golden(image, await pool_of(world, f"pool{steps}"))
        ended = memory.steps_left is not None and memory.steps_left > 0
        memory.steps_left = None
        after = PoolWorld(store, now=world.now, memories=world.memories, state=tmp_path)
        async with after.at_work():
            golden = await after.goldens.golden(image, await pool_of(after, f"pool{steps}"))
            seen = await after.seen(f"pool{steps}")
        assert [each.volume.id for each in seen.volumes] == [golden.volume]
        assert [each.volume.trouble for each in seen.volumes] == [""]
        assert await after.works() == []
        if ended:
            return
    raise AssertionError("it never ends")


async def test_killed_before_it_was_noted_it_is_found(store: Store, tmp_path: Path) -> None:
    """What is there and whole is not made again."""
    world = PoolWorld(store, state=tmp_path)
    async with world.at_work():
        await world.made()
        image = await listed(world)
        golden = await world.goldens.golden(image, await pool_of(world))

    def undone(db: Any) -> None:
        work = pools.add_work(db, golden_pool.kind, _work(golden_pool.id, golden, image))
        pools.put_work(db, work)
        pools.drop_volume(db, golden.volume)

    golden_pool = await pool_of(world)
    await store.write(undone)
    after = PoolWorld(store, now=world.now, memories=world.memories, state=tmp_path)
    (tmp_path / "images" / str(image.id)).unlink()
    async with after.at_work():
        while await after.works():
            await asyncio.sleep(0.01)
    assert (await store.read(lambda db: goldens.of_image(db, image.id)))[0].size == golden.size


def _work(pool: Any, golden: Any, image: Image) -> Any:
    return Work(
        Deed.FILL, pool, APPLIANCE, 1.0, volume=golden.volume, name=golden.name, size=golden.size, read_only=True,
        use=Use.IMAGE, of=str(image.id), golden=True, sha256=image.stored_sha256,
    )  # fmt: skip


async def test_what_was_left_by_a_killed_daemon_goes(store: Store, tmp_path: Path) -> None:
    """All of it was noted by then."""
    (tmp_path / FILLING).mkdir()
    (tmp_path / FILLING / "00000000000000ff").write_bytes(b"left")
    async with PoolWorld(store, state=tmp_path).at_work(), asyncio.timeout(20):
        while list((tmp_path / FILLING).iterdir()):
            await asyncio.sleep(0.01)


async def test_a_directory_has_them_as_well(world: PoolWorld, tmp_path: Path) -> None:
    place = tmp_path / "pool"
    place.mkdir()
    prepare(place)
    await world.ended(await world.pools.make(PoolWish("files", PoolKind.DIRECTORY, str(place)), None, ADA))
    image = await listed(world)
    golden = await world.goldens.golden(image, await pool_of(world, "files"))
    file = place / VOLUMES / f"{golden.volume}.raw"
    assert sound(file)
    assert content(file, "/etc/motd") == b"hello"
    assert file.stat().st_size == golden.size
    assert file.stat().st_blocks * 512 < golden.size // 8, "holes stay holes"
