"""Updates that come piece by piece: cut off, gone on with, mixed up, taken over, forgotten."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_updates import ADA, Desk, chunks, desk_in

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.half_upload import KEPT_SECONDS, Half, Identity, Piece
from appliance.reconcile import half_file
from appliance.reconcile.half_update import HalfUpdate
from appliance.reconcile.incoming_update import IncomingUpdate
from appliance.reconcile.update_uploads import Uploads
from appliance.reconcile.updates import Updates

CONTENT = bytes(range(256)) * 400
SIZE = len(CONTENT)
FILE = Identity("new.raucb", SIZE, hashlib.sha256(CONTENT).hexdigest())
BOB = Asker("bob", Role.ADMIN)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_in(tmp_path) as made:
        yield made


@pytest.fixture
def uploads(desk: Desk) -> Uploads:
    return desk.updates.uploads


def again(desk: Desk) -> Updates:
    """As after a `kill -9` of the daemon: nothing is known but what is on disk."""
    return Updates(desk.store, desk.bus, time.time, desk.state_dir, desk.updates._desk.privileged)


async def piece(uploads: Uploads, turn: str, first: int, last: int, content: bytes = CONTENT) -> int:
    part = content[first : last + 1]
    half = len(part) // 2
    found = await uploads.take(turn, Piece(first, last, SIZE), chunks(part[:half], part[half:]), ADA)
    return found.received


def here(desk: Desk) -> set[str]:
    return {path.name for path in desk.box.bundle.parent.iterdir()}


async def test_it_goes_on_where_it_was_cut_off_and_where_the_daemon_was_killed(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    assert (begun.received, begun.waiting) == (0, None)
    assert await piece(uploads, begun.half.turn, 0, 999) == 1000

    async def cut() -> AsyncIterator[bytes]:
        yield CONTENT[1000:1500]
        raise ConnectionResetError

    with pytest.raises(Invalid) as lost:
        await uploads.take(begun.half.turn, Piece(1000, 1999, SIZE), cut(), ADA)
    assert lost.value.code == "upload-cut-off"
    after = again(desk)
    standing = await after.standing()
    assert standing.half is not None
    assert standing.half.received == 1500, "what came of a piece is kept"
    resumed = await after.uploads.begin(FILE, ADA, replace=False)
    assert resumed.received == 1500
    found = await after.uploads.take(resumed.half.turn, Piece(1500, SIZE - 1, SIZE), chunks(CONTENT[1500:]), ADA)
    assert found.waiting is not None
    assert found.waiting.bundle.version == "0.5.0"
    assert desk.box.bundle.read_bytes() == CONTENT
    assert here(desk) == {"update.raucb", "update.json"}
    standing = await after.standing()
    assert (standing.half, standing.waiting) == (None, found.waiting)
    told = await desk.told()
    assert [("began to upload" in told[0]), ("brought update 0.5.0" in told[1])] == [True, True]
    assert len(told) == 2, "going on is no news"


async def test_the_answer_to_the_last_piece_may_be_lost(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, SIZE - 1)
    asked = await again(desk).uploads.begin(FILE, ADA, replace=False)
    assert asked.waiting is not None
    assert asked.received == SIZE
    with pytest.raises(Conflict) as over:
        await piece(uploads, begun.half.turn, 0, 10)
    assert over.value.code == "upload-unknown"


async def test_the_daemon_may_die_while_the_signature_is_looked_at(desk: Desk, uploads: Uploads) -> None:
    desk.box.programs.answers["rauc info"] = ApplianceError("helper-gone", "it ended in the middle")
    begun = await uploads.begin(FILE, ADA, replace=False)
    with pytest.raises(ApplianceError, match="ended in the middle"):
        await piece(uploads, begun.half.turn, 0, SIZE - 1)
    assert here(desk) == {"update.raucb", "upload.json"}
    after = again(desk)
    assert (await after.standing()).waiting is None, "it is not known to be good"
    desk.box.programs.answers["rauc info"] = '{"compatible": "qrm-appliance-amd64", "version": "0.5.0"}'
    asked = await after.uploads.begin(FILE, ADA, replace=False)
    assert asked.waiting is not None
    assert here(desk) == {"update.raucb", "update.json"}


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        (Piece(500, 1500, SIZE), "upload-offset", "is here already"),
        (Piece(2000, 2100, SIZE), "upload-offset", "would leave a gap"),
        (Piece(1000, 1100, SIZE + 1), "upload-size", f"a file of {SIZE + 1} bytes"),
    ],
)
async def test_a_piece_at_another_place_changes_nothing(
    desk: Desk, uploads: Uploads, place: Piece, code: str, words: str
) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 999)
    with pytest.raises(Conflict, match=words) as refused:
        await uploads.take(begun.half.turn, place, chunks(b"x" * 100), ADA)
    assert refused.value.code == code
    standing = await uploads.standing()
    assert standing is not None
    assert standing.received == 1000


async def test_more_bytes_than_the_piece_has_are_not_taken(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    with pytest.raises(Invalid, match="more came") as refused:
        await uploads.take(begun.half.turn, Piece(0, 9, SIZE), chunks(b"x" * 11), ADA)
    assert refused.value.code == "piece-length"


async def test_another_file_of_the_same_size_is_told_apart(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 999)
    other = Identity("new.raucb", SIZE, "0" * 64)
    with pytest.raises(Conflict, match="same size, and is not the same file") as refused:
        await uploads.begin(other, BOB, replace=False)
    assert refused.value.code == "upload-other"
    assert FILE.sha256[:16] in refused.value.message
    assert "by ada" in refused.value.message
    replaced = await uploads.begin(other, BOB, replace=True)
    assert replaced.received == 0
    with pytest.raises(Conflict) as late:
        await piece(uploads, begun.half.turn, 1000, 1999)
    assert late.value.code == "upload-taken-over"


async def test_what_is_not_the_file_that_was_announced_is_removed(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    with pytest.raises(Invalid, match=FILE.sha256) as refused:
        await piece(uploads, begun.half.turn, 0, SIZE - 1, b"x" + CONTENT[1:])
    assert (refused.value.code, refused.value.field) == ("upload-differs", "sha256")
    assert here(desk) == set()
    assert ["rauc", "info"] not in [argv[:2] for argv in desk.box.programs.ran]


async def test_without_a_digest_name_and_mark_tell_files_apart(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(Identity("a", SIZE, mark="1"), ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 99)
    with pytest.raises(Conflict, match="not the same file"):
        await uploads.begin(Identity("a", SIZE, mark="2"), ADA, replace=False)
    assert (await uploads.begin(Identity("a", SIZE, mark="1"), BOB, replace=False)).received == 100


async def test_of_two_who_send_the_later_one_goes_on(desk: Desk, uploads: Uploads) -> None:
    first = await uploads.begin(FILE, ADA, replace=False)
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        arrived.set()
        await release.wait()
        yield CONTENT[100:200]

    slow = asyncio.get_running_loop().create_task(
        uploads.take(first.half.turn, Piece(0, 999, SIZE), hanging(), ADA), name="a line that hangs"
    )
    await arrived.wait()
    second = await uploads.begin(FILE, BOB, replace=False)
    assert second.received == 100
    assert await piece(uploads, second.half.turn, 100, 299) == 300
    release.set()
    with pytest.raises(Conflict) as over:
        await slow
    assert over.value.code == "upload-taken-over"
    assert await piece(uploads, second.half.turn, 300, 399) == 400
    with pytest.raises(Conflict, match="from elsewhere"):
        await piece(uploads, first.half.turn, 400, 500)


async def test_a_silent_line_ends_and_leaves_what_came(
    desk: Desk, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half_file, "SILENT_SECONDS", 0.01)
    begun = await uploads.begin(FILE, ADA, replace=False)

    async def silent() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await asyncio.Event().wait()

    with pytest.raises(Invalid, match="ended before its end"):
        await uploads.take(begun.half.turn, Piece(0, 999, SIZE), silent(), ADA)
    standing = await uploads.standing()
    assert standing is not None
    assert standing.received == 100


async def test_what_can_be_no_update_is_not_begun(desk: Desk, uploads: Uploads) -> None:
    free = os.statvfs(desk.state_dir)
    for bad in (
        Identity("a", 0),
        Identity("a", 1 << 40),
        Identity("a", 10, "ABC"),
        Identity("a", -1),
        Identity("a\n", 9),
    ):
        with pytest.raises(Invalid):
            await uploads.begin(bad, ADA, replace=False)
    assert "upload.json" not in here(desk)
    half_update_size = free.f_blocks * free.f_frsize
    if half_update_size <= 8 << 30:
        with pytest.raises(ApplianceError, match="no room"):
            await uploads.begin(Identity("a", half_update_size), ADA, replace=False)


async def test_without_room_nothing_is_begun(desk: Desk, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _needed: int) -> None:
        raise ApplianceError("upload-failed", "there is no room for the upload")

    monkeypatch.setattr(half_file, "check_room", full)
    with pytest.raises(ApplianceError, match="no room"):
        await uploads.begin(FILE, ADA, replace=False)
    assert await uploads.standing() is None


async def test_nobody_goes_on_with_it_for_a_day(desk: Desk, uploads: Uploads) -> None:
    begun = await uploads.begin(FILE, ADA, replace=False)
    await piece(uploads, begun.half.turn, 0, 999)
    assert await uploads.outlived() == ""
    for name in ("upload.json", "upload.part"):
        os.utime(desk.box.bundle.parent / name, (1, time.time() - KEPT_SECONDS - 1))
    running = asyncio.get_running_loop().create_task(again(desk).run())
    while not any("none for a day" in text for text in await desk.told()):
        await asyncio.sleep(0.01)
    running.cancel()
    assert here(desk) == set()
    assert await uploads.standing() is None


async def test_it_can_be_removed_and_gives_way_to_one_in_one_go(desk: Desk, uploads: Uploads) -> None:
    with pytest.raises(NotFound):
        await uploads.forget(ADA)
    await uploads.begin(FILE, ADA, replace=False)
    await uploads.forget(ADA)
    assert here(desk) == set()
    await uploads.begin(FILE, ADA, replace=False)
    await desk.updates.receive(chunks(CONTENT), SIZE, ADA)
    assert here(desk) == {"update.raucb", "update.json"}


async def test_an_untrusted_one_is_not_kept(desk: Desk, uploads: Uploads) -> None:
    words = "rauc info: signature verification failed: Verify error: self-signed certificate"
    desk.box.programs.answers["rauc info"] = ApplianceError("program-failed", words)
    begun = await uploads.begin(FILE, ADA, replace=False)
    with pytest.raises(Invalid, match="does not trust"):
        await piece(uploads, begun.half.turn, 0, SIZE - 1)
    assert here(desk) == set()


def test_a_file_that_is_no_note_of_an_upload_is_none(tmp_path: Path) -> None:
    half = HalfUpdate(tmp_path, IncomingUpdate(tmp_path))
    (tmp_path / "update").mkdir()
    (tmp_path / "update/upload.json").write_bytes(b"\xff{")
    assert half.found() is None
    made, received, new = half.begin(FILE, "ada", 5.0, replace=False)
    assert (made.of, received, new) == (FILE, 0, True)
    assert half.found() == (Half(FILE, made.turn, "ada", 5.0), 0)
