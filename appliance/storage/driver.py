"""The one seam of storage: what a pool can be asked. Every driver passes tests/contract/test_storage_contract.py."""

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from appliance.volume import NewVolume, Pool, VolumeId

Hears = Callable[[float | None, str], None]
"""Told how far a copy is (0 to 1, or None where that is not known), with words."""


def unheard(progress: float | None, message: str) -> None:
    """For calls whose progress nobody wants to know."""


Aside = Callable[[VolumeId], AbstractAsyncContextManager[None]]
"""For as long as nothing but this volume is written, which nobody uses yet: others may change the pool meanwhile. Where
that fails, nobody has the pool any more."""


def in_its_place(_: VolumeId) -> AbstractAsyncContextManager[None]:
    """For whoever has a pool alone until all is done."""
    return nullcontext()


def partly(hears: Hears, first: float, last: float) -> Hears:
    """For a part of something, from one share of it to another."""

    def told(progress: float | None, message: str) -> None:
        hears(first + (last - first) * (progress or 0.0), message)

    return told


class PoolDriver(Protocol):
    """One pool. Cheap to build: nothing is opened, and nothing of what was seen is kept between two calls.

    Who changes a pool has it alone: ``reconcile/`` keeps one lock for each, and may be told by a driver that it only
    fills a volume from here on (``Aside``). A call may be cut off anywhere, by a killed
    daemon or helper or by a power cut, and repeated: what is already as it was asked for is done. After ``mend`` no
    volume is half made, half gone, or under a name that is not its own. Raises ApplianceError, with what the driver's
    programs or the kernel said: ``storage-failed``; Conflict where the pool does not take it, and NotFound
    ``volume-unknown`` where a volume is not there or is not ours.
    """

    async def look(self) -> Pool:
        """As it is at this moment; raises NotFound ``pool-missing`` where it is not there."""
        ...

    async def create(self, new: NewVolume) -> None:
        """An empty volume: it reads as zeros. Raises Conflict ``pool-too-small``."""
        ...

    async def copy(self, origin: VolumeId, new: NewVolume) -> None:
        """A snapshot (``new.read_only``) or a clone of what ``origin`` holds now, as of one instant.

        At once in a thin pool or where files can share blocks, else as long as a copy takes. Where ``new.size`` is
        more than the origin has, the rest reads as zeros. Raises Conflict ``pool-filling``, ``pool-too-small``.
        """
        ...

    async def fill(self, new: NewVolume, source: Path, file_system: str = "") -> None:
        """A volume with what a file of ours holds; behind the end of that it reads as zeros.

        It takes as long as a copy does, and is not there as a whole before that is done. ``source`` is a plain file,
        with holes where it holds nothing, in the directory ``FILLING`` of the daemon's state; a link is none. It is not
        looked at where the volume is there already. ``file_system`` is the type of the one in it (``ext4``) where our
        own programs have made that: then the volume, and what is cloned from it, may be exported as a directory. Raises
        NotFound ``filling-missing``, Invalid ``filling-too-large``, Conflict ``pool-too-small``.
        """
        ...

    async def grow(self, volume: VolumeId, size: int) -> None:
        """To at least so many bytes; what is behind its former end reads as zeros. Also while it is in use."""
        ...

    async def roll_back(self, volume: VolumeId, snapshot: VolumeId) -> None:
        """The volume holds again what its snapshot has kept, and the snapshot stays.

        At every instant there is a whole volume of that id: the one of before, or the one of the snapshot. Raises
        Conflict ``volume-in-use``, and ``volume-not-its-snapshot``.
        """
        ...

    async def rename(self, volume: VolumeId, name: str) -> None:
        """For people; its path stays. Raises Conflict ``name-taken``."""
        ...

    async def delete(self, volume: VolumeId) -> None:
        """It is gone, and what was made from it stays whole. Raises Conflict ``volume-in-use``.

        A volume that is not there any more is no mistake. Where a clone needs what it was made from (a qcow2 overlay),
        Conflict ``volume-needed`` names the clones.
        """
        ...

    async def mend(self, but: Collection[VolumeId] = ()) -> tuple[str, ...]:
        """Finish or take back what was cut off, and say in words what there was; nothing: all was whole.

        ``but`` are volumes that somebody is filling at this moment: they are left alone.
        """
        ...
