"""What the API takes and gives of VMs and their hosts. Sizes are bytes."""

from typing import Annotated, Literal

import msgspec

from appliance.vm import Vm
from appliance.web.api.shapes import Reference

Name = Annotated[str, msgspec.Meta(max_length=200)]
Line = Annotated[str, msgspec.Meta(max_length=1000)]
Notes = Annotated[str, msgspec.Meta(max_length=20_000)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Count = Annotated[int, msgspec.Meta(ge=0, le=4096)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
BusName = Literal["virtio-scsi", "virtio-blk", "sata", "nvme"]
ModelName = Literal["virtio", "e1000e", "e1000", "rtl8139"]
FirmwareName = Literal["bios", "uefi", "secure-boot"]
SystemName = Literal["linux", "windows"]
StateName = Literal["off", "running", "paused", "stopping", "crashed", "asleep", "unknown"]
PolicyName = Literal["load", "memory", "random", "first"]


class HostOut(msgspec.Struct):
    """A host as it is at this moment, or as it was when it answered last."""

    id: int
    """0: the appliance itself, while nothing of ours is on it."""
    name: str
    address: str
    """As libvirt takes it."""
    own: bool
    """Whether it is the appliance itself."""
    here: bool
    """Whether it is the appliance's computer, and reaches the volumes of pools."""
    trouble: str
    """Why it does not answer; empty: it does."""
    at: float | None
    """Unix time of the look that found its VMs; null: it has not answered yet."""
    vms: int
    running: int
    """How many of them are not off."""
    cpus: int | None
    """Threads of its processors; this and what follows is null where it does not answer."""
    memory: int | None
    kvm: bool | None
    """False: processors are emulated, some twenty times slower."""
    libvirt: str | None
    """Version."""
    buses: list[str] | None
    firmwares: list[str] | None
    tpm: bool | None


class HostIn(msgspec.Struct, forbid_unknown_fields=True):
    """A host that is to be known."""

    name: Name
    address: Line
    """``qemu:///system``, or as ``qemu+ssh://root@host.example/system``."""


class VmWorkOut(msgspec.Struct):
    """What is under way with a VM."""

    deed: str
    """Such as ``vm.create``."""
    task: int | None
    by: str
    at: float


class VmOut(msgspec.Struct):
    """A VM as it is at this moment."""

    id: str
    """UUID; also the one that its firmware shows."""
    name: str
    host: Reference
    state: str
    """``off``, ``running``, ``paused``, ``stopping``, ``crashed``, ``asleep`` or ``unknown``."""
    why: str
    """What brought it into its state, where nobody asked for that; empty otherwise."""
    ours: bool
    """False: somebody else made it. It is shown, and never touched."""
    stored: bool
    """False: it is gone once it is off."""
    cpus: int
    memory: int
    at: float
    """Unix time of the look that found it so."""
    old: bool
    """Its host does not answer: nobody knows how it is now."""
    work: VmWorkOut | None


class DiskVolumeOut(msgspec.Struct):
    """The volume that a disk is."""

    target: str
    id: str
    name: str
    pool: int


class VmDetailOut(VmOut, kw_only=True):
    """A VM with its definitions."""

    definition: Vm | None
    """As it is stored; null where there is none."""
    live: Vm | None
    """What runs; null where it is off."""
    needs_restart: list[str]
    """Fields that a restart would change."""
    beyond: list[str]
    """What its definition has that cannot be said here, in words of libvirt. A change leaves that as it is."""
    volumes: list[DiskVolumeOut]
    revision: str
    """Of ``definition``: sent back with a change, it is refused where somebody else was faster."""


class DiskIn(msgspec.Struct, forbid_unknown_fields=True):
    """A disk: a new volume, or one that is there."""

    size: Size = 0
    """Of a new one, rounded up to whole 4 MiB."""
    pool: Name = ""
    """Name or number; empty: the first, by name."""
    volume: Name = ""
    """Id or name of one that is there, in ``pool``; then ``size`` says nothing."""
    bus: BusName = "virtio-scsi"


class NicIn(msgspec.Struct, forbid_unknown_fields=True):
    """A network card."""

    bridge: Name
    """The host's bridge that it is a port of."""
    vlan: Count = 0
    """1 to 4094; 0: untagged."""
    model: ModelName = "virtio"
    mac: Name = ""
    """Empty: one is made up."""


class AutostartIn(msgspec.Struct, forbid_unknown_fields=True):
    """Started by the appliance after its computer was."""

    order: Annotated[int, msgspec.Meta(ge=0, le=9999)] = 0
    """Lower ones first."""
    delay: Seconds = 0.0
    """Seconds to wait after it, before the next one."""


Disks = Annotated[list[DiskIn], msgspec.Meta(max_length=32)]
Nics = Annotated[list[NicIn], msgspec.Meta(max_length=32)]
Discs = Annotated[list[Line], msgspec.Meta(max_length=8)]
Boot = Annotated[list[Name], msgspec.Meta(max_length=64)]


class VmIn(msgspec.Struct, forbid_unknown_fields=True):
    """A VM that is to be made."""

    name: Name
    """Also a DNS label."""
    host: Name = ""
    """Name or number; empty: ``policy`` chooses it."""
    policy: PolicyName = "load"
    """``load``: whose processors have least to do; ``memory``: with most left; ``random``; ``first`` that has room."""
    cpus: Count = 1
    memory: Size = 1 << 30
    """Whole MiB."""
    disks: Disks = []
    nics: Nics = []
    cdroms: Discs = []
    """For each drive the name of its ISO; empty: no disc."""
    boot: Boot = []
    """Targets and MAC addresses; none: disks, then CD-ROMs, then network cards."""
    firmware: FirmwareName = "uefi"
    tpm: bool = False
    """A TPM 2.0."""
    system: SystemName = "linux"
    notes: Notes = ""
    autostart: AutostartIn | None = None
    start: bool = False
    """Switch it on once it is made."""


class VmChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a VM; null leaves it as it is. What runs gets discs at once, most else at its next start."""

    name: Name | None = None
    """Only while it is off."""
    cpus: Count | None = None
    memory: Size | None = None
    nics: Nics | None = None
    """All of them; one with the address of a card that it has is that card."""
    cdroms: Discs | None = None
    """All of them, by names of ISOs; the path of a disc that is in one of its drives stays what it is."""
    boot: Boot | None = None
    firmware: FirmwareName | None = None
    tpm: bool | None = None
    system: SystemName | None = None
    notes: Notes | None = None
    autostart: AutostartIn | None = None
    no_autostart: bool = False
    """It is not started by itself any more."""
    detach: Boot = []
    """Targets of disks that are taken away; their volumes stay."""
    force: bool = False
    """Take out discs too that its system holds; what reads them there fails."""
    revision: Name = ""
    """That of the definition that was shown; empty: whatever it is now."""


class ShutDownIn(msgspec.Struct, forbid_unknown_fields=True):
    """How long its system may take."""

    patience: Seconds = 120.0
    """Seconds until it is switched off."""


class VmDeleteIn(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to what ``consequences`` asked for."""

    disks: bool = False
    """Delete the volumes that are its own as well; what is in them is lost."""
    confirm: Name | None = None
    """The name of the VM."""


class VmNothingIn(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing has to be said."""
