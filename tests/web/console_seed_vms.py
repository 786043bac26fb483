"""VMs to look at: in every state, ours and foreign, on a host that answers and one that does not; all on paper."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from console_seed_storage import GIB

from appliance.events import Bus, Event
from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import HOST, Kept, Memory
from appliance.machine import MacAddress
from appliance.reconcile.jobs import JobKind
from appliance.reconcile.pool_parts import PoolParts
from appliance.reconcile.vm_bulk import job_kinds
from appliance.reconcile.vm_statistics.figures import VmFigures
from appliance.reconcile.vm_statistics.parts import figure_parts
from appliance.reconcile.vms.parts import Around, VmParts, no_discs, vm_parts
from appliance.reconcile.vms.service import Vms
from appliance.store import events
from appliance.store.store import Store
from appliance.vm import Autostart, Cdrom, Disk, Firmware, Nic, Order, System, Vm, VmId, VmState
from appliance.vm import Bus as DiskBus
from appliance.vm_usage import DiskUse, NicUse, Usage
from appliance.vm_work import VmDeed
from tests.people import ADMIN

OURS, THEIRS = "0123456789abcdef", "fedcba9876543210"
HOSTILE = "<script>document.title='owned'</script>"
HERE, AWAY = "kvm-1", "kvm-2"


def vm_id(number: int) -> VmId:
    """The same each time."""
    return VmId(f"5f1b6c00-0000-4000-8000-{number:012x}")


WEB, DATABASE, WINDOWS, BUILD, FOREIGN, STANDING, LOST, SHUTTING = (vm_id(number) for number in range(1, 9))
"""Running, off, running with a change that waits, off, somebody else's, paused by trouble, on the host that is away."""


def _vm(number: int, name: str, *, cpus: int = 2, memory: int = 4 * GIB, **more: object) -> Vm:
    mac = MacAddress(f"52:54:00:aa:00:{number:02x}")
    disk = Disk("sda", f"/dev/lab/v-{number:016x}")
    given: dict[str, object] = {
        "disks": (disk,), "nics": (Nic(mac, "br0"),), "boot": ("sda", mac), "firmware": Firmware.UEFI,
    }  # fmt: skip
    return Vm(vm_id(number), name, cpus, memory, **(given | more))  # type: ignore[arg-type]


@dataclass(frozen=True)
class VmsOnPaper:
    """What pages are given; its loops are run by whoever serves them."""

    memories: dict[str, Memory]
    parts: VmParts

    def __call__(self) -> Vms:
        return self.parts.vms

    def jobs(self, clock: Callable[[], float]) -> dict[str, JobKind]:
        """The tasks that the daemon does for VMs."""
        long = {each.value: JobKind(self.parts.jobs.run, resumes=True, waits=True) for each in VmDeed}
        return long | job_kinds(self, clock)


def vms_over(store: Store, bus: Bus, clock: Callable[[], float], storage: Callable[[], PoolParts]) -> VmsOnPaper:
    """Two hosts without any VM, which nobody has added yet."""
    memories = {"here": Memory(clock, replace(HOST, name=HERE)), "away": Memory(clock, replace(HOST, name=AWAY))}
    around = Around(Surroundings(OURS, memories), lambda: False, lambda: storage().rooms, no_discs)
    return VmsOnPaper(memories, vm_parts(store, bus, clock, around))


def figures_over(
    store: Store, bus: Bus, clock: Callable[[], float], paper: VmsOnPaper, at: float
) -> Callable[[], VmFigures]:
    """What the web server used in the last hour; ``at`` is the loop's time."""
    parts = figure_parts(store, bus, clock, paper.parts.rooms, paper.parts.vms)
    for number in range(360):
        ago, busy = 3600 - number * 10, 10**9 * (number + number % 7)
        disks, nics = (
            (DiskUse("sda", busy // 900, busy // 300, busy, busy // 2),),
            (NicUse(0, "vnet0", busy, busy // 9),),
        )
        used = Usage(WEB, 1, busy * 5, 4 * GIB, 3 * GIB + number * (1 << 20), disks, nics)
        parts.sampling.known.take(HERE, [used], at - ago, clock() - ago)
    return lambda: parts.figures


async def seed_vms(store: Store, paper: VmsOnPaper, now: float) -> None:
    """Two hosts with their VMs, and what happened to one of them."""
    memories, parts = paper.memories, paper.parts
    for name, word in ((HERE, "here"), (AWAY, "away")):
        await parts.vms.add_host(name, f"memory:///{word}", ADMIN)
    _put(memories["here"])
    away = memories["away"]
    away.kept[LOST] = Kept(OURS, _vm(7, "mail"))
    away.put(LOST, VmState.RUNNING)
    await parts.vms.list()  # it is seen once, and gone then
    away.leave()
    for event in _story(now):
        await store.write(lambda db, event=event: events.add(db, event))


def _put(memory: Memory) -> None:
    web = _vm(1, "web-vm", notes=f"Shop front. Ask Eva. {HOSTILE}", autostart=Autostart(1, 30.0))
    windows = _vm(
        3, "winsrv", cpus=4, memory=8 * GIB, firmware=Firmware.SECURE_BOOT, tpm=True, system=System.WINDOWS,
        disks=(Disk("sda", "/dev/lab/v-3", DiskBus.SATA),), cdroms=(Cdrom("sdb", "/isos/virtio.iso"), Cdrom("sdc")),
    )  # fmt: skip
    windows = replace(windows, boot=("sdb", "sda", windows.nics[0].mac))
    rows: tuple[tuple[Vm, VmState, str], ...] = (
        (web, VmState.RUNNING, ""),
        (_vm(2, "db-vm", cpus=8, memory=32 * GIB), VmState.OFF, ""),
        (windows, VmState.RUNNING, ""),
        (_vm(4, "build-vm"), VmState.OFF, ""),
        (_vm(6, "files-vm"), VmState.PAUSED, "a disk could not be written"),
        (_vm(8, "old-vm"), VmState.RUNNING, ""),
    )
    for vm, state, why in rows:
        memory.kept[vm.id] = Kept(OURS, vm)
        memory.put(vm.id, state, why)
    memory.kept[WINDOWS].stored = replace(windows, memory=16 * GIB)
    memory.kept[FOREIGN] = Kept(THEIRS, _vm(5, "somebodys"))
    memory.put(FOREIGN, VmState.RUNNING)
    memory.deaf.add(SHUTTING)


def _story(now: float) -> list[Event]:
    def event(kind: str, before: float, text: str, why: str = "", **detail: object) -> Event:
        return Event(kind, now - before, text, why, detail={"host": 1, "vm": WEB, "name": "web-vm", **detail})

    return [
        event("vm.changed", 7200, "eva made the VM web-vm"),
        event("vm.ordered", 7100, "eva started web-vm", order=Order.START),
        event("vm.trouble", 600, "web-vm crashed", f"its system said {HOSTILE}"),
        event("vm.ordered", 500, "eva reset web-vm", "it had crashed", order=Order.RESET),
    ]
