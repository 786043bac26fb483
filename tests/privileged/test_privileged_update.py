"""The area update: what RAUC is told, what the record says afterwards, and a whole trial with its fall-back."""

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from paper_box import Box, keep_record, status
from paper_computer import quiet

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.privileged import boot_notes, update, update_record
from appliance.privileged.trial import MAY_GO_BACK, deadline, judge, settle
from appliance.privileged.update_record import RECORD, change_record, kept_record
from appliance.privileged.verb import Done
from appliance.privileged.verbs.update import Back, Inspect, Install, Slots, Stop
from appliance.updates.grubenv import parse, render
from appliance.updates.record import STOPPED, Record, Stage, Update, begin
from appliance.updates.verdict import Finding


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def test_how_the_slots_are(box: Box) -> None:
    found = await update.slots(Slots(), box.computer, quiet)
    assert [(slot.letter, slot.booted) for slot in found.slots] == [("A", True), ("B", False)]
    assert (found.installing, found.record) == (False, Record())
    box.programs.answers["busctl"] = '{"type":"s","data":"installing"}'
    assert (await update.slots(Slots(), box.computer, quiet)).installing


async def test_what_was_uploaded(box: Box) -> None:
    assert (await update.inspect(Inspect(), box.computer, quiet)).version == "0.5.0"
    box.programs.answers["rauc info"] = ApplianceError("program-failed", "signature verification failed: self-signed")
    with pytest.raises(Invalid) as refused:
        await update.inspect(Inspect(), box.computer, quiet)
    assert refused.value.code in ("bundle-untrusted", "bundle-refused")


async def test_what_was_uploaded_is_a_file_of_its_own(box: Box, tmp_path: Path) -> None:
    box.bundle.unlink()
    with pytest.raises(Conflict, match="no update to install"):
        await update.inspect(Inspect(), box.computer, quiet)
    (tmp_path / "secret").write_text("x")
    os.symlink(tmp_path / "secret", box.bundle)
    with pytest.raises(Invalid, match="is no file"):
        await update.inspect(Inspect(), box.computer, quiet)
    assert not box.told()


async def test_an_update_is_written_and_starts_next(box: Box) -> None:
    heard: list[tuple[float | None, str]] = []
    await update.install(Install("0.5.0"), box.computer, lambda share, text="": heard.append((share, text)))
    assert box.told() == [f"rauc install --progress {box.bundle}"]
    assert heard[1:] == [(0.0, "Installing"), (0.6, "Copying image to rootfs.1"), (1.0, "Installing done")]
    last = kept_record(box.computer).last
    assert last is not None
    assert (last.slot, last.version, last.from_slot, last.stage) == ("B", "0.5.0", "A", Stage.TRYING)
    record = box.computer.roots.state / RECORD
    assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o644, 0o755)


async def test_another_version_than_the_one_agreed_to_is_not_written(box: Box) -> None:
    with pytest.raises(Conflict, match=r"0\.4\.9 was agreed to"):
        await update.install(Install("0.4.9"), box.computer, quiet)
    box.programs.answers["busctl"] = '{"data":"installing"}'
    with pytest.raises(Conflict, match="being written already"):
        await update.install(Install("0.5.0"), box.computer, quiet)
    assert not box.told()


async def test_what_failed_says_why_and_is_remembered(box: Box) -> None:
    box.failure = ApplianceError("program-failed", "rauc install: LastError: Installation error: no space left")
    with pytest.raises(ApplianceError, match="no space left"):
        await update.install(Install("0.5.0"), box.computer, quiet)
    assert box.stage is Stage.FAILED


async def installed(box: Box) -> None:
    await update.install(Install("0.5.0"), box.computer, quiet)


