"""What people and machines may do next to a fleet, in any order; and what must be so whatever they did."""

import secrets
from contextlib import AsyncExitStack

from fleet_world import FULL, RESULTS, Played, World, a_world, disk

from appliance.deployment import Wanted
from appliance.errors import ApplianceError
from appliance.machine import BUSY, MacAddress, State
from appliance.netboot.policy import LocalDisk, MaintenanceStack
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange
from appliance.store import attempts, deployments, machines, tasks
from appliance.store.store import open_store
from appliance.workflow import BUSY_STATE, CONFIGURE, HAND_OVER, OPEN_SSH, PREPARE, RESTART, SHUT_DOWN, WIPE_DISK, WRITE
from tests.people import ADA

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhhbXBsZWtleWV4YW1wbGVrZXlleGFtcGxla2V5 ada"
LONGER_THAN_ANY_STEP = 25 * 3600.0


class Computer(Played):
    """One that does by itself what its firmware, agent and system would, one thing after the other."""

    runs = "nothing"
    """``nothing``, ``stack`` or ``system``."""
    held = None
    """Work that its agent is at."""
    installed = ""
    """The token on its disk."""

    async def power_on(self):
        """From firmware on, as far as it comes."""
        self.held, self.runs = None, "nothing"
        boot = await self.firmware()
        if isinstance(boot.spec, LocalDisk) and self.installed:
            self.runs, self.resident = "system", self.installed
        elif isinstance(boot.spec, MaintenanceStack):
            self.runs = "stack"
            await self.redeem(boot)
            await self.world.fleet.take_inventory(self.token, self.inventory())

    async def takes_work(self):
        self.held = await self.work()
        if self.held is not None:
            await self.check_work(self.held)
        return self.held

    async def check_work(self, work):
        """What an agent is told to overwrite is its deployment's, and nothing that is wanted."""
        attempt = await self.world.store.read(lambda db: attempts.find(db, work.attempt))
        if work.step == OPEN_SSH:
            assert work.params["ssh_keys"] == [KEY]
        if work.step not in (PREPARE, WRITE, WIPE_DISK):
            return
        mine = next(each for each in await self.world.store.read(deployments.every) if each.id == attempt.deployment)
        assert mine.machine == attempt.machine
        assert work.params["disk"]["serial"] == mine.disk.serial
        if work.step == WIPE_DISK:
            assert mine.wipes
            assert mine.wanted is Wanted.RELEASED
        else:
            assert mine.wanted is Wanted.RUNNING

    async def does(self, status):
        """Ends what it is at, well or badly; one that was told to stop does."""
        work, self.held = self.held, None
        if status == "running":
            self.held = work if await self.report(work, "running", progress=0.5) else None
            return
        if work.step in (PREPARE, WIPE_DISK):
            self.installed = ""
        if work.step == CONFIGURE:
            self.installed = work.params["resident"]["token"]
        goes_on = await self.report(
            work, status, code="x", result=RESULTS.get(work.step, {}) if status == "done" else {}
        )
        if status == "done" and goes_on and work.step == HAND_OVER:
            self.runs, self.resident = "system", self.installed
        if status == "done" and goes_on and work.step == RESTART:
            self.runs = "nothing"

    async def is_told_to_go(self):
        machine = await self.world.store.read(lambda db: machines.by_mac(db, self.mac))
        live = await self.world.store.read(lambda db: attempts.live_of(db, machine.id)) if machine else None
        return live is not None and live.step is not None and live.step.name == SHUT_DOWN

    async def obeys_if_told(self):
        if await self.is_told_to_go():
            await self.obeys()
            self.runs = "nothing"

    async def goes_on(self):
        """The next thing that a computer in good order does."""
        if self.runs == "nothing":
            await self.power_on()
        elif self.runs == "system":
            await self.reports_active(secrets.token_hex(4))
            await self.obeys_if_told()
        elif self.held is not None or await self.takes_work() is not None:
            await self.does("done")
        else:
            await self.power_on()


