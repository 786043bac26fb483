"""The fleet's world with power switches in memory: one for each machine, moved by the clock of the test."""

import asyncio
from dataclasses import dataclass, field

from fleet_world import World

from appliance.power.memory import MemorySwitch
from appliance.power_order import PowerAction
from appliance.power_switch import PowerKind, PowerSettings, PowerState
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.power_actions import KIND, job_kind
from appliance.reconcile.power_loop import PowerLoop
from appliance.reconcile.power_orders import PowerOrders
from appliance.reconcile.power_watch import PowerWatch
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.switchboard import Switchboard
from appliance.store import power
from appliance.store.sealing import KEY_BYTES, Sealer
from tests.people import ADA

SETTINGS = PowerSettings(PowerKind.IPMI, "192.0.2.10", user="root")
SECRET = "open sesame"


@dataclass
class Switches:
    """Everything that speaks with switches, over the world of a fleet."""

    world: World
    memory: dict[str, MemorySwitch] = field(default_factory=dict)
    """By the name of the machine."""
    opened: list[tuple[PowerSettings, str]] = field(default_factory=list)
    """What each driver was made with."""

    def __post_init__(self):
        world = self.world
        shared = (world.store, world.bus, lambda: world.now)
        self.sealer = Sealer(b"k" * KEY_BYTES)
        self.board = Switchboard(*shared, self.sealer, {}, self._driver)
        self.orders = PowerOrders(*shared, self.board, self._pause)
        self.wishes = PowerWishes(*shared, self.sealer)
        self.loop = PowerLoop(*shared, self.orders)
        self.watch = PowerWatch(*shared, self.board)
        self.jobs = Jobs(*shared, {KIND: job_kind(world.store, self.orders)})

    def _driver(self, settings, secret, target):
        self.opened.append((settings, secret))
        return self.memory.setdefault(target.name, MemorySwitch())

    async def _pause(self, seconds):
        """Time goes by while somebody waits for a switch."""
        self.world.now += seconds
        await asyncio.sleep(0)

    async def add(self, node, state=PowerState.OFF, settings=SETTINGS, secret=SECRET):
        """A switch for a machine; what it remembers and can be told."""
        machine = await node.seen()
        await self.wishes.set_switch(machine.id, settings, secret, ADA)
        switch = self.memory.setdefault(machine.name, MemorySwitch())
        switch.state = state
        await self.look()
        return switch

    async def look(self):
        """Every switch is looked at, a minute later."""
        self.world.now += 60
        for each in await self.world.store.read(power.every):
            await self.watch._look(each.machine)

    async def turn(self):
        """The reconcile loop and the power loop have had their turns, and what they began is done."""
        await self.world.loop.round()
        async with asyncio.TaskGroup() as group:
            await self.loop.round(group)

    async def ask(self, node, action, confirm=None):
        """A user's wish, carried out: its task."""
        machine = await node.seen()
        task = await self.world.wishes.power(machine.id, PowerAction(action), confirm, ADA)
        await self.work()
        return await self.world.task(task.id)

    async def work(self):
        """All jobs are done."""
        async with asyncio.TaskGroup() as group:
            await self.jobs._start_due(group)

    async def switch(self, node):
        machine = await node.seen()
        return await self.world.store.read(lambda db: power.find(db, machine.id))

    async def orders_of(self, node):
        attempt = await node.attempt()
        return await self.world.store.read(lambda db: power.orders_of_attempt(db, attempt.id))
