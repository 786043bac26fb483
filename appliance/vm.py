"""Virtual machines: what one is, which states it is seen in, and which orders are for which state. Pure.

A VM's definition is kept by libvirt, twice while it runs: as it is stored, and as it runs. Both are a ``Vm`` here; what
is different between them needs a restart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NewType

from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress
from appliance.volume import Format

VmId = NewType("VmId", str)
"""Its UUID in lower case: libvirt's, and the one that its firmware shows, which machines are told apart by."""


class Bus(StrEnum):
    """How a disk is attached."""

    VIRTIO_SCSI = "virtio-scsi"
    VIRTIO_BLK = "virtio-blk"
    SATA = "sata"
    NVME = "nvme"
    """Only where the host's libvirt emulates it (``Host.buses``)."""


class NicModel(StrEnum):
    """Which network card a VM sees."""

    VIRTIO = "virtio"
    E1000E = "e1000e"
    E1000 = "e1000"
    RTL8139 = "rtl8139"


class Firmware(StrEnum):
    """What a VM starts with."""

    BIOS = "bios"
    UEFI = "uefi"
    SECURE_BOOT = "secure-boot"
    """UEFI with Microsoft's keys enrolled; what they did not sign does not start."""


class System(StrEnum):
    """What is to run in it: what clock it reads, and which of Windows' own interfaces it finds."""

    LINUX = "linux"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of a VM."""

    target: str
    """Its name in the VM's definition, one of a kind there: ``sda``, ``vda``, ``nvme0n1``."""
    path: str
    """Device or file on the host."""
    bus: Bus = Bus.VIRTIO_SCSI
    format: Format = Format.RAW
    serial: str = ""
    """What the disk says of itself: the id of its volume, where it is one."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Cdrom:
    """A CD-ROM drive."""

    target: str
    """As of a disk: ``sda``."""
    path: str = ""
    """The ISO file in it; empty: no disc."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card."""

    mac: MacAddress
    bridge: str
    """The host's bridge that it is a port of."""
    vlan: int = 0
    """1 to 4094; 0: untagged."""
    model: NicModel = NicModel.VIRTIO


@dataclass(frozen=True, slots=True)
class Autostart:
    """Started by the appliance after its computer was."""

    order: int = 0
    """Lower ones first."""
    delay: float = 0.0
    """Seconds to wait after it, before the next one."""


@dataclass(frozen=True, slots=True)
class Vm:
    """A definition of a virtual machine."""

    id: VmId
    name: str
    """Also a DNS label."""
    cpus: int = 1
    memory: int = 1 << 30
    """Bytes."""
    disks: tuple[Disk, ...] = ()
    """By their targets, as ``checked`` sorts them: libvirt keeps no other order of drives."""
    cdroms: tuple[Cdrom, ...] = ()
    nics: tuple[Nic, ...] = ()
    boot: tuple[str, ...] = ()
    """What it starts from, one after the other: targets of disks and CD-ROMs, MAC addresses of network cards."""
    firmware: Firmware = Firmware.BIOS
    tpm: bool = False
    """A TPM 2.0, kept by swtpm."""
    system: System = System.LINUX
    notes: str = ""
    """For people; several lines."""
    autostart: Autostart | None = None

    @property
    def drives(self) -> tuple[Disk | Cdrom, ...]:
        """Disks and CD-ROM drives, whose targets are one of a kind together."""
        return self.disks + self.cdroms

    @property
    def bootable(self) -> tuple[str, ...]:
        """Everything that ``boot`` can name."""
        return (*(each.target for each in self.drives), *(each.mac for each in self.nics))


class VmState(StrEnum):
    """As a VM is seen to be; it is stored nowhere."""

    OFF = "off"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    """Its system has shut down, and its process is about to end."""
    CRASHED = "crashed"
    """Its process is kept, with its disks open."""
    ASLEEP = "asleep"
    """Its system has suspended itself."""
    UNKNOWN = "unknown"


