"""A machine whose switch is a person's finger: everything is refused with what there is to do by hand."""

from dataclasses import dataclass

from appliance.power_switch import PowerError, PowerState


@dataclass(frozen=True, slots=True)
class ManualSwitch:
    """Tells a person what to do. Knows nothing of the machine's state."""

    machine: str
    """Its name, for the texts."""

    async def observe(self) -> PowerState:
        """Always unknown: nobody can look."""
        return PowerState.UNKNOWN

    async def on(self) -> None:
        """Raises PowerError ``power-unsupported``."""
        raise by_hand(self.machine, "be switched on", "press its power button")

    async def off(self) -> None:
        """Raises PowerError ``power-unsupported``."""
        raise by_hand(self.machine, "be switched off", "hold its power button until it is off")

    async def cycle(self) -> None:
        """Raises PowerError ``power-unsupported``."""
        raise by_hand(self.machine, "be restarted", "hold its power button until it is off, then press it again")

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Raises PowerError ``power-unsupported``."""
        await (self.boot_network_once(uefi) if network else self.on())

    async def boot_network_once(self, uefi: bool) -> None:
        """Raises PowerError ``power-unsupported``."""
        hint = "choose the network in its firmware's boot menu, often with F12"
        raise by_hand(self.machine, "be told to boot from the network", hint)


def by_hand(machine: str, what: str, hint: str) -> PowerError:
    """The error for what nothing but a person can do."""
    text = f"{machine} cannot {what} from here: it has no power switch that can do it"
    return PowerError("power-unsupported", text, f"{hint}, or set up its power switch")
