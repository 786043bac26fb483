"""Machines of the lab behind controllers that are not ours: OpenIPMI's ``ipmi_sim``, and the emulator of sushy-tools.

Their firmware tries the disk only; what brings them to the appliance is the network start that was armed. All is asked
for by the API, and looked at where the machines are: their QEMU processes.
"""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import controllers
import pytest
from lab_button import LabButton

from appliance.errors import ApplianceError
from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.plan import LabPlan, plan_machine
from appliance.lab.run import listen
from appliance.power_switch import FIELDS, PowerSettings

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3000)]
SWITCH_SECONDS = 300

Item = dict[str, Any]


@dataclass
class LabNetwork:
    """Where controllers stand in a lab: on the loopback of its network."""

    lab: Lab

    def inside(self, *argv: object) -> list[str]:
        """The command line that runs this one inside."""
        return self.lab.inside_argv([str(each) for each in argv])

    def run(self, *argv: object) -> str:
        """Standard output of a program that must succeed."""
        return subprocess.run(self.inside(*argv), check=True, capture_output=True, text=True, timeout=60).stdout


@dataclass
class Switched:
    """One machine, its button, and the appliance's word on it."""

    lab: Lab
    user: Administrator
    machine: LabMachine
    button: LabButton
    id: str = ""

    @property
    def path(self) -> str:
        """Of the machine in the API."""
        return f"/machines/{self.id}"

    async def become_known(self) -> None:
        """Switched on by hand, for as long as it takes to ask for an address: nobody knows it yet."""
        await self.machine.power_on()

        async def found() -> str | None:
            ours = {nic.mac for nic in self.machine.plan.nics}
            items = await self.user.api.items("/machines")
            return next((str(item["id"]) for item in items if ours & set(item["macs"])), None)

        async with asyncio.timeout(BOOT_SECONDS):
            self.id = await until(found)

    async def have(self, settings: PowerSettings) -> None:
        """Its switch is set up."""
        told = {name: getattr(settings, name) for name in FIELDS[settings.kind]}
        await self.user.api.put(f"{self.path}/power", kind=settings.kind, secret=controllers.PASSWORD, **told)

    async def ask(self, action: str) -> Item:
        """A power action, agreed to, and its task as it has ended."""
        foreseen = await self.user.api.get(f"{self.path}/consequences", action=f"power-{action}")
        task = await self.user.api.post(f"{self.path}/power/{action}", confirm=foreseen["confirm"])
        ended = await self.ended(task["id"])
        assert ended["status"] == "done", (ended, await self.told())
        return ended

    async def ended(self, task: str) -> Item:
        """The task, once it has ended."""

        async def found() -> Item | None:
            seen: Item = await self.user.api.get(f"/tasks/{task}")
            return seen if seen["ended"] else None

        async with asyncio.timeout(SWITCH_SECONDS):
            return await until(found)

    async def reach(self, state: str, seconds: float) -> Item:
        """Wait for a state; nobody but its controller touches its power button meanwhile."""

        async def found() -> Item | None:
            seen: Item = await self.user.api.get(self.path)
            if seen["state"] == "failed":
                raise ApplianceError("lab-failed", f"{seen['failed_reason']}; {await self.told()}")
            return seen if seen["state"] == state else None

        async with asyncio.timeout(seconds):
            return await until(found)

    async def told(self) -> list[str]:
        """Its timeline, newest first."""
        return [item["text"] for item in await self.user.api.pages(f"{self.path}/timeline")]

    def processes(self) -> list[int]:
        """Its QEMU, by what the kernel knows of it: no other lab's, and none that is dead."""
        disk = str(self.lab.directory.path / self.machine.plan.disks[0].file).encode()
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                words = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if words.startswith(b"qemu-system") and disk in words:
                found.append(int(each.name))
        return found


async def into_the_network(each: Switched, seconds: float) -> None:
    """The daemon restarts it, and it comes idle: its firmware alone would have found an empty disk."""
    (before,) = each.processes()
    await each.ask("network-once")
    (after,) = each.processes()
    assert after != before, "its power was away"
    assert each.button.started() == ["pxe"]
    assert not each.button.boot.exists(), "for that start only"
    await each.reach("idle", seconds)


async def cycled(each: Switched) -> None:
    """Off and on again, as its firmware has it."""
    (before,) = each.processes()
    await each.ask("cycle")
    (after,) = each.processes()
    assert after != before
    assert each.button.started()[-1] == "default"


async def switched_off(each: Switched) -> None:
    assert (await each.ask("off"))["result"] == {"power": "off"}
    assert each.processes() == []
    assert (await each.user.api.get(each.path))["power"]["state"] == "off"


async def is_deployed_and_fenced(each: Switched) -> None:
    """A system runs on it, and the machine is said to be broken: its deployment leaves it once it is off."""
    operator = Operator(each.lab, each.user.api, each.machine, "web-1", lambda text: print(text, flush=True))
    operator.id = each.id
    await operator.change(maintenance=False)
    await operator.deploy(each.user.public_key)
    await each.reach("active", BOOT_SECONDS + DEPLOY_SECONDS)
    assert each.processes()
    await operator.change(broken=True)
    await operator.act("release")
    (task,) = [item for item in await each.user.api.items("/tasks") if item["title"].endswith("release web-1")]

    async def let_go() -> bool | None:
        on = (await each.user.api.get("/deployments/web-1"))["machine"]
        return True if on is None else None

    async with asyncio.timeout(SWITCH_SECONDS):
        await until(let_go)
    assert each.processes() == [], "it left no sooner"
    ended = await each.ended(task["id"])
    assert (ended["status"], ended["result"]) == ("done", {"power": "off"})


async def through_ipmi(each: Switched) -> None:
    """A BIOS machine: into the network, deployed, fenced, on from its disk, round, and off."""
    await into_the_network(each, BOOT_SECONDS)
    await is_deployed_and_fenced(each)
    await each.ask("on")
    assert each.button.started()[-1] == "default"
    await cycled(each)
    await switched_off(each)


async def through_redfish(each: Switched) -> None:
    """A UEFI machine: into the network, round, and off."""
    await into_the_network(each, BOOT_SECONDS)
    await cycled(each)
    await switched_off(each)


Story = Callable[[Switched], Awaitable[None]]


async def test_controllers_that_are_not_ours_switch_machines_of_the_lab(tmp_path: Path) -> None:
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios"), plan_machine(1, "uefi")), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            buttons = [LabButton.made(tmp_path / each.name, lab.directory.control, each.name) for each in lab.machines]
            bios, uefi = (Switched(lab, user, *each) for each in zip(lab.machines, buttons, strict=True))
            network = LabNetwork(lab)
            with controllers.ipmi_sim(bios.button, network) as ipmi, controllers.sushy(uefi.button, network) as redfish:
                stories: tuple[tuple[Switched, PowerSettings, Story], ...] = (
                    (bios, ipmi, through_ipmi),
                    (uefi, redfish, through_redfish),
                )
                async with asyncio.TaskGroup() as group:
                    for each, settings, story in stories:
                        group.create_task(one(each, settings, story))


async def one(each: Switched, settings: PowerSettings, story: Story) -> None:
    await each.become_known()
    await each.have(settings)
    await story(each)
