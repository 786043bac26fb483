"""The disks of the appliance: which there are, how they are, and which one it is in the rack. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb


class PartitionState(msgspec.Struct, frozen=True):
    """A partition of a disk."""

    name: str
    """The kernel's, such as ``sda1``: good for this boot only."""
    uuid: str
    """PARTUUID, by which it is named; empty where its table gives it none."""
    size: int
    """Bytes."""
    holds: list[str]
    """What is on it, as that of a disk."""
    mounted: str = ""
    """Where it, or anything on it, is mounted; empty: nowhere."""
    own: bool = False
    """Whether the appliance runs from it; what the system has left of its disk is no part of that."""


class DiskState(msgspec.Struct, frozen=True):
    """A whole disk."""

    name: str
    """The kernel's, such as ``sda``: good for this boot only."""
    model: str
    serial: str
    wwn: str
    size: int
    """Bytes."""
    transport: str
    """``sata``, ``nvme``, ``usb``, ...; empty where nobody knows."""
    rotational: bool
    removable: bool
    holds: list[str]
    """What is on it, one line for each partition or file system; empty where nothing known is.

    The first few of the volumes that LVM or RAID make of one have a line each, all others one together.
    """
    own: bool
    """Whether the appliance runs from it."""
    mounted: str = ""
    """Where it, or anything on it, is mounted; empty: nowhere."""
    partitions: list[PartitionState] = []
    held: str = ""
    """What is made of it, or of a partition, such as a volume of LVM or a RAID that is active; empty: nothing."""


class Smart(msgspec.Struct, frozen=True):
    """What a disk says of itself (smartctl(8)); None where it does not say."""

    available: bool
    """False: it says nothing, as disks of virtual machines do."""
    passed: bool | None = None
    """The disk's own verdict."""
    temperature: int | None = None
    """Degrees Celsius."""
    hours: int | None = None
    """Powered on."""
    used: int | None = None
    """Percent of the writes it was made for; may exceed 100."""
    spare: int | None = None
    """Percent of its spare blocks that are left."""
    spare_threshold: int | None = None
    """Below which it gives no promise any more."""
    reallocated: int | None = None
    """Sectors that were replaced by spare ones."""
    pending: int | None = None
    """Sectors that could not be read and wait to be replaced."""
    uncorrectable: int | None = None
    """Sectors, or errors of an NVMe disk's media, that are lost."""


class List(Verb[list[DiskState]], frozen=True):
    """Every disk of this computer."""

    name: ClassVar[str] = "disks.list"


class ReadSmart(Verb[Smart], frozen=True):
    """How one disk is; one that sleeps is not woken up for it."""

    name: ClassVar[str] = "disks.smart"

    disk: str
    """Its kernel name, as listed."""


class Identify(Verb[Done], frozen=True):
    """Read from a disk in bursts, so that its activity light blinks for some seconds."""

    name: ClassVar[str] = "disks.identify"

    disk: str
    """Its kernel name, as listed."""
