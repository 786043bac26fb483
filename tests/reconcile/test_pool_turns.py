"""Who waits for whom at a pool: for changes of it everybody, for a volume that is being filled nobody who need not."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pool_world import UUID, Helper, group

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.pool import KnownPool
from appliance.privileged.verbs.lvm import Logical
from appliance.privileged.verbs.lvm_tags import ID, MAKING, NAME, STATE, tag
from appliance.privileged.verbs.lvm_volumes import Clear, Made
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_turns import Turns
from appliance.storage.build import Surroundings
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import NewVolume, PoolId, PoolKind, VolumeId

ONE, TWO = VolumeId("1" * 16), VolumeId("2" * 16)
GIB = 1 << 30


@dataclass
class Slow(Helper):
    """Filling takes until ``done`` is set, or ``broken`` says why it ends; what is made shows as half made."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    broken: list = field(default_factory=list)

    async def call(self, verb, hears=None):
        if verb.name == "lvm.create":
            tags = (tag(ID, verb.id), tag(NAME, "web1"), tag(STATE, MAKING))
            half = Logical("half", f"v-{verb.id}", GIB, tags, "thin", attributes="Vwi-a-tz--")
            self.groups = [group(volumes=(half,))]
        if verb.name == "lvm.fill":
            self.begun.set()
            await self.done.wait()
            if self.broken:
                raise self.broken[0]
        return await super().call(verb, hears)


@dataclass
class Place:
    rooms: Rooms
    pool: KnownPool
    helper: Slow

    async def fills(self, key=ONE):
        """A volume of the pool is made; what is filled is not waited for here."""
        async with self.rooms.held(self.pool) as on:
            await on.create(NewVolume(key, f"web{key[0]}", GIB))
            return self.rooms.is_busy(self.pool)

    async def changes(self):
        async with self.rooms.held(self.pool) as on:
            return on

    async def whole(self):
        async with self.rooms.alone(self.pool):
            return True


@pytest.fixture
async def place(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        helper = Slow(groups=[group()], answers={"lvm.create": Made(unfilled=True)})
        rooms = Rooms(store, Bus(), lambda: 5.0, Surroundings(helper, lambda: 5.0))
        pool = await store.write(lambda db: pools.add(db, KnownPool(PoolId(0), "fast", PoolKind.LVM_THICK, UUID, 5.0)))
        await rooms.mend(pool)
        yield Place(rooms, pool, helper)


async def few(turns=50):
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_nobody_waits_for_a_volume_that_is_being_filled(place):
    async with asyncio.TaskGroup() as group:
        filling = group.create_task(place.fills())
        await place.helper.begun.wait()
        assert not place.rooms.is_busy(place.pool)
        assert await place.changes(), "it goes on beside the copy"
        assert not filling.done()
        place.helper.done.set()
    assert filling.result(), "what comes after it has the pool again"
    assert not place.rooms.is_busy(place.pool)


async def test_what_is_being_filled_is_not_taken_for_what_was_cut_off(place):
    async with asyncio.TaskGroup() as group:
        group.create_task(place.fills())
        await place.helper.begun.wait()
        await place.rooms.mend(place.pool)
        assert not cleared(place), "somebody is at it"
        place.helper.done.set()
    await place.rooms.mend(place.pool)
    assert cleared(place), "nobody is, and this helper has not said that it is whole"


def cleared(place):
    return [each for each in place.helper.asked if isinstance(each, Clear)]


async def test_the_pool_as_a_whole_is_had_only_once_all_are_filled(place):
    async with asyncio.TaskGroup() as group:
        group.create_task(place.fills())
        await place.helper.begun.wait()
        whole = group.create_task(place.whole())
        await few()
        assert not whole.done()
        assert await place.changes(), "who waits for all of it holds up nobody meanwhile"
        place.helper.done.set()
    assert whole.result()


async def test_who_begins_to_fill_while_somebody_waits_for_the_whole_does_not_stand_aside(place):
    """Else one copy after the other would keep it waiting for ever."""
    async with asyncio.TaskGroup() as group:
        group.create_task(place.fills())
        await place.helper.begun.wait()
        whole = group.create_task(place.whole())
        await few()
        place.helper.begun.clear()
        group.create_task(place.fills(TWO))
        await place.helper.begun.wait()
        assert place.rooms.is_busy(place.pool)
        place.helper.done.set()
    assert whole.result()


@pytest.mark.parametrize("how", ["fails", "cancelled"])
async def test_a_filling_that_ends_badly_leaves_the_pool_to_the_others(place, how):
    if how == "fails":
        place.helper.broken.append(ApplianceError("storage-failed", "the disk said no"))
    async with asyncio.TaskGroup() as group:
        filling = group.create_task(fails(place))
        await place.helper.begun.wait()
        async with place.rooms.changing(place.pool):
            if how == "fails":
                place.helper.done.set()
            else:
                filling.cancel()
            await asyncio.wait({filling})
            assert place.rooms.is_busy(place.pool), "it was not given up in somebody else's name"
    assert not place.rooms.is_busy(place.pool)
    assert await place.whole()


async def fails(place):
    with pytest.raises(ApplianceError):
        await place.fills()


async def test_who_is_cancelled_while_waiting_for_its_next_turn_takes_none_away():
    turns, done, seen = Turns(), asyncio.Event(), []

    async def fills():
        async with turns.change() as aside, aside(ONE):
            seen.append(turns.filled)
            await done.wait()

    async with asyncio.TaskGroup() as group:
        filling = group.create_task(fills())
        await few()
        assert seen == [{ONE}]
        async with turns.change():
            done.set()
            await few()
            assert turns.filled == frozenset(), "it waits for its turn"
            filling.cancel()
            await asyncio.wait({filling})
            assert turns.taken
    assert not turns.taken
    async with turns.whole():
        assert turns.taken
