"""What is kept in memory follows the store, event by event, as if everything were read each time."""

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from msgspec import structs

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment
from appliance.events import Bus, Event
from appliance.lease import Lease, LeaseState
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.reconcile.projection import SLICE, Projection
from appliance.store import catalogue, deployments, documents, leases, machines
from appliance.store.leases import StoredLeases
from appliance.store.store import open_store
from appliance.workflow import DeploymentId


class Zone:
    """What was told of names."""

    def __init__(self):
        self.names = {}

    def publish(self, name):
        self.names[name.owner] = name

    def withdraw(self, owner):
        del self.names[owner]  # raises for what was never published


def a_projection(store, bus):
    zone = Zone()
    made = Projection(store, bus, zone.publish, zone.withdraw)
    return made, zone


def all_of(projection, zone):
    arrived = {mac for mac in projection.machine_of if projection.arrived(mac)}
    return dict(zone.names), dict(projection.machine_of), dict(projection.mac_of), arrived


async def everything(store):
    """As somebody knows it who has just read everything."""
    fresh, zone = a_projection(store, Bus())
    await fresh.refresh()
    return all_of(fresh, zone)


@asynccontextmanager
async def following(path):
    async with open_store(path / "store.db") as store, asyncio.TaskGroup() as tasks:
        image = Image(ImageId(0), "debian", "", "raw", 1, 1, "0" * 64, 512, 1.0)
        await store.write(lambda db: catalogue.add_image(db, image))
        bus = Bus()
        projection, zone = a_projection(store, bus)
        running = tasks.create_task(projection.run())
        yield store, bus, projection, zone
        running.cancel()


async def becomes(projection, zone, expected):
    async with asyncio.timeout(20):
        while all_of(projection, zone) != expected:
            await asyncio.sleep(0.001)


MACS = [parse_mac(f"52:54:00:00:00:{number:02x}") for number in range(8)]


class Life:
    """Things that happen, each with the event that tells of it."""

    def __init__(self, store, dice):
        self.store, self.dice = store, dice

    async def step(self):
        return await self.dice.choice(
            [self.machine, self.machine, self.lease, self.lease, self.deployment, self.delete]
        )()

    async def machine(self):
        free = set(MACS) - {mac for each in await self.store.read(machines.briefs) for mac in each.macs}
        number = MachineId(f"m{self.dice.randrange(4)}")
        found = await self.store.read(lambda db: machines.find(db, number))
        had = list(found.macs) if found else []
        macs = tuple(self.dice.sample(sorted({*had, *free}), min(2, len(had) + len(free))))
        state = self.dice.choice([State.DISCOVERED, State.IDLE, State.ACTIVE, State.DEPLOYING])
        made = Machine(number, f"node-{number}-{self.dice.randrange(3)}", state, macs, 1.0)
        await self.store.write(lambda db: machines.put(db, made))
        return Event("machine.changed", 1.0, "x", machine=number)

    async def lease(self):
        mac = self.dice.choice(MACS)
        address = IPv4Address("10.77.0.50") + self.dice.randrange(6)
        held = await self.store.read(leases.every)
        others = [each.mac for each in held if each.address == address and each.mac != mac]
        if others:
            return Event("dhcp.lease", 1.0, "x", detail={"mac": others[0]})
        state = self.dice.choice([LeaseState.BOUND, LeaseState.BOUND, LeaseState.FORGOTTEN])
        start = self.dice.random()
        made = Lease(mac, address, "br0", b"", self.dice.choice(["", "laptop"]), start, 9.0 + start, state)
        await StoredLeases(self.store).save([made])
        owner = await self.store.read(lambda db: machines.by_mac(db, mac))
        return Event("dhcp.lease", 1.0, "x", machine=owner.id if owner else None, detail={"mac": mac})

    async def deployment(self):
        every = await self.store.read(deployments.every)
        taken = {each.machine for each in every}
        free = [each.id for each in await self.store.read(machines.briefs) if each.id not in taken]
        if len(every) < 2:
            new = Deployment(DeploymentId(0), f"web-{self.dice.random()}", ImageId(1), 1.0)
            made = await self.store.write(lambda db: deployments.add(db, new))
            return Event("deployment.changed", 1.0, "x", deployment=made.id)
        one = self.dice.choice(every)
        moved = replace(one, machine=None if one.machine else self.dice.choice([None, *free]))
        await self.store.write(lambda db: deployments.put(db, moved))
        return Event("deployment.changed", 1.0, "x", machine=one.machine or moved.machine, deployment=one.id)

    async def delete(self):
        taken = await self.store.read(deployments.taken)
        free = [each.id for each in await self.store.read(machines.briefs) if each.id not in taken]
        gone = self.dice.choice([*free, MachineId("never-there")])
        await self.store.write(lambda db: machines.delete(db, gone))
        return Event("machine.deleted", 1.0, "x", machine=gone)


@pytest.mark.parametrize("seed", range(5))
async def test_it_follows_whatever_happens(tmp_path, seed):
    async with following(tmp_path) as (store, bus, projection, zone):
        life = Life(store, random.Random(seed))
        for _ in range(60):
            bus.publish(await life.step())
            await becomes(projection, zone, await everything(store))
        names = await everything(store)
        assert names[0], "somebody has a name in the end"


async def many(store, count):
    def job(db):
        for number in range(count):
            mac = parse_mac(f"52:54:01:00:{number >> 8:02x}:{number & 255:02x}")
            machines.put(db, Machine(MachineId(f"m{number}"), f"node-{number}", State.IDLE, (mac,), 1.0))

    await store.write(job)


async def test_an_event_of_a_machine_reads_that_machine_only(tmp_path, monkeypatch):
    async with following(tmp_path) as (store, bus, projection, zone):
        await many(store, 2 * SLICE + 50)
        bus.publish(Event("machine.new", 1.0, "somebody said nothing of which"))
        await becomes(projection, zone, await everything(store))
        read = []
        monkeypatch.setattr(machines, "load", lambda *given: read.append(1) or documents.load(*given))
        renamed = Machine(MachineId("m7"), "renamed", State.DISCOVERED, (MACS[0],), 1.0)
        await store.write(lambda db: machines.put(db, renamed))
        bus.publish(Event("machine.changed", 1.0, "x", machine=renamed.id))
        async with asyncio.timeout(20):
            while not projection.is_known(MACS[0]):
                await asyncio.sleep(0.001)
        assert len(read) == 1


async def test_a_lease_that_is_told_longer_is_named_longer(tmp_path):
    async with following(tmp_path) as (store, bus, projection, zone):
        lease = Lease(MACS[0], IPv4Address("10.77.0.50"), "br0", b"", "laptop", 1.0, 100.0, LeaseState.BOUND)
        await StoredLeases(store).save([lease])
        bus.publish(Event("dhcp.lease", 1.0, "x", detail={"mac": MACS[0]}))
        await becomes(projection, zone, await everything(store))
        projection.leased("10.77.0.50", 77.0)
        assert zone.names[f"lease:{MACS[0]}"].until == 77.0
        await StoredLeases(store).save([structs.replace(lease, hostname="desktop")])
        bus.publish(Event("dhcp.lease", 1.0, "x", detail={"mac": MACS[0]}))
        async with asyncio.timeout(20):
            while zone.names[f"lease:{MACS[0]}"].name != "desktop":
                await asyncio.sleep(0.001)
        assert zone.names[f"lease:{MACS[0]}"].until == 77.0