async def test_a_new_version_that_holds_is_marked_good_once_it_was_judged(box: Box) -> None:
    await installed(box)
    box.boots("B", ORDER="B A", B_OK="1", B_TRY="1")
    await settle(box.computer)
    assert box.told() == [], "its tries count until it is judged"
    looks = [[Finding("the console answers", "nobody listens")], [Finding("the console answers")]]
    waits: list[float] = []

    async def look() -> list[Finding]:
        return looks.pop(0)

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    assert await judge(box.computer, look, wait)
    assert (len(waits), box.stage) == (1, Stage.GOOD)
    assert box.told() == ["rauc status mark-good rootfs.1"]
    box.boots("B", ORDER="B A", B_OK="1", B_TRY="1")
    await settle(box.computer)
    assert not (box.computer.roots.run / MAY_GO_BACK).exists()
    assert box.told() == ["rauc status mark-good rootfs.1"], "from now on at once, before anything can go wrong"


async def bad() -> list[Finding]:
    return [Finding("DHCP is served", "nothing is bound to UDP port 67")]


async def never(_: float) -> None:
    raise AssertionError("the time is up already")


async def test_a_new_version_that_does_not_hold_is_tried_again_and_then_given_up_with_its_reason(box: Box) -> None:
    await installed(box)
    for number in (1, 2, 3):
        box.boots("B", ORDER="B A", B_OK="1", B_TRY=str(number))
        await settle(box.computer)
        assert not await judge(box.computer, bad, never, deadline=0.0)
        assert box.told() == ["systemctl --no-block reboot"]
    box.boots("A", ORDER="B A", B_OK="1", B_TRY="3")
    record = await settle(box.computer)
    assert box.told() == ["rauc status mark-bad rootfs.1", "rauc status mark-active rootfs.0"]
    assert box.stage is Stage.FELL_BACK
    assert record.last is not None
    told = box.computer.roots.run / MAY_GO_BACK
    assert told.is_file(), "the daemon may go back to the store of before"
    assert record.last.reason == "not so: DHCP is served (nothing is bound to UDP port 67)"
    box.boots("A", A_TRY="1", B_OK="0")
    await settle(box.computer)
    assert await judge(box.computer, bad, never, deadline=0.0), "what ran for years is not restarted for a bad day"
    assert box.told() == ["rauc status mark-good rootfs.0"]


async def on_trial(box: Box) -> None:
    """An update that runs, and was not judged yet."""
    await installed(box)
    box.boots("B", ORDER="B A", B_OK="1", B_TRY="1")
    await settle(box.computer)


async def test_no_update_is_written_while_what_runs_is_on_trial(box: Box) -> None:
    await on_trial(box)
    with pytest.raises(Conflict) as refused:
        await installed(box)
    assert refused.value.code == "update-on-trial"
    assert box.told() == []
    assert box.stage is Stage.TRYING


async def fine() -> list[Finding]:
    return [Finding("the console answers")]


async def test_judging_leaves_alone_what_was_begun_meanwhile(box: Box) -> None:
    await on_trial(box)

    async def look() -> list[Finding]:
        await update.back(Back("A"), box.computer, quiet)
        return await fine()

    assert await judge(box.computer, look, never)
    last = kept_record(box.computer).last
    assert last is not None
    assert (last.slot, last.stage, last.back) == ("A", Stage.TRYING, True)
    assert box.told() == ["rauc status mark-active rootfs.0"]


async def test_judging_outlives_looks_that_fail_and_a_rauc_that_comes_late(box: Box) -> None:
    await on_trial(box)
    wrong: list[Exception] = [KeyError("x"), OSError("no route")]
    box.programs.answers["rauc status mark-good"] = ApplianceError("program-failed", "no such device")
    waits: list[float] = []

    async def look() -> list[Finding]:
        if wrong:
            raise wrong.pop()
        return await fine()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            box.programs.answers["rauc status mark-good"] = ""

    assert await judge(box.computer, look, wait)
    assert len(waits) == 5
    assert box.stage is Stage.GOOD
    assert box.told()[-1] == "rauc status mark-good rootfs.1"


async def test_a_look_that_always_fails_is_a_reason(box: Box) -> None:
    await on_trial(box)

    async def look() -> list[Finding]:
        raise KeyError("x")

    assert not await judge(box.computer, look, never, deadline=0.0)
    last = kept_record(box.computer).last
    assert last is not None
    assert last.tries[-1].reasons == ("not so: all of it can be looked at (KeyError: 'x')",)


