"""Disks of a real kernel wiped by the agent: its commands reach them, and what is read back is what is on them."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.agent.disk import content
from appliance.agent.disk.listing import read_disks
from appliance.agent.disk.model import Disk
from appliance.agent.errors import StepFailed
from appliance.agent.hardware import ThisComputer
from appliance.agent.job import Job, Params
from appliance.agent.steps.wipe_disk import wipe_disk
from appliance.agent.wipe import ata, nvme_erase
from appliance.agent.wipe.attempts import read_facts
from appliance.agent.wipe.drive import OpenDrive
from appliance.agent.wipe.minder import Minder
from appliance.agent.wipe.passthrough import Refused
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
OLD = b"letters of somebody, which are to go; " * 30000
PLACES = (0, 1 << 30, (8 << 30) - len(OLD))


def filled(path: Path) -> Disk:
    """The disk, with a file system and letters on it."""
    run("mke2fs", "-q", "-F", str(path))
    with path.open("r+b") as file:
        for place in PLACES[1:]:
            file.seek(place)
            file.write(OLD)
        os.fsync(file.fileno())
    return next(disk for disk in read_disks() if disk.device == path)


def job(disk: Disk, **more: object) -> Job:
    agreed = content.fingerprint(disk, content.read_content(disk))
    named = {"serial": disk.serial, "wwn": disk.wwn, "size": disk.size}
    given = {"disk": named, "content": agreed, **more}
    return Job("attempt-1", "wipe-disk", Params(given), ThisComputer(), lambda *_: None, lambda *_: None)


def wiped(disk: Disk, **more: object) -> dict[str, Any]:
    return wipe_disk(job(disk, **more)).result


def read(path: Path, at: int) -> bytes:
    """Past the cache: `dd` reads the disk itself."""
    argv = ["dd", f"if={path}", "bs=1M", f"skip={at >> 20}", "count=2", "iflag=direct", "status=none"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def with_drive(disk: Disk, look: Callable[[OpenDrive], Any]) -> Any:
    with disk.device.open("rb") as file:
        return look(OpenDrive(disk, file.fileno()))


def test_an_nvme_disk_says_what_it_can(disks: Disks) -> None:
    disk = filled(disks.nvme)
    facts = with_drive(disk, read_facts).nvme
    assert facts is not None
    assert facts.controller.formats
    assert (facts.nsid, facts.namespaces) == (1, 1)
    assert facts.namespace.sectors * disk.sector_size == disk.size == 8 << 30
    minder = Minder(lambda fraction, words: None, time.sleep, time.monotonic)
    assert not with_drive(disk, lambda drive: nvme_erase.mend(drive, minder)), "it has no sanitize"


def test_an_nvme_disk_is_formatted(disks: Disks) -> None:
    disk = filled(disks.nvme)
    result = wiped(disk, method="secure-erase")
    assert (result["method"], result["verified"], result["whole"]) == ("nvme-format-erase", True, False)
    assert result["bytes_read"] > 30 << 20
    assert not any(any(read(disks.nvme, place)) for place in PLACES)
    (after,) = [each for each in read_disks() if each.device == disks.nvme]
    assert content.read_content(after).empty
    assert (after.size, after.sector_size) == (disk.size, disk.sector_size)


def test_an_nvme_disk_that_formats_nothing_is_found_out(disks: Disks, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = filled(disks.nvme)
    monkeypatch.setattr(nvme_erase, "erase", lambda *_: None)
    result = wiped(disk)
    assert result["method"] == "discard"
    assert "still stands at byte" in result["tried"][0]["reason"]
    assert not any(any(read(disks.nvme, place)) for place in PLACES)


def test_what_an_nvme_disk_does_not_do_is_refused_and_nothing_is_lost(disks: Disks) -> None:
    disk = filled(disks.nvme)
    with pytest.raises(StepFailed, match="its controller does not offer it") as caught:
        wiped(disk, method="sanitize")
    assert caught.value.code == "wipe-impossible"
    assert read(disks.nvme, PLACES[1]).startswith(OLD[:100])


@pytest.mark.parametrize("method", ["automatic", "discard"])
def test_a_scsi_disk_is_discarded_and_reads_as_zeros(disks: Disks, method: str) -> None:
    disk = filled(disks.scsi[0])
    result = wiped(disk, method=method)
    assert (result["method"], result["zeros"]) == ("discard", True)
    assert not any(any(read(disks.scsi[0], place)) for place in PLACES)


def test_a_disk_in_use_is_left_alone(disks: Disks, tmp_path: Path) -> None:
    disk = filled(disks.scsi[1])
    todo = job(disk)
    run("mount", str(disks.scsi[1]), str(tmp_path))
    try:
        with pytest.raises(StepFailed, match="in use") as caught:
            wipe_disk(todo)
    finally:
        run("umount", str(tmp_path))
    assert caught.value.code == "disk-in-use"
    assert read(disks.scsi[1], PLACES[1]).startswith(OLD[:100])


def test_an_ata_command_to_what_is_no_ata_disk_is_refused_in_words(disks: Disks) -> None:
    disk = filled(disks.scsi[0])
    assert with_drive(disk, lambda drive: drive.speaks) == ""
    with pytest.raises(Refused, match="refused ATA command 0xec"):
        with_drive(disk, lambda drive: drive.ata(ata.identify()))
