"""Deployments on volumes through the API: what is asked for, what is shown, and that no secret is among it."""

from dataclasses import replace

from roots_seed import put_live_image, put_root_volume
from web_world import World

from appliance.pool import KnownPool
from appliance.store import deployments, pools
from appliance.volume import PoolId, PoolKind

GIB = 1 << 30


async def pool(admin: World, name: str = "fast", kind: PoolKind = PoolKind.LVM_THIN) -> KnownPool:
    made = KnownPool(PoolId(0), name, kind, f"place-of-{name}", 1.0)
    return await admin.services.store.write(lambda db: pools.add(db, made))


async def test_pool_and_size_are_asked_for_changed_and_taken_back(admin: World) -> None:
    await pool(admin)
    await admin.services.store.write(put_live_image)
    body = {"name": "web-1", "image": "live-13", "delivery": "iscsi", "pool": "fast", "root_size": 10 * GIB}
    made = await admin.api("POST", "/deployments", 201, json=body)
    assert (made["delivery"], made["pool"], made["root_size"], made["root_volume"]) == ("iscsi", "fast", 10 * GIB, None)
    changed = await admin.api("PATCH", "/deployments/web-1", json={"pool": "", "root_size": 0})
    assert (changed["pool"], changed["root_size"]) == (None, None)


async def test_a_directory_is_no_place_for_a_root(admin: World) -> None:
    await pool(admin, "files", PoolKind.DIRECTORY)
    await admin.services.store.write(put_live_image)
    body = {"name": "web-1", "image": "live-13", "delivery": "nfs", "pool": "files"}
    problem = await admin.api("POST", "/deployments", 409, json=body)
    assert (problem["code"], problem["field"]) == ("pool-not-for-roots", "pool")


async def test_a_start_without_any_pool_says_so(admin: World) -> None:
    await admin.services.store.write(put_live_image)
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "live-13", "delivery": "iscsi"})
    problem = await admin.api("POST", "/deployments/web-1/start", 409)
    assert problem["code"] == "pool-none-for-roots"


async def test_root_volume_and_export_are_shown_and_the_secret_is_not(admin: World) -> None:
    known = await pool(admin)
    machine = await admin.machine()
    await admin.services.store.write(put_live_image)
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "live-13", "delivery": "iscsi"})

    def seed(db: object) -> None:
        of = deployments.get(db, "web-1")
        deployments.put(db, replace(of, machine=machine.id))
        put_root_volume(db, of.id, known.id, machine.id)

    await admin.services.store.write(seed)
    shown = await admin.api("GET", "/deployments/web-1")
    root = shown["root_volume"]
    assert (root["name"], root["pool"], root["bytes"], root["ready"]) == ("root-web-1", "fast", 8 * GIB, True)
    assert root["export"]["kind"] == "iscsi"
    assert root["export"]["target"].startswith("iqn.2026-11.test.lab:")
    assert "secret" not in str(shown)
    listed = (await admin.api("GET", "/deployments"))["items"]
    assert listed[0]["root_volume"] == root
