"""One long day of two machines, a BIOS and a UEFI one, told once and looked at by many tests.

Both have two disks, of which the second is the deployment's, and two network interfaces, of which only the second
is on the appliance's network. The first disk holds somebody's data.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vm_boot_menu import READ_VARIABLES

from appliance.errors import ApplianceError
from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.plan import Disk, LabPlan, MachinePlan, Start, plan_machine
from appliance.lab.qemu import netdev
from appliance.lab.redact import redact
from appliance.lab.report import last_lines, timeline_lines
from appliance.lab.run import listen

FOREIGN_BYTES = 64 << 20
ROOT_DISK = 'lsblk -dno SERIAL "/dev/$(lsblk -no PKNAME "$(findmnt -no SOURCE /)")"'
MARKER = "/root/marker"
OUR_NETDEV = netdev(1)

Item = dict[str, Any]


def plan(index: int, firmware: Any) -> MachinePlan:
    """Machine ``index`` with a small foreign disk before the target, and an interface to nowhere before ours.

    UEFI asks an interface with a link for minutes, in four ways: its first one has no cable.
    """
    machine = plan_machine(index, firmware, disks=2, nics=2)
    foreign, target = machine.disks
    elsewhere, ours = machine.nics
    disks: tuple[Disk, ...] = (replace(foreign, size=FOREIGN_BYTES), target)
    return replace(machine, disks=disks, nics=(replace(elsewhere, connected=False, cable=firmware == "bios"), ours))


@dataclass
class Facts:
    """What was seen of one machine, in the order of the story."""

    firmware: str
    target: str = ""
    """Serial number of the deployment's disk."""
    arrived: Item = field(default_factory=dict)
    """The machine as the API showed it when it was idle first."""
    failed: Item = field(default_factory=dict)
    """... and when it was back after its power was cut; only of the machine that this happened to."""
    attempts: list[str] = field(default_factory=list)
    """Ids of the attempts that deployed it."""
    root_disks: list[str] = field(default_factory=list)
    """Serial number of the disk with the root file system, after each start of the deployed system."""
    boot_ids: list[str] = field(default_factory=list)
    """Boot ids that the deployed system itself tells, after each start."""
    markers: list[str] = field(default_factory=list)
    """What the file holds that was written before the first restart."""
    boot_variables: str = ""
    """Of UEFI, as the deployment left them."""
    said_alone: str = ""
    """Serial console while the appliance was away."""
    foreign_before: bytes = b""
    foreign_after: bytes = b""
    timeline: list[Item] = field(default_factory=list)
    """Oldest first."""

    def events(self, kind: str) -> list[Item]:
        """Its events of one kind, oldest first."""
        return [item for item in self.timeline if item["kind"] == kind]


