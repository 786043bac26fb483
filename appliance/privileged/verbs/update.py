"""Updates of the appliance: slots, the bundle that was brought, installing it, going back. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb
from appliance.updates.bundle import Bundle
from appliance.updates.record import Record
from appliance.updates.slots import Slot


class SlotsState(msgspec.Struct, frozen=True):
    """Both slots, and what became of updates so far."""

    slots: list[Slot]
    record: Record
    installing: bool
    """Whether an update is being written at the moment."""


class Slots(Verb[SlotsState], frozen=True):
    """How the slots are."""

    name: ClassVar[str] = "update.slots"


class Inspect(Verb[Bundle], frozen=True):
    """What the bundle that was brought is, once its signature is found good."""

    name: ClassVar[str] = "update.inspect"
    patience: ClassVar[float] = 300.0


class Install(Verb[Done], frozen=True):
    """Write that bundle to the slot that does not run, and have it started next. Nothing restarts by itself."""

    name: ClassVar[str] = "update.install"
    patience: ClassVar[float] = 900.0

    version: str
    """As ``Inspect`` told it: what was agreed to."""


class Stop(Verb[Done], frozen=True):
    """End the writing of an update for certain; the slot that it was written to is not started any more."""

    name: ClassVar[str] = "update.stop"
    patience: ClassVar[float] = 180.0


class Back(Verb[Done], frozen=True):
    """Have the other slot started next, and let it give up what was stored since it ran."""

    name: ClassVar[str] = "update.back"

    slot: str
    """Its letter: what was agreed to."""
