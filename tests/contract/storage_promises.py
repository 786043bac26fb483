"""What every driver of storage promises, as functions of a bench: whoever has a driver asks them all of it.

``@pytest.mark.parametrize("promise", PROMISES)``, and ``await promise(bench)`` with a bench that has an empty pool of
at least 64 MiB. Besides, ``cut_off`` for each of DEEDS, and ``a_walk``.
"""

import contextlib
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from appliance.errors import ApplianceError
from appliance.storage.driver import PoolDriver
from appliance.storage.memory import CutOff, Memory, MemoryPool
from appliance.volume import GRAIN, MOST, Level, NewVolume, Pool, Volume, VolumeId, level

ONE, TWO, THREE, FOUR = (VolumeId(f"{number:016x}") for number in (0x1A, 0x2B, 0x3C, 0x4D))
MARK = b"what was written "
PAGE = 8192
"""Bytes; what ``made`` writes is nearer than that to the edge of a grain."""


class Bench:
    """A pool under test, and what lies in it, looked at past its driver."""

    at_once = True
    """Whether a volume that somebody writes can be copied, as of one instant."""

    def pool(self) -> PoolDriver:
        """A driver as after a restart: what cut off the one before is over."""
        raise NotImplementedError

    def cut(self, steps: int) -> PoolDriver:
        """A driver that raises CutOff before its inner step after so many, and does nothing from then on."""
        raise NotImplementedError

    def write(self, volume: Volume, at: int, data: bytes) -> None:
        """As a machine does; on the disk when this returns."""
        raise NotImplementedError

    def read(self, volume: Volume, at: int, size: int) -> bytes:
        """As a machine does."""
        raise NotImplementedError

    def hold(self, volume: Volume) -> contextlib.AbstractContextManager[object]:
        """Somebody has it open for writing."""
        raise NotImplementedError

    def things(self) -> int:
        """How many files, logical volumes or entries there are, whatever they are."""
        raise NotImplementedError

    def put_foreign(self) -> None:
        """Something that carries no mark of ours, as like to ours as it can be."""
        raise NotImplementedError

    def foreign(self) -> object:
        """All of it, to be compared."""
        raise NotImplementedError

    def take_away(self) -> None:
        """The pool is not there any more."""
        raise NotImplementedError

    def saved(self) -> Callable[[], None] | None:
        """What brings the pool back as it is now, where that is quicker than to make it anew."""
        return None


class MemoryBench(Bench):
    """The fake, which the others are compared with."""

    def __init__(self, size: int = 1 << 30) -> None:
        self.memory = Memory(size)

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


async def refused(code: str, call: Awaitable[object]) -> ApplianceError:
    """What was said; every refusal of a wish says what to do."""
    with pytest.raises(ApplianceError) as caught:
        await call
    assert caught.value.code == code, caught.value.message
    assert caught.value.message
    assert caught.value.hint
    return caught.value


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


def marks(size: int = 2 * GRAIN) -> tuple[tuple[int, bytes], ...]:
    """What ``made`` has written."""
    return (4096, MARK), (size - len(MARK), MARK)


async def an_empty_pool_is_fine(bench: Bench) -> None:
    pool = bench.pool()
    seen = await pool.look()
    assert seen.volumes == ()
    assert seen.promised == 0
    assert seen.trouble == ""
    assert level(seen) is not Level.FULL
    assert seen.largest >= GRAIN
    assert seen.data.used <= seen.data.total
    assert await pool.mend() == ()


async def a_new_volume_reads_as_zeros(bench: Bench) -> None:
    pool = bench.pool()
    await pool.create(NewVolume(ONE, "web1", GRAIN + 1))
    volume = await found(bench, ONE)
    assert (volume.name, volume.size, volume.origin, volume.read_only) == ("web1", 2 * GRAIN, None, False)
    assert volume.created > 1e9
    assert not volume.in_use
    assert volume.used is None or volume.used <= volume.size
    assert await holds(bench, ONE)
    assert (await pool.look()).promised == 2 * GRAIN