class Teller:
    """Lives the day of all machines, chapter by chapter; each runs on all machines at once."""

    def __init__(self, lab: Lab, user: Administrator) -> None:
        self._lab = lab
        self._user = user
        self._started = time.monotonic()
        self._operators = [Operator(lab, user.api, each, f"web-{each.name}", self._say) for each in lab.machines]
        self.facts = {each.name: Facts(each.plan.firmware, each.plan.disks[1].serial) for each in lab.machines}

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f} {text}", flush=True)

    async def tell(self) -> None:
        """The whole story; raises ApplianceError or TimeoutError where it takes a wrong turn."""
        await self._each(self._arrive)
        await self._each(self._begin_writing)
        await self._daemon_dies_in_mid_write()
        await self._each(self._become_a_system)
        await self._live_alone()
        await self._each(self._look_back)

    async def _each(self, chapter: Callable[[Operator, Facts], Awaitable[None]]) -> None:
        self._say(f"--- {chapter.__name__.strip('_').replace('_', ' ')}")
        async with asyncio.TaskGroup() as group:
            for operator in self._operators:
                group.create_task(self._chapter(chapter, operator))

    async def _chapter(self, chapter: Callable[[Operator, Facts], Awaitable[None]], operator: Operator) -> None:
        try:
            await chapter(operator, self.facts[operator.machine.name])
        except (ApplianceError, TimeoutError) as error:
            error.add_note(await self._circumstances(operator))
            raise

    async def _circumstances(self, operator: Operator) -> str:
        timeline = timeline_lines(await operator.timeline())
        serial = last_lines(operator.machine.serial_text())
        daemon = self._lab.directory.daemon_log.read_text(errors="replace").splitlines()[-20:]
        return redact("\n  ".join([f"on {operator.machine.name}:", *timeline, "serial:", *serial, "daemon:", *daemon]))

    async def _arrive(self, operator: Operator, facts: Facts) -> None:
        facts.foreign_before = os.urandom(FOREIGN_BYTES)
        await asyncio.to_thread(self._foreign(operator).write_bytes, facts.foreign_before)
        facts.arrived = dict(await operator.become_idle())
        await operator.change(maintenance=False)

    def _foreign(self, operator: Operator) -> Path:
        return self._lab.directory.path / operator.machine.plan.disks[0].file

    async def _begin_writing(self, operator: Operator, facts: Facts) -> None:
        await operator.deploy(self._user.public_key, facts.target)
        seen = await operator.wait_for(_is_writing, DEPLOY_SECONDS)
        facts.attempts.append(seen["attempt"]["id"])

    async def _daemon_dies_in_mid_write(self) -> None:
        self._say("--- the daemon is killed and started again")
        await self._lab.daemon_kill()
        await self._lab.daemon_start()

    async def _become_a_system(self, operator: Operator, facts: Facts) -> None:
        """Each at its own pace: neither needs the other for it, nor a rest of the computer that both are made of."""
        await self._finish_writing(operator, facts)
        await self._first_login(operator, facts)
        await self._restart_itself(operator, facts)

    async def _finish_writing(self, operator: Operator, facts: Facts) -> None:
        """The BIOS machine loses its power meanwhile, and is told to try again."""
        if facts.firmware == "bios":
            await operator.wait_for(_is_writing, DEPLOY_SECONDS)
            await operator.machine.kill()
            await operator.machine.power_on()
            facts.failed = dict(await operator.wait("failed", BOOT_SECONDS))
            await operator.act("retry")
            await operator.wait_for(lambda seen: seen["state"] == "deploying", BOOT_SECONDS, may_fail=True)
        active = await operator.wait("active", BOOT_SECONDS + DEPLOY_SECONDS)
        facts.attempts.append(active["attempt"]["id"])

    async def _first_login(self, operator: Operator, facts: Facts) -> None:
        await operator.log_in(f"echo {facts.target} > {MARKER} && sync")
        await self._look_inside(operator, facts)
        if facts.firmware == "uefi":
            # Before firmware runs again: QEMU's sorts the entries by what QEMU says, at each of its starts.
            facts.boot_variables = (await operator.log_in(READ_VARIABLES)).stdout

    async def _look_inside(self, operator: Operator, facts: Facts) -> None:
        command = f"{ROOT_DISK}; cat /proc/sys/kernel/random/boot_id {MARKER}"
        root_disk, boot_id, marker = (await operator.log_in(command)).stdout.split()
        facts.root_disks.append(root_disk)
        facts.boot_ids.append(boot_id)
        facts.markers.append(marker)

    async def _restart_itself(self, operator: Operator, facts: Facts) -> None:
        await operator.log_in("systemctl --no-block reboot")
        await self._reported_anew(operator, facts)
        await self._look_inside(operator, facts)

    async def _reported_anew(self, operator: Operator, facts: Facts) -> None:
        """Wait until the resident reports a start of the system that was not seen before."""

        async def probe() -> bool | None:
            reported = {_boot_id(item) for item in await operator.timeline() if item["kind"] == "resident.active"}
            return True if reported - set(facts.boot_ids) else None

        async with asyncio.timeout(BOOT_SECONDS):
            await until(probe)

    async def _live_alone(self) -> None:
        """The appliance is off, the machines lose their power, and nobody is there to tell them what to boot."""
        self._say("--- the appliance is switched off")
        await self._lab.daemon_stop()
        await self._each(self._start_alone)
        self._say("--- the appliance is switched on")
        await self._lab.daemon_start()
        await self._each(self._come_back)

    async def _start_alone(self, operator: Operator, facts: Facts) -> None:
        """UEFI asks the network in four ways, a minute each; after the first the switch goes dark as well."""
        before = len(operator.machine.serial_text())

        async def said(text: str) -> bool | None:
            facts.said_alone = operator.machine.serial_text()[before:]
            return True if text in facts.said_alone else None

        await operator.machine.kill()
        # A BIOS tries one disk only, the one that its owner puts first in its set-up.
        await operator.machine.power_on(Start(first_disk=1 if facts.firmware == "bios" else 0))
        async with asyncio.timeout(BOOT_SECONDS):
            if facts.firmware == "uefi":
                await until(lambda: said("Start PXE over IPv6"))
                await operator.machine.qmp("set_link", name=OUR_NETDEV, up=False)
            await until(lambda: said(" login:"))
        self._say(f"{operator.machine.name}: up without the appliance")

    async def _come_back(self, operator: Operator, facts: Facts) -> None:
        await operator.machine.qmp("set_link", name=OUR_NETDEV, up=True)
        await self._reported_anew(operator, facts)
        await self._look_inside(operator, facts)

    async def _look_back(self, operator: Operator, facts: Facts) -> None:
        facts.foreign_after = await asyncio.to_thread(self._foreign(operator).read_bytes)
        facts.timeline = sorted(await operator.timeline(), key=lambda item: (item["at"], item["id"]))


def _is_writing(seen: Any) -> bool:
    """Whether the image is being written, and more than its first part is on the disk."""
    attempt = seen["attempt"]
    return bool(attempt and attempt["step"] == "write-image" and attempt["progress"] > 0.05)


def _boot_id(item: Item) -> str:
    return str(item["detail"]["boot_id"])


async def live_through(base: Path, names: Collection[str]) -> dict[str, Facts]:
    """Tell the story of the machines of these names in a new lab below ``base``; the facts by name of the machine."""
    daemon = (await build()).plan()
    machines = tuple(each for each in (plan(0, "bios"), plan(1, "uefi")) if each.name in names)
    with listen(None) as web:
        lab = Lab(LabPlan(machines, daemon=daemon), web=web, base=base)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            teller = Teller(lab, user)
            await teller.tell()
            return teller.facts
