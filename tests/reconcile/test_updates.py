"""Updates as users ask for them, with the privileged helper itself behind them, on a computer of paper."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Bus
from appliance.privileged import update
from appliance.privileged.client import Privileged
from appliance.privileged.update_record import RECORD
from appliance.reconcile import fetching, incoming_update, update_ending, update_standing, updates
from appliance.reconcile.cancelling import cancel
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.record import record
from appliance.reconcile.updates import Updates
from appliance.store import tasks
from appliance.store.store import Store, open_store
from appliance.task import Status, Task
from appliance.updates.record import Record, Stage, Update, begin
from tests.privileged.paper_box import Box, keep_record
from tests.privileged.paper_computer import serving

ADA = Asker("ada", Role.ADMIN)
CONTENT = b"a bundle" * 1000


@dataclass
class Desk:
    """Everything that a test looks at."""

    box: Box
    store: Store
    bus: Bus
    updates: Updates
    state_dir: Path

    async def ended(self, task: Task) -> Task:
        """The task, once it is over."""
        while True:
            found = await self.store.read(lambda db: tasks.get(db, task.id))
            if not found.open:
                return found
            await asyncio.sleep(0.01)

    async def told(self) -> list[str]:
        """Texts of events about updates."""

        def job(db: Any) -> list[str]:
            rows = db.execute("SELECT doc FROM events WHERE kind = 'update.changed' ORDER BY id")
            return [bytes(doc).decode() for (doc,) in rows]

        return await self.store.read(job)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@asynccontextmanager
async def desk_in(directory: Path) -> AsyncIterator[Desk]:
    box, bus = Box(directory / "box"), Bus()
    state_dir = box.bundle.parent.parent
    box.bundle.unlink()
    async with (
        serving(directory, box.computer) as privileged,
        open_store(state_dir / "store.db") as store,
        asyncio.TaskGroup() as group,
    ):
        made = Updates(store, bus, time.time, state_dir, privileged, box.computer.roots.state / RECORD)
        running = group.create_task(Jobs(store, bus, time.time, made.jobs()).run())
        try:
            yield Desk(box, store, bus, made, state_dir)
        finally:
            running.cancel()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_in(tmp_path) as made:
        yield made


async def test_an_update_is_brought_and_installed(desk: Desk) -> None:
    found = await desk.updates.receive(chunks(CONTENT[:100], CONTENT[100:]), len(CONTENT), ADA)
    assert (found.bundle.version, found.size) == ("0.5.0", len(CONTENT))
    assert desk.box.bundle.read_bytes() == CONTENT
    assert (await desk.updates.standing()).waiting == found
    task = await desk.ended(await desk.updates.install("0.5.0", None, ADA))
    assert (task.status, task.result) == (Status.DONE, {"version": "0.5.0"})
    standing = await desk.updates.standing()
    assert standing.record.last is not None
    assert (standing.record.last.stage, standing.waiting, standing.task) == (Stage.TRYING, None, None)
    assert not desk.box.bundle.exists(), "what is installed takes no room twice"


async def test_what_is_not_signed_by_us_is_not_kept(desk: Desk) -> None:
    words = "rauc info: signature verification failed: Verify error: self-signed certificate"
    desk.box.programs.answers["rauc info"] = ApplianceError("program-failed", words)
    with pytest.raises(Invalid, match="does not trust"):
        await desk.updates.receive(chunks(CONTENT), 0, ADA)
    assert (await desk.updates.standing()).waiting is None
    assert list(desk.box.bundle.parent.iterdir()) == []


async def test_without_room_or_beyond_all_bounds_nothing_is_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    free = os.statvfs(desk.state_dir)
    monkeypatch.setattr(incoming_update, "LARGEST", 1 << 60)
    with pytest.raises(ApplianceError, match="there is no room"):
        await desk.updates.receive(chunks(CONTENT), free.f_blocks * free.f_frsize, ADA)
    monkeypatch.setattr(incoming_update, "LARGEST", 100)
    with pytest.raises(Invalid, match="this is no update"):
        await desk.updates.receive(chunks(CONTENT), 0, ADA)
    assert list(desk.box.bundle.parent.iterdir()) == []


async def test_an_upload_that_is_cut_off_leaves_nothing(desk: Desk) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield CONTENT[:50]
        raise ConnectionError

    with pytest.raises(Invalid, match="ended before its end"):
        await desk.updates.receive(cut(), len(CONTENT), ADA)
    assert list(desk.box.bundle.parent.iterdir()) == []


async def test_a_failed_installation_says_why_and_can_be_tried_again(desk: Desk) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    desk.box.failure = ApplianceError("program-failed", "LastError: Installation error: no space left on device")
    task = await desk.ended(await desk.updates.install("0.5.0", None, ADA))
    assert (task.status, task.code) == (Status.FAILED, "update-failed")
    assert "no space left" in task.reason
    assert (await desk.updates.standing()).waiting is not None
    desk.box.failure = None
    task = await desk.ended(await desk.updates.install("0.5.0", None, ADA))
    assert task.status is Status.DONE


async def test_what_was_agreed_to_is_installed_and_nothing_older_by_accident(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict, match="no update to install"):
        await desk.updates.install("0.5.0", None, ADA)
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    with pytest.raises(Conflict, match=r"is version 0\.5\.0 now"):
        await desk.updates.install("0.5.1", None, ADA)
    for place in (updates, update_standing):
        monkeypatch.setattr(place, "__version__", "0.6.0")
    assert (await desk.updates.standing()).older
    with pytest.raises(Conflict) as refused:
        await desk.updates.install("0.5.0", None, ADA)
    assert refused.value.code == "confirmation-needed"
    assert (await desk.ended(await desk.updates.install("0.5.0", "0.5.0", ADA))).status is Status.DONE


async def test_one_thing_at_a_time(desk: Desk) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    going_on = asyncio.Event()
    real = desk.box.follow

    async def slow(*arguments: Any, **more: Any) -> str:
        await going_on.wait()
        return await real(*arguments, **more)

    object.__setattr__(desk.box.computer, "follow", slow)
    task = await desk.updates.install("0.5.0", None, ADA)
    for asked in (
        desk.updates.install("0.5.0", None, ADA), desk.updates.receive(chunks(CONTENT), 0, ADA),
        desk.updates.discard(ADA), desk.updates.restart(ADA), desk.updates.go_back("B", "slot B", ADA),
    ):  # fmt: skip
        with pytest.raises(Conflict) as refused:
            await asked
        assert refused.value.code == "update-busy"
    going_on.set()
    assert (await desk.ended(task)).status is Status.DONE


async def test_nothing_further_is_installed_or_fetched_while_what_runs_is_on_trial(desk: Desk) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    trying = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.TRYING)
    keep_record(desk.box.computer, begin(Record(), trying, 1.0))
    desk.box.boots("B")
    for asked in (
        desk.updates.install("0.5.0", None, ADA), desk.updates.download("https://updates.example/a.raucb", ADA),
    ):  # fmt: skip
        with pytest.raises(Conflict) as refused:
            await asked
        assert refused.value.code == "update-on-trial"
    assert await desk.store.read(lambda db: tasks.open_jobs(db)) == []


@pytest.mark.parametrize("looked_at", [False, True])
async def test_a_cancelled_installation_ends_and_says_what_it_means(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    monkeypatch.setattr(update_ending, "ASK_EVERY", 0.01)
    monkeypatch.setattr(update_ending, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(update, "LOOK_EVERY", 0.01)
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    begun = asyncio.Event()

    async def follow(*_: Any, **__: Any) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    object.__setattr__(desk.box.computer, "follow", follow)
    asked: list[str] = []

    def operation(_: Any) -> str:
        asked.append("")
        return '{"data":"idle"}' if looked_at and len(asked) < 5 else '{"data":"installing"}'

    task = await desk.updates.install("0.5.0", None, ADA)
    await begun.wait()
    desk.box.programs.answers["busctl"] = operation
    await record(desk.store, desk.bus, lambda db, tell: cancel(db, tell, str(task.id), ADA, time.time()))
    over = await desk.ended(task)
    assert (over.status, over.code) == (Status.CANCELLED, "cancelled")
    log = await desk.store.read(lambda db: str(tasks.lines(db, task.id, 0, 100)))
    assert "cannot be started; the version in use was not touched" in log
    assert "rauc status mark-bad rootfs.1" in desk.box.told()
    standing = await desk.updates.standing()
    assert standing.waiting is not None, "it may be installed again"
    assert standing.record.last is not None
    assert standing.record.last.stage is Stage.CUT_OFF


async def test_an_installation_that_cannot_be_ended_goes_on_to_its_end(desk: Desk) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    begun, ends = asyncio.Event(), asyncio.Event()

    async def follow(*_: Any, **__: Any) -> str:
        begun.set()
        await ends.wait()
        return ""

    def refused(_: Any) -> str:
        ends.set()
        raise ApplianceError("program-failed", "systemctl: no")

    object.__setattr__(desk.box.computer, "follow", follow)
    task = await desk.updates.install("0.5.0", None, ADA)
    await begun.wait()
    desk.box.programs.answers["busctl"] = '{"data":"installing"}'
    desk.box.programs.answers["systemctl kill"] = refused
    await record(desk.store, desk.bus, lambda db, tell: cancel(db, tell, str(task.id), ADA, time.time()))
    over = await desk.ended(task)
    assert over.status is Status.DONE
    log = await desk.store.read(lambda db: str(tasks.lines(db, task.id, 0, 100)))
    assert "cannot be ended: systemctl: no" in log
    assert "written before it could be cancelled" in log
    assert (await desk.updates.standing()).record.last.stage is Stage.TRYING


async def test_restart_and_going_back_are_asked_of_the_helper(desk: Desk) -> None:
    await desk.updates.restart(ADA)
    assert ["systemctl", "--no-block", "reboot"] in desk.box.programs.ran
    with pytest.raises(Conflict, match="put aside"):
        await desk.updates.go_back("B", None, ADA)
    await desk.updates.go_back("B", "slot B", ADA)
    assert desk.box.told()[-1] == "rauc status mark-active rootfs.1"


async def test_where_there_is_no_helper_nothing_is_offered(desk: Desk, tmp_path: Path) -> None:
    alone = Updates(desk.store, desk.bus, time.time, tmp_path, Privileged(tmp_path / "no.sock"))
    assert not (await alone.standing()).here
    with pytest.raises(Conflict, match="no flashed appliance"):
        await alone.restart(ADA)
    with pytest.raises(Conflict, match="no flashed appliance"):
        await alone.receive(chunks(CONTENT), 0, ADA)


async def test_a_helper_that_fails_leaves_the_page_with_its_reason(desk: Desk) -> None:
    desk.box.programs.answers["rauc status --detailed"] = ApplianceError("program-failed", "no D-Bus")
    standing = await desk.updates.standing()
    assert (standing.here, standing.trouble) == (True, "no D-Bus")


async def test_what_became_of_updates_is_told_once(desk: Desk) -> None:
    over = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.FELL_BACK, reason="not so: DHCP is served", ended=2.0)
    keep_record(desk.box.computer, begin(Record(), over, 1.0))
    for _ in range(2):
        running = asyncio.get_running_loop().create_task(desk.updates.run())
        while not await desk.told():
            await asyncio.sleep(0.01)
        running.cancel()
    (told,) = await desk.told()
    assert "0.5.0 was given up" in told
    assert "DHCP is served" in told


async def test_what_was_lost_in_going_back_is_told_once(desk: Desk) -> None:
    newer = desk.state_dir / "store-newer"
    newer.mkdir()
    aside = newer / "schema-99-since-20270115T080000Z.db"
    aside.write_bytes(b"")
    os.utime(aside, (1_800_000_600, 1_800_000_600))
    for _ in range(2):
        await desk.updates.news.tell_aside()
    (told,) = await desk.told()
    assert "10 minutes" in told
    assert "schema-99" in told


# -- by address


@asynccontextmanager
async def files() -> AsyncIterator[str]:
    async def give(_: web.Request) -> web.Response:
        return web.Response(body=CONTENT)

    async def inward(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})

    async def around(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/around"})

    async def home(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.2:{request.url.port}/update.raucb"})

    app = web.Application()
    app.router.add_get("/update.raucb", give)
    app.router.add_get("/home", home)
    app.router.add_get("/inward", inward)
    app.router.add_get("/around", around)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def fetched(url: str, **checks: Any) -> bytes:
    async with fetching.fetching(url, **checks) as (found, size):
        data = b"".join([each async for each in found])
    assert size in (0, len(data))
    return data


def anything(_: str) -> None:
    """Tests fetch from this computer."""


def but_link_local(url: str) -> None:
    if "169.254" in url:
        raise Invalid("url-refused", "link-local")


async def test_an_update_is_fetched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async with files() as base:
        with pytest.raises(Invalid, match="appliance itself"):
            await desk.updates.download(f"{base}/update.raucb", ADA)
        with monkeypatch.context() as patched:
            patched.setattr(fetching, "check_source", anything)
            task = await desk.updates.download(f"{base}/update.raucb", ADA)
        task = await desk.ended(task)
        assert (task.status, task.code) == (Status.FAILED, "url-refused"), "checked again where it is fetched"
        assert await fetched(f"{base}/update.raucb", check=anything, check_ip=anything) == CONTENT


async def test_redirects_and_names_lead_nowhere_else() -> None:
    async with files() as base:
        with pytest.raises(Invalid, match="link-local"):
            await fetched(f"{base}/inward", check=but_link_local, check_ip=anything)
        with pytest.raises(ApplianceError, match="without an end"):
            await fetched(f"{base}/around", check=anything, check_ip=anything)
        with pytest.raises(ApplianceError, match="says 404"):
            await fetched(f"{base}/nothing", check=anything, check_ip=anything)
        port = base.rpartition(":")[2]
        with pytest.raises(Invalid, match="appliance itself"):
            await fetched(f"http://localhost:{port}/update.raucb", check=anything)


def test_our_own_addresses_are_refused_whatever_the_network() -> None:
    """As a subnet of the appliance would have them: 127.0.0.2 is such an address without being told to the rules."""
    assert fetching._is_ours("127.0.0.2")
    assert fetching._is_ours("::ffff:127.0.0.2")
    assert fetching._is_ours("::1")
    assert not fetching._is_ours("192.0.2.1")
    assert not fetching._is_ours("2001:db8::1")
    assert not fetching._is_ours("updates.example")


async def test_our_own_addresses_are_asked_neither_by_number_nor_by_name_nor_after_a_redirect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "check_address", anything)  # so that only what is ours is in the way
    monkeypatch.setattr(fetching, "check_url", anything)
    async with files() as base:
        port = base.rpartition(":")[2]
        for address in (f"{base}/update.raucb", f"http://localhost:{port}/update.raucb"):
            with pytest.raises(Invalid, match="appliance itself"):
                await fetched(address)
        with pytest.raises(Invalid, match="appliance itself"):
            await fetched(f"{base}/home", check=but_ours_after_the_first())


def but_ours_after_the_first() -> Callable[[str], object]:
    """The first address is somebody else's, in this test alone."""
    seen: list[str] = []

    def check(url: str) -> None:
        seen.append(url)
        if len(seen) > 1:
            fetching.check_source(url)

    return check
