"""Pages of volumes: filtered, in every order, and nothing that stays is missed or shown twice."""

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from pool_world import GIB, UUID, PoolWorld, group

from appliance.errors import Invalid
from appliance.pool import KnownPool, Use
from appliance.privileged.verbs.lvm import Report
from appliance.reconcile.memory_page import memory_page
from appliance.reconcile.pool_shown import PoolView
from appliance.reconcile.volume_page import _BY, Wanted, volume_page
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import PoolId, PoolKind
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        found = PoolWorld(store)
        async with found.at_work():
            await found.made()
            await found.made("slow")
            await found.volume("web", 2 * GIB, golden=True, use=Use.IMAGE, of="7")
            await found.volume("Mail", GIB, "slow")
            await found.volumes.snapshot("fast", "web", VolumeWish("monday"), ADA)
            yield found


async def listed(world, wanted=None, order="name", limit=100, cursor=""):
    page = volume_page(await world.views.pools(), wanted or Wanted(), order, limit, cursor)
    return [row.view.volume.name for row in page.items]


async def test_volumes_of_all_pools_are_filtered(world):
    web = (await world.seen()).volume("web").volume
    assert await listed(world) == ["Mail", "monday", "web"]
    for wanted, names in (
        (Wanted("MA"), ["Mail"]),
        (Wanted("m on"), ["monday"]),
        (Wanted(web.id[:9]), ["web"]),
        (Wanted(use=("image", "vm")), ["web"]),
        (Wanted(golden=True), ["web"]),
        (Wanted(golden=False), ["Mail", "monday"]),
        (Wanted(read_only=True), ["monday"]),
        (Wanted(in_use=True), []),
        (Wanted(trouble=False, origin=web.id), ["monday"]),
        (Wanted("web", golden=False), []),
    ):
        assert await listed(world, wanted) == names, wanted
    world.memories["fast"].opened.add(web.id)
    assert await listed(world, Wanted(in_use=True)) == ["web"]


@pytest.mark.parametrize("order", [f"{sign}{name}" for name in _BY for sign in ("", "-")])
async def test_pages_follow_each_other_in_every_order(world, order):
    every, cursor = [], ""
    whole = await listed(world, order=order)
    while True:
        page = volume_page(await world.views.pools(), Wanted(), order, 1, cursor)
        assert page.total == 3
        every += [row.view.volume.name for row in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert every == whole
    assert sorted(every) == ["Mail", "monday", "web"]


async def test_a_cursor_is_good_for_its_list_only(world):
    views = await world.views.pools()
    cursor = volume_page(views, Wanted(), "name", 1, "").next
    volume_page(views, Wanted(), "name", 1, cursor)
    for wanted, order, wrong in (
        (Wanted(), "-name", cursor),
        (Wanted("m"), "name", cursor),
        (Wanted(), "name", "x"),
        (Wanted(), "name", "AAAA"),
        (Wanted(), "name", volume_page(views, Wanted(), "size", 1, "").next),
    ):
        with pytest.raises(Invalid) as refused:
            volume_page(views, wanted, order, 1, wrong)
        assert refused.value.code == "cursor-invalid"


@given(items=st.sets(st.tuples(st.integers(0, 3), st.text(max_size=2))), taken=st.sets(st.integers(0, 9)),
       limit=st.integers(1, 4), turned=st.booleans())  # fmt: skip
def test_what_goes_between_two_pages_hides_nothing_that_stays(items, taken, limit, turned):
    order, there, seen, cursor = "-x" if turned else "x", sorted(items), [], ""
    gone = {each for number, each in enumerate(there) if number in taken}
    while True:
        page = memory_page(there, lambda each: each, order, limit, cursor)
        seen += page.items
        there = [each for each in there if each not in gone]
        if page.next is None:
            break
        cursor = page.next
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)
    assert seen == sorted(seen, reverse=turned)


def test_a_cursor_of_other_types_is_refused():
    one = memory_page([("a",), ("b",)], lambda each: each, "x", 1, "").next
    with pytest.raises(Invalid):
        memory_page([(1,)], lambda each: each, "x", 1, one)


async def test_lvm_is_asked_once_for_all_pools(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        world, asked = PoolWorld(store), []
        other = group(name="slow", uuid="B")
        world.helper.groups = [group(), other]
        for name, place in (("fast", UUID), ("slow", "B")):
            known = KnownPool(PoolId(0), name, PoolKind.LVM_THIN, place, 5.0)
            await store.write(lambda db, known=known: pools.add(db, known))
        call = world.helper.call

        async def counted(verb, hears=None):
            asked.append(verb)
            return await call(verb, hears)

        world.helper.call = counted
        found = await world.views.pools()
        assert [each.seen.data.total for each in found] == [100 * GIB, 100 * GIB]
        assert asked == [Report()]
        await world.views.pools()
        assert len(asked) == 2, "each time anew"


def test_a_pool_that_cannot_be_looked_at_has_no_volumes():
    known = KnownPool(PoolId(1), "fast", PoolKind.MEMORY, "fast", 5.0)
    assert volume_page([PoolView(known, None, "gone")], Wanted(), "name", 5, "").total == 0
