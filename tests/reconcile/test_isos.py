"""ISOs that users bring: in one go, in pieces and from an address, what they are, and who keeps them."""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.half_upload import Identity, Piece
from appliance.intake import IsoWish, Place
from appliance.iso import Iso
from appliance.reconcile import half_file
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Arrival, Intake
from appliance.reconcile.iso_jobs import IsoJobs
from appliance.reconcile.isos import Isos
from appliance.reconcile.jobs import Jobs
from appliance.store import catalogue, events, isos, tasks
from appliance.store.store import Store, open_store
from appliance.task import Status, Task
from appliance.vm_host import unreachable

sys.path.append(str(Path(__file__).parent.parent / "imageformat"))
from disc_files import START, disc
from disc_files import catalogue as boots

ADA = Asker("ada", Role.OPERATOR)
DISC = disc(boots(START), label=b"DEBIAN 13")
OTHER = disc(label=b"DRIVERS")
SECTOR = 2048


@dataclass
class World:
    state: Path
    store: Store
    bus: Bus
    intake: Intake

    @property
    def isos(self) -> Isos:
        return self.intake.isos

    def again(self) -> "World":
        """As after a `kill -9` of the daemon: nothing is known but what is on disk."""
        return made(self.state, self.store)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        kinds = IsoJobs(self.intake, time.time).kinds()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(Jobs(self.store, self.bus, time.time, kinds).run())
            yield
            running.cancel()

    async def ended(self, task: Task | None) -> Task:
        assert task is not None
        async with self.working(), asyncio.timeout(20):
            while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
                await asyncio.sleep(0.01)
        return found

    async def add(self, name: str = "debian", content: bytes = DISC) -> Iso:
        return await self.isos.add(name, "", chunks(content), ADA)

    async def sent(self, content: bytes, name: str = "debian", sha256: str = "") -> Arrival:
        of = Identity("debian.iso", len(content), sha256, "changed 1")
        begun = await self.intake.begin(IsoWish(name, "a disc"), of, ADA, replace=True)
        piece = Piece(0, len(content) - 1, len(content))
        return await self.intake.take(Place("iso", name), begun.half.turn, piece, chunks(content), ADA)

    async def get(self, name: str = "debian") -> Iso:
        return await self.store.read(lambda db: isos.get(db, name))

    def files(self) -> set[str]:
        return {each.name for each in self.isos.directory.rglob("*") if each.is_file()}

    async def told(self) -> list[str]:
        return [each.text for each in await self.store.read(lambda db: events.query(db))]


