"""A pool that is a volume group, through the privileged helper, which looks everything up once more at its side."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, TypeVar

from appliance.errors import ApplianceError, NotFound
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm import Group, Report
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_fill_file import FillFile
from appliance.privileged.verbs.lvm_seen import BETWEEN, UNFILLED, pool_of
from appliance.privileged.verbs.lvm_volumes import Clear, Copy, Create, Delete, Grow, Made, Rename, Replace, StandIn
from appliance.storage.driver import Aside, Hears, in_its_place, unheard
from appliance.storage.given import holds
from appliance.storage.lvm_report import to_be_mended
from appliance.volume import (
    NewVolume,
    Pool,
    PoolKind,
    VolumeId,
    check_fits,
    check_is_its_snapshot,
    check_may_copy,
    check_name,
    check_name_is_free,
    check_unused,
    checked,
    existing,
    is_to_be_created,
    is_to_be_filled,
    rounded,
    usable,
)

R = TypeVar("R")


class Asks(Protocol):
    """What is asked of the helper: ``privileged.client.Privileged``."""

    async def call(self, verb: Verb[R], hears: Hears = ..., /) -> R:
        """The result of a verb."""
        ...


class LvmPool:
    """The pool in the group of this UUID. ``hears`` is told how far a copy is, where it takes a while (thick pools).

    A cancelled copy stops; what there is of it is removed by ``mend``, or when it is asked for again. ``aside`` is open
    while a new volume is filled, which is no change of LVM's.
    """

    def __init__(
        self,
        helper: Asks,
        group: str,
        clock: Callable[[], float] = time.time,
        hears: Hears = unheard,
        aside: Aside = in_its_place,
    ) -> None:
        self._helper, self._group, self._clock, self._hears, self._aside = helper, group, clock, hears, aside

    async def look(self) -> Pool:
        """By one report of LVM's."""
        return pool_of(await self._report())

    async def create(self, new: NewVolume) -> None:
        """Thin: at once. Thick: as long as writing zeros takes."""
        new = checked(new)
        if not is_to_be_created(await self._without_half_of(new.id), new):
            return
        made = Create(self._group, new.id, new.name, new.size, int(self._clock()), new.read_only)
        await self._made(made, Fill(self._group, new.id, read_only=new.read_only))

    async def copy(self, origin: VolumeId, new: NewVolume) -> None:
        """Thin: a snapshot. Thick: all of it is read, and what is not zeros is written.

        The helper looks at the pool, and nobody else: a second look would take half as long as the snapshot.
        """
        new = checked(new)
        made = Copy(self._group, origin, new.id, new.name, new.size, int(self._clock()), new.read_only)
        await self._made(made, Fill(self._group, new.id, origin, new.read_only))

    async def fill(self, new: NewVolume, source: Path, file_system: str = "") -> None:
        """Written by the helper, which takes the file by its name only."""
        new = checked(new)
        if not is_to_be_filled(await self._without_half_of(new.id), new, lambda: holds(source)):
            return
        clock = int(self._clock())
        await self._helper.call(Create(self._group, new.id, new.name, new.size, clock, new.read_only, to_fill=True))
        filled = FillFile(self._group, new.id, source.name, new.read_only, file_system)
        async with self._aside(new.id):
            await self._helper.call(filled, self._hears)

    async def grow(self, volume: VolumeId, size: int) -> None:
        """What a thick volume gets is filled with zeros before it is told of."""
        size, seen = rounded(size), await self.look()
        had = usable(seen, volume).size
        if size > had:
            check_fits(seen, size - had if seen.kind is PoolKind.LVM_THICK else size)
            await self._filled(Grow(self._group, volume, size), Fill(self._group, volume))

    async def roll_back(self, volume: VolumeId, snapshot: VolumeId) -> None:
        """A copy of the snapshot takes its place; until it does, nothing has changed."""
        seen = await self._without_half_of(volume)
        check_is_its_snapshot(seen, volume, snapshot)
        await self._check_unused(seen, volume)
        if seen.kind is PoolKind.LVM_THIN:
            check_may_copy(seen)
        await self._filled(StandIn(self._group, volume, snapshot), Fill(self._group, volume, snapshot))
        await self._helper.call(Replace(self._group, volume))

    async def rename(self, volume: VolumeId, name: str) -> None:
        """A tag."""
        seen = await self.look()
        if usable(seen, volume).name != check_name(name):
            check_name_is_free(seen, name, volume)
            await self._helper.call(Rename(self._group, volume, name))

    async def delete(self, volume: VolumeId) -> None:
        """Thin ones share blocks, and need nothing of each other."""
        if (seen := await self.look()).volume(volume):
            await self._check_unused(seen, volume)
            await self._helper.call(Delete(self._group, volume))

    async def mend(self, but: Collection[VolumeId] = ()) -> tuple[str, ...]:
        """Each of ``to_be_mended``, in its order."""
        said, failed = [], None
        for verb, words in to_be_mended(await self._report(), but):
            try:
                await self._helper.call(verb, self._hears)
                said.append(words)
            except ApplianceError as error:  # one that somebody has open must not keep the others from being mended
                failed = failed or error
        if failed:
            raise failed
        return tuple(said)

    async def _without_half_of(self, volume: VolumeId) -> Pool:
        """What was cut off is cleared, so that the room that it took is free; or finished, where it was rolled back."""
        found = (seen := await self.look()).volume(volume)
        if found is None or found.trouble not in (UNFILLED, BETWEEN):
            return seen
        verb = Clear if found.trouble == UNFILLED else Replace
        await self._helper.call(verb(self._group, volume))
        return await self.look()

    async def _check_unused(self, seen: Pool, volume: VolumeId) -> None:
        """By anybody but udev, which looks into what was just written."""
        if existing(seen, volume).in_use:
            seen = pool_of(await self._report(settled=True))
        check_unused(existing(seen, volume))

    async def _made(self, verb: Create | Copy, fill: Fill) -> None:
        """A new volume, which nobody uses before it is whole."""
        if (await self._helper.call(verb)).unfilled:
            async with self._aside(VolumeId(fill.id)):
                await self._helper.call(fill, self._hears)

    async def _filled(self, verb: Verb[Made], fill: Fill) -> None:
        """A volume that is there already, and stays whoever changes the pool."""
        if (await self._helper.call(verb)).unfilled:
            await self._helper.call(fill, self._hears)

    async def _report(self, settled: bool = False) -> Group:
        found = [each for each in await self._helper.call(Report(settled)) if each.uuid == self._group and each.is_pool]
        if not found:
            text = f"there is no pool {self._group}"
            raise NotFound("pool-missing", text, "see that its disks are connected, then look at the pools again")
        return found[0]
