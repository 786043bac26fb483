"""Slots that GRUB cannot load, on the image's own boot loaders: nobody stands there to press a key."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from appliance_world import image
from test_vm_renewed_loaders import ENFORCING, OVMF, SECONDS, Esp, head_of, opened, put

from appliance.updates.boot_choice import FRESH
from appliance.updates.fat import Fat
from appliance.updates.grubenv import render

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]

NOTES = {**FRESH, "ORDER": "B A", "B_OK": "1", "B_TRY": "2"}
"""The last try of a slot that was written."""
SAID = (
    b"Starting slot B", b"Slot B cannot be loaded", b"Starting slot A", b"Slot A cannot be loaded", b"Starting slot A",
)  # fmt: skip


def prepare(disk: Path, notes: bytes, second: bytes = b"") -> None:
    """Give the boot loader these notes; of the slots themselves the disk has nothing."""
    with opened(disk) as descriptor:
        put(descriptor, Fat.of(Esp(descriptor, "esp").read), {"qrm/grubenv": notes})
    if second:
        beside = disk.with_suffix(".second")
        beside.write_bytes(second)
        subprocess.run(["mcopy", "-o", "-i", f"{disk}@@{2 << 20}", beside, "::/QRM/GRUBENV2"], check=True)


def said_in_turn(disk: Path, firmware: tuple[str, ...], words: tuple[bytes, ...] = SAID) -> bool:
    """Whether GRUB says all of this, one after the other, and nobody presses a key or pulls the plug."""
    serial = disk.with_suffix(".serial")
    serial.write_bytes(b"")
    argv = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", "-accel", "tcg",
        "-cpu", "max", "-m", "512", *firmware, "-serial", f"file:{serial}",
        "-drive", f"if=none,id=d0,format=raw,file={disk},snapshot=on", "-device", "virtio-blk-pci,drive=d0,bootindex=1",
    ]  # fmt: skip
    with subprocess.Popen(argv) as machine:
        try:
            end = time.monotonic() + SECONDS
            while not in_turn(serial.read_bytes(), words):
                if time.monotonic() > end or machine.poll() is not None:
                    return False
                time.sleep(0.2)
            return True
        finally:
            machine.kill()


def in_turn(text: bytes, words: tuple[bytes, ...]) -> bool:
    at = 0
    for word in words:
        found = text.find(word, at)
        if found < 0:
            return False
        at = found + len(word)
    return True


async def test_the_other_slot_s_turn_comes_by_itself(tmp_path: Path) -> None:
    disk, variables = tmp_path / "disk.raw", tmp_path / "variables.fd"
    head_of(await image() / "appliance.raw.zst", disk)
    prepare(disk, render(NOTES))
    assert said_in_turn(disk, ("-machine", "pc")), "from a BIOS"
    shutil.copy(OVMF / "OVMF_VARS_4M.ms.fd", variables)
    enforcing = (*ENFORCING, "-drive", f"if=pflash,unit=1,format=raw,file={variables}")
    assert said_in_turn(disk, enforcing), "under Secure Boot, where GRUB is locked down"


async def test_lost_notes_are_read_and_counted_in_their_second_copy(tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    head_of(await image() / "appliance.raw.zst", disk)
    prepare(disk, os.urandom(1024), render(NOTES))
    assert said_in_turn(disk, ("-machine", "pc"))
