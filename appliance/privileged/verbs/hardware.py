"""What sensors and counters of the computer say. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Verb


class Memory(msgspec.Struct, frozen=True):
    """Main memory."""

    total: int
    """Bytes."""
    available: int
    """Bytes that programs could have without swapping."""
    corrected: int | None = None
    """Errors that its error correction mended since the start (EDAC); None where nobody counts."""
    uncorrected: int | None = None
    """Errors that it could not mend."""


class Temperature(msgspec.Struct, frozen=True):
    """One sensor."""

    name: str
    celsius: float
    critical: float | None = None
    """Where the computer switches itself off, as the sensor says it; None where it does not."""


class Clock(msgspec.Struct, frozen=True):
    """How good the clock is (chronyc(1), ``tracking``)."""

    synchronised: bool
    server: str
    """What it is set by; empty where it is not."""
    offset: float
    """Seconds by which it is believed to be wrong."""


class Hardware(msgspec.Struct, frozen=True):
    """All of it; None for what this computer does not say."""

    memory: Memory | None
    temperatures: list[Temperature]
    clock: Clock | None


class Look(Verb[Hardware], frozen=True):
    """What the computer says of itself."""

    name: ClassVar[str] = "hardware.look"
