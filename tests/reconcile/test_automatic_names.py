"""A name that we make up for a new machine gives way to one that somebody has."""

from fleet_world import FIRST, Played

from appliance.machine import default_name
from appliance.names import DnsRecord, KeptAddress
from appliance.store import network

MADE_UP = default_name([FIRST])


async def test_a_record_of_a_user_keeps_its_name(world):
    record = DnsRecord(MADE_UP, "A", "10.77.0.9", "", 1.0)
    await world.store.write(lambda db: network.add_record(db, record))
    node = Played(world)
    await node.boots_stack()
    name = (await node.seen()).name
    assert name != MADE_UP
    assert name.startswith(f"{MADE_UP}-")


async def test_a_reservation_keeps_its_name(world):
    kept = KeptAddress("02:00:00:00:00:09", "10.77.0.9", MADE_UP, "", 1.0)
    await world.store.write(lambda db: network.keep_address(db, kept))
    node = Played(world)
    await node.boots_stack()
    assert (await node.seen()).name != MADE_UP


async def test_a_name_that_is_free_is_taken(world):
    node = Played(world)
    await node.boots_stack()
    assert (await node.seen()).name == MADE_UP
