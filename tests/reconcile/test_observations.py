"""From a lease that was granted to a name that can be asked for, with everything between."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from msgspec.structs import replace

from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.lease import Lease, LeaseState
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.netboot.dhcp.facts import LeaseGranted
from appliance.netboot.firmware import Client, Firmware
from appliance.reconcile import observations as observing
from appliance.reconcile import projection as projecting
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.store import events, machines
from appliance.store.leases import StoredLeases
from appliance.store.store import Store, open_store

MAC = MacAddress("52:54:00:00:00:01")
LEASE = Lease(MAC, IPv4Address("10.77.0.50"), "br0", b"", "", 1.0, 9000.0, LeaseState.BOUND)


class Zone:
    """The names that are published, and a way to wait until they are as expected."""

    def __init__(self):
        self.names, self.changed = {}, asyncio.Event()

    def publish(self, name):
        self.names[name.owner] = (name.name, str(name.address))
        self.changed.set()

    def withdraw(self, owner):
        del self.names[owner]
        self.changed.set()

    async def has(self, *wanted):
        async with asyncio.timeout(10):
            while sorted(self.names.values()) != sorted(wanted):
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Watched:
    store: Store
    bus: Bus = field(default_factory=Bus)
    zone: Zone = field(default_factory=Zone)
    now: float = 100.0

    def __post_init__(self):
        self.projection = Projection(self.store, self.bus, self.zone.publish, self.zone.withdraw)
        self.observations = Observations(self.store, self.bus, lambda: self.now, self.projection)

    async def leases(self, lease):
        """As the DHCP server does it: stored, then told."""
        await StoredLeases(self.store).save([lease])
        self.observations.dhcp(LeaseGranted(lease, CLIENT, self.now + 3600, self.now))

    async def told(self):
        found = await self.store.read(lambda db: events.query(db, kind="dhcp.lease"))
        return [event.text for event in reversed(found)]


CLIENT = Client(None, Firmware.NONE, False, False, False, False, None, "")


@asynccontextmanager
async def watching(path):
    async with open_store(path / "store.db") as store, asyncio.TaskGroup() as tasks:
        watched = Watched(store)
        running = [tasks.create_task(watched.observations.run()), tasks.create_task(watched.projection.run())]
        await watched.projection.refresh()
        yield watched
        for task in running:
            task.cancel()


async def test_a_stranger_that_tells_its_name_only_later_gets_it_then(tmp_path):
    async with watching(tmp_path) as watched:
        await watched.leases(LEASE)
        await watched.leases(replace(LEASE, hostname="laptop"))
        await watched.zone.has(("laptop", "10.77.0.50"))
        await watched.leases(replace(LEASE, hostname="desktop"))
        await watched.zone.has(("desktop", "10.77.0.50"))
        await watched.leases(replace(LEASE, hostname="desktop", start=2.0))
        assert await watched.told() == [
            "was leased 10.77.0.50",
            "was leased 10.77.0.50 and calls itself laptop",
            "was leased 10.77.0.50 and calls itself desktop",
        ]


async def test_a_machine_has_the_name_that_we_gave_it_whatever_it_calls_itself(tmp_path):
    async with watching(tmp_path) as watched:
        machine = Machine(MachineId("m"), "node-1", State.IDLE, (MAC,), 1.0)
        await watched.store.write(lambda db: machines.put(db, machine))
        watched.bus.publish(Event("machine.new", 1.0, "x"))
        await watched.leases(LEASE)
        await watched.zone.has(("node-1", "10.77.0.50"))
        for hostname in ("stack", "web-1"):
            await watched.leases(replace(LEASE, hostname=hostname))
        last = replace(LEASE, address=IPv4Address("10.77.0.51"), start=3.0)
        await watched.leases(last)
        await watched.zone.has(("node-1", "10.77.0.51"))
        assert await watched.told() == ["was leased 10.77.0.50", "was leased 10.77.0.51"]


async def test_more_strangers_than_the_log_takes_have_their_names_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(observing, "STRANGERS_PER_MINUTE", 0)
    monkeypatch.setattr(projecting, "LONGEST", 0.01)
    async with watching(tmp_path) as watched:
        await watched.leases(replace(LEASE, hostname="laptop"))
        await watched.zone.has(("laptop", "10.77.0.50"))
        assert await watched.told() == []


async def test_events_that_change_no_name_do_not_put_the_refresh_off(tmp_path, monkeypatch):
    monkeypatch.setattr(projecting, "LONGEST", 0.05)
    async with watching(tmp_path) as watched, asyncio.TaskGroup() as tasks:
        await StoredLeases(watched.store).save([replace(LEASE, hostname="laptop")])

        async def chatter():
            while True:
                watched.bus.publish(Event("http.sent", 1.0, "x"))
                await asyncio.sleep(0.001)

        chattering = tasks.create_task(chatter())
        await watched.zone.has(("laptop", "10.77.0.50"))
        chattering.cancel()


async def test_a_refresh_by_the_clock_outlives_a_store_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(projecting, "LONGEST", 0.01)
    async with watching(tmp_path) as watched:
        refused, real = asyncio.Event(), watched.projection.refresh

        async def fails():
            refused.set()
            raise ApplianceError("store-failed", "disk full")

        monkeypatch.setattr(watched.projection, "refresh", fails)
        async with asyncio.timeout(10):
            await refused.wait()
        monkeypatch.setattr(watched.projection, "refresh", real)
        await StoredLeases(watched.store).save([replace(LEASE, hostname="laptop")])
        await watched.zone.has(("laptop", "10.77.0.50"))


async def test_a_machine_that_asks_without_end_does_not_fill_its_timeline(tmp_path, monkeypatch):
    monkeypatch.setattr(observing, "FACTS_AT_ONCE", 5)
    async with watching(tmp_path) as watched:
        machine = Machine(MachineId("m"), "node-1", State.IDLE, (MAC,), 1.0)
        await watched.store.write(lambda db: machines.put(db, machine))
        await watched.projection.refresh()
        for number in range(50):
            watched.observations.dhcp(LeaseGranted(replace(LEASE, address=LEASE.address + number), CLIENT, 9.0, 100.0))
        last = replace(LEASE, address=IPv4Address("10.77.0.200"))
        watched.observations.dhcp(LeaseGranted(last, CLIENT, 9.0, 5000.0))
        async with asyncio.timeout(10):
            while len(told := await watched.told()) < 6:
                await asyncio.sleep(0)
        assert len(told) == 6
        assert told[-1] == "was leased 10.77.0.200 (45 more were not told)"


async def test_a_defect_in_storing_facts_is_logged_and_the_next_are_stored(tmp_path, monkeypatch, caplog):
    async with watching(tmp_path) as watched:
        real, broken = watched.store.write, asyncio.Event()

        async def fails(*_):
            broken.set()
            raise KeyError("a defect")

        monkeypatch.setattr(watched.store, "write", fails)
        watched.observations.dhcp(LeaseGranted(LEASE, CLIENT, 9.0, 100.0))
        async with asyncio.timeout(10):
            await broken.wait()
        monkeypatch.setattr(watched.store, "write", real)
        await watched.leases(replace(LEASE, address=IPv4Address("10.77.0.51")))
        async with asyncio.timeout(10):
            while await watched.told() != ["was leased 10.77.0.51"]:
                await asyncio.sleep(0)
    assert watched.observations.dropped == 1
    assert "a defect" in caplog.text
