"""What is known of the power switch of a machine: how it is reached, and what it said last. Pure."""

from dataclasses import dataclass, field

from appliance.machine import MachineId
from appliance.power_switch import PowerSettings, PowerState


@dataclass(frozen=True, slots=True)
class Seen:
    """What a switch said last. Times are Unix time."""

    state: PowerState = PowerState.UNKNOWN
    since: float | None = None
    """When it was seen so for the first time."""
    at: float | None = None
    """When it was last seen so; None: never."""
    code: str = ""
    trouble: str = ""
    """Why it could not be asked the last time; empty where it could."""
    failures: int = 0
    """How often in a row."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The power switch of one machine, without its secret."""

    machine: MachineId
    settings: PowerSettings
    secret_set: bool = False
    seen: Seen = field(default_factory=Seen)
    wanted: PowerState = PowerState.UNKNOWN
    """What a user last switched it to; unknown: nobody has."""
    wanted_at: float = 0.0
