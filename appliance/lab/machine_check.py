"""The main job on one machine: from power-on to deployed, stopped, started again and given back."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import Api
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.phases import seconds_per_phase
from appliance.lab.plan import APPLIANCE_ADDRESS, DOMAIN
from appliance.lab.process import Finished
from appliance.lab.report import Failure, Outcome, clean

BOOT_SECONDS = 600
"""From power-on, or restart, to the maintenance stack's agent; emulated, on a computer that does other things."""
DEPLOY_SECONDS = 600
LOGIN_SECONDS = 180
"""From active to a login: sshd and the name server may follow the resident a little later."""
POLL_SECONDS = 1.0

MARKER = "/root/marker-of-the-check"

T = TypeVar("T")
Say = Callable[[str], None]


async def _until(probe: Callable[[], Awaitable[T | None]]) -> T:
    """Ask again and again until there is an answer; the caller sets the deadline."""
    while (found := await probe()) is None:  # noqa: ASYNC110 - what is waited for is behind an API
        await asyncio.sleep(POLL_SECONDS)
    return found


def _progress(attempt: dict[str, Any] | None) -> list[str]:
    """How far a live attempt is, in words."""
    if attempt is None or attempt["status"] != "live":
        return []
    tenths = int(attempt["progress"] * 10)
    return [f"({attempt['label']}{f', {tenths}0%' if tenths else ''})"]


