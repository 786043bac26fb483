"""The one seam of power: what a switch can be asked. Every driver passes tests/contract/test_power_contract.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from typing import Protocol

from appliance.machine import MacAddress
from appliance.power_switch import PowerState


class PowerDriver(Protocol):
    """The switch of one machine. Cheap to build: nothing is opened, and nothing is kept between two calls.

    Every call ends within a minute, and raises PowerError (``POWER_CODES``) and nothing else for what a switch, a
    network or wrong settings can do to it. What the kind cannot do (``abilities``) raises ``power-unsupported``.
    """

    async def observe(self) -> PowerState:
        """Whether the machine has power. ``off`` only where the switch said so, never for a guess."""
        ...

    async def on(self) -> None:
        """Give it power; returns once the switch took the order. A machine that is on stays on."""
        ...

    async def off(self) -> None:
        """Take its power away at once, without asking its system; returns once the switch took the order.

        A machine that is off stays off. That it *is* off is said by ``observe``, twice (``power_order``).
        """
        ...

    async def cycle(self) -> None:
        """Off at once, and on again. A machine that is off is switched on."""
        ...

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Raises PowerError where it can be seen that the machine, once it is off, could not be switched on again.

        ``network``: from the network, as UEFI or as BIOS. Nothing is changed. Asked before power is taken away that is
        to come back: what is found out only after that costs a running system.
        """
        ...

    async def boot_network_once(self, uefi: bool) -> None:
        """Have the next start, and only that one, boot from the network.

        ``uefi``: as UEFI, else as BIOS. To be followed by ``on`` or ``cycle`` at once: controllers forget it after
        a minute (IPMI 2.0, table 28-14, parameter 3).
        """
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What a driver may need to know of the machine itself."""

    name: str
    macs: tuple[MacAddress, ...] = ()
    address: IPv4Address | None = None
    """The address last leased to it, if any."""
    interfaces: Mapping[str, IPv4Interface] = field(default_factory=dict)
    """The appliance's own interfaces on the networks that the machine may be on, each with its address and prefix:
    where magic packets leave."""
