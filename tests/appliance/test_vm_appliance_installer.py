"""The image on a USB stick: it installs itself onto a disk that held data, and that disk boots without the stick."""

from dataclasses import replace
from pathlib import Path

import pytest
from appliance_world import BOOT_SECONDS, DISK_BYTES, appliance_lab, plan
from serial_line import SerialLine

from appliance.lab.plan import GIB, Disk, Start
from appliance.lab.process import run

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3600)]

STICK = Disk("stick.raw", DISK_BYTES, "STICK-1", bus="usb")
TARGET = Disk("target.raw", 32 * GIB, "TARGET-7", bus="scsi")
INSTALL_SECONDS = 900
TARGET_ONLY = Start(first_disk=1, network=False)


def blank(disk: Path, size: int) -> None:
    """Nothing on it but holes."""
    with disk.open("wb") as file:
        file.truncate(size)


async def put_data_on(disk: Path) -> None:
    """What somebody would miss."""
    blank(disk, TARGET.size)
    (await run(["mkfs.ext4", "-q", "-F", "-L", "holiday", str(disk)])).check("making a file system")


async def test_the_stick_installs_the_appliance_onto_a_disk(tmp_path: Path) -> None:
    computer = replace(plan("uefi"), disks=(STICK, TARGET))
    async with appliance_lab(tmp_path, computer, (), "", print) as appliance:
        await put_data_on(appliance.lab.directory.path / TARGET.file)
        line = SerialLine(appliance.machine)
        await appliance.switch_on()
        await line.sees("Press I to install it onto a disk", BOOT_SECONDS)
        await line.types("i")
        await line.sees("Onto which disk?")
        await line.types("1")
        await line.sees("All of this is lost")
        await line.sees("holiday")
        await line.types("yes\r")
        await line.sees(TARGET.serial)
        assert (await appliance.machine.status())["running"]
        await line.types("\x15" + TARGET.serial + "\r")
        await line.sees("The appliance is on", INSTALL_SECONDS)

        await appliance.machine.kill()
        blank(appliance.lab.directory.path / STICK.file, STICK.size)
        await appliance.machine.power_on(TARGET_ONLY)
        line = SerialLine(appliance.machine)
        await line.repaint()
        await line.sees("slot A", BOOT_SECONDS)
        text = await line.sees("Set-up", BOOT_SECONDS)
        assert "install" not in text.lower(), "it runs from a disk that stays"
