"""What VMs use: what a host has counted of each, and what that makes in a second. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.vm import VmId
from appliance.vm_figure import DiskRate, NicRate


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What went through a drive since its VM was started."""

    target: str
    """As its definition calls it: ``sda``."""
    read: int
    """Bytes."""
    written: int
    """Bytes."""
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class NicUse:
    """What went through a network card since its VM was started, as the VM sees it."""

    number: int
    """Which of the cards in the definition of what runs, from 0."""
    port: str
    """The host's own name for it, ``vnet3``, which no other card has as long as this one is there."""
    received: int
    """Bytes."""
    sent: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a host has counted of one VM. All of it begins anew when the VM does."""

    id: VmId
    run: int | None
    """Another number after each start; None while it is off, and there is nothing to count."""
    cpu: int | None = None
    """Nanoseconds of processor time, of all its CPUs and of what emulates the rest of it."""
    memory: int | None = None
    """Bytes of the host's memory that it holds."""
    used: int | None = None
    """Bytes of its own memory that its system could not do without; None where no driver in it tells."""
    disks: tuple[DiskUse, ...] | None = None
    """None: the host could not tell at once, since it does something else with the VM."""
    nics: tuple[NicUse, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """What a VM uses now. None is what nobody knows yet, or any more."""

    cpu: float | None = None
    """Processor cores: 1 is the whole of one."""
    memory: int | None = None
    """As in ``Usage``."""
    used: int | None = None
    disks: tuple[DiskRate, ...] | None = None
    nics: tuple[NicRate, ...] | None = None

    @property
    def figures(self) -> "Figures":
        """The whole VM, in the order of ``FIGURES``."""
        disks, nics = self.disks, self.nics
        return (
            self.cpu,
            self.memory,
            self.used,
            None if disks is None else sum(each.read for each in disks),
            None if disks is None else sum(each.written for each in disks),
            None if disks is None else sum(each.reads for each in disks),
            None if disks is None else sum(each.writes for each in disks),
            None if nics is None else sum(each.received for each in nics),
            None if nics is None else sum(each.sent for each in nics),
        )


FIGURES = ("cpu", "memory", "used", "read", "written", "reads", "writes", "received", "sent")
"""What is kept of a VM: cores; bytes of memory, held and used; bytes and operations of its disks, bytes of its cards, a
second."""
Figures = tuple[float | None, ...]
"""A value, or None, for each of ``FIGURES``."""


def rates(before: Usage | None, after: Usage, seconds: float) -> Rates:
    """What a VM used in the ``seconds`` between two countings.

    Whatever began anew in between is left out, and known the next time: a VM that was started again, a drive or card
    that was taken out and put back.
    """
    if after.run is None:
        return Rates()
    held = Rates(memory=after.memory, used=after.used)
    if before is None or before.run != after.run or seconds <= 0 or _went_back([(before.cpu, after.cpu)]):
        return held
    cpu = None if before.cpu is None or after.cpu is None else (after.cpu - before.cpu) / 1e9 / seconds
    disks = _disk_rates(before.disks, after.disks, seconds)
    return Rates(cpu, held.memory, held.used, disks, _nic_rates(before.nics, after.nics, seconds))


def _disk_rates(
    before: tuple[DiskUse, ...] | None, after: tuple[DiskUse, ...] | None, seconds: float
) -> tuple[DiskRate, ...] | None:
    if before is None or after is None:
        return None
    was = {each.target: each for each in before}
    found = []
    for now in after:
        if then := was.get(now.target):
            counted = [
                (then.read, now.read),
                (then.written, now.written),
                (then.reads, now.reads),
                (then.writes, now.writes),
            ]
            if not _went_back(counted):
                found.append(DiskRate(now.target, *((late - early) / seconds for early, late in counted)))
    return tuple(found)


def _nic_rates(
    before: tuple[NicUse, ...] | None, after: tuple[NicUse, ...] | None, seconds: float
) -> tuple[NicRate, ...] | None:
    if before is None or after is None:
        return None
    was = {each.port: each for each in before}
    found = []
    for now in after:
        if then := was.get(now.port):
            counted = [(then.received, now.received), (then.sent, now.sent)]
            if not _went_back(counted):
                found.append(NicRate(now.number, *((late - early) / seconds for early, late in counted)))
    return tuple(found)


def _went_back(counted: Iterable[tuple[int | None, int | None]]) -> bool:
    return any(early is not None and late is not None and late < early for early, late in counted)
