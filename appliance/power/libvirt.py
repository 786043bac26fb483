"""A VM of a host that runs libvirt, through ``virsh``.

In a process of its own: a host that hangs keeps one process busy, which is ended, and no thread of ours. Remote
hosts are logged in to by SSH, with the key of the user that the appliance runs as.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from appliance.command import said
from appliance.errors import ApplianceError
from appliance.power.tolerant import ordered
from appliance.power.words import shown
from appliance.power_switch import PowerError, PowerSettings, PowerState

SECONDS = 20.0
"""For one command."""
NOTE = "urn:qrm-appliance:power"
"""The namespace of the note in a VM's definition that its next start is to be from the network."""
NOTE_SECONDS = 600.0
"""How long that note is good for: what a start was armed for long ago must not happen to a later one."""

ENVIRONMENT = {"LC_ALL": "C", "LANGUAGE": "C"}
KEYS = "let the SSH key of the appliance's user log in there, and the host's own key be known here"
GROUP = "put the appliance's user into the group libvirt"
REFUSED = ("authentication failed", "permission denied", "access denied", "host key verification failed")
UNREACHABLE = ("failed to connect", "cannot recv data", "connection refused", "no route to host", "end of file")
ON = frozenset({"running", "idle", "paused", "in shutdown", "pmsuspended", "crashed"})
"""Also what has crashed: its process may be kept, and its disks open with it."""


@dataclass(frozen=True, slots=True)
class Libvirt:
    """A VM by its name or UUID."""

    settings: PowerSettings
    clock: Callable[[], float] = time.time

    async def observe(self) -> PowerState:
        """``virsh domstate``."""
        return power_state(await self._virsh("domstate"))

    async def on(self) -> None:
        """``virsh start``, or with the network first where that was noted."""
        await ordered(self._start, self.observe, PowerState.ON)

    async def off(self) -> None:
        """``virsh destroy``: the plug, not the disk."""
        await ordered(self._destroy, self.observe, PowerState.OFF)

    async def cycle(self) -> None:
        """Off and on: a reset by libvirt would keep the boot order of the process that runs."""
        await self.off()
        await self._start()

    async def check_start(self, network: bool, uefi: bool) -> None:
        """A VM without a stored definition is gone with its process; from the network starts what has an interface.

        Raises PowerError ``power-unsupported``.
        """
        if await self._fact("Persistent:") != "yes":
            text = f"the VM {self.settings.system} has no stored definition: it would be gone once it is off"
            raise PowerError("power-unsupported", text, "define it on its host, then start it again")
        if network:
            _network_first(await self._definition())

    async def boot_network_once(self, uefi: bool) -> None:
        """Notes it in the VM's stored definition; a VM has one firmware, so ``uefi`` changes nothing.

        Raises PowerError ``power-unsupported`` for a VM without a stored definition, or without an interface.
        """
        await self.check_start(True, uefi)
        note = f"<network-once at='{int(self.clock())}'/>"
        await self._virsh("metadata", NOTE, "--set", note, "--key", "qrm", "--config")

    async def _start(self) -> None:
        """One start by a changed copy of the definition, which libvirt keeps for that start only."""
        if not await self._noted():
            await self._virsh("start")
            return
        changed = _network_first(await self._definition())
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".xml") as copy:  # readable by us only
            copy.write(changed)
            copy.flush()
            await self._run(["create", copy.name])
        with contextlib.suppress(PowerError):  # it started; a note that stays is too old in ten minutes
            await self._virsh("metadata", NOTE, "--remove", "--config")

    async def _destroy(self) -> None:
        await self._virsh("destroy")

    async def _noted(self) -> bool:
        from appliance.power.domain_xml import noted_at

        try:
            return 0 <= self.clock() - noted_at(await self._virsh("metadata", NOTE, "--config")) <= NOTE_SECONDS
        except (PowerError, ValueError):
            return False  # no note, or none that we wrote; what keeps us from reading it keeps us from starting, too

    async def _fact(self, name: str) -> str:
        lines = (await self._virsh("dominfo")).splitlines()
        return next((line.removeprefix(name).strip() for line in lines if line.startswith(name)), "")

    async def _definition(self) -> str:
        return await self._virsh("dumpxml", "--inactive", "--security-info")

    async def _virsh(self, command: str, *words: str) -> str:
        return await self._run([command, "--domain", self.settings.system, *words])

    async def _run(self, words: list[str]) -> str:
        argv = ["virsh", "--quiet", "--connect", address(self.settings), *words]
        try:
            return await said(argv, ENVIRONMENT, SECONDS)
        except ApplianceError as error:
            raise reason(error, self.settings) from None


def _network_first(definition: str) -> str:
    from appliance.power.domain_xml import network_first  # the daemon at rest does without a parser of XML

    return network_first(definition)


def address(settings: PowerSettings) -> str:
    """The host as libvirt is to be told of it: its ssh has nobody to ask for a password."""
    return f"{settings.address}?no_tty=1" if settings.address.startswith("qemu+ssh:") else settings.address


def power_state(words: str) -> PowerState:
    """The state in what ``virsh domstate`` said."""
    state = words.strip()
    if state == "shut off":
        return PowerState.OFF
    return PowerState.ON if state in ON else PowerState.UNKNOWN


def reason(error: ApplianceError, settings: PowerSettings) -> PowerError:
    """What went wrong, in our words."""
    if error.code == "program-missing":
        return PowerError("power-failed", error.message, "install the package libvirt-clients on the appliance")
    low, words = error.message.lower(), shown(error.message.partition("error: ")[2] or error.message)
    if any(each in low for each in REFUSED):
        hint = KEYS if settings.address.startswith("qemu+ssh:") else GROUP
        return PowerError("power-refused", f"the host {settings.address} does not let us in: {words}", hint)
    if error.code == "program-stuck" or any(each in low for each in UNREACHABLE):
        text = f"the host {settings.address} does not answer: {words}"
        return PowerError("power-unreachable", text, "look at the host, and at libvirt on it")
    if "failed to get domain" in low:
        text = f"the host {settings.address} has no VM {settings.system!r}"
        return PowerError("power-failed", text, "use its name or UUID as 'virsh list --all' shows it", "system")
    return PowerError("power-failed", f"the host {settings.address} refused: {words}", "look at libvirt's log there")
