"""What every driver of storage promises, as functions of a bench: whoever has a driver asks them all of it.

``@pytest.mark.parametrize("promise", PROMISES)``, and ``await promise(bench)`` with a bench that has an empty pool of
at least 64 MiB. Besides, what ``storage_deeds`` asks.
"""

import contextlib

from appliance.errors import ApplianceError
from appliance.volume import GRAIN, MOST, Level, NewVolume, VolumeId, level
from tests.contract.refusal import refused
from tests.contract.storage_bench import (
    FOUR,
    ONE,
    THREE,
    TWO,
    Bench,
    found,
    given,
    holds,
    made,
    marks,
    written,
)


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


async def what_is_filled_holds_what_the_file_does(bench: Bench) -> None:
    pool, parts = bench.pool(), ((0, b"first"), (GRAIN - 3, b"across"), (3 * GRAIN - 4, b"last"))
    await pool.fill(NewVolume(ONE, "golden", 4 * GRAIN, True), given(bench, 3 * GRAIN, *parts))
    volume = await found(bench, ONE)
    assert (volume.name, volume.size, volume.origin, volume.read_only) == ("golden", 4 * GRAIN, None, True)
    assert await holds(bench, ONE, *parts)
    await pool.fill(NewVolume(ONE, "golden", 4 * GRAIN, True), given(bench, GRAIN, (0, b"later")))
    await pool.fill(NewVolume(ONE, "golden", 4 * GRAIN, True), bench.filling() / "00000000000000ab")
    assert await holds(bench, ONE, *parts), "it was there already"
    await pool.copy(ONE, NewVolume(TWO, "web1", 5 * GRAIN))
    await written(bench, TWO, 0, b"second")
    assert await holds(bench, TWO, (0, b"second"), *parts[1:])
    assert await holds(bench, ONE, *parts)


async def what_cannot_be_filled_is_refused(bench: Bench) -> None:
    pool = await made(bench, ONE, "web1")
    before, file = bench.things(), given(bench, 2 * GRAIN + 1, (0, b"first"))
    link = bench.filling() / "00000000000000ac"
    link.symlink_to(file)
    new = NewVolume(TWO, "golden", 2 * GRAIN, True)
    await refused("filling-too-large", pool.fill(new, file))
    await refused("filling-missing", pool.fill(NewVolume(TWO, "golden", 4 * GRAIN), link))
    await refused("filling-missing", pool.fill(new, bench.filling() / "00000000000000ad"))
    await refused("filling-missing", pool.fill(new, bench.filling()))
    await refused("name-taken", pool.fill(NewVolume(TWO, "web1", 4 * GRAIN), file))
    await refused("volume-id-taken", pool.fill(NewVolume(ONE, "golden", 4 * GRAIN), file))
    await refused("pool-too-small", pool.fill(NewVolume(TWO, "golden", MOST), file))
    await pool.mend()
    assert bench.things() == before
    assert await holds(bench, ONE, *marks())


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
    what_is_filled_holds_what_the_file_does,
    what_cannot_be_filled_is_refused,
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
