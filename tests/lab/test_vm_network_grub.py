"""Network GRUB on a real BIOS, in a machine that has lost the disk of its deployment."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from vm_neighbour import neighbour

from appliance.lab.administrator import first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import until
from appliance.lab.plan import APPLIANCE_ADDRESS, BRIDGE, LabPlan, plan_machine
from appliance.lab.run import listen
from appliance.machine import MacAddress
from appliance.netboot.grub import config
from appliance.netboot.ipxe import GRUB
from appliance.netboot.policy import LocalDisk

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 400
UUID = "22222222-0000-4000-8000-000000000003"
CODE = "4C0101-30"


async def test_a_disk_that_is_gone_stands_on_the_screen_and_in_the_console(tmp_path: Path) -> None:
    """The file is the one that our TFTP server renders; another one hands it out: nothing has to be deployed."""
    artefacts = await build()
    root, base, plan = tmp_path / "tftp", tmp_path / "labs", plan_machine(0, "bios")  # a lab clears its base
    mac = plan.nics[0].mac
    base.mkdir(mode=0o700)
    (root / "grub").mkdir(parents=True)
    shutil.copyfile(artefacts.programs / GRUB, root / GRUB)
    text = config(LocalDisk(None, UUID), f"http://{APPLIANCE_ADDRESS}", MacAddress(mac))
    (root / "grub" / f"{mac}.cfg").write_text(text)
    serves = f"enable-tftp\ntftp-root={root}\ndhcp-boot={GRUB}\n"
    with listen(None) as web:
        lab = Lab(LabPlan((plan,), daemon=artefacts.plan()), web=web, base=base)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user, asyncio.timeout(SECONDS):
            await user.api.patch(f"/network/subnets/{BRIDGE}", mode="off", confirm=BRIDGE)
            async with neighbour(lab, tmp_path, serves):
                (machine,) = lab.machines
                await machine.power_on()

                async def told() -> dict[str, Any] | None:
                    events = await user.api.items("/events")
                    return next((each for each in events if each["kind"] == "boot.trouble"), None)

                event = await until(told)

                async def said() -> bool | None:
                    return "Nothing was started by" in machine.serial_text() or None

                await until(said)
                screen = " ".join(machine.serial_text().split())  # its lines are those of a screen
    assert "no disk in it has the partition that its deployment starts from" in event["text"]
    assert f"No disk here has the file system {UUID}, or it does not start." in screen
    assert "To do: look whether the disk is plugged in" in screen
    assert f"Code {CODE}: in the console press Ctrl-K" in screen
