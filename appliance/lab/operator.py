"""What a person does with one machine of a lab: at the console, at its power button, in its deployed system."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import Api
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.plan import APPLIANCE_ADDRESS, DOMAIN
from appliance.lab.process import Finished
from appliance.lab.report import clean
from appliance.lab.switches import settings

BOOT_SECONDS = 600
"""From power-on, or restart, to the maintenance stack's agent; emulated, on a computer that does other things."""
DEPLOY_SECONDS = 600
LOGIN_SECONDS = 180
"""From active to a login: sshd and the name server may follow the resident a little later."""
POLL_SECONDS = 1.0

T = TypeVar("T")
Say = Callable[[str], None]
Seen = Mapping[str, Any]
"""A machine as the API shows it."""


async def until(probe: Callable[[], Awaitable[T | None]]) -> T:
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


class Operator:
    """Steers one machine and the one deployment on it. Waits have deadlines and end in TimeoutError."""

    def __init__(self, lab: Lab, api: Api, machine: LabMachine, deployment: str, say: Say) -> None:
        self._lab = lab
        self._api = api
        self._say = say
        self._shown = ""
        self._login_trouble = ""
        self._switched = False
        self.machine = machine
        self.deployment = deployment
        """Name of the deployment that ``deploy`` makes."""
        self.id = ""
        """The machine's id, once it is known to the appliance."""

    async def become_idle(self) -> Seen:
        """Power on and wait until the machine stands in the console as idle, with its inventory."""
        await self.machine.power_on()
        async with asyncio.timeout(BOOT_SECONDS):
            self.id = str((await until(self._find))["id"])
        return await self.wait("idle", BOOT_SECONDS)

    async def _find(self) -> dict[str, Any] | None:
        """The appliance's machine with one of our MAC addresses."""
        ours = {nic.mac for nic in self.machine.plan.nics}
        for item in await self._api.items("/machines"):
            if ours & set(item["macs"]):
                return item
        return None

    async def change(self, **values: Any) -> None:
        """Change what users may change of a machine, such as ``maintenance``."""
        await self._api.patch(f"/machines/{self.id}", **values)

    async def deploy(self, public_key: str, disk: str | None = None) -> None:
        """Make a deployment of the demo image on this machine, and start it; ``disk`` is a serial number."""
        await self._api.post(
            "/deployments",
            name=self.deployment,
            image=await self._demo_image(),
            delivery="disk",
            machine=self.id,
            disk=disk,
            ssh_keys=[public_key],
            wipe_on_release=False,
        )
        await self.act("start")

    async def _demo_image(self) -> str:
        images = await self._api.items("/images")
        if not images:
            raise ApplianceError("lab-image", "the demo image is not in the catalogue")
        return str(images[0]["name"])

    async def act(self, action: str) -> None:
        """Ask what it would do, agree to that, and do it; raises ``lab-refused``."""
        path = f"/deployments/{self.deployment}"
        consequences = await self._api.get(f"{path}/consequences", action=action)
        if consequences["refused"]:
            raise ApplianceError("lab-refused", f"{action} is refused: {consequences['refused']}")
        self._say(f"{self.machine.name}: {action}: {clean(' '.join(consequences['texts']))}")
        agreed = {"confirm": consequences["confirm"], "content": consequences["content"]}
        await self._api.post(f"{path}/{action}", **agreed)

    async def wait(self, state: str, seconds: float) -> Seen:
        """Wait for a state; raises ``lab-failed`` with the reason when the machine fails instead."""
        return await self.wait_for(lambda seen: seen["state"] == state, seconds, may_fail=state == "failed")

    async def wait_for(self, condition: Callable[[Seen], bool], seconds: float, *, may_fail: bool = False) -> Seen:
        """Wait until ``condition`` holds for the machine, switching it on where it switched itself off."""

        async def probe() -> Seen | None:
            seen = await self.look()
            if seen["state"] == "failed" and not may_fail:
                raise ApplianceError("lab-failed", seen["failed_reason"] or "the machine failed")
            await self._press_power()
            return seen if condition(seen) else None

        async with asyncio.timeout(seconds):
            return await until(probe)

    async def give_switch(self) -> None:
        """Let the appliance switch the machine: from then on nobody presses its power button."""
        await self._api.put(f"/machines/{self.id}/power", **settings(self._lab.directory, self.machine.name))
        self._switched = True

    async def _press_power(self) -> None:
        """A machine without a power switch, that switched itself off, is switched on as a person would."""
        if not self._switched and not (await self.machine.status())["running"]:
            self._say(f"{self.machine.name}: is off, switching it on")
            await self.machine.power_on()

    async def look(self) -> Seen:
        """The machine as the API shows it now; says what has changed."""
        machine: Seen = await self._api.get(f"/machines/{self.id}")
        shown = " ".join([machine["state"], *_progress(machine["attempt"])])
        if shown != self._shown:
            self._shown = shown
            self._say(f"{self.machine.name}: {clean(shown)}")
        return machine

    async def log_in(self, command: str) -> Finished:
        """Run ``command`` in the deployed system: by its name, with the key, and the host key checked.

        Raises ``lab-login`` with the last trouble when that does not work in time.
        """
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                return await until(lambda: self._try_login(command))
        except TimeoutError:
            raise ApplianceError("lab-login", f"no login: {self._login_trouble}") from None

    async def _try_login(self, command: str) -> Finished | None:
        address = await self.resolve()
        host_keys = (await self._api.get(f"/deployments/{self.deployment}"))["host_keys"]
        if not address or not host_keys:
            self._login_trouble = "the console shows no host keys" if address else "its name does not resolve"
            return None
        hosts = self._lab.directory.path / f"{self.machine.name}.known_hosts"
        await asyncio.to_thread(hosts.write_text, ssh.known_hosts(address, host_keys))
        finished = await self._lab.run(ssh.strict_argv(self._lab.directory.ssh_key, hosts, address, command))
        self._login_trouble = finished.stderr.strip()[-500:]
        return finished if finished.status == 0 else None

    async def resolve(self) -> str:
        """The address of the deployment's name, from the appliance's name server; empty when there is none."""
        name = f"{self.deployment}.{DOMAIN}"
        answer = await self._lab.run(["dig", "+short", "+time=3", "+tries=2", f"@{APPLIANCE_ADDRESS}", name, "A"])
        lines = answer.stdout.split() if answer.status == 0 else []
        return lines[-1] if lines else ""

    async def timeline(self) -> list[dict[str, Any]]:
        """The machine's events, newest first; none when there is no machine or no answer."""
        try:
            return await self._api.pages(f"/machines/{self.id}/timeline") if self.id else []
        except ApplianceError as error:
            self._say(f"{self.machine.name}: its timeline cannot be read: {error.message}")
            return []

    async def states(self) -> tuple[str | None, str | None]:
        """State of the machine and of its deployment; None for what is not there."""
        machine = await self._state(f"/machines/{self.id}") if self.id else None
        return machine, await self._state(f"/deployments/{self.deployment}")

    async def _state(self, path: str) -> str | None:
        try:
            return str((await self._api.get(path))["state"])
        except (ApplianceError, KeyError):
            return None
