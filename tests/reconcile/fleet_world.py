"""A whole fleet over a real store, with a clock that is moved by hand and machines that are played."""

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.catalogue import Image, ImageId
from appliance.events import Bus
from appliance.machine import MacAddress
from appliance.netboot import stack_files
from appliance.netboot.fleet import Activity, Redemption, Report
from appliance.netboot.policy import BootRequest, LocalDisk, MaintenanceStack
from appliance.netboot.stack_files import StackFile
from appliance.reconcile.agents import Agents, SiteUrls
from appliance.reconcile.bell import Bell
from appliance.reconcile.boot_messages import MachineMessages
from appliance.reconcile.boots import Boots
from appliance.reconcile.consequences import Action
from appliance.reconcile.fleet import StoredFleet
from appliance.reconcile.loop import ReconcileLoop
from appliance.reconcile.neighbours import MachineNeighbours
from appliance.reconcile.polls import Polls
from appliance.reconcile.presence import Presence
from appliance.reconcile.residents import Residents
from appliance.reconcile.root_document import RootFiles
from appliance.reconcile.roots import Roots, Sources
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.wishes import MachineChange, NewDeployment, Wishes
from appliance.store import attempts, catalogue, deployments, events, machines, tasks
from appliance.store.sealing import Sealer
from appliance.store.store import open_store
from appliance.workflow import CONFIGURE, GROW, HAND_OVER, PREPARE, WIPE_DISK, WRITE
from tests.people import ADA

SERVER = "10.77.0.1"
START = 1_000_000.0
FIRST = MacAddress("52:54:00:00:00:01")
EMPTY = {"empty": True, "fingerprint": "e" * 64, "summary": "empty"}
FULL = {"empty": False, "fingerprint": "f" * 64, "summary": "ext4 'data'"}
RESULTS = {
    PREPARE: {"disk": {"model": "QEMU"}},
    CONFIGURE: {"esp_partuuid": "1111-2222", "root_fsuuid": "3333-4444", "ssh_host_keys": ["ssh-ed25519 MADE"]},
    HAND_OVER: {"method": "kexec"},
    WIPE_DISK: {"method": "zero", "verified": True},
}


def disk(serial="S1", size=4 << 30, content=EMPTY, **more):
    return {"name": "vda", "serial": serial, "wwn": "", "bytes": size, "sector_size": 512, "content": content, **more}


@dataclass
class World:
    """Everything of the daemon that decides; nothing that listens."""

    store: object
    now: float = START
    bus: Bus = field(default_factory=Bus)
    bell: Bell = field(default_factory=Bell)
    unknown: dict = field(default_factory=lambda: {SERVER: "enlist"})

    root_policies: dict = field(default_factory=lambda: {SERVER: "ask"})
    content: Path = Path(__file__)
    """The file of every image; one that is there."""

    def __post_init__(self):
        shared = (self.store, self.bus, self.bell, lambda: self.now)
        files = {name: StackFile(7, name.encode().hex()) for name in ("vmlinuz", "initrd", *stack_files.HAND_OVER)}
        urls = SiteUrls(lambda a: f"http://{a}", lambda a: f"https://{a}", "PEM")
        starts = RootFiles("/stack/1", files)
        sources = Sources(urls.server, lambda _: self.content, self.root_policies, starts, lambda *_: self.content)
        sealer = Sealer(bytes(32))
        roots = Roots(self.store, self.bus, lambda: self.now, sources, sealer)
        self.seeds = Seeds(self.store, sealer)
        self.presence = Presence(self.store, lambda: self.now)
        self.fleet = StoredFleet(
            Boots(*shared, self.unknown),
            Agents(*shared, urls, lambda _: self.content, roots, self.seeds),
            Residents(*shared, self.presence),
            roots,
            MachineMessages(self.store, lambda: self.now),
            MachineNeighbours(self.store, self.bus, lambda: self.now),
            Polls(self.store, self.bell, lambda: self.now, self.presence),
        )
        self.loop = ReconcileLoop(*shared)
        self.wishes = Wishes(self.store, self.bus, lambda: self.now)

    async def passes(self, seconds):
        """Time goes by, and the loop has had its turn."""
        self.now += seconds
        await self.loop.round()

    async def image(self, size=1 << 30, name="debian", form="raw"):
        new = Image(ImageId(0), name, "", form, size, size, "0" * 64, 512, self.now)
        return await self.store.write(lambda db: catalogue.add_image(db, new))

    async def deploy(self, name="web-1", **more):
        await self.wishes.create_deployment(NewDeployment(name, **{"image": "debian", **more}), ADA)

    async def act(self, action, name="web-1", confirm=None):
        """A wish, and the loop's turn after it: its task. Confirms what it is asked to, as a user who reads does."""
        foreseen = await self.wishes.consequences(name, Action(action))
        task = await self.wishes.act(name, Action(action), confirm or foreseen.confirm, ADA, foreseen.content)
        await self.loop.round()
        return task.id

    async def task(self, number):
        return await self.store.read(lambda db: tasks.get(db, number))

    async def deployment(self, name="web-1"):
        return await self.store.read(lambda db: deployments.get(db, name))

    async def machines(self):
        return await self.store.read(machines.every)

    async def events(self, kind=None):
        found = await self.store.read(lambda db: events.query(db, limit=1000))
        return [event for event in reversed(found) if kind in (None, event.kind)]


