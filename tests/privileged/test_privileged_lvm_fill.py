"""Thick volumes are filled by the helper: to their end, or stopped where nobody waits for it any more."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged import lvm_fill
from appliance.privileged.computer import Computer
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_volumes import Copy
from tests.privileged.lvm_box import MIB, ONE, TWO, Box
from tests.privileged.paper_computer import quiet


@pytest.fixture
def thick(tmp_path: Path) -> Box:
    return Box(tmp_path, thin=False)


async def test_a_change_is_carried_to_its_end_when_nobody_waits_any_more(thick: Box) -> None:
    """LVM that is killed between two halves of a change leaves volumes suspended."""
    began, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    paper = thick.lvm

    async def slow(argv: list[str], /, seconds: float = 30.0) -> str:
        if "--deltag" in argv:
            began.set()
            await go.wait()
            ended.set()
        return await paper(argv, seconds)

    await thick.made()
    on = Computer(thick.on.roots, slow)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(lvm_fill.fill(Fill(thick.ours.uuid, ONE), on, quiet))
        await began.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
    assert task.cancelled()
    assert ended.is_set()
    assert thick.ours.logical[f"v-{ONE}"].tags >= {f"qrm.id={ONE}"}
    assert "qrm.state=making" not in thick.ours.logical[f"v-{ONE}"].tags


async def test_a_copy_stops_when_nobody_waits_for_it(thick: Box, monkeypatch: Any) -> None:
    """After the piece that is under way; the volume is as unfilled as before."""
    await thick.made()
    began, go, pieces = threading.Event(), threading.Event(), []

    def slow(_out: int, at: int, _count: int) -> None:
        pieces.append(at)
        began.set()
        go.wait(60)

    monkeypatch.setattr(lvm_fill, "PIECE", MIB)
    monkeypatch.setattr(lvm_fill, "zero", slow)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(lvm_fill.fill(Fill(thick.ours.uuid, ONE), thick.on, quiet))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()
        for _ in range(3):  # the loop brings it word: to whom it waits for, to the task, to the thread
            await asyncio.sleep(0)
        assert not task.done(), "the piece is still being written"
        go.set()
    assert task.cancelled()
    assert pieces == [0]
    assert "qrm.state=making" in thick.ours.logical[f"v-{ONE}"].tags


async def test_a_copy_of_what_somebody_has_open_is_none(thick: Box) -> None:
    await thick.made()
    await thick.do(Fill(thick.ours.uuid, ONE))
    thick.lvm.open.add(f"qrm/v-{ONE}")
    await thick.refused("volume-in-use", Copy(thick.ours.uuid, ONE, TWO, "kept", 8 * MIB, 1, read_only=True))


async def test_a_disk_that_fails_while_it_is_copied_is_told_of(thick: Box, monkeypatch: Any) -> None:
    await thick.made()

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(lvm_fill.os, "pwrite", broken)
    with pytest.raises(ApplianceError, match="Input/output error") as caught:
        await thick.do(Fill(thick.ours.uuid, ONE))
    assert caught.value.code == "storage-failed"
    assert "qrm.state=making" in thick.ours.logical[f"v-{ONE}"].tags
