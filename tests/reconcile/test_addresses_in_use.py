"""An address that somebody is leased just now cannot be reserved for somebody else."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from fleet_world import FIRST
from test_reservations import SUBNET, machine

from appliance.errors import Conflict
from appliance.lease import Lease, LeaseState
from appliance.reconcile.wishes import MachineChange, Wishes
from appliance.store import machines
from appliance.store.leases import StoredLeases
from tests.people import ADA

ADDRESS = "10.77.0.60"
STRANGER = "52:54:00:00:00:99"


async def reserve(world, state=LeaseState.BOUND, mac=STRANGER, seconds=60.0):
    """Reserve the address for m1 that this interface holds for so long."""
    for number, name in enumerate(("m1", "m2"), 1):
        await world.store.write(lambda db, n=number, name=name: machines.put(db, machine(name, n)))
    now = world.now
    lease = Lease(mac, IPv4Address(ADDRESS), "br0", b"", "", now - 60, now + seconds, state)
    await StoredLeases(world.store).save([lease])
    wishes = Wishes(world.store, world.bus, lambda: now, [SUBNET])
    return await wishes.change_machine("m1", MachineChange(reserved_address=ADDRESS), ADA)


@pytest.mark.parametrize(("mac", "holder"), [(STRANGER, STRANGER), ("52:54:00:00:00:02", "m2")])
async def test_an_address_that_another_holds_is_refused_and_the_holder_named(world, mac, holder):
    with pytest.raises(Conflict, match=holder) as refused:
        await reserve(world, mac=mac)
    assert (refused.value.code, refused.value.field) == ("address-in-use", "reserved_address")


@pytest.mark.parametrize(
    "lease", [{"mac": FIRST}, {"seconds": -1.0}, {"state": LeaseState.RELEASED}, {"state": LeaseState.DECLINED}]
)
async def test_one_that_nobody_else_is_leased_is_reserved(world, lease):
    assert (await reserve(world, **lease)).reserved_address == ADDRESS


async def test_a_reservation_that_is_there_stays_whoever_holds_the_address(world):
    kept = replace(machine("m1", 1), reserved_address=ADDRESS)
    await world.store.write(lambda db: machines.put(db, kept))
    lease = Lease(STRANGER, IPv4Address(ADDRESS), "br0", b"", "", world.now, world.now + 60, LeaseState.BOUND)
    await StoredLeases(world.store).save([lease])
    wishes = Wishes(world.store, world.bus, lambda: world.now, [SUBNET])
    change = MachineChange(reserved_address=ADDRESS, notes="rack 3")
    assert (await wishes.change_machine("m1", change, ADA)).notes == "rack 3"