@dataclass
class Played:
    """One computer, as its firmware, its agent and its resident speak."""

    world: World
    mac: MacAddress = FIRST
    uuid: str | None = "11111111-2222-3333-4444-555555555501"
    disks: list = field(default_factory=lambda: [disk()])
    token: str = ""
    resident: str = ""
    poll: str = ""

    async def firmware(self, *, proven=True):
        """Power on: the boot script that it gets; where not proven, another asks in its name."""
        address = "10.77.0.50" if proven else "10.77.0.66"
        request = BootRequest(self.mac, self.uuid, None, "bios", "QEMU", "", address, SERVER, proven)
        return await self.world.fleet.boot(request)

    async def redeem(self, boot, token=None):
        token = token or secrets.token_hex(32)
        redemption = Redemption(boot.token, token, boot.nonce, self.mac, (self.mac,), self.uuid, "bios")
        welcome = await self.world.fleet.redeem(redemption, "10.77.0.50")
        self.token, self.poll = token, welcome.poll
        return welcome

    def inventory(self):
        return {
            "firmware": "bios",
            "boot_mac": self.mac,
            "system": {},
            "cpu": {"threads": 2},
            "memory": {"bytes": 1 << 30},
            "disks": self.disks,
            "nics": [{"mac": self.mac}],
        }

    async def boots_stack(self):
        """From power-on to the agent's inventory."""
        boot = await self.firmware()
        assert isinstance(boot.spec, MaintenanceStack), boot
        await self.redeem(boot)
        return await self.world.fleet.take_inventory(self.token, self.inventory())

    async def work(self):
        return await self.world.fleet.work(self.token, SERVER)

    async def report(self, work, status="done", **more):
        fields = {"progress": 0.0, "message": "", "code": "", "result": {}, **more}
        return await self.world.fleet.report(self.token, Report(work.attempt, work.step, status, **fields))

    async def step(self, expected):
        """Fetch the step, which must be the expected one, and do it."""
        work = await self.work()
        assert work is not None, f"no work, {expected} expected"
        assert work.step == expected
        if expected == CONFIGURE:
            self.resident = work.params["resident"]["token"]
        await self.report(work, result=RESULTS.get(expected, {}))
        return work

    async def installs(self, until=HAND_OVER):
        """The agent's steps of a deploy, ``until`` included."""
        for name in (PREPARE, WRITE, GROW, CONFIGURE, HAND_OVER):
            await self.step(name)
            if name == until:
                return

    async def reports_active(self, boot_id="b1", keys=("ssh-ed25519 FRESH",)):
        await self.world.fleet.resident_active(self.resident, Activity(boot_id, "web-1", keys, ("10.77.0.50/24",)))

    async def obeys(self):
        """The resident gets its order and says that it goes."""
        command = await self.world.fleet.resident_wait(self.resident, "b1")
        assert command.command == "reboot"
        await self.world.fleet.resident_report(self.resident, command.attempt, "done", "")

    async def seen(self):
        """The machine as it is stored."""
        found = await self.world.store.read(lambda db: machines.by_mac(db, self.mac))
        assert found is not None
        return found

    async def attempt(self):
        machine = await self.seen()
        return await self.world.store.read(lambda db: attempts.last_of(db, machine.id))

    async def usable(self):
        """Booted, idle, out of maintenance."""
        await self.boots_stack()
        await self.world.wishes.change_machine((await self.seen()).id, MachineChange(maintenance=False), ADA)

    async def waits_for_its_wipe(self):
        """A deployment that is to be wiped was released, and the machine is back in the stack."""
        await self.usable()
        await self.world.deploy(wipe_on_release=True, wipe_method="overwrite")
        await self.world.act("start")
        await self.installs()
        await self.reports_active()
        await self.world.act("release")
        await self.obeys()
        await self.boots_stack()

    async def active(self):
        """Idle, then deployed."""
        await self.usable()
        await self.world.deploy()
        await self.world.act("start")
        await self.installs()
        await self.reports_active()


async def state(played):
    return (await played.seen()).state.value


async def boots_disk(played):
    boot = await played.firmware()
    assert boot.spec == LocalDisk("1111-2222", "3333-4444")
    return boot


@asynccontextmanager
async def a_world(path, image=True):
    async with open_store(path / "store.db") as store:
        world = World(store)
        if image:
            await world.image()
        yield world


async def code_of(error, call):
    """The code of the error that a call is refused with."""
    with pytest.raises(error) as caught:
        await call
    return caught.value.code


async def deploying(world, node, until):
    """A deploy whose last step that is done is ``until``."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until)
