"""What the netboot servers ask of the rest of the product: one protocol, implemented by ``reconcile``. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from appliance.machine import MacAddress
from appliance.netboot.policy import BootRequest, BootSpec


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot decision as it is rendered for a machine."""

    spec: BootSpec
    name: str
    """The machine's name, for its screen."""
    reason: str
    token: str = ""
    """Boot token, for the maintenance stack."""
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Redemption:
    """What an agent sends to trade its boot token."""

    boot_token: str
    machine_token: str
    nonce: str
    mac: MacAddress
    macs: tuple[MacAddress, ...]
    uuid: str | None
    firmware: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One port at the other end of a cable, as it calls itself by LLDP; an empty text was not said."""

    nic: str
    """The kernel's name of the machine's interface."""
    chassis: str
    port: str
    port_description: str = ""
    system: str = ""
    description: str = ""
    address: str = ""
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a redemption."""

    machine: str
    name: str
    poll: str


@dataclass(frozen=True, slots=True)
class Work:
    """One step for an agent."""

    attempt: str
    kind: str
    step: str
    params: dict[str, Any]
    display: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of a step."""

    attempt: str
    step: str
    status: str
    progress: float
    message: str
    code: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Activity:
    """What a deployed system says of itself when it is up."""

    boot_id: str
    hostname: str
    host_keys: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What a resident is told: ``none``, ``reboot`` or ``poweroff``."""

    command: str
    attempt: str = ""


class Fleet(Protocol):
    """Every method may raise ApplianceError; Denied where a token is missing, wrong, used or old."""

    async def boot(self, request: BootRequest) -> Boot:
        """Decide what this machine boots; enlists it if that is the policy of its subnet."""

    async def poll(self, poll: str) -> bool:
        """Wait at most 50 seconds for work; raises NotFound for a session that has ended."""

    async def redeem(self, redemption: Redemption, address: str) -> Welcome:
        """Trade a boot token for a machine token."""

    async def take_inventory(self, token: str, inventory: dict[str, Any]) -> tuple[str, str]:
        """Store the inventory; the machine's state and name afterwards."""

    async def boot_messages(self, token: str, text: str) -> None:
        """What the kernel of the maintenance stack said; dropped where it is not the machine's own."""

    async def take_neighbours(self, token: str, heard: Sequence[Neighbour]) -> None:
        """Keep what the switches said that the machine is plugged into; dropped where it is not the machine's own."""

    async def work(self, token: str, server: str) -> Work | None:
        """The step that is due; ``server`` is our address as the machine sees it."""

    async def state(self, token: str) -> str:
        """The state of the machine, in words for its screen."""

    async def report(self, token: str, report: Report) -> bool:
        """Take a report; False tells the agent to abandon the step."""

    async def root(self, redemption: Redemption, address: str, server: str) -> dict[str, Any]:
        """Trade a boot token for what the hand-over initrd has to know; ``server`` is our address as it sees it.

        Raises TooEarly where somebody has to let the machine in first.
        """

    async def take_layer(self, token: str, attempt: str, content: str) -> None:
        """Keep what an agent has made of an image: ``content`` is a compressed archive, in base64."""

    async def image(self, token: str, image: int) -> Path:
        """The file of an image for the holder of this download token."""

    async def kernel(self, address: str, name: str) -> Path:
        """The file of a kernel for roots on the network, by the last part of its directory's path and its name."""

    async def resident_active(self, token: str, activity: Activity) -> None:
        """A deployed system is up."""

    async def resident_wait(self, token: str, boot_id: str) -> Command:
        """Wait at most 50 seconds for something to tell this resident."""

    async def resident_report(self, token: str, attempt: str, status: str, message: str) -> None:
        """The resident obeys, or cannot."""

    async def resident_boot_messages(self, token: str, boot_id: str, text: str) -> None:
        """What the kernel of a deployed system said."""
