"""What is known of the appliance itself when its health is judged; None for what could not be found out. Pure."""

from dataclasses import dataclass, field

from appliance.networking.served import Aside
from appliance.privileged.verbs.disks import DiskState, Smart
from appliance.privileged.verbs.hardware import Hardware
from appliance.privileged.verbs.services import UnitState
from appliance.privileged.verbs.update import SlotsState


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the console shows to browsers."""

    ends: float | None
    """Unix time; None for our own, which is renewed by itself."""
    notice: str = ""
    """What is wrong with it already; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Room:
    """The file system of the state, in bytes."""

    total: int
    available: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is judged."""

    now: float
    flashed: bool
    """Whether this computer is an appliance that was flashed, with a privileged helper."""
    slots: SlotsState | None = None
    disks: tuple[tuple[DiskState, Smart | None], ...] | None = None
    units: tuple[UnitState, ...] | None = None
    hardware: Hardware | None = None
    certificate: Certificate | None = None
    room: Room | None = None
    trouble: str = ""
    """What hinders the whole appliance at the moment; empty: nothing."""
    served: tuple[str, ...] = ()
    """Subnets that machines are served on."""
    cut_off: tuple[tuple[str, str], ...] = ()
    """Of those: on which no machine can boot now, and why, with what to do after a semicolon."""
    held_by: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of those: where no new addresses are given, and the other DHCP servers because of which that is so."""
    aside: tuple[Aside, ...] = ()
    """Those that do not fit the networks."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Part -> why nothing is known of it."""
