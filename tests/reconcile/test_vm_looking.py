"""Hosts and VMs are looked at anew each time; what does not answer shows what it had, and says that it is old."""

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio
from vm_world import MIB, THEIRS, VmWorld, vm

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.hypervisor.memory import MemoryHost
from appliance.reconcile.vms import looking
from appliance.store.store import open_store
from appliance.vm import Order, VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield VmWorld(store)


async def names(world):
    return [(each.host.name, each.seen.name, each.seen.state, each.old) for each in (await world.vms.list()).vms]


async def test_vms_of_all_hosts_are_listed_by_name_with_their_state(world):
    await world.host("one")
    await world.host("two")
    world.put("two", vm(1, "a"), VmState.RUNNING)
    world.put("one", vm(2, "b"))
    assert await names(world) == [("two", "a", VmState.RUNNING, False), ("one", "b", VmState.OFF, False)]


async def test_a_host_that_does_not_answer_shows_what_it_had_as_old(world):
    memory = await world.host("one")
    await world.host("two")
    world.put("one", vm(1, "a"), VmState.RUNNING)
    await world.vms.list()
    memory.leave()
    world.now += 60
    assert await names(world) == [("one", "a", VmState.RUNNING, True)]
    host = (await world.vms.hosts())[0]
    assert (host.known.name, host.host, host.at) == ("one", None, world.now - 60)
    assert host.trouble.startswith("the host one does not answer")
    memory.come_back()
    assert await names(world) == [("one", "a", VmState.RUNNING, False)]


async def test_a_vm_is_found_by_id_and_by_name_ours_first(world):
    await world.host("one")
    await world.host("two")
    ours, theirs = world.put("one", vm(1, "web")), world.put("two", vm(2, "web"), owner=THEIRS)
    assert (await world.vms.get("web")).found.stored == ours
    assert (await world.vms.get(theirs.id.upper())).found.stored == theirs
    world.put("two", vm(3, "web"))
    with pytest.raises(Conflict) as caught:
        await world.vms.get("web")
    assert (caught.value.code, caught.value.message) == ("vm-ambiguous", "several VMs are called web, on one, two")


async def test_a_vm_that_nobody_has_is_not_found_and_a_silent_host_is_named(world):
    memory = await world.host("one")
    with pytest.raises(NotFound, match="there is no VM 'web'") as caught:
        await world.vms.get("web")
    assert caught.value.code == "vm-unknown"
    memory.leave()
    world.begin()
    with pytest.raises(NotFound, match="and one does not: the host one does not answer"):
        await world.vms.get("web")


# -- hosts


async def test_a_host_is_known_once_it_has_answered(world):
    memory = await world.host("one")
    await world.host("two")
    assert [each.known.name for each in await world.vms.hosts()] == ["one", "two"]
    assert [each.text for each in await world.events("host.changed")] == [
        "ada added the host one", "ada added the host two",
    ]  # fmt: skip
    await world.vms.remove_host("two", ADA)
    memory.leave()
    world.memories["three"] = memory
    with pytest.raises(ApplianceError) as caught:
        await world.vms.add_host("three", "memory:///three", ADA)
    assert caught.value.code == "host-unreachable"
    assert [each.known.name for each in await world.vms.hosts()] == ["one"]


@pytest.mark.parametrize(
    "address",
    [
        "", "qemu:///session?socket=/tmp/x", "qemu+ext:///system?command=/bin/sh", "qemu+ssh://h/system?netcat=/bin/x",
        "qemu+ssh://-oProxyCommand=x/system", "qemu+ssh://root@h h/system", "qemu+tcp://h/system", "xen:///", "memory:///nobody",
    ],
)  # fmt: skip
async def test_addresses_that_start_programs_or_name_files_are_refused(world, address):
    with pytest.raises(Invalid) as caught:
        await world.vms.add_host("odd", address, ADA)
    assert (caught.value.code, caught.value.field) == ("host-address", "address")


async def test_two_hosts_have_neither_one_name_nor_one_address(world):
    await world.host("one")
    for name, address, field in [("one", "test:///default", "name"), ("two", "memory:///one", "address")]:
        with pytest.raises(Conflict) as caught:
            await world.vms.add_host(name, address, ADA)
        assert (caught.value.code, caught.value.field) == ("host-taken", field)
    await world.vms.list()  # the driver of the one that is known was not closed for it


# -- orders


async def test_an_order_is_carried_out_told_and_in_the_audit_log(world):
    memory = await world.host("one")
    world.put("one", vm(1, "web"))
    await world.vms.order("web", Order.START, ADA)
    await world.vms.order("web", Order.START, ADA)
    assert await world.state("web") is VmState.RUNNING
    assert [each.text for each in await world.events("vm.ordered")] == ["ada started web"]
    (entry,) = await world.audited("vm.start")
    assert (entry.who, entry.kind, entry.name) == ("ada", "vm", "web")
    await world.vms.order("web", Order.OFF, ADA)
    assert memory.asked == ["start", "start", "off"]


async def test_what_others_made_is_shown_and_never_touched(world):
    memory = await world.host("one")
    world.put("one", vm(1, "web"), owner=THEIRS)
    assert (await world.vms.get("web")).found.stored.memory == 64 * MIB
    for order in Order:
        with pytest.raises(Conflict) as caught:
            await world.vms.order("web", order, ADA)
        assert caught.value.code == "vm-foreign"
    assert memory.asked == []


async def test_an_order_for_another_state_says_what_to_do_and_tells_nothing(world):
    await world.host("one")
    world.put("one", vm(1, "web"))
    with pytest.raises(Conflict, match="pause is not for web, which is off") as caught:
        await world.vms.order("web", Order.PAUSE, ADA)
    assert (caught.value.code, caught.value.hint) == ("vm-state", "start it first")
    assert await world.events("vm.ordered") == []


async def test_lists_mark_what_a_restart_would_change_and_wait_for_nobody(world, monkeypatch):
    await world.host()
    running = world.put("one", vm(1, "web1"), VmState.RUNNING)
    world.put("one", vm(2, "web2"), VmState.RUNNING)
    world.memories["one"].kept[running.id].stored = replace(running, cpus=4)
    views = (await world.vms.list()).vms
    assert await world.vms.needing_restart(views) == {running.id: ("cpus",)}

    monkeypatch.setattr(looking, "MARKED_WITHIN", 0.01)
    monkeypatch.setattr(MemoryHost, "read", lambda *_: asyncio.Event().wait())
    assert await world.vms.needing_restart(views) == {}