class People:
    """A fleet of two computers, and whatever somebody does to it."""

    def __init__(self, directory):
        self.directory, self.opened = directory, AsyncExitStack()
        self.computers, self.troubles, self.names = [], [], 0

    async def begin(self, steps):
        self.world = await self.opened.enter_async_context(a_world(self.directory))
        self.listen()
        kinds = [[disk("S0")], [disk("S1", content=FULL), disk("T1", 8 << 30)]]
        for number, disks in enumerate(kinds):
            mac, uuid = MacAddress(f"52:54:00:00:00:0{number + 1}"), f"11111111-2222-3333-4444-55555555550{number}"
            self.computers.append(Computer(self.world, mac, uuid, disks))
            await self.computers[-1].power_on()
            machine = await self.computers[-1].seen()
            await self.world.wishes.change_machine(machine.id, MachineChange(maintenance=False), ADA)
        for more in ({}, {"disk": "S1", "wipe_on_release": True}):
            await self.creates(**more)
        for which, many in enumerate(steps):
            if many:
                await self.acts(f"web-{which + 1}", Action.START)
                await self.go_on([which], many - 1)

    async def go_on(self, which, steps):
        """These computers do what is next for them, so many times, and the loop has its turn each time."""
        for _ in range(steps):
            await self.passes(1)
            for number in which:
                await self.tries(self.computers[number].goes_on())

    def listen(self):
        self.opened.enter_context(self.world.bus.listen(self.hear))

    def hear(self, item):
        if getattr(item, "kind", "") == "daemon.trouble":
            self.troubles.append(item)

    async def creates(self, **more):
        self.names += 1
        await self.world.deploy(f"web-{self.names}", **more)

    async def restarts_daemon(self):
        """The store is what is left."""
        await self.opened.aclose()
        self.opened, now = AsyncExitStack(), self.world.now
        store = await self.opened.enter_async_context(open_store(self.directory / "store.db"))
        self.world = World(store, now)
        self.listen()
        for computer in self.computers:
            computer.world = self.world
        await store.write(self.world.loop._excuse)

    async def deployments(self):
        return await self.world.store.read(deployments.every)

    async def machines(self):
        return await self.world.store.read(machines.every)

    async def tasks(self):
        def job(db):
            return [each for one in machines.every(db) for each in tasks.open_of_machine(db, one.id)]

        return await self.world.store.read(job)

    async def acts(self, name, action):
        foreseen = await self.world.wishes.consequences(name, action)
        await self.world.wishes.act(name, action, foreseen.confirm, ADA, foreseen.content)

    def machine_wish(self, key, what):
        wishes, change = self.world.wishes, self.world.wishes.change_machine
        match what:
            case "rescue":
                return wishes.rescue(key, [KEY], ADA)
            case "end-rescue":
                return wishes.end_rescue(key, ADA)
            case "delete":
                return wishes.delete_machine(key, ADA)
            case "break" | "mend":
                return change(key, MachineChange(broken=what == "break"), ADA)
            case "maintenance-on" | "maintenance-off":
                return change(key, MachineChange(maintenance=what == "maintenance-on"), ADA)
        raise AssertionError(what)

    async def check(self):
        """What is so at any time."""
        assert self.troubles == []
        every = {machine.id: machine for machine in await self.machines()}
        live = await self.world.store.read(attempts.live)
        assert {each.machine for each in live} <= every.keys(), "no attempt without its machine"
        assert len({each.machine for each in live}) == len(live), "one attempt for a machine"
        for attempt in live:
            assert every[attempt.machine].state is BUSY_STATE[attempt.kind]
        busy = {machine.id for machine in every.values() if machine.state in BUSY}
        assert busy == {each.machine for each in live}, "nothing is busy by itself"
        on = [each for each in await self.deployments() if each.machine]
        assert len({each.machine for each in on}) == len(on)
        for each in on:
            assert each.machine in every
            assert each.disk is not None
            if every[each.machine].state is State.BROKEN:
                assert each.wanted is Wanted.STOPPED
                assert each.current, "once it is mended, there is nothing to begin that overwrites it"
            if each.installed is not None:
                assert each.installed.disk.serial == each.disk.serial
                assert self._bootable(every[each.machine]), "what is said to be on the disk is there"
        for task in await self.tasks():
            assert task.attempt is None or task.attempt in {attempt.id for attempt in live}

    def _bootable(self, machine):
        return all(computer.installed for computer in self.computers if computer.mac in machine.macs)

    async def passes(self, seconds):
        await self.world.passes(seconds)

    async def check_ends(self):
        """Left alone, everything that goes on comes to an end; then there is a way out of whatever is so."""
        for _ in range(4):
            await self.passes(LONGER_THAN_ANY_STEP)
        await self.passes(1)
        assert await self.world.store.read(attempts.live) == []
        assert await self.tasks() == [], "every task ends"
        await self.check()
        for _ in range(12):
            if await self._cleared():
                return
            await self._works_on()
        found = [(m.name, m.state, m.failed_from, m.rescue) for m in await self.machines()]
        raise AssertionError(f"no way out of {found} with {await self.deployments()}")

    async def _cleared(self):
        """Every machine can be forgotten, and all that was on them has been released."""
        if any(each.machine for each in await self.deployments()) or await self.world.store.read(attempts.live):
            return False
        return all(machine.state is State.IDLE and machine.rescue is None for machine in await self.machines())

    async def _works_on(self):
        """A user who tries what is offered, and computers in good order."""
        for machine in await self.machines():
            for what in ("mend", "end-rescue"):
                await self.tries(self.machine_wish(machine.id, what))
        for deployment in await self.deployments():
            if deployment.machine and not await self.tries(self.acts(deployment.name, Action.RELEASE)):
                await self.tries(self.acts(deployment.name, Action.RETRY))
        await self.go_on([0, 1], 6)

    async def tries(self, wish):
        """Refusals are answers; everything else is a defect."""
        try:
            await wish
        except ApplianceError:
            return False
        return True