async def test_a_full_disk_takes_no_good_version_back(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    await installed(box)
    room: list[bool] = []
    real = update_record.write_whole

    def write(path: Path, content: bytes, mode: int) -> None:
        if not room:
            raise ApplianceError("state-unwritable", "no space left on device")
        real(path, content, mode)

    monkeypatch.setattr(update_record, "write_whole", write)
    box.boots("B", ORDER="B A", B_OK="1", B_TRY="1")
    await settle(box.computer)
    assert box.told() == [], "it is on trial, though nobody could note that"
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        assert box.told() == ["rauc status mark-good rootfs.1"], "the boot loader is told before there is room"
        if len(waits) == 3:
            room.append(True)

    assert await judge(box.computer, fine, wait)
    assert len(waits) == 3
    assert box.stage is Stage.GOOD


async def test_who_changes_the_record_waits_for_who_does_already(box: Box) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def slow(record: Record) -> Record:
        inside.set()
        go_on.wait(10)
        order.append("first")
        return record

    def fast(record: Record) -> Record:
        order.append("second")
        return record

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(change_record, box.computer, slow))
        await asyncio.to_thread(inside.wait)
        group.create_task(asyncio.to_thread(change_record, box.computer, fast))
        await asyncio.sleep(0.05)
        go_on.set()
    assert order == ["first", "second"]


async def test_the_older_slot_in_place_of_the_good_one_restarts_where_it_cannot_serve(box: Box) -> None:
    good = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.GOOD)
    keep_record(box.computer, begin(Record(), good, 1.0))
    box.boots("A", ORDER="B A", B_OK="1", B_TRY="3")
    await settle(box.computer)
    assert box.told() == ["rauc status mark-active rootfs.1"]
    assert not await judge(box.computer, bad, never, deadline=0.0)
    assert box.told()[-1] == "systemctl --no-block reboot"


async def test_going_back_by_hand_is_noted_first(box: Box) -> None:
    good = Update("B", "0.5.0", "A", "0.4.0", 1.0, Stage.GOOD)
    keep_record(box.computer, begin(Record(), good, 1.0))
    box.boots("B")
    with pytest.raises(Conflict, match="not the other one"):
        await update.back(Back("B"), box.computer, quiet)
    await update.back(Back("A"), box.computer, quiet)
    last = kept_record(box.computer).last
    assert last is not None
    assert (last.slot, last.version, last.back, last.stage) == ("A", "0.4.0", True, Stage.TRYING)
    assert box.told() == ["rauc status mark-active rootfs.0"]


async def test_a_slot_is_good_as_long_as_it_may_be_started(box: Box) -> None:
    box.boots("B", ORDER="B A", A_TRY="2", B_TRY="1")
    assert [slot.good for slot in (await update.slots(Slots(), box.computer, quiet)).slots] == [True, True]
    box.boots("B", A_OK="0")
    assert [slot.good for slot in (await update.slots(Slots(), box.computer, quiet)).slots] == [False, True]
    with pytest.raises(Conflict, match="nothing that could be started"):
        await update.back(Back("A"), box.computer, quiet)


async def test_a_broken_record_or_lost_variables_do_not_keep_it_from_starting(box: Box) -> None:
    (box.computer.roots.state / RECORD).parent.mkdir()
    (box.computer.roots.state / RECORD).write_bytes(b"{")
    (box.computer.roots.boot / "efi/qrm/grubenv").write_bytes(b"")
    assert await settle(box.computer) == Record()
    assert box.told() == ["rauc status mark-good rootfs.0"]


