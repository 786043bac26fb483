"""IPMI 2.0 over LAN (RMCP+), spoken by ``ipmitool``.

A program rather than a library: BSD-licensed, in Debian, and what fleets have met every vendor's controller with.
Its password comes by the environment, which only we and root can read; its arguments can be read by everybody.
"""

from dataclasses import dataclass, field
from pathlib import Path

from appliance.command import said
from appliance.errors import ApplianceError
from appliance.power.tolerant import ordered
from appliance.power.words import shown
from appliance.power_switch import CIPHER_SUITES, PRIVILEGES, PowerError, PowerSettings, PowerState, port_of

SECONDS = 30.0
"""For one command, its session included."""
RETRY_SECONDS, RETRIES = 2, 3
"""A packet is sent again after so long, so often: controllers are slow, and lose packets while they think."""

REFUSED = ("rakp 2 hmac is invalid", "unauthorized name", "invalid role", "insufficient privilege", "session privilege")
"""What ``ipmitool -v`` writes when user, password or privilege are wrong (1.8.18 and 1.8.19)."""
NO_SUITE = ("authentication algorithm", "integrity algorithm", "confidentiality algorithm", "cipher suite id")
UNREACHABLE = ("unable to establish", "address lookup for", "could not open socket", "no route to host", "no response")


@dataclass(frozen=True, slots=True)
class Ipmi:
    """A controller that speaks IPMI 2.0."""

    settings: PowerSettings
    secret: str = field(repr=False)

    async def observe(self) -> PowerState:
        """Asks for the status of the chassis (IPMI 2.0, section 28.2)."""
        return power_state(await self._chassis("power", "status"))

    async def on(self) -> None:
        """Chassis control: power up (section 28.3)."""
        await ordered(lambda: self._order("power", "on"), self.observe, PowerState.ON)

    async def off(self) -> None:
        """Chassis control: power down, hard."""
        await ordered(lambda: self._order("power", "off"), self.observe, PowerState.OFF)

    async def cycle(self) -> None:
        """Chassis control: power cycle, which has no effect on what is off: that is switched on."""
        if await self.observe() is PowerState.OFF:
            await self.on()
        else:
            await self._order("power", "cycle")

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Nothing speaks against it: a controller tells what it cannot do only by refusing to do it."""

    async def boot_network_once(self, uefi: bool) -> None:
        """System boot options, parameter 5: force PXE, valid for the next boot only (section 28.13)."""
        await self._order("bootdev", "pxe", *(("options=efiboot",) if uefi else ()))

    async def _order(self, *words: str) -> None:
        await self._chassis(*words)

    async def _chassis(self, *words: str) -> str:
        """Tries the better suite first; a controller that does not know it says so at once."""
        try:
            return await self._said(words, self.settings.cipher_suite or CIPHER_SUITES[0])
        except PowerError as error:
            if self.settings.cipher_suite or error.field != "cipher_suite":
                raise
        return await self._said(words, CIPHER_SUITES[1])

    async def _said(self, words: tuple[str, ...], suite: int) -> str:
        environment = {PASSWORD: self.secret, "HOME": str(HOME)}
        try:
            return await said([*arguments(self.settings, suite), "chassis", *words], environment, SECONDS)
        except ApplianceError as error:
            raise reason(error, self.settings.address, self.secret) from None


PASSWORD = "IPMITOOL_PASSWORD"  # noqa: S105  the variable's name: the first that -E looks for
HOME = Path(__file__).with_name("ipmitool_home")
"""Has a list of makers with one entry. ``ipmitool`` reads that of the system else, 5 MB, three quarters of its time."""


def arguments(settings: PowerSettings, suite: int) -> list[str]:
    """How ``ipmitool`` is called: quiet enough to show no key (that begins at ``-vv``), wordy enough to say why.

    Always with a suite: ``ipmitool`` would ask for the best, which some controllers leave unanswered for 8 seconds.
    """
    pace = ["-N", str(RETRY_SECONDS), "-R", str(RETRIES)]
    session = ["-U", settings.user, "-L", (settings.privilege or PRIVILEGES[0]).upper(), "-C", str(suite), *pace]
    return ["ipmitool", "-v", "-I", "lanplus", "-H", settings.address, "-p", str(port_of(settings)), "-E", *session]


def power_state(words: str) -> PowerState:
    """The state in what ``ipmitool chassis power status`` said; raises PowerError for anything else."""
    sentence, found = words.strip().lower().rpartition("chassis power is ")[1:]
    if not sentence or found not in ("on", "off"):
        raise PowerError("power-failed", f"the controller's answer makes no sense: {shown(words)}", "look at it")
    return PowerState(found)


def last_words(text: str) -> str:
    """The last line: those before it tell how ``ipmitool`` itself begins."""
    return text.strip().rpartition("\n")[2]


def reason(error: ApplianceError, address: str, secret: str) -> PowerError:
    """What went wrong, in our words."""
    if error.code == "program-missing":
        return PowerError("power-failed", error.message, "install the package ipmitool on the appliance")
    words = shown(last_words(error.message.partition(": ")[2]), secret)
    low = error.message.lower()
    if any(each in low for each in REFUSED):
        text = f"the controller {address} does not accept this user and password, or not with this privilege"
        return PowerError("power-refused", text, "look at both, and at the user's rights on the controller")
    if any(each in low for each in NO_SUITE):
        text = f"the controller {address} does not speak this cipher suite"
        return PowerError("power-failed", text, "choose another one, such as 3", "cipher_suite")
    if error.code == "program-stuck" or any(each in low for each in UNREACHABLE):
        text = f"the controller {address} does not answer to IPMI"
        hint = "look at its address, and whether IPMI over LAN is allowed on it; old ones want cipher suite 3"
        return PowerError("power-unreachable", text, hint)
    return PowerError("power-failed", f"the controller {address} refused: {words}", "look at its own event log")
