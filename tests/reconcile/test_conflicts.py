"""Two machines that claim one identity, and inventories that nobody can believe."""

import pytest
from fleet_world import Played, code_of, state

from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress
from appliance.netboot.fleet import Activity
from appliance.reconcile.wishes import MachineChange
from tests.people import ADA

OTHER = MacAddress("52:54:00:00:00:02")


async def test_the_same_uuid_twice_makes_two_machines_and_an_event(world, node):
    await node.boots_stack()
    twin = Played(world, OTHER)
    await twin.boots_stack()
    assert (await twin.seen()).id != (await node.seen()).id
    [event] = await world.events("machine.conflict")
    assert "claims the UUID of node-000001 too" in event.text
    await node.firmware()
    await twin.firmware()
    assert len(await world.events("machine.conflict")) == 1


async def test_a_second_interface_of_a_known_machine_is_that_machine(world, node):
    first = node.inventory()
    second = Played(world, OTHER, node.uuid)
    boot = await node.firmware()
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, {**first, "nics": [{"mac": node.mac}, {"mac": OTHER}]})
    await second.firmware()
    assert len(await world.machines()) == 1


async def test_an_inventory_cannot_take_the_interface_of_another_machine(world, node):
    other = Played(world, OTHER, None)
    await other.boots_stack()
    boot = await node.firmware()
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, {**node.inventory(), "nics": [{"mac": OTHER}, {"mac": node.mac}]})
    assert (await other.seen()).macs == (OTHER,)
    assert (await node.seen()).macs == (node.mac,)


GOOD = {"system": {}, "cpu": {}, "memory": {}, "disks": [], "nics": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"disks": "none"},
        {"disks": [1]},
        {"disks": [{"bytes": "many"}]},
        {"disks": [{"bytes": -1}]},
        {"disks": [{"bytes": 10**30}]},
        {"disks": [{"content": "ext4"}]},
        {"disks": [{"content": {"empty": "yes"}}]},
        {"cpu": {"threads": "two"}},
        {"memory": {"bytes": []}},
        {"nics": [{"mac": 5}]},
        {"nics": None, "system": "x"},
        {"boot_mac": {"a": 1}},
    ],
)
async def test_an_inventory_of_the_wrong_shape_is_refused_and_stops_nobody(world, node, wrong):
    stranger = Played(world, OTHER, None)
    boot = await stranger.firmware()
    await stranger.redeem(boot)
    refused = world.fleet.take_inventory(stranger.token, {**GOOD, **wrong})
    assert await code_of(Invalid, refused) == "inventory-invalid"
    await node.usable()
    await world.deploy()
    await world.act("start")
    assert await state(node) == "deploying"


async def test_what_an_agent_could_not_find_out_is_no_reason_to_refuse_it(world, node):
    boot = await node.firmware()
    await node.redeem(boot)
    nothing = dict.fromkeys(("system", "cpu", "memory", "disks", "nics", "boot_mac"))
    assert (await world.fleet.take_inventory(node.token, nothing))[0] == "idle"
    await world.wishes.change_machine("node-000001", MachineChange(maintenance=False), ADA)
    await world.deploy()
    with pytest.raises(Conflict, match="it has no disk"):
        await world.act("start")


async def test_a_late_resident_address_that_is_none_is_ignored(world, node):
    await node.active()
    machine = await node.seen()
    assert machine.address == "10.77.0.50"
    hostile = ("127.0.0.1/8", "<script>.x", "fe80::1", "10.77.0.99/24")
    await world.fleet.resident_active(node.resident, Activity("b2", "h", (), hostile))
    assert (await node.seen()).address == "10.77.0.99"
