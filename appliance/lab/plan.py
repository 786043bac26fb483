"""What a lab consists of, as values: planned outside, carried into the namespaces as JSON.  Pure."""

import uuid
from dataclasses import dataclass
from typing import Literal

Firmware = Literal["bios", "uefi"]
FirmwareChoice = Literal["bios", "uefi", "mixed", "uefi-http", "secure-boot"]
"""Mixed: one BIOS, one UEFI, and so on; the last two are ways to set UEFI up."""
NetworkBoot = Literal["pxe", "http"]
Bus = Literal["virtio", "scsi", "nvme", "usb"]
Accelerator = Literal["tcg", "kvm"]

GIB = 1 << 30
BRIDGE = "br0"
MANAGEMENT_BRIDGE = "br1"
"""Of a lab whose appliance is one of its machines: where people are, with an address for them."""
DESK_ADDRESS = "10.78.0.1"
VISITOR_ADDRESS = "10.77.0.250"
"""Of the lab itself on the machines' network, where the appliance is apart: it is a computer there like any other."""
BRIDGE_MAC = "52:54:00:4c:00:00"
APPLIANCE_ADDRESS = "10.77.0.1"
PREFIX_LENGTH = 24
RANGE = "10.77.0.50-10.77.0.200"
DOMAIN = "lab.test"
MOST_MACHINES = 64
"""Above that the fixed host numbers and the address range would meet."""

_NAMESPACE = uuid.UUID("6f6d7c1e-4d1b-5a0c-9f0e-0a4d00770001")


@dataclass(frozen=True, slots=True)
class Nic:
    """One network interface.

    Without ``connected`` its cable ends in nothing: the link is up, nobody answers. Without ``cable`` there is no link.
    """

    mac: str
    tap: str
    connected: bool = True
    cable: bool = True
    bridge: str = BRIDGE


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk: a sparse raw ``file`` in the lab's directory, ``size`` in bytes, sectors of 512 or 4096 bytes."""

    file: str
    size: int
    serial: str
    bus: Bus = "virtio"
    sector_size: int = 512


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """One computer of the lab, as it is plugged together."""

    name: str
    firmware: Firmware
    memory_mib: int
    nics: tuple[Nic, ...]
    disks: tuple[Disk, ...]
    uuid: str
    serial: str
    cpus: int = 1
    network_boot: NetworkBoot = "pxe"
    """How UEFI boots from the network: by PXE first, or by HTTP (UEFI specification, section 24.7) alone."""
    secure_boot: bool = False
    """UEFI with Microsoft's keys enrolled, as machines are sold: it runs nothing that is not signed."""


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """What QEMU itself loads at power-on, past firmware and network: two files and a kernel command line."""

    kernel: str
    initrd: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Start:
    """How a machine is switched on this time: what its owner chose in firmware's set-up."""

    direct: DirectKernel | None = None
    first_disk: int = 0
    """The disk, counted from 0, that firmware tries before the others; a BIOS tries no other."""
    network: bool = True
    """Whether firmware tries the network, before all disks, or never does."""


AS_SET_UP = Start()
"""From firmware's own boot order, the first disk first."""


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """The appliance of the lab: directories of the maintenance stack, the boot programs, and demo images."""

    stack: str
    programs: str
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Everything a lab starts with; without ``daemon`` it is a switch with machines and no appliance."""

    machines: tuple[MachinePlan, ...]
    daemon: DaemonPlan | None = None
    accelerator: Accelerator = "tcg"
    appliance_apart: bool = False
    """Whether the appliance is a computer of its own, one of the machines: then the lab leaves its address to it, and
    has a management network besides.
    """


def firmware_of(choice: FirmwareChoice, index: int) -> Firmware:
    """The firmware of machine ``index`` (from 0): mixed labs alternate and begin with BIOS."""
    if choice == "mixed":
        return "bios" if index % 2 == 0 else "uefi"
    return "bios" if choice == "bios" else "uefi"


def plan_machine(
    index: int,
    firmware: Firmware,
    *,
    memory_mib: int = 1024,
    disks: int = 1,
    disk_bytes: int = 4 * GIB,
    nics: int = 1,
    network_boot: NetworkBoot = "pxe",
    secure_boot: bool = False,
) -> MachinePlan:
    """Machine ``index`` (from 0) with names, addresses and serial numbers that are the same every time."""
    name = f"node{index + 1}"
    return MachinePlan(
        name=name,
        firmware=firmware,
        memory_mib=memory_mib,
        nics=tuple(_nic(index, number) for number in range(nics)),
        disks=tuple(_disk(name, number, disk_bytes) for number in range(disks)),
        uuid=str(uuid.uuid5(_NAMESPACE, name)),
        serial=f"LAB-{index + 1:04d}",
        network_boot=network_boot,
        secure_boot=secure_boot,
    )


def _nic(machine: int, number: int) -> Nic:
    return Nic(mac=f"52:54:00:4c:{machine + 1:02x}:{number + 1:02x}", tap=f"tap{machine + 1}-{number + 1}")


def _disk(machine: str, number: int, size: int) -> Disk:
    return Disk(file=f"{machine}-disk{number + 1}.raw", size=size, serial=f"{machine.upper()}-D{number + 1}")


def plan_machines(
    nodes: int, firmware: FirmwareChoice = "mixed", *, memory_mib: int = 1024, disks: int = 1, nics: int = 1
) -> tuple[MachinePlan, ...]:
    """``nodes`` machines, alike but for their firmware."""
    return tuple(
        plan_machine(
            index,
            firmware_of(firmware, index),
            memory_mib=memory_mib,
            disks=disks,
            nics=nics,
            network_boot="http" if firmware == "uefi-http" else "pxe",
            secure_boot=firmware == "secure-boot",
        )
        for index in range(nodes)
    )
