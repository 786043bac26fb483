"""The pool in memory is thin: room is taken as it is written, shared until then, and comes to its end."""

import errno
from dataclasses import replace

import pytest

from appliance.errors import ApplianceError
from appliance.storage.memory import BLOCK, NOTE, CutOff, Memory, MemoryPool
from appliance.volume import GRAIN, Level, NewVolume, VolumeId, level

GOLDEN = NewVolume(VolumeId("0" * 15 + "1"), "golden", GRAIN)
WEB = NewVolume(VolumeId("0" * 15 + "2"), "web1", GRAIN)


async def made(memory):
    pool = MemoryPool(memory, lambda: 5.0)
    await pool.create(GOLDEN)
    return pool


async def used(pool):
    seen = await pool.look()
    return seen.data.used // BLOCK, [each.used // BLOCK for each in seen.volumes]


async def test_room_is_taken_as_it_is_written_and_shared_until_then():
    memory = Memory()
    pool = await made(memory)
    assert await used(pool) == (0, [0])
    memory.write(GOLDEN.id, BLOCK - 1, b"ab")
    assert await used(pool) == (2, [2])
    await pool.copy(GOLDEN.id, WEB)
    assert await used(pool) == (2, [2, 2])
    memory.write(WEB.id, 0, b"c")
    memory.write(WEB.id, 1, b"d")
    assert await used(pool) == (3, [2, 2])
    assert memory.read(GOLDEN.id, 0, BLOCK + 2) == bytes(BLOCK - 1) + b"ab" + bytes(1)
    assert memory.read(WEB.id, 0, 3) == b"cd\0"
    await pool.delete(WEB.id)
    assert await used(pool) == (2, [2])
    assert (await pool.look()).volumes[0].created == 5.0


async def test_a_full_pool_takes_no_write_and_what_is_written_can_be_written_again():
    memory = Memory(size=GRAIN)
    pool = await made(memory)
    await pool.create(WEB)
    memory.write(GOLDEN.id, 0, bytes(GRAIN - BLOCK))
    assert level(await pool.look()) is Level.STOP
    memory.write(GOLDEN.id, GRAIN - BLOCK, b"last")
    assert level(await pool.look()) is Level.FULL
    with pytest.raises(OSError, match="No space left") as caught:
        memory.write(WEB.id, 0, b"more")
    assert caught.value.errno == errno.ENOSPC
    memory.write(GOLDEN.id, 0, b"again")
    assert memory.read(GOLDEN.id, GRAIN - BLOCK, 4) == b"last"
    with pytest.raises(ApplianceError) as refused:
        await pool.copy(GOLDEN.id, replace(WEB, id=VolumeId("0" * 16), name="web2"))
    assert refused.value.code == "pool-filling"
    await pool.delete(GOLDEN.id)
    memory.write(WEB.id, 0, b"more")


async def test_metadata_comes_to_its_end_by_itself():
    memory = Memory(metadata=2 * NOTE)
    pool = await made(memory)
    memory.write(GOLDEN.id, 0, b"one")
    assert level(await pool.look()) is Level.FULL
    with pytest.raises(OSError, match="No space left"):
        memory.write(GOLDEN.id, BLOCK, b"two")


async def test_nothing_is_written_behind_the_end_of_a_volume():
    memory = Memory()
    await made(memory)
    with pytest.raises(OSError, match="No space left"):
        memory.write(GOLDEN.id, GRAIN - 1, b"ab")
    assert memory.read(GOLDEN.id, GRAIN - 1, 10) == b"\0"


async def test_it_fails_as_it_is_told_to():
    memory = Memory()
    pool = await made(memory)
    memory.refusing["grow"] = ApplianceError("storage-failed", "the disk is gone")
    with pytest.raises(ApplianceError, match="the disk is gone"):
        await pool.grow(GOLDEN.id, 2 * GRAIN)
    memory.failing = ApplianceError("storage-failed", "all is gone")
    with pytest.raises(ApplianceError, match="all is gone"):
        await pool.look()
    assert memory.asked == ["create", "grow", "look"]


async def test_who_was_killed_does_nothing_any_more():
    memory = Memory(steps_left=1)
    pool = MemoryPool(memory)
    for _ in range(2):
        with pytest.raises(CutOff):
            await pool.create(GOLDEN)
    assert (await pool.look()).volumes[0].trouble
    memory.steps_left = None
    assert await MemoryPool(memory).mend() == (f"golden ({GOLDEN.id}) was half made, and was taken away",)
    assert memory.kept == {}
