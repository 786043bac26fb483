"""The table of drivers: from what is kept of a pool to the pool itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.storage.directory import DirectoryPool
from appliance.storage.driver import Aside, Hears, PoolDriver, in_its_place, unheard
from appliance.storage.lvm import Asks, LvmPool
from appliance.storage.memory import Memory, MemoryPool
from appliance.volume import PoolKind


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What drivers need of the computer that they are on."""

    helper: Asks
    """The privileged helper, which reaches LVM."""
    clock: Callable[[], float]
    """Seconds since 1970."""
    memories: dict[str, Memory] = field(default_factory=dict)
    """Pools of kind ``memory``, by their places; gone with the process."""
    state: Path = Path("/var/lib/appliance")
    """The daemon's state directory, with images and with the files that volumes are filled with."""

    def memory(self, place: str) -> Memory:
        """The one of that place, made when it is first asked for."""
        return self.memories.setdefault(place, Memory())


def driver(
    kind: PoolKind, place: str, on: Surroundings, hears: Hears = unheard, aside: Aside = in_its_place
) -> PoolDriver:
    """The pool of that kind at ``place``: the UUID of a volume group, the path of a directory, a word.

    ``hears`` is told how far a copy is, where it takes a while; ``aside`` is open as long as that needs the pool of
    nobody else. Nothing is opened, nothing asked.
    """
    return DRIVERS[kind](place, on, hears, aside)


DRIVERS: Mapping[PoolKind, Callable[[str, Surroundings, Hears, Aside], PoolDriver]] = {
    PoolKind.LVM_THIN: lambda place, on, hears, aside: LvmPool(on.helper, place, on.clock, hears, aside),
    PoolKind.LVM_THICK: lambda place, on, hears, aside: LvmPool(on.helper, place, on.clock, hears, aside),
    PoolKind.DIRECTORY: lambda place, on, hears, _: DirectoryPool(Path(place), on.clock, hears=hears),
    PoolKind.MEMORY: lambda place, on, _, __: MemoryPool(on.memory(place), on.clock),
}
"""One line for each kind."""
