"""A bench for pools of LVM, of paper or real: the helper's own functions are asked, without a socket between."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from appliance.privileged.computer import Computer, Says
from appliance.privileged.lvm import groups
from appliance.privileged.lvm_fill_file import PLACE
from appliance.privileged.table import TABLE
from appliance.privileged.verb import Verb
from appliance.storage.driver import PoolDriver, unheard
from appliance.storage.lvm import LvmPool
from appliance.storage.memory import CutOff
from appliance.volume import Volume
from tests.contract.storage_bench import Bench

R = TypeVar("R")
LOOKS = ("lvm fullreport", "lsblk", "wipefs --no-act", "udevadm settle")


class Direct:
    """As ``privileged.client.Privileged``, in one process."""

    def __init__(self, on: Computer) -> None:
        self._on = on

    async def call(self, verb: Verb[R], hears: Callable[[float | None, str], None] = unheard, /) -> R:
        """What the helper would do."""
        return cast("R", await TABLE[verb.name].act(verb, self._on, hears))


class Cutting:
    """Runs so many programs that change something, and none from then on."""

    def __init__(self, run: Says, steps: int) -> None:
        self._run, self._steps = run, steps

    async def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
        """Raises CutOff."""
        if not " ".join(argv).startswith(LOOKS):
            if self._steps == 0:
                raise CutOff
            self._steps -= 1
        return await self._run(argv, seconds)


class LvmBench(Bench):
    """The pool in one group."""

    def __init__(self, on: Computer, group: str, thin: bool) -> None:
        self.on, self.group, self.at_once = on, group, thin

    def pool(self) -> PoolDriver:
        return LvmPool(Direct(self.on), self.group)

    def cut(self, steps: int) -> PoolDriver:
        return LvmPool(Direct(replace(self.on, run=Cutting(self.on.run, steps))), self.group)

    def write(self, volume: Volume, at: int, data: bytes) -> None:
        descriptor = os.open(volume.path, os.O_WRONLY)
        try:
            assert os.pwrite(descriptor, data, at) == len(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, volume: Volume, at: int, size: int) -> bytes:
        with open(volume.path, "rb") as file:
            file.seek(at)
            return file.read(min(size, volume.size - at))  # the device is larger where it was cut off while it grew

    def filling(self) -> Path:
        place = self.on.roots.state.joinpath(*PLACE)
        place.mkdir(parents=True, exist_ok=True)
        return place

    @contextlib.contextmanager
    def hold(self, volume: Volume) -> Iterator[None]:
        descriptor = os.open(volume.path, os.O_RDWR)
        try:
            yield
        finally:
            os.close(descriptor)


async def names(on: Computer, group: str) -> dict[str, tuple[str, int, tuple[str, ...]]]:
    """Every logical volume of a group but its thin pool: by its UUID what can be seen of it."""
    found = next(each for each in await groups(on, live=False) if each.uuid == group)
    return {each.uuid: (each.name, each.size, each.tags) for each in found.volumes if not each.is_thin_pool}