async def what_is_there_is_not_made_again(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    await pool.create(NewVolume(ONE, "web1", 2 * GRAIN - 1))
    assert await holds(bench, ONE, *marks()), "its content would be gone"
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await written(bench, ONE, 0, b"later")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    assert await holds(bench, TWO, *marks()), "it is of the first instant"
    assert len((await pool.look()).volumes) == 2


async def ids_and_names_are_given_once(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    for other in (NewVolume(ONE, "web2", 2 * GRAIN), NewVolume(ONE, "web1", GRAIN)):
        await refused("volume-id-taken", pool.create(other))
    await refused("volume-id-taken", pool.copy(ONE, NewVolume(ONE, "web2", 2 * GRAIN)))
    await refused("name-taken", pool.create(NewVolume(TWO, "web1", GRAIN)))
    await refused("name-taken", pool.copy(ONE, NewVolume(TWO, "web1", 2 * GRAIN)))
    await pool.create(NewVolume(TWO, "web2", GRAIN))
    assert (await refused("name-taken", pool.rename(TWO, "web1"))).field == "name"
    assert await holds(bench, ONE, *marks())
    assert len((await pool.look()).volumes) == 2


async def bad_words_are_refused(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    before = bench.things()
    for size in (0, -1, MOST + 1):
        await refused("volume-size", pool.create(NewVolume(TWO, "web2", size)))
        await refused("volume-size", pool.copy(ONE, NewVolume(TWO, "web2", size)))
        await refused("volume-size", pool.grow(ONE, size))
    for name in ("", "..", "a b", "-y", "x/../../y", "a\n", "web@tag", "x" * 64):
        await refused("volume-name", pool.create(NewVolume(TWO, name, GRAIN)))
        await refused("volume-name", pool.copy(ONE, NewVolume(TWO, name, 2 * GRAIN)))
        await refused("volume-name", pool.rename(ONE, name))
    for key in ("", "../../etc/passwd", "0" * 17, "A" * 16, "-" * 16):
        await refused("volume-id", pool.create(NewVolume(VolumeId(key), "web2", GRAIN)))
        await refused("volume-id", pool.copy(ONE, NewVolume(VolumeId(key), "web2", 2 * GRAIN)))
    assert bench.things() == before
    assert await holds(bench, ONE, *marks())


async def what_is_not_there_is_said_so(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    for key in (TWO, VolumeId("../volumes/x"), VolumeId("")):
        await refused("volume-unknown", pool.copy(key, NewVolume(THREE, "web3", GRAIN)))
        await refused("volume-unknown", pool.grow(key, GRAIN))
        await refused("volume-unknown", pool.rename(key, "web3"))
        await refused("volume-unknown", pool.roll_back(key, ONE))
        await refused("volume-unknown", pool.roll_back(ONE, key))
        await pool.delete(key)
    assert await holds(bench, ONE, *marks())


async def what_is_too_large_is_refused(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    before, largest = bench.things(), (await pool.look()).largest
    await refused("pool-too-small", pool.create(NewVolume(TWO, "web2", largest + 1)))
    await refused("pool-too-small", pool.copy(ONE, NewVolume(TWO, "web2", largest + 1)))
    await refused("pool-too-small", pool.grow(ONE, largest + 2 * GRAIN + 1))
    assert bench.things() == before
    assert (await found(bench, ONE)).size == 2 * GRAIN


async def a_clone_has_a_life_of_its_own(bench: Bench) -> None:
    pool = await made(bench, ONE, "golden")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.copy(TWO, NewVolume(THREE, "web1", 2 * GRAIN))
    await pool.copy(ONE, NewVolume(FOUR, "web2", 3 * GRAIN))
    for key in (TWO, THREE, FOUR):
        assert await holds(bench, key, *marks())
    seen = {each.id: each for each in (await pool.look()).volumes}
    assert [seen[key].origin for key in (ONE, TWO, THREE, FOUR)] == [None, ONE, TWO, ONE]
    assert [seen[key].read_only for key in (ONE, TWO, THREE, FOUR)] == [False, True, False, False]
    await written(bench, ONE, 0, b"one")
    await written(bench, THREE, GRAIN, b"three")
    await written(bench, FOUR, 3 * GRAIN - 4, b"four")
    assert await holds(bench, ONE, (0, b"one"), *marks())
    assert await holds(bench, TWO, *marks())
    assert await holds(bench, THREE, (GRAIN, b"three"), *marks())
    assert await holds(bench, FOUR, (3 * GRAIN - 4, b"four"), *marks())


async def a_clone_is_not_smaller_than_its_origin(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    await refused("volume-shrinks", pool.copy(ONE, NewVolume(TWO, "web2", GRAIN)))
    assert len((await pool.look()).volumes) == 1


async def what_is_written_just_now_is_copied_whole_or_not_at_all(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    with bench.hold(await found(bench, ONE)):
        assert (await found(bench, ONE)).in_use
        if bench.at_once:
            await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
            assert await holds(bench, TWO, *marks())
        else:
            await refused("volume-in-use", pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True)))
            assert len((await pool.look()).volumes) == 1
    assert not (await found(bench, ONE)).in_use


async def what_grows_keeps_what_it_had(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    path = (await found(bench, ONE)).path
    with bench.hold(await found(bench, ONE)):
        for size, then in ((3 * GRAIN - 5, 3), (3 * GRAIN, 3), (GRAIN, 3), (4 * GRAIN, 4)):
            await pool.grow(ONE, size)
            assert (await found(bench, ONE)).size == then * GRAIN
    assert await holds(bench, ONE, *marks())
    assert (await found(bench, ONE)).path == path


async def what_is_rolled_back_is_as_it_was(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    path = (await found(bench, ONE)).path
    for number in range(2):
        await written(bench, ONE, 4096 + number, b"spoiled")
        await pool.roll_back(ONE, TWO)
        assert await holds(bench, ONE, *marks())
    await pool.roll_back(ONE, TWO)
    volume = await found(bench, ONE)
    assert (volume.name, volume.path, volume.read_only, volume.origin) == ("web1", path, False, None)
    assert (await found(bench, TWO)).origin == ONE
    await written(bench, ONE, 0, b"later")
    assert await holds(bench, TWO, *marks()), "it stays what it was"


async def what_is_rolled_back_stays_as_large_as_it_was(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.grow(ONE, 3 * GRAIN)
    await written(bench, ONE, 3 * GRAIN - 4, b"late")
    await pool.roll_back(ONE, TWO)
    assert (await found(bench, ONE)).size == 3 * GRAIN
    assert await holds(bench, ONE, *marks())


async def only_its_own_snapshot_brings_a_volume_back(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.copy(ONE, NewVolume(THREE, "clone", 2 * GRAIN))
    await written(bench, ONE, 0, b"now")
    for volume, snapshot in ((ONE, THREE), (ONE, ONE), (THREE, TWO), (TWO, ONE)):
        await refused("volume-not-its-snapshot", pool.roll_back(volume, snapshot))
    with bench.hold(await found(bench, ONE)):
        await refused("volume-in-use", pool.roll_back(ONE, TWO))
    assert await holds(bench, ONE, (0, b"now"), *marks())


async def a_new_name_changes_nothing_else(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    before = await found(bench, ONE)
    with bench.hold(before):
        for _ in range(2):
            await pool.rename(ONE, "shop.v2")
    after = await found(bench, ONE)
    assert (after.name, after.path, after.size, after.created) == ("shop.v2", before.path, before.size, before.created)
    assert await holds(bench, ONE, *marks())
    await pool.create(NewVolume(TWO, "web1", GRAIN))


async def what_is_deleted_is_gone_and_nothing_else(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    empty_but_one = bench.things()
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.copy(ONE, NewVolume(THREE, "clone", 2 * GRAIN))
    with bench.hold(await found(bench, ONE)):
        await refused("volume-in-use", pool.delete(ONE))
    assert await holds(bench, ONE, *marks())
    for _ in range(2):
        await pool.delete(ONE)
    assert (await pool.look()).volume(ONE) is None
    for key in (TWO, THREE):
        assert await holds(bench, key, *marks())
        assert (await found(bench, key)).origin is None
    await pool.delete(TWO)
    assert await holds(bench, THREE, *marks())
    assert bench.things() == empty_but_one
    await pool.delete(THREE)
    assert bench.things() == 0


async def a_clone_never_loses_what_it_is_made_of(bench: Bench) -> None:
    """Where it needs its origin that stays, with the reason; where it does not, both are free."""
    pool = await made(bench, ONE, "golden")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.copy(TWO, NewVolume(THREE, "web1", 2 * GRAIN))
    await pool.copy(THREE, NewVolume(FOUR, "web2", 2 * GRAIN))
    with contextlib.suppress(ApplianceError):
        await pool.delete(TWO)
    if (await pool.look()).volume(TWO):
        words = await refused("volume-needed", pool.delete(TWO))
        assert "web1" in words.message
        assert "web2" in words.message
    await pool.delete(ONE)
    await pool.delete(THREE)
    assert await holds(bench, FOUR, *marks())
    await pool.delete(FOUR)
    await pool.delete(TWO)
    assert bench.things() == 0


async def what_is_not_ours_is_shown_and_left_alone(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    bench.put_foreign()
    before = bench.foreign()
    seen = await pool.look()
    assert [each.id for each in seen.volumes] == [ONE]
    assert bool(seen.foreign) == bool(before)
    assert all(each.name and each.what for each in seen.foreign)
    assert await pool.mend() == ()
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.roll_back(ONE, TWO)
    await pool.delete(TWO)
    await pool.delete(ONE)
    assert bench.foreign() == before


async def a_pool_that_is_not_there(bench: Bench) -> None:
    bench.take_away()
    pool = bench.pool()
    for call in (pool.look(), pool.mend(), pool.create(NewVolume(ONE, "web1", GRAIN)), pool.delete(ONE)):
        await refused("pool-missing", call)


PROMISES = (
    an_empty_pool_is_fine,
    a_new_volume_reads_as_zeros,
    what_is_there_is_not_made_again,
    ids_and_names_are_given_once,
    bad_words_are_refused,
    what_is_not_there_is_said_so,
    what_is_too_large_is_refused,
    a_clone_has_a_life_of_its_own,
    a_clone_is_not_smaller_than_its_origin,
    what_is_written_just_now_is_copied_whole_or_not_at_all,
    what_grows_keeps_what_it_had,
    what_is_rolled_back_is_as_it_was,
    what_is_rolled_back_stays_as_large_as_it_was,
    only_its_own_snapshot_brings_a_volume_back,
    a_new_name_changes_nothing_else,
    what_is_deleted_is_gone_and_nothing_else,
    a_clone_never_loses_what_it_is_made_of,
    what_is_not_ours_is_shown_and_left_alone,
    a_pool_that_is_not_there,
)


@dataclass(frozen=True)
class Deed:
    """Something that changes a pool in which ``arranged`` has put volumes."""

    name: str
    do: Callable[[PoolDriver], Awaitable[None]]


DEEDS = (
    Deed("create", lambda pool: pool.create(NewVolume(FOUR, "new", GRAIN))),
    Deed("snapshot", lambda pool: pool.copy(ONE, NewVolume(FOUR, "new", 2 * GRAIN, True))),
    Deed("clone", lambda pool: pool.copy(TWO, NewVolume(FOUR, "new", 3 * GRAIN))),
    Deed("clone-of-clone", lambda pool: pool.copy(THREE, NewVolume(FOUR, "new", 2 * GRAIN))),
    Deed("grow", lambda pool: pool.grow(ONE, 3 * GRAIN)),
    Deed("grow-clone", lambda pool: pool.grow(THREE, 3 * GRAIN)),
    Deed("roll-back", lambda pool: pool.roll_back(ONE, TWO)),
    Deed("rename", lambda pool: pool.rename(ONE, "shop")),
    Deed("delete", lambda pool: pool.delete(ONE)),
    Deed("delete-clone", lambda pool: pool.delete(THREE)),
)
Kept = dict[VolumeId, tuple[object, ...]]


async def arranged(bench: Bench) -> None:
    """A volume that was written after its snapshot, the snapshot, and a clone of that."""
    pool = bench.pool()
    await pool.mend()
    for key in (FOUR, THREE, ONE, TWO):
        await pool.delete(key)
    assert bench.things() == 0
    await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    await pool.copy(TWO, NewVolume(THREE, "clone", 2 * GRAIN))
    await written(bench, ONE, 0, b"now")
    await written(bench, THREE, 0, b"own")


async def state(bench: Bench) -> Kept:
    """All of the pool's whole volumes, with what is in them."""
    pool: Pool = await bench.pool().look()
    return {each.id: _state(bench, each) for each in pool.volumes if not each.trouble}


def _state(bench: Bench, each: Volume) -> tuple[object, ...]:
    """What is written here is written at the edges of grains; PROMISES look at every byte."""
    edges = [bench.read(each, max(0, at - PAGE), 2 * PAGE) for at in range(0, each.size + 1, GRAIN)]
    return each.name, each.size, each.read_only, each.path, each.created > 0, zlib.crc32(b"".join(edges))


async def cut_off(bench: Bench, deed: Deed) -> int:
    """A deed cut off before each of its inner steps, then mended, and then repeated; how many steps it has."""
    await arranged(bench)
    before, few, restore = await state(bench), bench.things(), bench.saved()
    await deed.do(bench.pool())
    after, many = await state(bench), bench.things()
    assert after != before
    for steps in count():
        for mended in (True, False):
            await _again(bench, restore)
            whole = await _cut(bench, deed, steps)
            for key, kept in (await state(bench)).items():
                assert kept in (before.get(key), after.get(key)), "whole is what it was, or what it was to become"
            said = await bench.pool().mend() if mended else ()
            if mended:
                now = await state(bench)
                assert (now, bench.things()) in ((before, few), (after, many))
                assert not whole or now == after
                assert all(said)
                assert await bench.pool().mend() == (), "all was whole by then"
            await deed.do(bench.pool())
            assert (await state(bench), bench.things()) == (after, many)
            assert await bench.pool().mend() == (), "nothing is left to be done"
            assert (await state(bench), bench.things()) == (after, many)
        if whole:
            return steps
    raise AssertionError("it never ends")


async def _again(bench: Bench, restore: Callable[[], None] | None) -> None:
    if restore:
        restore()
    else:
        await arranged(bench)


async def _cut(bench: Bench, deed: Deed, steps: int) -> bool:
    """Whether it came to its end."""
    try:
        await deed.do(bench.cut(steps))
    except CutOff:
        return False
    return True


async def a_walk(bench: Bench, seed: int, length: int) -> None:
    """The same things at random here and in memory: both say and hold the same."""
    dice, model = random.Random(seed), MemoryBench()
    for _ in range(length):
        deed = _any_deed(dice)
        said = await _outcome(deed(bench))
        if said == "volume-needed":
            continue
        assert await _outcome(deed(model)) == said
        ours, theirs = [_shown(await each.pool().look()) for each in (bench, model)]
        assert ours == theirs
    for each in (await bench.pool().look()).volumes:
        twin = await found(model, each.id)
        assert bench.read(each, 0, each.size) == model.read(twin, 0, twin.size), each.id
    assert await bench.pool().mend() == ()


def _shown(pool: Pool) -> set[tuple[object, ...]]:
    return {(each.id, each.name, each.size, each.read_only, each.origin, each.trouble) for each in pool.volumes}


async def _outcome(call: Awaitable[None]) -> str:
    try:
        await call
    except ApplianceError as error:
        return error.code
    return ""


def _any_deed(dice: random.Random) -> Callable[[Bench], Awaitable[None]]:
    one, other = dice.choices([VolumeId(f"{number:016x}") for number in range(6)], k=2)
    name, size = dice.choice("abcdefgh"), dice.randint(1, 3) * GRAIN
    new, at = NewVolume(one, name, size, dice.random() < 0.3), dice.randrange(0, GRAIN, 512)
    data = dice.randbytes(512)

    async def write(bench: Bench) -> None:
        volume = (await bench.pool().look()).volume(one)
        if volume is not None and not volume.read_only:
            bench.write(volume, at, data)

    deeds: list[Callable[[Bench], Awaitable[None]]] = [
        lambda bench: bench.pool().create(new),
        lambda bench: bench.pool().copy(other, new),
        lambda bench: bench.pool().copy(other, new),
        lambda bench: bench.pool().grow(one, size),
        lambda bench: bench.pool().roll_back(one, other),
        lambda bench: bench.pool().roll_back(one, other),
        lambda bench: bench.pool().rename(one, name),
        lambda bench: bench.pool().delete(one),
        write,
        write,
    ]
    return dice.choice(deeds)
