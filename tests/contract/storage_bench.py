"""A pool under test and what lies in it, whatever its driver; among them the fake that the others are compared with."""

import contextlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.storage.driver import PoolDriver
from appliance.storage.memory import Memory, MemoryPool
from appliance.volume import GRAIN, NewVolume, Volume, VolumeId

ONE, TWO, THREE, FOUR = (VolumeId(f"{number:016x}") for number in (0x1A, 0x2B, 0x3C, 0x4D))
MARK = b"what was written "


class Bench(ABC):
    """A pool under test, and what lies in it, looked at past its driver."""

    at_once = True
    """Whether a volume that somebody writes can be copied, as of one instant."""

    @abstractmethod
    def pool(self) -> PoolDriver:
        """A driver as after a restart: what cut off the one before is over."""
        ...

    @abstractmethod
    def cut(self, steps: int) -> PoolDriver:
        """A driver that raises CutOff before its inner step after so many, and does nothing from then on."""
        ...

    @abstractmethod
    def write(self, volume: Volume, at: int, data: bytes) -> None:
        """As a machine does; on the disk when this returns."""
        ...

    @abstractmethod
    def read(self, volume: Volume, at: int, size: int) -> bytes:
        """As a machine does."""
        ...

    @abstractmethod
    def hold(self, volume: Volume) -> contextlib.AbstractContextManager[object]:
        """Somebody has it open for writing."""
        ...

    @abstractmethod
    def filling(self) -> Path:
        """The directory for files that volumes are filled with."""
        ...

    @abstractmethod
    def things(self) -> int:
        """How many files, logical volumes or entries there are, whatever they are."""
        ...

    @abstractmethod
    def put_foreign(self) -> None:
        """Something that carries no mark of ours, as like to ours as it can be."""
        ...

    @abstractmethod
    def foreign(self) -> object:
        """All of it, to be compared."""
        ...

    @abstractmethod
    def take_away(self) -> None:
        """The pool is not there any more."""
        ...

    def saved(self) -> Callable[[], None] | None:
        """What brings the pool back as it is now, where that is quicker than to make it anew."""
        return None


class MemoryBench(Bench):
    """The fake, which the others are compared with."""

    def __init__(self, size: int = 1 << 30) -> None:
        self.memory = Memory(size)
        self._aside = tempfile.TemporaryDirectory(prefix="qrm-filling-")

    def filling(self) -> Path:
        return Path(self._aside.name)

    def pool(self) -> PoolDriver:
        self.memory.steps_left = None
        return MemoryPool(self.memory)

    def cut(self, steps: int) -> PoolDriver:
        self.memory.steps_left = steps
        return MemoryPool(self.memory)

    def write(self, volume: Volume, at: int, data: bytes) -> None:
        self.memory.write(volume.id, at, data)

    def read(self, volume: Volume, at: int, size: int) -> bytes:
        return self.memory.read(volume.id, at, size)

    @contextlib.contextmanager
    def hold(self, volume: Volume) -> Iterator[None]:
        self.memory.opened.add(volume.id)
        yield
        self.memory.opened.remove(volume.id)

    def things(self) -> int:
        return len(self.memory.kept) + sum(each.coming is not None for each in self.memory.kept.values())

    def put_foreign(self) -> None:
        """Nothing else can be in memory."""

    def foreign(self) -> object:
        return ()

    def take_away(self) -> None:
        self.memory.here = False


async def found(bench: Bench, key: VolumeId) -> Volume:
    """A volume that is there and whole."""
    volume = (await bench.pool().look()).volume(key)
    assert volume is not None
    assert volume.trouble == ""
    return volume


async def holds(bench: Bench, key: VolumeId, *parts: tuple[int, bytes]) -> bool:
    """Whether a volume has these parts and zeros everywhere else, byte for byte."""
    volume = await found(bench, key)
    wanted = bytearray(volume.size)
    for at, data in parts:
        wanted[at : at + len(data)] = data
    return bench.read(volume, 0, volume.size) == wanted


async def written(bench: Bench, key: VolumeId, at: int, data: bytes) -> None:
    bench.write(await found(bench, key), at, data)


async def made(bench: Bench, key: VolumeId, name: str, size: int = 2 * GRAIN) -> PoolDriver:
    """With something at its begin, and up to its last byte."""
    pool = bench.pool()
    await pool.create(NewVolume(key, name, size))
    await written(bench, key, 4096, MARK)
    await written(bench, key, size - len(MARK), MARK)
    return pool


def given(bench: Bench, size: int, *parts: tuple[int, bytes]) -> Path:
    """A file of so many bytes with these parts in it, and holes between them."""
    path = bench.filling() / "00000000000000aa"
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
        for at, data in parts:
            file.seek(at)
            file.write(data)
    return path


def marks(size: int = 2 * GRAIN) -> tuple[tuple[int, bytes], ...]:
    """What ``made`` has written."""
    return (4096, MARK), (size - len(MARK), MARK)
