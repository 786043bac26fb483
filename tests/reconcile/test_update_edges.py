"""Updates at their edges: several at once, a store and disks that fail, what a killed daemon leaves."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from test_half_update import CONTENT, FILE, SIZE, again, here, piece
from test_updates import ADA, Desk, chunks, desk_in

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict
from appliance.half_upload import KEPT_SECONDS, Identity, Piece
from appliance.privileged.trial import installing
from appliance.reconcile import half_file, incoming_update, update_news
from appliance.reconcile.jobs import Running
from appliance.reconcile.update_uploads import Uploads
from appliance.task import Status
from appliance.updates.record import Record, Stage, Update, begin
from tests.privileged.paper_box import keep_record

BOB = Asker("bob", Role.ADMIN)
OTHER = Identity("other.raucb", SIZE - 1, hashlib.sha256(b"other").hexdigest())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_in(tmp_path) as made:
        yield made


@pytest.fixture
def uploads(desk: Desk) -> Uploads:
    return desk.updates.uploads


async def test_a_store_that_fails_for_a_moment_does_not_end_what_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    asked = asyncio.Event()

    async def failing(_: Running) -> None:
        asked.set()
        raise ApplianceError("store-failed", "disk I/O error")

    async def follow(*_: Any, **__: Any) -> str:
        await asked.wait()
        return ""

    monkeypatch.setattr(Running, "check", failing)
    object.__setattr__(desk.box.computer, "follow", follow)
    task = await desk.ended(await desk.updates.install("0.5.0", None, ADA))
    assert (task.status, task.reason) == (Status.DONE, "")
    assert desk.box.stage is Stage.TRYING
    assert not await installing(desk.box.computer)


async def test_of_two_who_begin_at_once_the_later_one_sends(uploads: Uploads) -> None:
    found = await asyncio.gather(*(uploads.begin(FILE, by, replace=False) for by in (ADA, BOB, ADA)))
    turns = [each.half.turn for each in found]
    assert len(set(turns)) == 3
    standing = await uploads.standing()
    assert standing is not None
    assert standing.half.turn in turns
    assert await piece(uploads, standing.half.turn, 0, 999) == 1000


async def test_an_upload_that_was_replaced_at_its_last_byte_takes_nothing_with_it(
    desk: Desk, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, SIZE - 3)
    real = half_file._synced

    def synced(descriptor: int) -> None:
        real(descriptor)
        uploads._half.begin(OTHER, "bob", time.time(), replace=True)

    monkeypatch.setattr(half_file, "_synced", synced)
    with pytest.raises(Conflict) as late:
        await piece(uploads, begun.half.turn, SIZE - 2, SIZE - 1)
    assert late.value.code == "upload-taken-over"
    standing = await uploads.standing()
    assert standing is not None
    assert (standing.half.of, standing.received) == (OTHER, 0)
    assert here(desk) == {"upload.json", "upload.part"}


async def test_while_one_is_fetched_no_other_is_begun_or_removed(desk: Desk, uploads: Uploads) -> None:
    async with desk.updates._desk.alone("an update is being fetched"):
        for asked in (
            uploads.begin(FILE, ADA, replace=False),
            uploads.forget(ADA),
            desk.updates.discard(ADA),
            desk.updates.receive(chunks(CONTENT), 0, ADA),
        ):
            with pytest.raises(Conflict, match="is being fetched") as refused:
                await asked
            assert refused.value.code == "upload-checked"


async def test_who_sends_what_was_removed_is_told_so(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)

    async def sending() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await uploads.forget(BOB)
        yield CONTENT[100:200]

    with pytest.raises(Conflict) as gone:
        await uploads.take(begun.half.turn, Piece(0, 199, SIZE), sending(), ADA)
    assert gone.value.code == "upload-unknown"


async def test_the_update_of_before_stays_until_the_first_byte_of_the_next(
    desk: Desk, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    needed: list[int] = []
    monkeypatch.setattr(half_file, "check_room", lambda _, size: needed.append(size))
    other = Identity("large.raucb", 10 * SIZE)
    begun = await uploads.begin(other, ADA, replace=False)
    assert needed == [9 * SIZE], "its room counts, since it will be given"
    standing = await desk.updates.standing()
    assert standing.waiting is not None
    assert standing.half is not None
    assert standing.half.received == 0, "those are the bytes of another file"
    assert (await uploads.begin(other, ADA, replace=False)).received == 0
    begun = await uploads.begin(other, ADA, replace=False)
    await uploads.take(begun.half.turn, Piece(0, 9, 10 * SIZE), chunks(b"x" * 10), ADA)
    assert (await desk.updates.standing()).waiting is None


async def test_name_and_size_are_enough_between_a_browser_and_a_program(uploads: Uploads) -> None:
    browser = Identity(FILE.name, SIZE, mark="changed 1")
    begun = await uploads.begin(browser, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 999)
    by_program = await uploads.begin(FILE, ADA, replace=False)
    assert by_program.received == 1000
    back = await uploads.begin(browser, ADA, replace=False)
    assert back.received == 1000
    assert back.half.of == Identity(FILE.name, SIZE, FILE.sha256, "changed 1"), "what is known of it stays known"
    with pytest.raises(Conflict, match="at another time"):
        await uploads.begin(Identity(FILE.name, SIZE, mark="changed 2"), ADA, replace=False)
    with pytest.raises(Conflict, match="is called new2"):
        await uploads.begin(Identity("new2", SIZE), ADA, replace=False)
    await uploads.begin(Identity("x", SIZE, mark="1"), ADA, replace=True)
    with pytest.raises(Conflict, match="at another time"):
        await uploads.begin(Identity("x", SIZE, mark="2"), ADA, replace=False)


async def test_what_only_has_the_name_and_size_of_what_waits_is_sent(uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, SIZE - 1)
    assert (await uploads.begin(FILE, ADA, replace=False)).waiting is not None
    asked = await uploads.begin(Identity(FILE.name, SIZE, mark="changed 1"), ADA, replace=False)
    assert (asked.waiting, asked.received) == (None, 0)


async def test_a_clock_that_is_set_ends_no_upload(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 999)
    for name in ("upload.json", "upload.part"):
        os.utime(desk.box.bundle.parent / name, (1, time.time() - KEPT_SECONDS - 1))
    assert await uploads.outlived() == "", "bytes came a moment ago"
    assert "none for a day" in await again(desk).uploads.outlived()


async def test_what_a_killed_daemon_left_is_swept_and_nothing_else(desk: Desk, uploads: Uploads) -> None:
    async def until(left: set[str]) -> None:
        running = asyncio.get_running_loop().create_task(again(desk).run())
        while here(desk) != left:
            await asyncio.sleep(0.01)
        running.cancel()

    await desk.updates.receive(chunks(CONTENT), 0, ADA)
    await uploads.begin(OTHER, ADA, replace=False)
    directory = desk.box.bundle.parent
    (directory / "update.part").write_bytes(b"x")
    await until({"update.json", "update.raucb", "upload.json", "upload.part"})
    (directory / "upload.json").write_bytes(b"{")
    (directory / "update.json").unlink()
    (directory / "update.json.part").write_bytes(b"x")
    await until(set())
    assert (await desk.updates.standing()).waiting is None


@pytest.mark.parametrize("where", [half_file, incoming_update])
async def test_a_full_disk_is_told_as_one(desk: Desk, monkeypatch: pytest.MonkeyPatch, where: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, "put", full)
    in_pieces = where is half_file
    asked = (
        desk.updates.uploads.begin(FILE, ADA, replace=False)
        if in_pieces
        else desk.updates.receive(chunks(CONTENT), 0, ADA)
    )
    with pytest.raises(ApplianceError, match="No space left") as told:
        await asked
    assert told.value.code == "upload-failed"


async def test_trouble_with_a_half_upload_silences_no_news(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    over = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.FELL_BACK, reason="not so", ended=2.0)
    keep_record(desk.box.computer, begin(Record(), over, 1.0))

    async def broken() -> str:
        raise OSError(5, "Input/output error")

    desk.updates.news._outlived = broken
    update_news.LOOK_EVERY, before = 0.01, update_news.LOOK_EVERY
    try:
        async with desk.updates._desk.alone("an update is being fetched"):
            running = asyncio.get_running_loop().create_task(desk.updates.run())
            while not await desk.told():
                await asyncio.sleep(0.01)
            running.cancel()
    finally:
        update_news.LOOK_EVERY = before
    assert len([line for line in caplog.messages if "old uploads of updates" in line]) == 1, "told once, not every time"
