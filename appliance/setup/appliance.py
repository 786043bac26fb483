"""What set-up does to the appliance, and asks of it: one seam, so that tests have a computer of paper behind it."""

from dataclasses import dataclass
from typing import Protocol

from appliance.setup.hardware import Found
from appliance.setup.value import SetUp


@dataclass(frozen=True, slots=True)
class Trial:
    """A network that is on, and goes back by itself unless somebody comes over it."""

    until: float
    """When it goes back; Unix time."""


class Appliance(Protocol):
    """Raises ApplianceError with what went wrong, ``helper-missing`` where this computer is no flashed appliance."""

    async def found(self) -> Found:
        """Interfaces, disks and time zones, as they are now."""

    async def servers(self, nic: str) -> tuple[str, ...]:
        """Addresses of the DHCP servers that answer there; takes some seconds."""

    async def try_network(self, set_up: SetUp) -> Trial | None:
        """Put the networks on; None where they are as wanted already, and there is nothing to confirm."""

    async def trial(self) -> Trial | None:
        """The network that waits to be confirmed, if one does."""

    async def keep_network(self) -> None:
        """Somebody came over it: it stays."""

    async def write(self, set_up: SetUp) -> None:
        """Configuration, names, clock and data disks; doing it again changes nothing."""

    async def let_in(self, set_up: SetUp) -> None:
        """Whose SSH keys are root's; after all the rest, so that nobody is let into what could not be set up."""

    async def restart(self) -> None:
        """Start the daemon anew, so that it serves what was written."""