def made(state: Path, store: Store) -> World:
    bus = Bus()
    return World(state, store, bus, Intake(store, bus, time.time, Imports(store, bus, state, time.time)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_store(tmp_path / "store.db") as store:
        yield made(tmp_path, store)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for each in parts:
        yield each


def named(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}.iso"


async def test_a_disc_is_listed_with_what_it_is_and_named_after_its_content(world: World) -> None:
    iso = await world.add()
    assert (iso.label, iso.firmware, iso.size) == ("DEBIAN 13", ("bios",), len(DISC))
    assert world.isos.path(iso) == world.state / "isos" / named(DISC)
    assert world.isos.path(iso).read_bytes() == DISC
    assert world.isos.path(iso).stat().st_mode & 0o777 == 0o600
    assert world.files() == {named(DISC)}
    assert await world.get() == iso
    assert await world.isos.at(str(world.isos.path(iso))) == iso
    assert await world.isos.at("/etc/passwd") is None
    assert "ada added ISO debian" in await world.told()


async def test_what_is_no_disc_is_refused_and_not_kept(world: World) -> None:
    for content in (b"", b"QFI\xfb" + bytes(99999), DISC[:-SECTOR]):
        with pytest.raises(Invalid) as caught:
            await world.add(content=content)
        assert caught.value.code == "iso-format"
    assert world.files() == set()
    with pytest.raises(NotFound):
        await world.get()


async def test_names_and_contents_are_taken_once(world: World) -> None:
    await world.add()
    with pytest.raises(Conflict, match="another ISO is called debian"):
        await world.add(content=OTHER)
    with pytest.raises(Conflict, match="the same disc is here already, and called debian") as caught:
        await world.add("other")
    assert caught.value.code == "iso-there"
    assert world.files() == {named(DISC)}


async def test_it_comes_in_pieces_and_from_its_task(world: World) -> None:
    task = await world.ended((await world.sent(DISC)).task)
    assert (task.status, task.result["name"], task.result["sha256"]) == (Status.DONE, "debian", named(DISC)[:-4])
    assert (await world.get()).description == "a disc"
    assert world.files() == {named(DISC)}
    with pytest.raises(Conflict, match="another ISO is called"):
        await world.intake.begin(IsoWish("debian"), Identity("x.iso", 9), ADA, replace=False)


@pytest.mark.parametrize(
    ("content", "sha256", "code"),
    [(b"no disc" * 9000, "", "iso-format"), (DISC[:-SECTOR], "", "iso-format"), (DISC, "ab" * 32, "upload-differs")],
)
async def test_what_lies_is_not_listed_and_not_kept(world: World, content: bytes, sha256: str, code: str) -> None:
    task = await world.ended((await world.sent(content, sha256=sha256)).task)
    assert (task.status, task.code) == (Status.FAILED, code)
    assert world.files() == set()


async def test_the_same_disc_under_another_name_is_told_and_not_kept_half(world: World) -> None:
    await world.add()
    task = await world.ended((await world.sent(DISC, "other")).task)
    assert (task.status, task.code) == (Status.FAILED, "iso-there")
    assert world.files() == {named(DISC)}


async def test_the_daemon_may_die_once_it_was_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there twice by then, and the task has not heard of it."""

    def dying(_: half_file.HalfFile) -> None:
        raise asyncio.CancelledError

    arrival = await world.sent(DISC)
    with monkeypatch.context() as patched:
        patched.setattr(half_file.HalfFile, "forget", dying)
        async with world.working(), asyncio.timeout(20):
            while not await world.store.read(isos.every):
                await asyncio.sleep(0.01)
    again = world.again()
    await again.isos.sweep()
    task = await again.ended(arrival.task)
    assert (task.status, task.result["name"]) == (Status.DONE, "debian")
    assert again.files() == {named(DISC)}


async def test_a_new_name_changes_no_file(world: World) -> None:
    iso = await world.add()
    await world.add("drivers", OTHER)
    changed = await world.isos.change("debian", "trixie", "the stable one", ADA)
    assert (changed.name, changed.description, world.isos.path(changed)) == (
        "trixie", "the stable one", world.isos.path(iso),
    )  # fmt: skip
    assert await world.isos.change("trixie", None, None, ADA) == changed
    with pytest.raises(Conflict, match="another ISO is called drivers"):
        await world.isos.change("trixie", "drivers", None, ADA)
    with pytest.raises(Invalid):
        await world.isos.change("trixie", "../x", None, ADA)


async def test_a_deleted_one_is_gone_with_its_file(world: World) -> None:
    iso = await world.add()
    foreseen = await world.isos.deletion("debian")
    assert (foreseen.confirm, foreseen.refused) == ("debian", "")
    assert foreseen.texts[0].startswith("The file of debian, 0.0 MB, is deleted")
    await world.isos.delete("debian", ADA)
    assert world.files() == set()
    assert await world.store.read(catalogue.doomed) == frozenset()
    with pytest.raises(NotFound, match="there is no ISO 'debian'"):
        await world.isos.delete("debian", ADA)
    assert (await world.add()).id != iso.id


async def test_vms_that_have_it_in_a_drive_keep_it_and_are_named(world: World) -> None:
    iso, asked = await world.add(), list[Path]()

    async def in_drives(path: Path) -> list[str]:
        asked.append(path)
        return [f"vm-{number}" for number in range(7)]

    world.isos.in_drives = in_drives
    words = "vm-0, vm-1, vm-2, vm-3, vm-4 and 2 more would miss it in the CD-ROM drive; eject it there first"
    assert (await world.isos.deletion("debian")).refused == words
    with pytest.raises(Conflict, match=words) as caught:
        await world.isos.delete("debian", ADA)
    assert caught.value.code == "iso-used"
    assert asked == [world.isos.path(iso)] * 2
    assert world.files() == {named(DISC)}


async def test_where_vms_cannot_be_asked_it_stays(world: World) -> None:
    await world.add()

    async def in_drives(path: Path) -> list[str]:
        raise unreachable("local", "it was taken away")

    world.isos.in_drives = in_drives
    with pytest.raises(ApplianceError) as caught:
        await world.isos.delete("debian", ADA)
    assert caught.value.code == "host-unreachable"
    assert world.files() == {named(DISC)}


async def test_a_daemon_that_dies_while_deleting_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.add()
    monkeypatch.setattr(Isos, "_remove", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
    with pytest.raises(RuntimeError):
        await world.isos.delete("debian", ADA)
    assert world.files() == {named(DISC)}
    monkeypatch.undo()
    await world.again().isos.sweep()
    assert world.files() == set()


async def test_content_that_came_again_after_a_deletion_is_kept_by_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add()
    monkeypatch.setattr(Isos, "_remove", lambda *_: None)
    await world.isos.delete("debian", ADA)
    monkeypatch.undo()
    iso = await world.add("again")
    await world.again().isos.sweep()
    assert world.isos.path(iso).read_bytes() == DISC


async def test_content_that_comes_while_it_is_deleted_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the transaction that forgets the disc and the one that removes its file."""
    deleted, remove = await world.add(), Isos._remove
    monkeypatch.setattr(Isos, "_remove", lambda *_: None)
    await world.isos.delete("debian", ADA)
    iso = await world.add("again")
    await world.store.write(lambda db: remove(world.isos, db, deleted))
    assert world.isos.path(iso).read_bytes() == DISC


async def test_what_the_state_does_not_name_is_kept_aside_and_what_is_cut_off_goes(world: World) -> None:
    stranger = world.isos.directory / named(OTHER)
    stranger.write_bytes(OTHER)
    (world.isos.directory / "0123456789abcdef.part").write_bytes(b"half")
    await world.isos.sweep()
    assert world.files() == {named(OTHER)}
    assert not stranger.exists()
    assert any(text.startswith("ISOs that the state does not name were kept: 1 file") for text in await world.told())


async def test_a_restored_state_lacks_it_says_so_and_takes_it_back(world: World) -> None:
    iso = await world.add()
    world.isos.path(iso).unlink()
    await world.again().isos.sweep()
    assert any("ISOs without content here: debian" in text for text in await world.told())
    with pytest.raises(Conflict, match="without its content, and this is another one"):
        await world.add(content=OTHER)
    assert await world.add() == iso
    assert not world.isos.lacks(iso)


async def test_nothing_is_fetched_from_the_appliance_itself(world: World) -> None:
    for url in ("http://127.0.0.1/x.iso", "http://[::1]/x", "http://169.254.169.254/x", "file:///etc/passwd"):
        with pytest.raises(Invalid) as caught:
            await world.intake.fetch(IsoWish("debian", "", url), "ab" * 32, ADA, replace=False)
        assert caught.value.field == "url"
    with pytest.raises(Invalid, match="SHA-256"):
        await world.intake.fetch(IsoWish("debian", "", "https://x.example/a.iso"), "1", ADA, replace=False)


async def test_vms_may_read_it_where_they_have_a_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.reconcile.isos.reader", lambda: 64055)
    again = world.again()
    iso = await again.add()
    for path in (world.state, again.isos.directory, again.isos.path(iso)):
        assert os.getxattr(path, "system.posix_acl_access")
    world.state.chmod(0o700)
    await again.isos.sweep()
    assert world.state.stat().st_mode & 0o777 == 0o710
