"""The main job on one machine: from power-on to deployed, stopped, started again and given back."""

import asyncio
import secrets
import time

from appliance.errors import ApplianceError
from appliance.lab.api import Api
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, Say, Seen
from appliance.lab.phases import seconds_per_phase
from appliance.lab.plan import MachinePlan
from appliance.lab.process import Finished
from appliance.lab.report import Failure, Outcome, clean

MARKER = "/root/marker-of-the-check"


class MachineCheck:
    """The main job on one machine."""

    def __init__(self, lab: Lab, api: Api, machine: LabMachine, public_key: str, say: Say) -> None:
        self._operator = Operator(lab, api, machine, f"check-{machine.name}", say)
        self._machine = machine
        self._public_key = public_key
        self._say = say
        self._marker = secrets.token_hex(16)
        self._phase = "power-on"

    async def run(self, deadline: float) -> Outcome:
        """Do it all within ``deadline`` seconds; what goes wrong is in the outcome, never raised."""
        failure: Failure | None = None
        try:
            async with asyncio.timeout(deadline):
                await self._main_job()
        except TimeoutError:
            failure = self._failed("it took too long")
        except ApplianceError as error:
            failure = self._failed(f"{error.message} {error.hint}".strip())
        return await self._outcome(failure)

    async def _main_job(self) -> None:
        await self._become_idle()
        await self._deploy()
        await self._log_in(f"echo {self._marker} > {MARKER} && sync")
        await self._stop_and_start()
        found = await self._log_in(f"cat {MARKER}")
        if found.stdout.strip() != self._marker:
            raise ApplianceError("lab-data", f"the file written before the stop holds {found.stdout[:100]!r} now")
        await self._release()

    async def _become_idle(self) -> None:
        self._phase = "idle"
        require_inventory(await self._operator.become_idle(), self._machine.plan)
        await self._operator.change(maintenance=False)

    async def _deploy(self) -> None:
        self._phase = "active"
        await self._operator.deploy(self._public_key)
        await self._operator.wait("active", DEPLOY_SECONDS)

    async def _stop_and_start(self) -> None:
        self._phase = "stopped"
        await self._operator.act("stop")
        await self._operator.wait("stopped", BOOT_SECONDS)
        self._phase = "active-again"
        await self._operator.act("start")
        await self._operator.wait("active", DEPLOY_SECONDS)

    async def _release(self) -> None:
        self._phase = "idle-again"
        await self._operator.act("release")
        await self._operator.wait("idle", BOOT_SECONDS)

    async def _log_in(self, command: str) -> Finished:
        reached, self._phase = self._phase, f"login after {self._phase}"
        finished = await self._operator.log_in(command)
        self._phase = reached
        return finished

    def _failed(self, reason: str) -> Failure:
        self._say(f"{self._machine.name}: FAILED at {self._phase}: {clean(reason)}")
        return Failure(self._phase, reason, self._machine.serial_text())

    async def _outcome(self, failure: Failure | None) -> Outcome:
        plan = self._machine.plan
        timeline = await self._operator.timeline()
        powered_on_at = (await self._machine.status())["powered_on_at"] or time.time()
        machine_state, deployment_state = await self._operator.states()
        return Outcome(
            plan.name,
            plan.firmware,
            machine_state=machine_state,
            deployment_state=deployment_state,
            seconds=seconds_per_phase(timeline, powered_on_at),
            failure=failure,
            timeline=timeline,
        )


def require_inventory(machine: Seen, plan: MachinePlan) -> None:
    """Raise ``lab-inventory`` unless a new machine is in maintenance and known as it is plugged together.  Pure."""
    if machine["maintenance"] is not True:
        raise ApplianceError("lab-inventory", "a new machine is not in maintenance")
    inventory = machine["inventory"]
    found = (
        inventory["firmware"],
        inventory["system"]["serial"],
        inventory["system"]["uuid"].lower(),
        sorted((disk["serial"], disk["bytes"]) for disk in inventory["disks"]),
        {nic["mac"] for nic in inventory["nics"]} >= {nic.mac for nic in plan.nics},
    )
    there = sorted((disk.serial, disk.size) for disk in plan.disks)
    wanted = (plan.firmware, plan.serial, plan.uuid, there, True)
    if found != wanted:
        raise ApplianceError("lab-inventory", f"the inventory says {found}, the machine has {wanted}")
