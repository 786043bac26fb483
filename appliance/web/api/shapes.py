"""What the API takes and gives, as types; the OpenAPI document is made from them."""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from appliance.bootprogram import Choice
from appliance.cloud_init import LONGEST

T = TypeVar("T")

Line = Annotated[str, msgspec.Meta(max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**20)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


Tags = Annotated[list[Annotated[str, msgspec.Meta(max_length=40)]], msgspec.Meta(max_length=32)]


class _In(msgspec.Struct, forbid_unknown_fields=True):
    """A body: an unknown field is a mistake that its sender wants to hear of."""


class _Out(msgspec.Struct):
    """An answer."""


class SetupIn(_In):
    """The first administrator."""

    token: Line
    name: Line
    password: Annotated[str, msgspec.Meta(max_length=1000)]


class SessionIn(_In):
    """A log-in."""

    name: Line
    password: Annotated[str, msgspec.Meta(max_length=1000)]


class MachineIn(_In):
    """What to change of a machine; null leaves it as it is, but for ``reserved_address``."""

    name: Line | None = None
    maintenance: bool | None = None
    broken: bool | None = None
    notes: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    hand_over: Literal["kexec", "reboot"] | None = None
    """How the maintenance stack gives way to a deployed system; ``reboot`` where kexec does not work."""
    boot_program: Literal[""] | Choice | None = None
    """What its firmware is sent to boot from the network; empty has it chosen by itself."""
    reserved_address: Line | msgspec.UnsetType | None = msgspec.UNSET
    """IPv4 address that only this machine is leased; null takes the reservation away."""
    dhcp_options: dict[Line, Line] | None = None
    """All of them from here on, by name or number: what it is told by DHCP beyond what its subnet says."""
    tags: Tags | None = None
    """All of its tags from here on."""
    add_tags: Tags = []
    remove_tags: Tags = []


SeedText = Annotated[str, msgspec.Meta(max_length=LONGEST)]
"""Text of a NoCloud seed."""
WipeMethodName = Literal["automatic", "sanitize", "secure-erase", "discard", "overwrite"]


class RequirementsIn(_In):
    """What a machine must have at least."""

    cpus: Count | None = None
    memory_bytes: Bytes | None = None
    disk_bytes: Bytes | None = None
    firmware: Literal["bios", "uefi"] | None = None
    tags: Tags = []
    """A machine must have all of them."""


class DeploymentIn(_In):
    """A deployment to make; ``image`` and ``machine`` are ids or names."""

    name: Line
    image: Line | Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    delivery: Line = "disk"
    machine: Line | None = None
    disk: Line | None = None
    """Serial or WWN; null takes the smallest empty disk that fits."""
    requirements: RequirementsIn | None = None
    ssh_keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=20_000)]], msgspec.Meta(max_length=100)] = []
    wipe_on_release: bool = False
    wipe_method: WipeMethodName = "automatic"
    """How that is done; what is weaker never stands in for what was asked for."""
    pool: Line | None = None
    """Name or number of the pool that its root volume is made in; null takes the first that fits."""
    root_size: Bytes | None = None
    """Bytes that its root volume has at least; null has it chosen by the image."""
    kernel: Line | None = None
    """Name or number of the kernel that a root on the network is started with; null takes the appliance's own."""
    user_data: SeedText = ""
    """For cloud-init, in an image that has it: ``#cloud-config``, a script, or any other of its formats."""
    network_config: SeedText = ""
    """Network configuration of version 2, for cloud-init; empty: DHCP on the interface that the machine boots from."""


class ActionIn(_In):
    """The answer to what ``consequences`` asked for."""

    confirm: Line | None = None
    content: Line = ""
    """As ``consequences`` told it: what was on the disk when the user agreed that it is lost."""


class Items(_Out, Generic[T]):
    """A listing."""

    items: list[T]


class UserOut(_Out):
    """Who is logged in."""

    name: str
    role: str


class SessionOut(_Out):
    """A log-in; ``expires`` is Unix time."""

    token: str
    expires: float
    user: UserOut


class Reference(_Out):
    """Something else, by id and name."""

    id: int
    name: str


class MachineReference(_Out):
    """A machine, by id, name and address."""

    id: str
    name: str
    address: str | None


