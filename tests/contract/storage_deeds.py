"""Changes of a pool that are cut off before each of their steps, and changes at random that are compared with memory's.

``await cut_off(bench, deed)`` for each of DEEDS, and ``await a_walk(bench, seed, length)``.
"""

import random
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.storage.driver import PoolDriver
from appliance.storage.memory import CutOff
from appliance.volume import GRAIN, NewVolume, Pool, Volume, VolumeId
from tests.contract.storage_bench import FOUR, ONE, THREE, TWO, Bench, MemoryBench, found, given, made, written

PAGE = 8192
"""Bytes; what ``made`` writes is nearer than that to the edge of a grain."""


@dataclass(frozen=True)
class Deed:
    """Something that changes a pool in which ``arranged`` has put volumes."""

    name: str
    do: Callable[[PoolDriver, Path], Awaitable[None]]
    """With a file that a volume can be filled with."""


DEEDS = (
    Deed("create", lambda pool, _: pool.create(NewVolume(FOUR, "new", GRAIN))),
    Deed("snapshot", lambda pool, _: pool.copy(ONE, NewVolume(FOUR, "new", 2 * GRAIN, True))),
    Deed("fill", lambda pool, file: pool.fill(NewVolume(FOUR, "new", 2 * GRAIN, True), file)),
    Deed("clone", lambda pool, _: pool.copy(TWO, NewVolume(FOUR, "new", 3 * GRAIN))),
    Deed("clone-of-clone", lambda pool, _: pool.copy(THREE, NewVolume(FOUR, "new", 2 * GRAIN))),
    Deed("grow", lambda pool, _: pool.grow(ONE, 3 * GRAIN)),
    Deed("grow-clone", lambda pool, _: pool.grow(THREE, 3 * GRAIN)),
    Deed("roll-back", lambda pool, _: pool.roll_back(ONE, TWO)),
    Deed("rename", lambda pool, _: pool.rename(ONE, "shop")),
    Deed("delete", lambda pool, _: pool.delete(ONE)),
    Deed("delete-clone", lambda pool, _: pool.delete(THREE)),
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


def to_fill(bench: Bench) -> Path:
    """What a deed fills a volume with."""
    return given(bench, GRAIN + 5, (0, b"filled"), (GRAIN, b"golde"))


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
    await deed.do(bench.pool(), to_fill(bench))
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
            await deed.do(bench.pool(), to_fill(bench))
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
        await deed.do(bench.cut(steps), to_fill(bench))
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
        lambda bench: bench.pool().fill(new, given(bench, 2 * GRAIN - 7, (at, data))),
        lambda bench: bench.pool().grow(one, size),
        lambda bench: bench.pool().roll_back(one, other),
        lambda bench: bench.pool().roll_back(one, other),
        lambda bench: bench.pool().rename(one, name),
        lambda bench: bench.pool().delete(one),
        write,
        write,
    ]
    return dice.choice(deeds)
