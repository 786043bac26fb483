"""Real firmware in the lab: it asks for an address, and its buttons and sockets work."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from lab_processes import until

from appliance.errors import ApplianceError
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.plan import DirectKernel, LabPlan, MachinePlan, Start, plan_machine
from appliance.lab.process import run

pytestmark = pytest.mark.vm

SNIFF = """
import sys
from scapy.all import BOOTP, DHCP, Ether, sniff
mac = sys.argv[1]
def ours(packet):
    return BOOTP in packet and packet[Ether].src == mac
found = sniff(iface="br0", lfilter=ours, count=1, timeout=90)
options = dict(option[:2] for option in found[0][DHCP].options if isinstance(option, tuple))
print(options["message-type"], int.from_bytes(options["pxe_client_architecture"], "big"))
"""


@pytest.fixture
async def bios(tmp_path: Path) -> AsyncIterator[Lab]:
    async with Lab(LabPlan((plan_machine(0, "bios", memory_mib=256),)), base=tmp_path) as lab:
        yield lab


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (plan_machine(0, "bios", memory_mib=256), 0),
        (plan_machine(1, "uefi", memory_mib=256), 7),
        (plan_machine(1, "uefi", memory_mib=256, network_boot="http"), 16),
    ],
    ids=["bios", "uefi", "uefi-http"],
)
async def test_firmware_asks_for_an_address(tmp_path: Path, machine: MachinePlan, kind: int) -> None:
    """Option 93 (RFC 4578 section 2.1) says 0 for BIOS, 7 for UEFI on x86-64, and 16 for that by HTTP."""
    async with Lab(LabPlan((machine,)), base=tmp_path) as lab, asyncio.timeout(110), asyncio.TaskGroup() as group:
        sniffing = group.create_task(lab.run([sys.executable, "-c", SNIFF, machine.nics[0].mac], seconds=100))
        await lab.machine(machine.name).power_on()
        kind_of_message, said = (await sniffing).check("sniffing").stdout.split(" ", 1)
        assert kind_of_message == "1", "DHCPDISCOVER"
        assert said.strip() == str(kind)


async def test_a_kernel_can_be_started_past_firmware_and_without_a_cable(tmp_path: Path) -> None:
    """What benchmarks compare netboot with; and an interface whose cable is out."""
    stack = (await build()).stack
    plan = plan_machine(0, "bios", memory_mib=768)
    plan = replace(plan, nics=(replace(plan.nics[0], cable=False),))
    direct = DirectKernel(str(stack / "vmlinuz"), str(stack / "initrd"), "console=ttyS0,115200n8 panic=1")
    async with Lab(LabPlan((plan,)), base=tmp_path) as lab:
        machine = lab.machine("node1")
        await machine.power_on(Start(direct))
        await until(lambda: "Linux version" in machine.serial_text())
        await machine.kill()
        await machine.power_on()
        await until(lambda: "No configuration methods" in machine.serial_text())
        shown = (await lab.run(["ip", "-json", "-stats", "link", "show", plan.nics[0].tap])).check("counting").stdout
        assert json.loads(shown)[0]["stats64"]["rx"]["packets"] == 0


async def test_buttons_screen_and_serial_port(bios: Lab) -> None:
    machine = bios.machine("node1")
    async with asyncio.TaskGroup() as group:
        group.create_task(machine.power_on())
        group.create_task(machine.power_on())
    await until(lambda: "iPXE" in machine.serial_text())
    assert (await machine.screenshot()).read_bytes().startswith(b"\x89PNG")
    assert (await machine.qmp("query-status"))["status"] == "running"
    with pytest.raises(ApplianceError, match="dance has not been found"):
        await machine.qmp("dance")
    before = machine.serial_text().count("SeaBIOS")
    await machine.reset()
    await until(lambda: machine.serial_text().count("SeaBIOS") > before)
    assert (await machine.status())["running"], "a reset stays in the same QEMU"
    await machine.kill()
    assert not (await machine.status())["running"]
    with pytest.raises(ApplianceError, match="is off"):
        await machine.qmp("query-status")
    before = machine.serial_text().count("SeaBIOS")
    await machine.power_on()
    await until(lambda: machine.serial_text().count("SeaBIOS") > before)


async def test_a_machine_that_switches_itself_off_is_off(bios: Lab) -> None:
    machine = bios.machine("node1")
    await machine.power_on()
    await machine.qmp("quit")
    async with asyncio.timeout(30):
        while (status := await machine.status())["running"]:
            await asyncio.sleep(0.05)
    assert status["ended_with"] == 0


async def test_disks_keep_their_content_over_a_power_cut(bios: Lab) -> None:
    machine = bios.machine("node1")
    disk = bios.directory.path / machine.plan.disks[0].file
    await machine.power_on()
    await machine.kill()
    with disk.open("r+b") as file:
        file.write(b"marker")
    await machine.power_on()
    assert disk.read_bytes()[:6] == b"marker"
    assert disk.stat().st_size == machine.plan.disks[0].size
    assert disk.stat().st_blocks * 512 < 1 << 20, "disks are sparse"


async def test_qemu_that_does_not_start_says_why(tmp_path: Path) -> None:
    plan = LabPlan((plan_machine(0, "bios", memory_mib=1 << 30),))
    async with Lab(plan, base=tmp_path) as lab:
        with pytest.raises(ApplianceError, match="QEMU does not start node1: qemu-system"):
            await lab.machine("node1").power_on()
        assert not (await lab.machine("node1").status())["running"]


async def test_the_console_socket_shows_the_machine(bios: Lab) -> None:
    machine = bios.machine("node1")
    reader, writer = await asyncio.open_unix_connection(bios.directory.console("node1"))
    await machine.power_on()
    async with asyncio.timeout(60):
        assert b"SeaBIOS" in await reader.readuntil(b"SeaBIOS")
    writer.close()


async def test_a_program_in_the_lab_that_takes_too_long_is_killed(bios: Lab) -> None:
    with pytest.raises(TimeoutError):
        await bios.run(["sleep", "1000"], seconds=0.2)
    left = await run(["pgrep", "-f", "^sleep 1000$"])
    assert left.stdout == ""
