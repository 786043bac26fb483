"""Boot loaders that were exchanged on the image's own disk start: from a BIOS, and under Secure Boot."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from appliance_world import image

from appliance.privileged.loader import PLACES, Device, renew_bios
from appliance.updates import bios_loader
from appliance.updates.fat import Fat, exchange

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]

MIB = 1 << 20
ESP_AT, ESP_SIZE = 2 * MIB, 64 * MIB
BIOS_START, BIOS_SIZE = 2048, 2048
"""Sectors of the BIOS boot partition (image-builder/builder/appliance_disk.py)."""
SECONDS = 600
"""Until GRUB speaks; emulated, beside other machines."""
OVMF = Path("/usr/share/OVMF")
ENFORCING = (
    "-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
    "-global", "ICH9-LPC.disable_s3=1",
    "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.secboot.fd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Esp(Device):
    """The partition inside of the disk's file."""

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.descriptor, size, ESP_AT + offset)


def put(descriptor: int, fat: Fat, files: dict[str, bytes]) -> None:
    """Exchange, and write it down."""
    planned = exchange(fat, files)
    for stage in (*planned.prepare, planned.decide, *planned.tidy):
        for write in stage:
            os.pwrite(descriptor, write.data, ESP_AT + write.offset)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def head_of(stored: Path, path: Path) -> None:
    """The beginning of the image: everything that starts before the slots."""
    with subprocess.Popen(["zstd", "-q", "-d", "-c", stored], stdout=subprocess.PIPE) as unpacking:
        assert unpacking.stdout
        assert path.write_bytes(unpacking.stdout.read(ESP_AT + ESP_SIZE)) == ESP_AT + ESP_SIZE
        unpacking.kill()
    os.truncate(path, 128 * MIB)


def renew(path: Path) -> None:
    """All boot loaders at other places than before, and a configuration that tells itself from the old one."""
    with opened(path) as descriptor:
        esp, disk = Esp(descriptor, "esp"), Device(descriptor, "disk")
        fat = Fat.of(esp.read)
        table = fat.table()
        pair = {place: fat.content(fat.find(place, table), table) for place in PLACES if place.startswith("EFI/BOOT/")}
        put(descriptor, fat, pair)
        config = fat.content(fat.find("qrm/grub.cfg", table), table)
        put(descriptor, Fat.of(esp.read), {"qrm/grub.cfg": config.replace(b"Starting slot", b"Renewed slot")})
        first = disk.read(0, 512)
        at = bios_loader.core_sector(first)
        core = disk.read(at * 512, BIOS_SIZE // 2 * 512).rstrip(b"\0")
        boot = first[: bios_loader.CODE_END].ljust(512, b"\0")
        assert renew_bios(disk, boot, core + b"\0" * 513, BIOS_START, BIOS_SIZE) == ["GRUB for BIOS"]
        assert bios_loader.core_sector(disk.read(0, 512)) != at


def starts(path: Path, firmware: tuple[str, ...]) -> bool:
    """Whether GRUB comes as far as starting a slot, with the new configuration."""
    serial = path.with_suffix(".serial")
    serial.write_bytes(b"")
    argv = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", "-accel", "tcg",
        "-cpu", "max", "-m", "512", *firmware, "-serial", f"file:{serial}",
        "-drive", f"if=none,id=d0,format=raw,file={path},snapshot=on", "-device", "virtio-blk-pci,drive=d0,bootindex=1",
    ]  # fmt: skip
    with subprocess.Popen(argv) as machine:
        try:
            end = time.monotonic() + SECONDS
            while b"Renewed slot A" not in serial.read_bytes():
                if time.monotonic() > end or machine.poll() is not None:
                    return False
                time.sleep(0.2)
            return True
        finally:
            machine.kill()


async def test_what_was_exchanged_starts(tmp_path: Path) -> None:
    disk, variables = tmp_path / "disk.raw", tmp_path / "variables.fd"
    head_of(await image() / "appliance.raw.zst", disk)
    renew(disk)
    assert starts(disk, ("-machine", "pc")), "from a BIOS"
    shutil.copy(OVMF / "OVMF_VARS_4M.ms.fd", variables)
    enforcing = (*ENFORCING, "-drive", f"if=pflash,unit=1,format=raw,file={variables}")
    assert starts(disk, enforcing), "shim and GRUB, with Microsoft's keys"