async def test_where_the_notes_are_lost_their_second_copy_tells(box: Box) -> None:
    await installed(box)
    box.boots("B", ORDER="B A", B_OK="1", B_TRY="1")
    first = box.computer.roots.boot / boot_notes.GRUBENV
    known = parse(first.read_bytes()) | {boot_notes.RESET: "1"}
    (box.computer.roots.boot / boot_notes.SECOND).write_bytes(render(known))
    first.write_bytes(b"")
    found = boot_notes.variables(box.computer)
    assert found is not None
    assert (found["ORDER"], boot_notes.RESET in found) == ("B A", False)
    box.programs.answers["rauc status --detailed"] = status("A")
    (box.computer.roots.proc / "cmdline").write_text("rauc.slot=A")
    await settle(box.computer)
    assert box.stage is Stage.TRYING, "its turn comes"


async def test_without_the_boot_loaders_variables_nothing_is_decided_until_they_can_be_read(box: Box) -> None:
    await installed(box)
    (box.computer.roots.boot / "efi/qrm/grubenv").unlink()
    with pytest.raises(ApplianceError, match="cannot be read"):
        await settle(box.computer)
    assert box.stage is Stage.TRYING
    box.boots("A", ORDER="B A", B_OK="1", B_TRY="3")
    await settle(box.computer)
    assert box.stage is Stage.FELL_BACK


def test_how_long_a_version_has_goes_by_how_long_the_start_took(box: Box) -> None:
    uptime = box.computer.roots.proc / "uptime"
    uptime.write_text("21.04 80.10\n")
    assert deadline(box.computer) == 600.0
    uptime.write_text("192.31 80.10\n")
    assert deadline(box.computer) == 900.0


BUSY = ApplianceError("program-failed", "already processing a different method")
"""What RAUC answers while it writes, whatever it is asked."""


def going_on(box: Box) -> asyncio.Event:
    """RAUC writes until the event is set, or its program is ended."""
    begun, ends = asyncio.Event(), asyncio.Event()

    async def follow(*_: Any, **__: Any) -> str:
        box.programs.answers["rauc status --detailed"] = BUSY
        begun.set()
        await ends.wait()
        return ""

    object.__setattr__(box.computer, "follow", follow)
    box.programs.answers["busctl"] = '{"data":"installing"}'
    box.begun = begun
    return ends


STOPS = [
    "systemctl kill --kill-whom=all --signal=SIGKILL rauc.service",
    "systemctl restart rauc.service",
    "rauc status mark-bad rootfs.1",
    "rauc status mark-active rootfs.0",
]


async def test_writing_is_stopped_for_certain(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "LOOK_EVERY", 0.01)
    going_on(box)
    box.programs.answers["busctl"] = '{"data":"idle"}'
    writing = asyncio.get_running_loop().create_task(update.install(Install("0.5.0"), box.computer, quiet))
    await box.begun.wait()
    box.programs.answers["rauc status --detailed"] = status("A")
    with pytest.raises(Conflict, match="no update is being written"):
        await update.stop(Stop(), box.computer, quiet)
    box.programs.answers |= {"busctl": '{"data":"installing"}', "rauc status --detailed": BUSY}
    await update.stop(Stop(), box.computer, quiet)
    with pytest.raises(ApplianceError) as ended:
        await writing
    assert ended.value.code == "update-stopped"
    assert box.told() == STOPS
    last = kept_record(box.computer).last
    assert last is not None
    assert (last.stage, last.reason) == (Stage.CUT_OFF, STOPPED)
    assert last.ended is not None
    box.boots("A", B_OK="0")
    assert (await settle(box.computer)).last == last, "the next start finds nothing to decide"


async def test_what_was_written_in_the_last_moment_is_not_started(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = going_on(box)
    box.programs.answers["busctl"] = '{"data":"idle"}'
    writing = asyncio.get_running_loop().create_task(update.install(Install("0.5.0"), box.computer, quiet))
    await box.begun.wait()

    async def late(argv: Sequence[str], /, seconds: float = 30.0) -> str:
        if argv[0] == "busctl":
            return '{"data":"installing"}'
        if argv[:2] == ["systemctl", "kill"]:
            ends.set()
            await writing
        return await box.programs(argv, seconds)

    object.__setattr__(box.computer, "run", late)
    await update.stop(Stop(), box.computer, quiet)
    assert (await writing) == Done()
    assert box.stage is Stage.CUT_OFF
    assert box.told() == STOPS
