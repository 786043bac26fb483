"""Firmware that boots by HTTP, and firmware that runs only what is signed, from the first packet on."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.phases import seconds_per_phase
from appliance.lab.plan import FirmwareChoice, LabPlan, plan_machines
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

PATIENCE = 2 * DEPLOY_SECONDS
"""System management mode makes an emulated machine slow, and its kernels believe that their timers are broken."""

Item = dict[str, Any]


@asynccontextmanager
async def machine_of(base: Path, firmware: FirmwareChoice) -> AsyncIterator[tuple[Operator, Administrator, Lab]]:
    """One machine with this firmware in a lab of its own, still off."""
    plan, started = LabPlan(plan_machines(1, firmware), daemon=(await build()).plan()), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} {text}", flush=True)

    with listen(None) as web:
        lab = Lab(plan, web=web, base=base)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            yield Operator(lab, user.api, lab.machines[0], "web-1", say), user, lab


async def told(operator: Operator) -> list[Item]:
    """The machine's timeline, oldest first; the seconds of each phase are printed."""
    timeline = await operator.timeline()
    powered = (await operator.machine.status())["powered_on_at"] or 0.0
    print(seconds_per_phase(timeline, powered), flush=True)
    return timeline[::-1]


def fetched(timeline: list[Item]) -> list[str]:
    """The names of the files that it fetched, in order."""
    texts = [item["text"] for item in timeline if item["kind"] in ("tftp.sent", "http.sent")]
    return [text.split()[1].rpartition("/")[2] for text in texts]


async def test_uefi_boots_by_http_from_the_first_packet_to_idle(tmp_path: Path) -> None:
    async with machine_of(tmp_path, "uefi-http") as (operator, _, _):
        seen = await operator.become_idle()
        timeline = await told(operator)
    assert seen["inventory"]["firmware"] == "uefi"
    first = next(item for item in timeline if item["kind"] == "dhcp.seen")
    assert first["text"] == "DHCP DISCOVER from http-x64 firmware"
    assert fetched(timeline) == ["snponly.efi", "vmlinuz", "initrd"]
    assert not [item for item in timeline if item["kind"].startswith("tftp.")]


@pytest.mark.slow
async def test_an_error_stands_on_the_screen_and_in_the_console_and_the_machine_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    async with machine_of(tmp_path, "bios") as (operator, user, lab):
        (initrd,) = (lab.directory.daemon_state / "stack").glob("*/initrd")
        hidden = initrd.rename(initrd.with_name("hidden"))
        await operator.machine.power_on()

        async def troubles() -> list[Item]:
            return [item for item in await user.api.pages("/events") if item["kind"] == "boot.trouble"]

        async with asyncio.timeout(BOOT_SECONDS):
            await _when(troubles)
        event = (await troubles())[-1]
        said = operator.machine.serial_text()
        code = f"{operator.machine.plan.nics[0].mac.replace(':', '')[6:].upper()}-20"
        (found,) = (await user.api.get("/find", q=code))["items"]
        hidden.rename(initrd)
        seen = await operator.become_idle()
        await told(operator)
    assert "it could not fetch the maintenance stack (there is no such file, https://ipxe.org/2d" in event["text"]
    assert "The maintenance stack could not be fetched from http://10.77.0.1/stack/" in said
    assert f"Code {code}: in the console press Ctrl-K" in said
    assert "Trying again in 1 s." in said
    assert (found["kind"], found["id"]) == ("machine", seen["id"])


async def _when(look: Callable[[], Awaitable[list[Item]]]) -> None:
    """Wait until ``look`` finds something."""

    async def found() -> bool | None:
        return bool(await look()) or None

    await until(found)


@pytest.mark.slow
async def test_secure_boot_goes_on_to_http_by_itself_and_comes_up_by_shim_and_grub(tmp_path: Path) -> None:
    """Nobody presses a button: PXE refuses iPXE, and the next entry, HTTP boot, is sent what is signed."""
    async with machine_of(tmp_path, "secure-boot") as (operator, _, _):
        seen = await operator.become_idle()
        timeline = await told(operator)
    assert seen["inventory"]["secure_boot"] is True
    heard = [item["text"] for item in timeline if item["kind"] == "dhcp.seen" and "DISCOVER" in item["text"]]
    assert heard[:2] == ["DHCP DISCOVER from uefi-x64 firmware", "DHCP DISCOVER from http-x64 firmware"]
    assert fetched([item for item in timeline if item["kind"] == "tftp.sent"]) == ["snponly.efi"]
    by_http = fetched([item for item in timeline if item["kind"] == "http.sent"])
    assert by_http == ["shimx64.efi", "grubx64.efi", "vmlinuz", "initrd"]
    assert len([item for item in timeline if item["kind"] == "script.served"]) == 1


@pytest.mark.slow
async def test_secure_boot_leads_into_the_stack_and_on_to_the_deployment(tmp_path: Path) -> None:
    """It refuses iPXE once, as it would in a rack; then only signed programs run, up to the deployed system."""
    async with machine_of(tmp_path, "secure-boot") as (operator, user, _):

        async def loaded() -> list[Item]:
            return [item for item in await user.api.pages("/events") if item["kind"] == "tftp.sent"]

        async with asyncio.TaskGroup() as group:
            arriving = group.create_task(operator.become_idle())
            # Firmware goes on to its other entries for minutes; whoever stands before it presses the button.
            await _when(loaded)
            await operator.machine.reset()
        seen = arriving.result()
        assert seen["inventory"]["secure_boot"] is True
        assert seen["secure_boot"] is True
        await operator.change(maintenance=False)
        await operator.deploy(user.public_key)
        await operator.wait("active", PATIENCE)
        by_kexec = (await operator.log_in("cat /sys/kernel/security/lockdown /proc/sys/kernel/random/boot_id")).stdout
        await operator.log_in("systemctl reboot &")

        async def reports() -> list[Item]:
            timeline = await operator.timeline()
            return [item for item in timeline if item["kind"] == "resident.active"][1:]

        async with asyncio.timeout(PATIENCE):
            await _when(reports)
        by_disk = (await operator.log_in("cat /sys/kernel/security/lockdown /proc/sys/kernel/random/boot_id")).stdout
        timeline = await told(operator)
    assert "[integrity]" in by_kexec
    assert "[integrity]" in by_disk
    assert by_kexec.split()[-1] != by_disk.split()[-1]
    handed = [item["detail"] for item in timeline if item["kind"] == "step.done"]
    assert [each["result"]["method"] for each in handed if each["step"] == "hand-over"] == ["kexec"]
    refused = [item["text"] for item in timeline if item["kind"] == "program.refused"]
    assert len(refused) == 1
    assert refused[0].endswith("fetched snponly.efi and did not start it; it is sent shimx64.efi next")
    programs = [name for name in fetched(timeline) if name.endswith(".efi")]
    assert programs == ["snponly.efi", "shimx64.efi", "grubx64.efi", "shimx64.efi", "grubx64.efi"]
    assert "sent it to its disk" in [item["text"] for item in timeline if item["kind"] == "script.served"][-1]
