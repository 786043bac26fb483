"""Images and kernels that arrive: in pieces, several at once, over a restart, as qcow2, and not what they claim."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.accounts import Asker, Role
from appliance.catalogue import Image
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.half_upload import KEPT_SECONDS, Identity, Piece
from appliance.intake import ImageWish, KernelWish, Place
from appliance.reconcile import converting, half_file, intake
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Arrival, Intake
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.jobs import Jobs
from appliance.store import catalogue, events, tasks
from appliance.store.store import Store, open_store
from appliance.task import Status, Task, with_canceller

sys.path.append(str(Path(__file__).parent.parent / "imageformat"))
from image_files import gpt, qcow2, system

ADA, BOB = Asker("ada", Role.OPERATOR), Asker("bob", Role.OPERATOR)
DISK = gpt(1 << 20)
WEB = ImageWish("web", "a disk")
IMAGE = Place("image", "web")
KERNEL = b"\0" * 0x202 + b"HdrS" + b"\0" * 4096
INITRD = b"initrd" * 100


@dataclass
class World:
    state: Path
    store: Store
    bus: Bus
    imports: Imports
    intake: Intake

    def again(self) -> "World":
        """As after a `kill -9` of the daemon: nothing is known but what is on disk."""
        imports = Imports(self.store, self.bus, self.state, time.time)
        return World(self.state, self.store, self.bus, imports, Intake(self.store, self.bus, time.time, imports))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """With somebody who does the jobs."""
        kinds = IntakeJobs(self.intake, time.time).kinds()
        running = asyncio.get_running_loop().create_task(Jobs(self.store, self.bus, time.time, kinds).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def ended(self, task: Task | None) -> Task:
        assert task is not None
        while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
            await asyncio.sleep(0.01)
        return found

    async def done(self, arrival: Arrival) -> Task:
        async with self.working():
            return await self.ended(arrival.task)

    async def image(self, name: str = "web") -> Image:
        return await self.store.read(lambda db: catalogue.image(db, name))

    def here(self) -> set[str]:
        directories = [self.imports.images / intake.DIRECTORY, self.imports.kernels / intake.DIRECTORY]
        return {path.name for each in directories if each.is_dir() for path in each.iterdir()}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_store(tmp_path / "store.db") as store:
        bus = Bus()
        imports = Imports(store, bus, tmp_path, time.time)
        yield World(tmp_path, store, bus, imports, Intake(store, bus, time.time, imports))


def known(content: bytes, mark: str = "changed 1", sha256: str = "") -> Identity:
    return Identity("disk.raw", len(content), sha256, mark)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for each in parts:
        yield each


async def sent(world: World, place: Place, turn: str, content: bytes, first: int = 0, last: int = -1) -> Arrival:
    last = len(content) - 1 if last < 0 else last
    piece = Piece(first, last, len(content))
    return await world.intake.take(place, turn, piece, chunks(content[first : last + 1]), ADA)


async def test_an_image_goes_on_where_it_was_and_is_listed_with_what_it_is(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    assert (await sent(world, IMAGE, begun.half.turn, DISK, 0, 999)).received == 1000
    after = world.again()
    [standing] = await after.intake.standing()
    assert (standing.place, standing.received, standing.task) == (IMAGE, 1000, None)
    resumed = await after.intake.begin(WEB, known(DISK), BOB, replace=False)
    whole = await sent(after, IMAGE, resumed.half.turn, DISK, 1000)
    task = await after.done(whole)
    assert (task.status, task.reason) == (Status.DONE, "")
    image = await world.image()
    assert (image.format, image.architecture, image.firmware, image.holds) == ("raw", "amd64", ("bios", "uefi"), "gpt")
    assert (image.description, image.size) == ("a disk", len(DISK))
    assert image.stored_sha256 == hashlib.sha256(DISK).hexdigest() == task.result["sha256"]
    assert world.imports.image_path(image.id).read_bytes() == DISK
    assert world.here() == set()
    assert await after.intake.standing() == []


async def test_a_kernel_and_its_initrd_are_one_upload(world: World) -> None:
    content = KERNEL + INITRD
    wish = KernelWish("mine", "6.12", "console=tty0", len(INITRD))
    begun = await world.intake.begin(wish, known(content), ADA, replace=False)
    place = Place("kernel", "mine")
    await sent(world, place, begun.half.turn, content, 0, len(KERNEL) + 10)
    resumed = await world.again().intake.begin(wish, known(content), ADA, replace=False)
    task = await world.done(await sent(world, place, resumed.half.turn, content, len(KERNEL) + 11))
    assert (task.status, task.reason) == (Status.DONE, "")
    kernel = await world.store.read(lambda db: catalogue.kernel(db, "mine"))
    assert (kernel.version, kernel.cmdline) == ("6.12", "console=tty0")
    assert (world.imports.kernels / f"{kernel.id}.vmlinuz").read_bytes() == KERNEL
    assert (world.imports.kernels / f"{kernel.id}.initrd").read_bytes() == INITRD
    assert world.here() == set()


async def test_what_is_no_kernel_is_refused_and_removed(world: World) -> None:
    begun = await world.intake.begin(KernelWish("mine"), known(DISK), ADA, replace=False)
    task = await world.done(await sent(world, Place("kernel", "mine"), begun.half.turn, DISK))
    assert (task.status, task.code) == (Status.FAILED, "kernel-format")
    assert world.here() == set()


async def test_several_come_at_once_and_each_keeps_to_its_own(world: World) -> None:
    other = gpt(2 << 20)
    first = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    second = await world.intake.begin(ImageWish("db"), known(other), BOB, replace=False)
    await sent(world, IMAGE, first.half.turn, DISK, 0, 99)
    done = await sent(world, Place("image", "db"), second.half.turn, other)
    assert (await sent(world, IMAGE, first.half.turn, DISK, 100, 199)).received == 200
    assert (await world.done(done)).status is Status.DONE
    assert [each.place.name for each in await world.intake.standing()] == ["web"]
    with pytest.raises(Conflict) as wrong:
        await sent(world, IMAGE, second.half.turn, DISK, 200, 299)
    assert wrong.value.code == "upload-taken-over"


async def test_room_that_others_were_promised_is_not_promised_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed: list[int] = []
    monkeypatch.setattr(half_file, "check_room", lambda _, size: needed.append(size))
    first = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    await sent(world, IMAGE, first.half.turn, DISK, 0, 99_999)
    needed.clear()
    await world.again().intake.begin(ImageWish("db"), known(DISK), ADA, replace=False)
    assert needed == [2 * len(DISK) - 100_000]


async def test_another_file_under_the_same_name_is_refused_unless_it_is_to_replace(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    await sent(world, IMAGE, begun.half.turn, DISK, 0, 99)
    with pytest.raises(Conflict, match="another file is half uploaded") as refused:
        await world.intake.begin(WEB, known(DISK, "changed 2"), BOB, replace=False)
    assert refused.value.code == "upload-other"
    assert (await world.intake.begin(WEB, known(DISK, "changed 2"), BOB, replace=True)).received == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04".ljust(4096, b"\0"), "image-format"),
        (qcow2(backing=512, backing_size=9), "image-outside"),
        (gpt(1 << 20, last=1 << 30), "image-size"),
        (b"x" * 1000, "image-size"),
    ],
)
async def test_what_lies_is_not_listed_and_not_kept(world: World, content: bytes, code: str) -> None:
    begun = await world.intake.begin(WEB, known(content), ADA, replace=False)
    task = await world.done(await sent(world, IMAGE, begun.half.turn, content))
    assert (task.status, task.code) == (Status.FAILED, code)
    assert world.here() == set()
    with pytest.raises(NotFound):
        await world.image()


async def test_the_checksum_is_compared_before_anything_is_listed(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK, sha256="0" * 64), ADA, replace=False)
    task = await world.done(await sent(world, IMAGE, begun.half.turn, DISK))
    assert (task.status, task.code) == (Status.FAILED, "upload-differs")
    assert world.here() == set()


async def test_a_root_file_system_is_listed_with_its_distribution(world: World) -> None:
    content = system()
    begun = await world.intake.begin(WEB, known(content), ADA, replace=False)
    assert (await world.done(await sent(world, IMAGE, begun.half.turn, content))).status is Status.DONE
    image = await world.image()
    assert (image.format, image.distribution) == ("tar", "Debian GNU/Linux 13 (trixie)")


async def test_the_answer_to_the_last_piece_may_be_lost(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    whole = await sent(world, IMAGE, begun.half.turn, DISK)
    asked = await world.again().intake.begin(WEB, known(DISK), ADA, replace=False)
    assert asked.task is not None
    assert whole.task is not None
    assert asked.task.id == whole.task.id, "one task, however often it is asked for"
    with pytest.raises(Conflict, match="goes on") as refused:
        await world.intake.forget(IMAGE, ADA)
    assert refused.value.code == "upload-checked"
    assert (await world.done(whole)).status is Status.DONE
    with pytest.raises(Conflict) as taken:
        await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    assert taken.value.code == "name-taken"


class KilledHere(BaseException):
    """As if nothing ran any more."""


async def test_the_daemon_may_die_once_it_was_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    whole = await sent(world, IMAGE, begun.half.turn, DISK)
    listed, forget = asyncio.Event(), half_file.HalfFile.forget
    loop = asyncio.get_running_loop()

    def dying(_: half_file.HalfFile) -> None:
        loop.call_soon_threadsafe(listed.set)
        raise KilledHere

    monkeypatch.setattr(half_file.HalfFile, "forget", dying)
    async with world.working():
        await listed.wait()
    monkeypatch.setattr(half_file.HalfFile, "forget", forget)
    assert world.here() == {"web.json", "web.part"}
    after = world.again()
    await after.imports.sweep()
    task = await after.done(whole)
    assert (task.status, task.result["name"]) == (Status.DONE, "web")
    assert world.here() == set()
    assert world.imports.image_path((await world.image()).id).read_bytes() == DISK


async def test_a_cancelled_one_adds_nothing_and_keeps_what_came(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    whole = await sent(world, IMAGE, begun.half.turn, DISK)
    assert whole.task is not None
    number = whole.task.id
    await world.store.write(lambda db: tasks.put(db, with_canceller(tasks.get(db, number), "ada")))
    assert (await world.done(whole)).status is Status.CANCELLED
    assert world.here() == {"web.json", "web.part"}
    again = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    assert again.task is not None
    assert again.task.id != number
    assert (await world.done(again)).status is Status.DONE


async def test_nobody_goes_on_with_it_for_a_day(world: World) -> None:
    begun = await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    await sent(world, IMAGE, begun.half.turn, DISK, 0, 999)
    directory = world.imports.images / intake.DIRECTORY
    (directory / "other.part").write_bytes(b"belongs to nothing")
    (directory / "web.json.part").write_bytes(b"half a note")
    for name in ("web.json", "web.part"):
        os.utime(directory / name, (1, time.time() - KEPT_SECONDS - 1))
    after = world.again()
    running = asyncio.get_running_loop().create_task(after.intake.run())
    while world.here():
        await asyncio.sleep(0.01)
    told: list[str] = []
    while not any("none for a day" in text for text in told):
        told = [each.text for each in await world.store.read(lambda db: events.query(db, kind="image.changed"))]
    running.cancel()
    assert any("1000 of 1048576 bytes came" in text for text in told)


async def test_names_lead_nowhere_else(world: World) -> None:
    await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    for name in ("../arriving/web", "../../images/arriving/web", "web.json", "\0", "no"):
        with pytest.raises(Conflict) as refused:
            await sent(world, Place("image", name), "turn", DISK)
        assert refused.value.code == "upload-unknown"
    assert world.here() == {"web.json", "web.part"}


async def test_it_can_be_removed(world: World) -> None:
    with pytest.raises(NotFound):
        await world.intake.forget(IMAGE, ADA)
    with pytest.raises(NotFound):
        await world.intake.at(Place("image", "../../etc"))
    await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    await world.intake.forget(IMAGE, ADA)
    assert world.here() == set()


async def test_there_is_an_end_to_how_many_are_half_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST", 1)
    await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    await world.intake.begin(WEB, known(DISK), ADA, replace=False)
    with pytest.raises(Conflict) as refused:
        await world.intake.begin(ImageWish("db"), known(DISK), ADA, replace=False)
    assert refused.value.code == "uploads-many"


@pytest.mark.parametrize(
    ("wish", "of", "field"),
    [
        (ImageWish("../x"), known(DISK), "name"),
        (ImageWish("web", "x" * 2000), known(DISK), "description"),
        (WEB, Identity("x", 0), "size"),
        (WEB, Identity("x", 1 << 50), "size"),
        (WEB, Identity("x\n", 5), "name"),
        (WEB, Identity("x", 5, "AB"), "sha256"),
        (KernelWish("k", initrd_size=5), Identity("x", 5), "initrd_size"),
        (KernelWish("k", cmdline="a\nb"), Identity("x", 5), "cmdline"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_before_a_byte_comes(
    world: World, wish: ImageWish | KernelWish, of: Identity, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await world.intake.begin(wish, of, ADA, replace=False)
    assert refused.value.field == field
    assert world.here() == set()


def made_qcow2(directory: Path, content: bytes, *options: str) -> bytes:
    plain, packed = directory / "plain.raw", directory / "packed.qcow2"
    plain.write_bytes(content)
    subprocess.run(["qemu-img", "convert", *options, "-f", "raw", "-O", "qcow2", plain, packed], check=True)
    return packed.read_bytes()


@pytest.mark.parametrize("options", [(), ("-c",)], ids=["plain", "compressed"])
async def test_a_qcow2_is_stored_as_the_disk_in_it(world: World, tmp_path: Path, options: tuple[str, ...]) -> None:
    content = made_qcow2(tmp_path, DISK + bytes(8 << 20), *options)
    begun = await world.intake.begin(WEB, known(content), ADA, replace=False)
    task = await world.done(await sent(world, IMAGE, begun.half.turn, content))
    assert (task.status, task.reason) == (Status.DONE, "")
    image = await world.image()
    assert (image.format, image.size, image.holds) == ("raw", len(DISK) + (8 << 20), "gpt")
    stored = world.imports.image_path(image.id)
    assert stored.read_bytes() == DISK + bytes(8 << 20)
    assert stored.stat().st_blocks * 512 < 4 << 20, "what holds nothing takes no room"
    assert {path.name for path in world.imports.images.iterdir()} == {str(image.id), intake.DIRECTORY}


async def test_a_qcow2_in_one_go_is_a_disk_too(world: World, tmp_path: Path) -> None:
    content = made_qcow2(tmp_path, DISK)
    image = await world.imports.add_image("web", "", "qcow2", chunks(content), ADA)
    assert (image.format, image.stored_sha256) == ("raw", hashlib.sha256(DISK).hexdigest())
    assert {path.name for path in world.imports.images.iterdir()} == {str(image.id)}


@pytest.mark.parametrize("hurt", [lambda c: c[:400_000], lambda c: c[:0x30000] + b"\xff" * 2 + c[0x30002:]])
async def test_a_damaged_qcow2_is_told_in_the_words_of_qemu(
    world: World, tmp_path: Path, hurt: Callable[[bytes], bytes]
) -> None:
    content = hurt(made_qcow2(tmp_path, DISK[:20000] + os.urandom((1 << 20) - 20000)))
    with pytest.raises(Invalid, match="qemu-img cannot read this qcow2 file: ERROR") as refused:
        await world.imports.add_image("web", "", "", chunks(content), ADA)
    assert refused.value.code == "image-format"
    assert list(world.imports.images.iterdir()) == []


async def test_without_qemu_img_that_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting.shutil, "which", lambda _: None)
    with pytest.raises(ApplianceError, match="not installed") as refused:
        await world.imports.add_image("web", "", "", chunks(qcow2()), ADA)
    assert refused.value.code == "qemu-img-missing"
