"""Deployments on volumes in the console: what the form asks for, and what a page says of root volume and export."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from roots_seed import put_root_volume

from appliance.pool import KnownPool
from appliance.store import deployments, machines, pools
from appliance.volume import PoolId, PoolKind


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


@pytest.fixture
async def pool(fleet: Visitor) -> KnownPool:
    """One that roots can be in, beside what the fleet has."""
    made = KnownPool(PoolId(0), "roots", PoolKind.LVM_THIN, "place-of-roots", 1.0)
    return await fleet.services.store.write(lambda db: pools.add(db, made))


@pytest.mark.parametrize("delivery", ["iscsi", "nfs"])
async def test_the_form_asks_for_pool_and_size_where_there_is_a_root_volume(
    fleet: Visitor, pool: KnownPool, delivery: str
) -> None:
    page = await fleet.get(f"/deployments/new?image=live-13&delivery={delivery}")
    assert 'name="pool"' in page
    assert 'name="root_size"' in page
    assert 'name="disk"' not in page
    assert "NFS trusts the address of the machine" in said(page)
    assert 'name="pool"' not in await fleet.get("/deployments/new?image=live-13&delivery=ram")
    form = {"name": "root-1", "image": "live-13", "delivery": delivery, "pool": str(pool.id), "root_size": "12"}
    foreseen = await fleet.post("/deployments/new", data=form)
    assert "from a root volume of the appliance" in said(await fleet.get(foreseen))
    made = await fleet.services.store.read(lambda db: deployments.get(db, "root-1"))
    assert (made.pool, made.root_size) == (pool.id, 12 << 30)
    page = await fleet.get("/deployments/root-1/edit")
    assert 'name="root_size" value="12"' in page
    await fleet.post("/deployments/root-1/edit", data=form | {"pool": "", "root_size": ""})
    made = await fleet.services.store.read(lambda db: deployments.get(db, "root-1"))
    assert (made.pool, made.root_size) == (None, None)


async def test_what_is_wrong_with_it_stands_beside_its_field(fleet: Visitor, pool: KnownPool) -> None:
    form = {"name": "root-1", "image": "live-13", "delivery": "iscsi", "pool": "none-such", "root_size": "big"}
    page = said(await fleet.post("/deployments/new", 422, form))
    assert "Type a number of GiB" in page
    page = said(await fleet.post("/deployments/new", 422, form | {"root_size": "8"}))
    assert "there is no pool" in page


async def test_its_page_shows_root_volume_and_export_and_no_secret(fleet: Visitor, pool: KnownPool) -> None:
    form = {"name": "root-1", "image": "live-13", "delivery": "iscsi"}
    await fleet.post("/deployments/new", data=form)
    page = said(await fleet.get("/deployments/root-1"))
    assert "made when it starts, in the first pool that fits" in page
    assert "its root volume is deleted, with all that is on it" in page

    def seed(db: object) -> None:
        of, free = deployments.get(db, "root-1"), set(machines.ids(db)) - deployments.taken(db)
        deployments.put(db, replace(of, machine=min(free)))
        put_root_volume(db, of.id, pool.id, min(free))

    await fleet.services.store.write(seed)
    page = said(await fleet.get("/deployments/root-1"))
    assert "root-web-1" in page
    assert "by iSCSI, to iqn.2026-11.test.lab:machine-x" in page
    assert "sealed secret" not in page
