"""What users say of a VM that is to be, and of how one is to become another one. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from appliance.errors import Invalid
from appliance.hypervisor.placement import Policy
from appliance.machine import MacAddress, parse_mac
from appliance.vm import Autostart, Bus, Cdrom, Disk, Firmware, Nic, NicModel, System, Vm, VmId, free_target
from appliance.vm_check import checked
from appliance.vm_work import DiskVolume
from appliance.volume import Volume

MacAddresses = Callable[[], MacAddress]
"""Each time another one."""


@dataclass(frozen=True, slots=True)
class DiskWish:
    """A disk: a new volume, or one that is there."""

    size: int = 0
    """Bytes of a new one."""
    pool: str = ""
    """Name or number; empty: the first that there is, by name."""
    volume: str = ""
    """Id or name of one that is there, in ``pool``; then ``size`` says nothing."""
    bus: Bus = Bus.VIRTIO_SCSI


@dataclass(frozen=True, slots=True)
class NicWish:
    """A network card."""

    bridge: str
    vlan: int = 0
    """1 to 4094; 0: untagged."""
    model: NicModel = NicModel.VIRTIO
    mac: str = ""
    """Empty: one is made up."""


@dataclass(frozen=True, slots=True)
class VmWish:
    """A VM that is to be made."""

    name: str
    host: str = ""
    """Name or number; empty: ``policy`` chooses it."""
    policy: Policy = Policy.LOAD
    cpus: int = 1
    memory: int = 1 << 30
    """Bytes."""
    disks: tuple[DiskWish, ...] = ()
    nics: tuple[NicWish, ...] = ()
    cdroms: tuple[str, ...] = ()
    """For each drive the name of its ISO; empty: no disc."""
    boot: tuple[str, ...] = ()
    """Targets and MAC addresses; none: disks, then CD-ROMs, then network cards."""
    firmware: Firmware = Firmware.UEFI
    tpm: bool = False
    system: System = System.LINUX
    notes: str = ""
    autostart: Autostart | None = None
    start: bool = False
    """Switch it on once it is made."""


@dataclass(frozen=True, slots=True)
class VmChange:
    """How one is to become another one; None leaves a field as it is."""

    name: str | None = None
    cpus: int | None = None
    memory: int | None = None
    """Bytes."""
    nics: tuple[NicWish, ...] | None = None
    """All of them; one with the address of a card that it has is that card."""
    cdroms: tuple[str, ...] | None = None
    """All of them, as in ``VmWish``; the path of a disc that is in one of its drives stays what it is."""
    boot: tuple[str, ...] | None = None
    firmware: Firmware | None = None
    tpm: bool | None = None
    system: System | None = None
    notes: str | None = None
    autostart: Autostart | Literal[False] | None = None
    """False: it is not started by itself any more."""
    without: frozenset[str] = field(default_factory=frozenset)
    """Targets of disks that are taken away; their volumes stay."""
    force: bool = False
    """Take out discs too that its system holds."""


def new_vm(wish: VmWish, key: VmId, volumes: Sequence[DiskVolume], discs: Sequence[str], macs: MacAddresses) -> Vm:
    """Its definition; paths of disks are not known yet. ``discs`` are the paths of its ISOs. Raises as ``checked``."""
    disks = tuple(_disk(each, wish.disks[number].bus) for number, each in enumerate(volumes))
    cdroms = _drives(discs, (each.target for each in disks))
    nics = _nics(wish.nics, macs)
    boot = wish.boot or (*(d.target for d in disks), *(c.target for c in cdroms), *(n.mac for n in nics))
    return checked(
        Vm(
            key, wish.name, wish.cpus, wish.memory, disks, cdroms, nics, boot, wish.firmware, wish.tpm, wish.system,
            wish.notes, wish.autostart,
        )
    )  # fmt: skip


def disk_targets(wishes: Iterable[DiskWish], taken: Iterable[str] = ()) -> list[str]:
    """A name for each new disk; raises Invalid ``vm-drives``."""
    used = list(taken)
    found = []
    for each in wishes:
        found.append(free_target(used, each.bus))
        used.append(found[-1])
    return found


def with_disk(vm: Vm, volume: DiskVolume, bus: Bus) -> Vm:
    """The same with one more, which it also starts from, as the last; raises as ``checked``."""
    disk = _disk(volume, bus)
    return checked(replace(vm, disks=(*vm.disks, disk), boot=(*vm.boot, disk.target)))


def with_paths(vm: Vm, volumes: Mapping[str, Volume]) -> Vm:
    """The same, once the volumes are there, by the targets of their disks."""
    found = {each.target: volumes[each.target] for each in vm.disks if each.target in volumes}
    disks = (
        replace(each, path=found[each.target].path, format=found[each.target].format) if each.target in found else each
        for each in vm.disks
    )
    return checked(replace(vm, disks=tuple(disks)))


def altered(vm: Vm, change: VmChange, discs: Sequence[str] | None, macs: MacAddresses) -> Vm:
    """As it is to become; ``discs`` are the paths for ``change.cdroms``. Raises as ``checked``."""
    plain = ("name", "cpus", "memory", "firmware", "tpm", "system", "notes")
    given = {name: value for name in plain if (value := getattr(change, name)) is not None}
    after = replace(vm, **given)
    if change.autostart is not None:
        after = replace(after, autostart=change.autostart or None)
    if change.without:
        after = replace(after, disks=tuple(each for each in vm.disks if each.target not in change.without))
    if discs is not None:
        after = replace(after, cdroms=_drives(discs, (each.target for each in after.disks), vm.cdroms))
    if change.nics is not None:
        after = replace(after, nics=_nics(change.nics, macs))
    boot = change.boot if change.boot is not None else _still(vm, after)
    return checked(replace(after, boot=boot))


def _disk(volume: DiskVolume, bus: Bus) -> Disk:
    return Disk(volume.target, f"/{volume.id}", bus, serial=volume.id)


def _nics(wishes: Iterable[NicWish], macs: MacAddresses) -> tuple[Nic, ...]:
    return tuple(
        Nic(_mac(each.mac, f"nics.{number}.mac") if each.mac else macs(), each.bridge, each.vlan, each.model)
        for number, each in enumerate(wishes)
    )


def _mac(text: str, field: str) -> MacAddress:
    try:
        return parse_mac(text)
    except Invalid as error:
        raise Invalid(error.code, error.message, error.hint, field) from None


def _drives(discs: Sequence[str], taken: Iterable[str], before: Sequence[Cdrom] = ()) -> tuple[Cdrom, ...]:
    """Drives that are there keep their names."""
    used, drives = list(taken), []
    for number, path in enumerate(discs):
        target = before[number].target if number < len(before) else free_target(used, Bus.SATA)
        used.append(target)
        drives.append(Cdrom(target, path))
    return tuple(drives)


def _still(before: Vm, after: Vm) -> tuple[str, ...]:
    """What it starts from, without what is gone, and with what is new behind it."""
    kept = tuple(each for each in before.boot if each in after.bootable)
    return kept + tuple(each for each in after.bootable if each not in before.bootable)