class PowerOut(_Out):
    """The power switch of a machine, as everybody may see it. Times are Unix time."""

    kind: str
    state: str
    """``on`` or ``off`` as it was last observed, else ``unknown``."""
    since: float | None
    """When it was first seen to be so."""
    seen: float | None
    """When it was last seen to be so, give or take five minutes; null: never."""
    trouble: str
    """Why it could not be asked the last time; empty: it could."""
    wanted: str
    """What a user last switched it to; ``unknown``: nobody has."""
    can: list[str]
    """What it can do: ``on``, ``off``, ``cycle``, ``network-once``, ``test``."""


class RemedyOut(_Out):
    """What the power switch does by itself for an attempt, if the machine stays silent or off."""

    action: str
    at: float
    """Unix time."""


class AttemptOut(_Out):
    """One try at moving a machine through a workflow. Times are Unix time."""

    id: str
    kind: str
    status: str
    step: str | None
    label: str
    progress: float
    """0 to 1, of the step."""
    message: str
    deadline: float | None
    """When it gives up without a further sign of the machine; null once it has ended."""
    advice: str
    """What somebody has to do by hand for it to go on, such as switching the machine on; empty: nothing."""
    remedy: RemedyOut | None
    """What the machine's power switch does about it; null: nothing, or there is none."""
    started: float
    ended: float | None
    code: str
    reason: str


class RescueOut(_Out):
    """A rescue of a machine. ``since`` is Unix time; null: SSH is not open now."""

    since: float | None
    address: str | None
    fingerprints: list[str]
    """Of the SSH host keys, made for this boot only, as ``ssh`` shows them."""
    host_keys: list[str]
    ssh_keys: list[str]
    """Who may log in."""
    ended: bool
    """Whether its end was asked for."""


class MachineOut(_Out):
    """A machine as lists show it. Times are Unix time."""

    id: str
    name: str
    state: str
    maintenance: bool
    macs: list[str]
    address: str | None
    """As last leased or reported."""
    reserved_address: str | None
    firmware: str | None
    uuid: str | None
    serial: str | None
    last_seen: float | None
    offline: bool
    failed_from: str | None
    failed_code: str
    failed_reason: str
    hand_over: str
    boot_program: str
    """What a user wants its firmware to be sent; empty has it chosen by itself."""
    secure_boot: bool | None
    """Whether its firmware runs only what is signed, as its last inventory says."""
    dhcp_options: dict[str, str]
    """What users have it told by DHCP beyond what its subnet says."""
    notes: str
    tags: list[str]
    rescue: RescueOut | None
    asks_since: float | None
    """When the boot began that waits to be let in to its root on the network; null: none does."""
    power: PowerOut | None
    """Its power switch; null: it has none."""
    created: float
    deployment: Reference | None
    attempt: AttemptOut | None
    cpus: int | None
    memory_bytes: int | None
    disks_summary: str


class WipedOut(_Out):
    """The last wipe of one disk. ``at`` is Unix time."""

    at: float
    serial: str
    wwn: str
    model: str
    bytes: int
    asked: str
    method: str
    """What was done in the end."""
    verified: bool
    """Whether reading back showed nothing of what was there."""
    seconds: float
    bytes_read: int
    """Read back."""
    whole: bool
    """Whether that was all of the disk."""
    zeros: bool
    """Whether everything that was read back was zero."""
    hidden_bytes: int
    """That the disk has and does not show: what is in them was perhaps not reached."""
    tried: list[str]
    """Ways that were not believed before, each with the reason."""


class MachineDetail(MachineOut):
    """A machine with its inventory, as its agent sent it."""

    inventory: dict[str, Any] | None
    wiped: list[WipedOut] = []
    """The last wipe of each of its disks, newest first."""


class EventOut(_Out):
    """A fact. ``at`` is Unix time."""

    id: int
    at: float
    kind: str
    text: str
    reason: str
    machine: str | None
    deployment: int | None
    detail: dict[str, Any]


class EventPage(_Out):
    """Events, newest first; ``before`` fetches the next page, null when this is the last."""

    items: list[EventOut]
    before: int | None


class ImageOut(_Out):
    """An image. Sizes in bytes: on the machine's disk, and as stored."""

    id: int
    name: str
    description: str
    format: str
    size: int
    stored_size: int
    stored_sha256: str
    sector_size: int
    created: float
    architecture: str = ""
    """As Debian names it; empty where it cannot be told from the content."""
    distribution: str = ""
    """As its os-release names it; empty where it cannot be told."""
    firmware: list[str] = []
    """What can boot the disk, as far as that shows: `bios`, `uefi`."""
    obstacle: str = ""
    """Why it cannot be deployed to a disk; empty where it can."""
    deliveries: list[str] = []
    """Those that can do something with it: ``disk``, ``ram``, ``iscsi``, ``nfs``; empty where none can."""
    kernels: list[str] = []
    """Versions of the kernels in it, the newest first; empty: none, or none was taken out of it yet."""
    missing: bool = False
    """Its content is not here: the state was restored without it. Uploading it again puts it back."""


