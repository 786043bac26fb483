"""Boot loaders on a disk of paper: what differs is written, read back, and written once."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from paper_computer import computer, quiet

from appliance.errors import ApplianceError, Conflict
from appliance.privileged import loader
from appliance.privileged.boot_notes import notes_at_rest, notes_used
from appliance.privileged.verbs.loader import Renew
from appliance.updates.bios_loader import core_sector
from appliance.updates.fat import Stage, Write

MIB = 1 << 20


def mtool(image: Path, name: str, *words: str) -> bytes:
    return subprocess.run([name, "-i", str(image), *words], check=True, capture_output=True).stdout


class Flashed:
    """Disk vda with the BIOS boot partition and the ESP, and what came with the system that runs."""

    def __init__(self, directory: Path) -> None:
        self.computer, self.programs = computer(directory, {"systemctl": ""})
        roots = self.computer.roots
        self.disk, self.esp = roots.dev / "vda", roots.dev / "vda2"
        self.disk.write_bytes(bytes(3 * MIB))
        self.esp.write_bytes(b"")
        os.truncate(self.esp, 34 * MIB)
        mtool(self.esp, "mformat", "-F", "-c", "1", "::")
        for folder in ("EFI", "EFI/BOOT", "EFI/debian", "qrm"):
            mtool(self.esp, "mmd", f"::/{folder}")
        self.files = roots.share / loader.FILES
        self.files.mkdir(parents=True)
        for number, (place, name) in enumerate(loader.PLACES.items()):
            (self.files / name).write_bytes(b"old %d" % number)
            mtool(self.esp, "mcopy", str(self.files / name), f"::/{place}")
        (self.files / "boot.img").write_bytes(b"\x01" * 512)
        (self.files / "core.img").write_bytes(b"\x02" * 5000)
        for number, start, size in (("1", 2048, 2048), ("2", 4096, 69632)):
            partition = roots.sys / f"devices/pci/vda/vda{number}"
            partition.mkdir(parents=True)
            for name, value in (("partition", number), ("start", str(start)), ("size", str(size))):
                (partition / name).write_text(f"{value}\n")
            (roots.sys / "class/block").mkdir(parents=True, exist_ok=True)
            (roots.sys / f"class/block/vda{number}").symlink_to(partition)
        (roots.dev / "disk/qrm").mkdir(parents=True)
        (roots.dev / "disk/qrm/esp").symlink_to(self.esp)

    async def renew(self) -> list[str]:
        return await loader.renew(Renew(), self.computer, quiet)


@pytest.fixture
def flashed(tmp_path: Path) -> Flashed:
    return Flashed(tmp_path)


async def test_what_differs_is_renewed_once(flashed: Flashed) -> None:
    assert await flashed.renew() == ["GRUB for BIOS"], "as a disk without one"
    assert await flashed.renew() == []
    for name in ("shimx64.efi", "grubx64.efi", "grub.cfg"):
        (flashed.files / name).write_bytes(f"new {name}".encode())
    (flashed.files / "core.img").write_bytes(b"\x03" * 6000)
    before = core_sector(flashed.disk.read_bytes()[:512])
    assert await flashed.renew() == [
        "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "qrm/grub.cfg", "GRUB for BIOS",
    ]  # fmt: skip
    assert mtool(flashed.esp, "mtype", "::/EFI/BOOT/grubx64.efi") == b"new grubx64.efi"
    assert mtool(flashed.esp, "mtype", "::/EFI/BOOT/mmx64.efi") == b"old 2"
    assert core_sector(flashed.disk.read_bytes()[:512]) != before
    assert await flashed.renew() == []


async def test_the_esp_is_not_mounted_meanwhile_and_is_afterwards(flashed: Flashed) -> None:
    await flashed.renew()

    def ran() -> list[list[str]]:
        return [argv for argv in flashed.programs.ran if argv[0] == "systemctl"]

    stop, start = ["systemctl", "stop", *loader.MOUNTS], ["systemctl", "start", loader.MOUNTS[0]]
    assert ran() == [stop, start]
    flashed.esp.write_bytes(bytes(MIB))
    with pytest.raises(ApplianceError, match="no FAT32"):
        await flashed.renew()
    assert ran()[2:] == [stop, start]


async def test_what_did_not_arrive_is_not_switched_to(flashed: Flashed, monkeypatch: pytest.MonkeyPatch) -> None:
    (flashed.files / "shimx64.efi").write_bytes(b"new")
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data.replace(b"new", b"nwe"), at))
    with pytest.raises(ApplianceError, match="does not hold what was written"):
        await flashed.renew()
    monkeypatch.undo()
    assert mtool(flashed.esp, "mtype", "::/EFI/BOOT/BOOTX64.EFI") == b"old 0"


async def test_every_stage_is_on_the_disk_before_the_next(flashed: Flashed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two flushes there are writes of one stage only, and what decides comes alone."""
    (flashed.files / "shimx64.efi").write_bytes(b"new")
    steps: list[int] = [0]
    real_write, real_sync = os.pwrite, os.fsync

    def write(file: int, data: bytes, at: int) -> int:
        steps[-1] += 1
        return real_write(file, data, at)

    def sync(file: int) -> None:
        steps.append(0)
        real_sync(file)

    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "fsync", sync)
    await flashed.renew()
    assert steps == [1, 1, 1, 1, 1, 1, 1, 1, 1, 0], "content, two tables, the entry, two tables, a count; core, sector"


async def test_without_files_nothing_is_written(flashed: Flashed) -> None:
    (flashed.files / "core.img").unlink()
    with pytest.raises(ApplianceError, match="were not compared"):
        await flashed.renew()
    assert not [argv for argv in flashed.programs.ran if argv[0] == "systemctl"]


async def test_it_waits_while_an_update_is_written(flashed: Flashed) -> None:
    flashed.programs.answers["busctl"] = '{"type":"s","data":"installing"}'
    with pytest.raises(ApplianceError, match="is being written"):
        await flashed.renew()


def test_a_device_that_ends_is_told(flashed: Flashed, tmp_path: Path) -> None:
    descriptor = os.open(flashed.disk, os.O_RDWR)
    device = loader.Device(descriptor, "vda")
    with pytest.raises(ApplianceError, match="ends before byte"):
        device.read(3 * MIB, 1)
    stage: Stage = (Write(0, b"x"),)
    device.put(stage)
    assert device.read(0, 1) == b"x"
    os.close(descriptor)


async def test_a_mount_that_is_busy_is_there_again(flashed: Flashed) -> None:
    flashed.programs.answers["systemctl stop"] = ApplianceError("program-failed", "target is busy")
    with pytest.raises(ApplianceError, match="busy"):
        await flashed.renew()
    assert flashed.programs.ran[-1] == ["systemctl", "start", loader.MOUNTS[0]]


async def test_the_esp_is_taken_from_nobody_who_writes_notes_and_they_wait_for_it(flashed: Flashed) -> None:
    async with notes_used(flashed.computer):
        with pytest.raises(Conflict, match="are being written"):
            await flashed.renew()
    assert not [argv for argv in flashed.programs.ran if argv[0] == "systemctl"]
    used = asyncio.Event()

    async def note() -> None:
        async with notes_used(flashed.computer):
            used.set()

    async with asyncio.TaskGroup() as group:
        with notes_at_rest(flashed.computer):
            group.create_task(note())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(used.wait(), 0.05)
        await used.wait()
