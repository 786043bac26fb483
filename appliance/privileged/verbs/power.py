"""The appliance itself, off and on again. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb


class Reboot(Verb[Done], frozen=True):
    """Restart the appliance; answered before it goes down."""

    name: ClassVar[str] = "power.reboot"


class PowerOff(Verb[Done], frozen=True):
    """Switch the appliance off; answered before it goes down."""

    name: ClassVar[str] = "power.off"
