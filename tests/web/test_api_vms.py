"""VMs and their hosts for programs: made, changed, ordered, shut down, deleted; what others made only shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from access_world import log_in, person
from vm_bench import HostsOfMemory, at_work
from web_world import World

from appliance.hypervisor.memory import Kept, Memory
from appliance.pool import KnownPool
from appliance.store import pools
from appliance.vm import Vm, VmId
from appliance.volume import PoolId, PoolKind

GIB, MIB = 1 << 30, 1 << 20
THEIRS = Vm(VmId("11111111-2222-4333-8444-555555555555"), "theirs", memory=64 * MIB)


@pytest.fixture
async def hosting(admin: World) -> AsyncIterator[World]:
    """With the host ``one`` and the pool ``fast``, both of memory."""
    pool = KnownPool(PoolId(0), "fast", PoolKind.MEMORY, "fast", 5.0)
    await admin.services.store.write(lambda db: pools.add(db, pool))
    async with at_work(admin.services) as vms:
        await vms.host()
        yield admin


def memory(world: World) -> Memory:
    assert isinstance(world.services.vms, HostsOfMemory)
    return world.services.vms.memories["one"]


async def done(world: World, task: Any) -> Any:
    """The task, once it is done."""
    async with asyncio.timeout(20):
        while task["status"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
            task = await world.api("GET", f"/tasks/{task['id']}")
    assert task["status"] == "done", task
    return task


async def made(world: World, name: str = "web1", **more: Any) -> Any:
    body = {"name": name, "memory": 64 * MIB, **more}
    task = await done(world, await world.api("POST", "/vms", 202, json=body))
    return await world.api("GET", f"/vms/{task['result']['vm']}")


async def test_the_life_of_a_vm(hosting: World) -> None:
    disks, nics = [{"size": 2 * GIB}], [{"bridge": "br0", "vlan": 7}]
    vm = await made(hosting, disks=disks, nics=nics, cdroms=[""], tpm=True, start=True)
    assert (vm["state"], vm["ours"], vm["host"]["name"], vm["work"]) == ("running", True, "one", None)
    definition = vm["definition"]
    assert [each["target"] for each in definition["disks"]] == ["sda"]
    assert definition["boot"] == ["sda", "sdb", definition["nics"][0]["mac"]]
    assert [(each["target"], each["name"]) for each in vm["volumes"]] == [("sda", "web1-sda")]
    wish = {"cpus": 2, "autostart": {"order": 3, "delay": 5}, "revision": vm["revision"]}
    changed = await hosting.api("PATCH", "/vms/web1", json=wish)
    assert (changed["definition"]["cpus"], changed["live"]["cpus"], changed["needs_restart"]) == (2, 1, ["cpus"])
    lost = await hosting.api("PATCH", "/vms/web1", 409, json={"cpus": 3, "revision": vm["revision"]})
    assert lost["code"] == "vm-changed"
    for order, state in [("pause", "paused"), ("resume", "running"), ("reset", "running"), ("off", "off")]:
        assert (await hosting.api("POST", f"/vms/web1/{order}", json={}))["state"] == state
    assert (await hosting.api("POST", "/vms/web1/pause", 409))["code"] == "vm-state"
    assert (await hosting.api("POST", "/vms/web1/start"))["state"] == "running"
    shut = await done(hosting, await hosting.api("POST", "/vms/web1/shut-down", 202, json={"patience": 30}))
    assert (shut["kind"], shut["result"]["forced"]) == ("vm.shut-down", False)
    await done(hosting, await hosting.api("POST", "/vms/web1/disks", 202, json={"size": GIB, "bus": "sata"}))
    off = await hosting.api("PATCH", "/vms/web1", json={"detach": ["sda"], "no_autostart": True, "name": "web2"})
    assert ([each["target"] for each in off["definition"]["disks"]], off["definition"]["autostart"]) == (["sdc"], None)
    foreseen = await hosting.api("GET", "/vms/web2/consequences?action=delete&disks=true")
    assert (foreseen["confirm"], foreseen["destroys"]) == ("web2", True)
    assert "web1-sdc (1.0 GiB)" in foreseen["texts"][-1]
    refused = await hosting.api("POST", "/vms/web2/delete", 409, json={"disks": True})
    assert refused["code"] == "confirmation-needed"
    await done(hosting, await hosting.api("POST", "/vms/web2/delete", 202, json={"disks": True, "confirm": "web2"}))
    assert (await hosting.api("GET", "/vms"))["items"] == []
    volumes = await hosting.api("GET", "/volumes")
    assert [(each["name"], each["use"]) for each in volumes["items"]] == [("web1-sda", "user")]


async def test_the_list_is_filtered_sorted_and_paged(hosting: World) -> None:
    for name, cpus in (("a", 2), ("b", 1), ("c", 4)):
        await made(hosting, name, cpus=cpus)
    await hosting.api("POST", "/vms/b/start")
    memory(hosting).kept[THEIRS.id] = Kept("somebody else", THEIRS)

    async def names(query: str) -> list[str]:
        return [each["name"] for each in (await hosting.api("GET", f"/vms?{query}"))["items"]]

    assert await names("sort=-cpus") == ["c", "a", "theirs", "b"]
    assert await names("state=running") == ["b"]
    assert await names("ours=false") == ["theirs"]
    assert await names("q=the") == ["theirs"]
    assert await names("host=one&ours=true") == ["a", "b", "c"]
    first = await hosting.api("GET", "/vms?limit=3")
    rest = await hosting.api("GET", f"/vms?limit=3&cursor={first['next']}")
    assert ([each["name"] for each in rest["items"]], rest["total"]) == (["theirs"], 4)


async def test_a_host_that_does_not_answer_shows_what_it_had(hosting: World) -> None:
    await made(hosting)
    await hosting.api("GET", "/vms")
    memory(hosting).leave()
    (vm,) = (await hosting.api("GET", "/vms?old=true"))["items"]
    assert (vm["name"], vm["old"]) == ("web1", True)
    host = await hosting.api("GET", "/hosts/one")
    assert (host["cpus"], host["vms"]) == (None, 1)
    assert host["trouble"].startswith("the host one does not answer")


async def test_hosts_are_added_and_removed(hosting: World) -> None:
    odd = {"name": "two", "address": "qemu+ext:///system?command=/bin/sh"}
    assert (await hosting.api("POST", "/hosts", 422, json=odd))["code"] == "host-address"
    assert isinstance(hosting.services.vms, HostsOfMemory)
    hosting.services.vms.memories["two"] = Memory(hosting.clock)
    added = await hosting.api("POST", "/hosts", 201, json={"name": "two", "address": "memory:///two"})
    assert (added["name"], added["libvirt"], added["own"], added["here"]) == ("two", "11.3.0", False, True)
    assert [each["name"] for each in (await hosting.api("GET", "/hosts"))["items"]] == ["one", "two"]
    await hosting.api("DELETE", "/hosts/two", 204)
    assert (await hosting.api("GET", "/hosts/two", 404))["code"] == "vm-host-unknown"


async def test_what_others_made_is_shown_and_never_touched(hosting: World) -> None:
    memory(hosting).kept[THEIRS.id] = Kept("somebody else", THEIRS)
    shown = await hosting.api("GET", "/vms/theirs")
    assert (shown["ours"], shown["definition"]["memory"]) == (False, 64 * MIB)
    assert (await hosting.api("GET", "/vms/theirs/consequences?action=delete"))["refused"]
    for path, body in [("start", {}), ("off", {}), ("delete", {"confirm": "theirs"}), ("disks", {"size": GIB})]:
        answer = await hosting.api("POST", f"/vms/theirs/{path}", 409, json=body)
        assert answer["code"] in ("vm-foreign", "vm-refused")
    assert (await hosting.api("PATCH", "/vms/theirs", 409, json={"cpus": 2}))["code"] == "vm-foreign"
    assert memory(hosting).asked == []


async def test_viewers_look_operators_work_and_administrators_say_which_hosts(hosting: World) -> None:
    await made(hosting)
    admin = await log_in(hosting)
    vera, olga = await person(hosting, admin, "viewer"), await person(hosting, admin, "operator")
    assert (await vera.api("GET", "/vms/web1"))["name"] == "web1"
    await vera.api("POST", "/vms/web1/start", 403)
    await olga.api("POST", "/vms/web1/start")
    await olga.api("POST", "/hosts", 403, json={"name": "x", "address": "qemu:///system"})
    await olga.api("DELETE", "/hosts/one", 403)