class MachineCheck:
    """The main job on one machine."""

    def __init__(self, lab: Lab, api: Api, machine: LabMachine, public_key: str, say: Say) -> None:
        self._lab = lab
        self._api = api
        self._machine = machine
        self._public_key = public_key
        self._say = say
        self._id = ""
        self._deployment = f"check-{machine.name}"
        self._marker = secrets.token_hex(16)
        self._phase = "power-on"
        self._shown = ""
        self._login_trouble = ""

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
        await self._machine.power_on()
        async with asyncio.timeout(BOOT_SECONDS):
            mine = await _until(self._find)
        self._id = str(mine["id"])
        await self._wait_machine("idle", BOOT_SECONDS)
        await self._check_inventory()
        await self._api.patch(f"/machines/{self._id}", maintenance=False)

    async def _find(self) -> dict[str, Any] | None:
        """The appliance's machine with one of our MAC addresses."""
        ours = {nic.mac for nic in self._machine.plan.nics}
        for item in await self._api.items("/machines"):
            if ours & set(item["macs"]):
                return item
        return None

    async def _check_inventory(self) -> None:
        machine = await self._api.get(f"/machines/{self._id}")
        if machine["maintenance"] is not True:
            raise ApplianceError("lab-inventory", "a new machine is not in maintenance")
        inventory = machine["inventory"]
        plan = self._machine.plan
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

    async def _deploy(self) -> None:
        self._phase = "active"
        await self._api.post(
            "/deployments",
            name=self._deployment,
            image=await self._demo_image(),
            delivery="disk",
            machine=self._id,
            ssh_keys=[self._public_key],
            wipe_on_release=False,
        )
        await self._act("start")
        await self._wait_machine("active", DEPLOY_SECONDS)

    async def _demo_image(self) -> str:
        images = await self._api.items("/images")
        if not images:
            raise ApplianceError("lab-image", "the demo image is not in the catalogue")
        return str(images[0]["name"])

    async def _stop_and_start(self) -> None:
        self._phase = "stopped"
        await self._act("stop")
        await self._wait_machine("stopped", BOOT_SECONDS)
        self._phase = "active-again"
        await self._act("start")
        await self._wait_machine("active", DEPLOY_SECONDS)

    async def _release(self) -> None:
        self._phase = "idle-again"
        await self._act("release")
        await self._wait_machine("idle", BOOT_SECONDS)

    async def _act(self, action: str) -> None:
        """Ask what it would do, agree to that, and do it."""
        path = f"/deployments/{self._deployment}"
        consequences = await self._api.get(f"{path}/consequences", action=action)
        if consequences["refused"]:
            raise ApplianceError("lab-refused", f"{action} is refused: {consequences['refused']}")
        self._say(f"{self._machine.name}: {action}: {clean(' '.join(consequences['texts']))}")
        await self._api.post(f"{path}/{action}", confirm=consequences["confirm"])

    async def _wait_machine(self, state: str, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await _until(lambda: self._reached(state))

    async def _reached(self, state: str) -> bool | None:
        machine = await self._look()
        if machine["state"] == "failed":
            raise ApplianceError("lab-failed", machine["failed_reason"] or "the machine failed")
        await self._press_power()
        return True if machine["state"] == state else None

    async def _press_power(self) -> None:
        """The lab has no remote power: a machine that switched itself off is switched on as a person would."""
        if not (await self._machine.status())["running"]:
            self._say(f"{self._machine.name}: is off, switching it on")
            await self._machine.power_on()

    async def _look(self) -> dict[str, Any]:
        machine: dict[str, Any] = await self._api.get(f"/machines/{self._id}")
        shown = " ".join([machine["state"], *_progress(machine["attempt"])])
        if shown != self._shown:
            self._shown = shown
            self._say(f"{self._machine.name}: {clean(shown)}")
        return machine

    async def _log_in(self, command: str) -> Finished:
        """Run ``command`` in the deployed system: by its name, with the key, and the host key checked."""
        reached, self._phase = self._phase, f"login after {self._phase}"
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                finished = await _until(lambda: self._try_login(command))
        except TimeoutError:
            raise ApplianceError("lab-login", f"no login: {self._login_trouble}") from None
        self._phase = reached
        return finished

    async def _try_login(self, command: str) -> Finished | None:
        address = await self._resolve()
        host_keys = (await self._api.get(f"/deployments/{self._deployment}"))["host_keys"]
        if not address or not host_keys:
            self._login_trouble = "the console shows no host keys" if address else "its name does not resolve"
            return None
        hosts = self._lab.directory.path / f"{self._machine.name}.known_hosts"
        await asyncio.to_thread(hosts.write_text, ssh.known_hosts(address, host_keys))
        finished = await self._lab.run(ssh.strict_argv(self._lab.directory.ssh_key, hosts, address, command))
        self._login_trouble = finished.stderr.strip()[-500:]
        return finished if finished.status == 0 else None

    async def _resolve(self) -> str:
        """The address of the deployment's name, from the appliance's name server; empty when there is none."""
        name = f"{self._deployment}.{DOMAIN}"
        answer = await self._lab.run(["dig", "+short", "+time=3", "+tries=2", f"@{APPLIANCE_ADDRESS}", name, "A"])
        lines = answer.stdout.split() if answer.status == 0 else []
        return lines[-1] if lines else ""

    async def _timeline(self) -> list[dict[str, Any]]:
        """Its events; none when there is no machine or no answer."""
        try:
            return await self._api.pages(f"/machines/{self._id}/timeline") if self._id else []
        except ApplianceError as error:
            self._say(f"{self._machine.name}: its timeline cannot be read: {error.message}")
            return []

    def _failed(self, reason: str) -> Failure:
        self._say(f"{self._machine.name}: FAILED at {self._phase}: {clean(reason)}")
        return Failure(self._phase, reason, self._machine.serial_text())

    async def _outcome(self, failure: Failure | None) -> Outcome:
        plan = self._machine.plan
        timeline = await self._timeline()
        powered_on_at = (await self._machine.status())["powered_on_at"] or time.time()
        return Outcome(
            plan.name,
            plan.firmware,
            machine_state=await self._state(f"/machines/{self._id}") if self._id else None,
            deployment_state=await self._state(f"/deployments/{self._deployment}"),
            seconds=seconds_per_phase(timeline, powered_on_at),
            failure=failure,
            timeline=timeline,
        )

    async def _state(self, path: str) -> str | None:
        try:
            return str((await self._api.get(path))["state"])
        except (ApplianceError, KeyError):
            return None
