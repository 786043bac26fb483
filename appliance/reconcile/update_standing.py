"""All that there is to show of updates, as one value."""

from dataclasses import dataclass, field

from appliance import __version__
from appliance.reconcile.incoming_update import Progress, Waiting
from appliance.task import Task
from appliance.updates.bundle import older
from appliance.updates.record import Record, Update, on_trial
from appliance.updates.slots import Slot


@dataclass(frozen=True, slots=True)
class Standing:
    """How updates stand at one moment."""

    here: bool
    """Whether this computer is a flashed appliance; nothing else holds where it is not."""
    slots: tuple[Slot, ...] = ()
    record: Record = field(default_factory=Record)
    installing: bool = False
    waiting: Waiting | None = None
    half: Progress | None = None
    """The update that is half uploaded."""
    task: Task | None = None
    """The one that brings or installs an update at the moment."""
    trouble: str = ""
    """Why slots are not known."""

    @property
    def restart(self) -> bool:
        """Whether a restart starts another slot than the one that runs."""
        return any(slot.first and not slot.booted for slot in self.slots)

    @property
    def on_trial(self) -> Update | None:
        """The update that runs and was not judged yet: until it is, no other one is written over the way back."""
        return next((on_trial(self.record, slot.letter) for slot in self.slots if slot.booted), None)

    @property
    def older(self) -> bool:
        """Whether what waits is older than what runs."""
        return self.waiting is not None and older(self.waiting.bundle.version, __version__)
