"""A host that is nothing but values: for tests, and to try what would happen. Time comes from its clock."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance.errors import ApplianceError
from appliance.hypervisor.driver import Hears
from appliance.hypervisor.memory_consoles import MemoryConsoles
from appliance.hypervisor.memory_media import MemoryMedia
from appliance.hypervisor.screenshots import LIT
from appliance.hypervisor.small_png import Ppm
from appliance.vm import Bus, Firmware, Order, Vm, VmId, VmState, is_to_be_done, wrong_state
from appliance.vm_check import check_id, checked
from appliance.vm_host import (
    Change,
    Found,
    Host,
    Seen,
    agent_silent,
    check_ours,
    check_unchanged,
    name_taken,
    unknown,
    unreachable,
)
from appliance.vm_usage import Usage

HOST = Host("memory", 8, 64 << 30, (11, 3, 0), True, frozenset(Bus), frozenset(Firmware), True)
AFTER = {
    Order.START: VmState.RUNNING,
    Order.PAUSE: VmState.PAUSED,
    Order.RESUME: VmState.RUNNING,
    Order.OFF: VmState.OFF,
}
"""The state after each order that changes it at once; a reset changes nothing that could be seen."""


@dataclass(slots=True)
class Kept:
    """A VM of such a host."""

    owner: str | None
    stored: Vm
    live: Vm | None = None
    state: VmState = VmState.OFF
    why: str = ""
    off_at: float | None = None
    """When its system, which was asked to, will have shut down."""
    starts: int = 0


@dataclass(slots=True)
class Memory:
    """What a host would be: it outlives its driver. Tests set its fields."""

    clock: Callable[[], float]
    """Seconds."""
    host: Host = HOST
    kept: dict[VmId, Kept] = field(default_factory=dict)
    agents: set[VmId] = field(default_factory=set)
    """VMs with an agent in them that answers."""
    deaf: set[VmId] = field(default_factory=set)
    """Those whose systems do nothing when they are asked to shut down."""
    locked: set[VmId] = field(default_factory=set)
    """Those whose systems keep their CD-ROM drives shut."""
    shutting_down: float = 0.0
    """Seconds that a system takes for it."""
    here: bool = True
    """False: the host does not answer."""
    refusing: dict[Order, ApplianceError] = field(default_factory=dict)
    """Raised by that order, as long as it stands here."""
    asked: list[str] = field(default_factory=list)
    """All orders, in their sequence."""
    hear: list[Hears] = field(default_factory=list)
    uses: dict[VmId, Usage] = field(default_factory=dict)
    """What is counted of those that run; of others nothing but some memory."""
    screen: bytes = b"P6\n2 1\n255\n" + bytes((0, 0, 0, 255, 255, 255))
    """What is on every screen, as PPM."""

    def tell(self, key: VmId | None, what: str) -> None:
        """To whoever watches."""
        for hears in tuple(self.hear):
            hears(Change(key, what))

    def leave(self) -> None:
        """The host is lost."""
        self.here = False
        self.tell(None, "the host does not answer")

    def come_back(self) -> None:
        """And there again, with what it had."""
        self.here = True
        self.tell(None, "the host answers")

    def settle(self) -> None:
        """What time has brought about."""
        now = self.clock()
        for key, kept in self.kept.items():
            if kept.off_at is not None and kept.off_at <= now:
                self.put(key, VmState.OFF)

    def put(self, key: VmId, state: VmState, why: str = "") -> None:
        """A VM is in that state now."""
        kept = self.kept[key]
        if state is VmState.OFF:
            kept.live = kept.off_at = None
        elif kept.live is None:
            kept.live, kept.starts = kept.stored, kept.starts + 1
        kept.state, kept.why = state, why
        self.tell(key, f"{state}")


class MemoryHost:
    """Does at once what it is asked; what is asked of a VM's system takes the time that it takes."""

    def __init__(self, memory: Memory, owner: str) -> None:
        self._memory, self._owner = memory, owner
        self.consoles = MemoryConsoles(self._shown, memory.hear)
        self.media = MemoryMedia(self._own, memory.locked, memory.tell)

    async def look(self) -> Host:
        """As it was set."""
        self._settled()
        return self._memory.host

    async def vms(self) -> tuple[Seen, ...]:
        """All that are kept."""
        seen = [self._seen(kept) for kept in self._settled().kept.values()]
        return tuple(sorted(seen, key=lambda each: each.name))

    async def read(self, key: VmId) -> Found:
        """Its values."""
        kept = self._kept(key)
        return Found(self._seen(kept), kept.stored, kept.live)

    async def define(self, vm: Vm, was: Vm | None = None) -> None:
        """Its values are kept."""
        new, memory = checked(vm), self._settled()
        if any(each.stored.name == new.name and key != new.id for key, each in memory.kept.items()):
            raise name_taken(new.name)
        if (kept := memory.kept.get(new.id)) is None:
            check_unchanged(new.name, None, was)
            memory.kept[new.id] = Kept(self._owner, new)
        else:
            check_ours(self._seen(kept))
            check_unchanged(kept.stored.name, kept.stored, was)
            if kept.stored.name != new.name and kept.state is not VmState.OFF:
                raise wrong_state("another name", kept.state, kept.stored.name, "switch it off first")
            kept.stored = new
            if kept.live:  # what runs has no name of its own, and no notes
                kept.live = replace(kept.live, name=new.name, notes=new.notes, autostart=new.autostart)
        memory.tell(new.id, "defined")

    async def order(self, key: VmId, order: Order) -> None:
        """Its state becomes another one."""
        memory, kept = self._memory, self._kept(key)
        memory.asked.append(order)
        check_ours(self._seen(kept))
        if not is_to_be_done(order, kept.state, kept.stored.name):
            return
        if trouble := memory.refusing.get(order):
            raise trouble
        if order in AFTER:
            memory.put(key, AFTER[order])
        elif order in (Order.ASK_AGENT, Order.ASK_ACPI):
            self._ask(key, kept, order)

    def _ask(self, key: VmId, kept: Kept, order: Order) -> None:
        if order is Order.ASK_AGENT and key not in self._memory.agents:
            raise agent_silent(kept.stored.name)
        if key not in self._memory.deaf:
            kept.off_at = self._memory.clock() + self._memory.shutting_down
            self._memory.settle()

    async def undefine(self, key: VmId) -> None:
        """It is forgotten."""
        memory = self._settled()
        if (kept := memory.kept.get(key)) is None:
            return
        check_ours(self._seen(kept))
        if kept.state is not VmState.OFF:
            raise wrong_state("to delete it", kept.state, kept.stored.name, "switch it off first")
        del memory.kept[key]
        memory.tell(key, "undefined")

    async def statistics(self) -> tuple[Usage, ...]:
        """As they were set."""
        memory = self._settled()
        return tuple(_used(key, kept, memory.uses.get(key)) for key, kept in memory.kept.items())

    async def screenshot(self, key: VmId) -> bytes:
        """The one picture that there is."""
        kept = self._kept(key)
        if kept.state not in LIT:
            raise wrong_state("a screenshot", kept.state, kept.stored.name, "start it first")
        picture = Ppm()
        picture.feed(self._memory.screen)
        return picture.png()

    async def watch(self, hears: Hears) -> None:
        """Until cancelled."""
        self._memory.hear.append(hears)
        try:
            hears(Change(None, "the host answers" if self._memory.here else "the host does not answer"))
            await asyncio.Event().wait()
        finally:
            self._memory.hear.remove(hears)

    async def close(self) -> None:
        """Nothing is open."""

    def _settled(self) -> Memory:
        if not self._memory.here:
            raise unreachable(self._memory.host.name, "it was taken away")
        self._memory.settle()
        return self._memory

    def _kept(self, key: VmId) -> Kept:
        found = self._settled().kept.get(check_id(key))
        if found is None:
            raise unknown(key)
        return found

    def _own(self, key: VmId) -> Kept:
        kept = self._kept(key)
        check_ours(self._seen(kept))
        return kept

    def _shown(self, key: VmId) -> tuple[Vm, VmState]:
        kept = self._kept(key)
        check_ours(self._seen(kept))
        return kept.live or kept.stored, kept.state

    def _seen(self, kept: Kept) -> Seen:
        vm = kept.live or kept.stored
        ours = kept.owner == self._owner
        return Seen(vm.id, vm.name, kept.state, ours, vm.cpus, vm.memory, kept.why)


def _used(key: VmId, kept: Kept, set_to: Usage | None) -> Usage:
    if kept.live is None:
        return Usage(key, None)
    found = set_to or Usage(key, 0, 0, kept.live.memory, disks=(), nics=())
    return replace(found, run=kept.starts)
