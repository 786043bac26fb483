"""``qrm deployments`` of roots on volumes: pool and size, what is shown of volume and export."""

from dataclasses import replace

import pytest
from cli_world import Cli
from roots_seed import put_live_image, put_root_volume

from appliance.pool import KnownPool
from appliance.store import deployments, pools
from appliance.volume import PoolId, PoolKind


@pytest.fixture
async def pool(qrm: Cli) -> KnownPool:
    made = KnownPool(PoolId(0), "roots", PoolKind.LVM_THIN, "place-of-roots", 1.0)
    await qrm.world.services.store.write(put_live_image)
    return await qrm.world.services.store.write(lambda db: pools.add(db, made))


def shown(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


async def test_pool_and_size_are_chosen_and_taken_back(qrm: Cli, pool: KnownPool) -> None:
    create = ("deployments", "create", "root-1", "--image", "live-13", "--delivery", "iscsi")
    await qrm.run(*create, "--pool", "roots", "--root-size", "20GiB")
    lines = shown((await qrm.run("deployments", "show", "root-1")).out)
    assert ["delivery", "iscsi"] in lines
    assert any("pool roots, 20 GiB of root volume" in " ".join(line) for line in lines)
    await qrm.run("deployments", "set", "root-1", "--pool", "any", "--root-size", "any")
    made = await qrm.world.services.store.read(lambda db: deployments.get(db, "root-1"))
    assert (made.pool, made.root_size) == (None, None)


async def test_what_cannot_be_is_refused(qrm: Cli, pool: KnownPool) -> None:
    create = ("deployments", "create", "root-1", "--image", "live-13")
    said = await qrm.run(*create, "--delivery", "ram", "--pool", "roots", code=4)
    assert "delivery ram makes no root volume" in said.err
    await qrm.run(*create, "--delivery", "nfs", "--root-size", "huge", code=2)
    await qrm.run(*create, "--delivery", "carrier-pigeon", code=2)


async def test_root_volume_and_export_are_shown(qrm: Cli, pool: KnownPool) -> None:
    machine = await qrm.world.machine()
    await qrm.run("deployments", "create", "web-1", "--image", "live-13", "--delivery", "iscsi")

    def seed(db: object) -> None:
        of = deployments.get(db, "web-1")
        deployments.put(db, replace(of, machine=machine.id))
        put_root_volume(db, of.id, pool.id, machine.id)

    await qrm.world.services.store.write(seed)
    out = (await qrm.run("deployments", "show", "web-1")).out
    assert "root-web-1 in roots, 8 GiB" in out
    assert "by iscsi to iqn.2026-11.test.lab:machine-x" in out
    assert "sealed secret" not in out