class KernelOut(_Out):
    """A kernel with its initrd, and what the hand-over initrd needs of its modules."""

    id: int
    name: str
    version: str
    cmdline: str
    vmlinuz_sha256: str
    initrd_sha256: str | None
    created: float
    builtin: bool
    vmlinuz_bytes: int
    """0 where that is not known."""
    modules_sha256: str | None
    """Of the archive with its modules; null: there is none, and no root on the network starts with it."""
    modules_bytes: int
    signed: bool | None
    """Whether a signature for Secure Boot is attached to it; null: nobody has looked."""
    image: int | None
    """The image that it was taken out of, which may be deleted by now."""
    origin: str
    """What that image was called then."""
    missing: bool = False
    """As of an image."""


class RequirementsOut(_Out):
    """What a machine must have at least; null asks for nothing."""

    cpus: int | None
    memory_bytes: int | None
    disk_bytes: int | None
    firmware: str | None
    tags: list[str]


class DiskOut(_Out):
    """One disk, and what is on it: of a deployment's, what was there when it was chosen."""

    serial: str | None
    wwn: str | None
    bytes: int
    model: str
    summary: str


class InstalledOut(_Out):
    """What the last deploy left behind. Without ``disk`` its root is not on one of the machine's."""

    generation: int
    disk: DiskOut | None
    esp_partuuid: str | None
    root_fsuuid: str | None


class ExportOut(_Out):
    """The export of a root volume, to one machine."""

    kind: str
    """``iscsi`` or ``nfs``."""
    address: str
    """The machine's, as it was when this was granted; by iSCSI it may be another one meanwhile."""
    server: str
    """The appliance's."""
    target: str
    """iSCSI: the name of the target; empty for NFS."""
    initiator: str
    """iSCSI: what the machine calls itself; empty for NFS."""
    since: float | None
    """Unix time; null while it is being granted."""


class RootVolumeOut(_Out):
    """The volume that a deployment has its system on."""

    id: str
    name: str
    pool: str
    bytes: int
    ready: bool
    """False while it is being made."""
    export: ExportOut | None
    """Null while nobody is to reach it."""


class SeedOut(_Out):
    """What a deployment gives to cloud-init, in words; ``GET /deployments/{key}/seed`` has the texts."""

    user_data: str
    """What it is: ``cloud-config``, ``script`` and so on; empty: none."""
    network_config: bool
    """False: it is made by itself."""


class SeedTextsOut(_Out):
    """What a deployment gives to cloud-init; passwords may be in it."""

    user_data: str
    network_config: str
    """Empty: it is made by itself."""


class DeploymentOut(_Out):
    """A deployment. ``state`` is its machine's, or ``released``."""

    id: int
    name: str
    hostname: str
    state: str
    wanted: str
    image: Reference
    delivery: str
    requirements: RequirementsOut
    ssh_keys: list[str]
    wipe_on_release: bool
    wipe_method: str
    wanted_machine: str | None
    wanted_disk: str | None
    pool: str | None
    """The pool that was chosen for its root volume; null takes the first that fits."""
    root_size: int | None
    kernel: str | None
    """Name of the kernel that was chosen for its root on the network; null takes the appliance's own."""
    seed: SeedOut | None
    """Null: nobody has written anything for cloud-init."""
    root_volume: RootVolumeOut | None
    """Null where it has none."""
    machine: MachineReference | None
    disk: DiskOut | None
    installed: InstalledOut | None
    host_keys: list[str]
    generation: int
    attempt: AttemptOut | None
    failed_reason: str
    created: float


class ConsequencesOut(_Out):
    """What an action would do, what to confirm it with (null: nothing), why it is refused (empty: it is not)."""

    texts: list[str]
    confirm: str | None
    content: str
    """Fingerprint of what is on the disk that is overwritten, to be sent with ``confirm``; empty: nothing."""
    refused: str
    machine: str
    """Name of the machine that it is done to; empty: none."""
    disk: DiskOut | None
    """The disk that it overwrites or wipes, with what is on it now; null: none."""
    destroys: bool
    """Whether something on that disk is lost."""