class Order(StrEnum):
    """What a VM can be told."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    """As the button on a box: the system is not asked."""
    ASK_AGENT = "ask-agent"
    """Its system is asked to shut down, through the agent in it."""
    ASK_ACPI = "ask-acpi"
    """Its power button is pressed."""
    OFF = "off"
    """At once, as if the plug was drawn."""


@dataclass(frozen=True, slots=True)
class Transition:
    """When an order is for a VM."""

    of: frozenset[VmState]
    """States in which it is to be carried out."""
    done: frozenset[VmState]
    """States in which there is nothing left to do for it."""
    hint: str
    """What to do in any other state."""


_S = VmState
TRANSITIONS: Mapping[Order, Transition] = {
    Order.START: Transition(
        frozenset({_S.OFF}), frozenset({_S.RUNNING}), "resume it if it is paused; else wait until it is off"
    ),
    Order.PAUSE: Transition(frozenset({_S.RUNNING}), frozenset({_S.PAUSED}), "start it first"),
    Order.RESUME: Transition(frozenset({_S.PAUSED, _S.ASLEEP}), frozenset({_S.RUNNING}), "start it instead"),
    Order.RESET: Transition(frozenset({_S.RUNNING, _S.PAUSED}), frozenset(), "start it, or switch it off first"),
    Order.ASK_AGENT: Transition(
        frozenset({_S.RUNNING}), frozenset({_S.OFF, _S.STOPPING}), "resume it first, or switch it off"
    ),
    Order.ASK_ACPI: Transition(
        frozenset({_S.RUNNING}), frozenset({_S.OFF, _S.STOPPING}), "resume it first, or switch it off"
    ),
    Order.OFF: Transition(frozenset(_S) - {_S.OFF}, frozenset({_S.OFF}), ""),
}
"""Every order with the states that it is for. None leads to a state without a way out: OFF is for all of them."""


def is_to_be_done(order: Order, state: VmState, name: str) -> bool:
    """Whether an order is still to be carried out; raises Conflict ``vm-state`` where it cannot be."""
    transition = TRANSITIONS[order]
    if state in transition.done:
        return False
    if state not in transition.of:
        raise wrong_state(order, state, name, transition.hint)
    return True


def wrong_state(what: str, state: VmState, name: str, hint: str) -> Conflict:
    """What is said of a VM that is in no state for something."""
    return Conflict("vm-state", f"{what} is not for {name}, which is {state}", hint)


NEVER_NEED_RESTART = frozenset({"id", "name", "notes", "autostart"})
"""Fields that what runs does not know of."""


def differences(live: Vm, stored: Vm) -> tuple[str, ...]:
    """Names of the fields in which what runs is not what is stored: a restart would bring them."""
    names = [each.name for each in fields(Vm) if each.name not in NEVER_NEED_RESTART]
    return tuple(name for name in names if getattr(live, name) != getattr(stored, name))


def by_target(drive: Disk | Cdrom) -> str:
    """What drives are sorted by."""
    return drive.target


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
PREFIXES: Mapping[Bus, str] = {Bus.VIRTIO_SCSI: "sd", Bus.SATA: "sd", Bus.VIRTIO_BLK: "vd"}


def targets(bus: Bus) -> tuple[str, ...]:
    """All that disks of a bus can be called."""
    if bus is Bus.NVME:
        return tuple(f"nvme{number}n1" for number in range(8))
    return tuple(f"{PREFIXES[bus]}{letter}" for letter in _LETTERS)


def free_target(taken: Iterable[str], bus: Bus) -> str:
    """The first name that no drive has; CD-ROMs are on SATA. Raises Invalid ``vm-drives``."""
    used = set(taken)
    if free := next((each for each in targets(bus) if each not in used), ""):
        return free
    text, hint = f"there is no room for another drive on {bus}", "take one away, or use another bus"
    raise Invalid("vm-drives", text, hint, "disks")


def mac_of(given: bytes) -> MacAddress:
    """An address for a network card from three random bytes, in the range that QEMU uses (52:54:00)."""
    return MacAddress("52:54:00:" + given[:3].hex(":"))
