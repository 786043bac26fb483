"""Neighbours come after the inventory, stay with it, and are a stranger's words."""

import pytest

from appliance.errors import Denied
from appliance.netboot.fleet import Neighbour
from appliance.reconcile.neighbours import LONGEST, MOST
from appliance.store import machines

SWITCH = Neighbour("eth0", "3a:91:38:59:cf:b0", "ge-0/0/12", "to node 12", "sw-rack7", "OS", "10.9.0.1", 42)


async def known(node):
    return ((await node.seen()).inventory or {}).get("neighbours")


async def test_they_are_added_to_the_inventory_and_told_once(world, node):
    await node.usable()
    assert await known(node) is None
    for _ in range(2):
        await world.fleet.take_neighbours(node.token, [SWITCH])
    [kept] = await known(node)
    assert (kept["nic"], kept["port"], kept["system"], kept["vlan"]) == ("eth0", "ge-0/0/12", "sw-rack7", 42)
    told = [event for event in await world.events("inventory.taken") if "plugged in" in event.text]
    assert [event.text for event in told] == ["it is plugged in: eth0 to ge-0/0/12 of sw-rack7"]
    assert (await node.seen()).inventory["disks"], "all else of the inventory is as it was"


async def test_the_next_inventory_keeps_them_until_the_agent_has_listened_again(world, node):
    await node.usable()
    await world.fleet.take_neighbours(node.token, [SWITCH])
    await node.boots_stack()
    assert len(await known(node)) == 1
    await world.fleet.take_neighbours(node.token, [])
    assert await known(node) == []


async def test_their_words_are_cleaned_and_bounded(world, node):
    await node.usable()
    hostile = Neighbour("eth0", "x", "\x1b[2Jport\u202e", system="s" * 400, vlan=70000)
    await world.fleet.take_neighbours(node.token, [hostile] * (MOST + 5))
    kept = await known(node)
    assert len(kept) == MOST
    assert kept[0]["port"] == "?[2Jport?"
    assert len(kept[0]["system"]) == LONGEST
    assert kept[0]["vlan"] is None


async def test_strangers_tell_nothing(world, node):
    await node.usable()
    with pytest.raises(Denied):
        await world.fleet.take_neighbours("0" * 64, [SWITCH])
    assert await known(node) is None


async def test_a_session_without_proof_tells_nothing(world, node):
    await node.firmware()
    stranger = await node.firmware(proven=False)
    await node.redeem(stranger)
    machine = (await node.seen()).id
    await world.store.write(lambda db: machines.put_inventory(db, machine, node.inventory()))
    await world.fleet.take_neighbours(node.token, [SWITCH])
    assert await known(node) is None
