"""Deployments: what the user wants to run, and which machine and disk fit. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from appliance.catalogue import Image, ImageId, KernelId
from appliance.cloud_init import Part
from appliance.delivery import Delivery, check_image, in_memory, memory_needed, on_disk, on_volume
from appliance.errors import Conflict, Invalid
from appliance.machine import Machine, MachineId, State
from appliance.volume import PoolId
from appliance.wiping import WipeMethod
from appliance.workflow import DeploymentId


class Wanted(StrEnum):
    """What the user asked for last."""

    RELEASED = "released"
    RUNNING = "running"
    STOPPED = "stopped"


LEADS_TO: dict[State | None, Wanted] = {
    State.DEPLOYING: Wanted.RUNNING,
    State.STARTING: Wanted.RUNNING,
    State.STOPPING: Wanted.STOPPED,
    State.RELEASING: Wanted.RELEASED,
}
"""What is wanted where a machine is on its way so."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a machine must have at least; None asks for nothing."""

    cpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    firmware: str | None = None
    """``bios`` or ``uefi``."""
    tags: tuple[str, ...] = ()
    """Every one of them."""


@dataclass(frozen=True, slots=True)
class DiskIdentity:
    """One disk, named so that no other can be meant: never by ``/dev/sdX``."""

    serial: str | None
    wwn: str | None
    bytes: int
    model: str = ""
    content: str = ""
    """Fingerprint of what was on it when the user agreed."""
    summary: str = ""
    """The same for people; nothing is decided by it."""
    owned: bool = False
    """The deployment has begun to write it: what it holds now is ours to overwrite when the user says so."""
    empty: bool = False
    """The agent looked at it and found nothing."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a deploy left behind, needed to boot it again."""

    generation: int
    disk: DiskIdentity | None
    """Where its system is; None for one whose root is not on a disk of the machine."""
    esp_partuuid: str | None
    root_fsuuid: str | None
    image: ImageId | None = None
    """What each of its starts is made from; None where the system is on a disk or volume, and needs it no longer."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Image, delivery, requirements, wanted state, and the machine it is assigned to."""

    id: DeploymentId
    name: str
    image: ImageId
    created: float
    delivery: str = Delivery.DISK
    requirements: Requirements = field(default_factory=Requirements)
    ssh_keys: tuple[str, ...] = ()
    wipe_on_release: bool = False
    wipe_method: WipeMethod = WipeMethod.AUTOMATIC
    """How its release wipes the disk."""
    wanted: Wanted = Wanted.RELEASED
    wanted_machine: MachineId | None = None
    """The machine that the user chose; None lets the requirements choose."""
    wanted_disk: str | None = None
    """Serial or WWN that the user chose; None takes the smallest empty disk that fits."""
    machine: MachineId | None = None
    """The assignment."""
    disk: DiskIdentity | None = None
    """Chosen at start, agreed to by the user if it had content."""
    generation: int = 1
    """Grows with each re-deploy asked for."""
    retry: bool = False
    """The user wants a failed attempt tried again."""
    installed: Installed | None = None
    """What its disk holds; None once an agent was told to overwrite that."""
    host_keys: tuple[str, ...] = ()
    boot_id: str = ""
    machine_uuid: str = ""
    """systemd machine-id of the deployed system: 32 hex digits, stable over re-deploys."""
    pool: PoolId | None = None
    """Where its root volume is made; None takes the first that fits."""
    root_size: int | None = None
    """Bytes that its root volume has at least; None has it chosen by the image."""
    kernel: KernelId | None = None
    """What its root is started with, where that comes over the network; None takes the appliance's own."""
    seed: Mapping[str, Part] = field(default_factory=dict)
    """What its system gives to cloud-init, by part (``cloud_init.PARTS``); the texts are kept apart, sealed."""

    @property
    def wipes(self) -> bool:
        """Whether its release wipes the disk: the user wants it, and the disk was taken into use, if only in part."""
        return self.wipe_on_release and self.disk is not None and self.disk.owned

    @property
    def current(self) -> bool:
        """Whether what its root holds is what is wanted there: the image was written, and not asked for anew since."""
        return self.installed is not None and self.installed.generation == self.generation


def check_disk_wishes(deployment: Deployment) -> Deployment:
    """Raises Invalid ``disk-unused`` for what is asked of a disk where the delivery touches none."""
    asked = {
        ("disk", "none can be chosen"): deployment.wanted_disk,
        ("requirements.disk_bytes", "it needs none of any size"): deployment.requirements.disk_bytes,
        ("wipe_on_release", "there is none to wipe"): deployment.wipe_on_release,
    }
    unused = next((words for words, value in asked.items() if value), None)
    if unused is not None and not on_disk(deployment.delivery):
        name, why = unused
        text = f"delivery {deployment.delivery} touches no disk of the machine: {why}"
        raise Invalid("disk-unused", text, "leave it out, or choose delivery disk", name)
    return deployment


def check_volume_wishes(deployment: Deployment) -> Deployment:
    """Raises Invalid ``root-volume-unused`` for what is asked of a root volume where the delivery makes none."""
    asked = {"pool": deployment.pool, "root_size": deployment.root_size}
    field_name = next((name for name, value in asked.items() if value is not None), None)
    if field_name is not None and not on_volume(deployment.delivery):
        text = f"delivery {deployment.delivery} makes no root volume: there is no pool and no size to choose"
        raise Invalid("root-volume-unused", text, "leave it out, or choose delivery iscsi or nfs", field_name)
    return deployment


def check_kernel_wish(deployment: Deployment) -> Deployment:
    """Raises Invalid ``kernel-unused`` for a kernel where the delivery starts what is on the machine's disk."""
    if deployment.kernel is not None and on_disk(deployment.delivery):
        text = f"delivery {deployment.delivery} starts the kernel that is on the disk: there is none to choose"
        raise Invalid("kernel-unused", text, "leave it out, or choose a delivery from the network", "kernel")
    return deployment


def detached(deployment: Deployment) -> Deployment:
    """The deployment on no machine, with nothing left of the one it was on."""
    return replace(deployment, machine=None, disk=None, installed=None, host_keys=(), boot_id="", retry=False)


def stopped_as_written(deployment: Deployment) -> Deployment:
    """The deployment, wanted stopped, as its disk holds it: what was to be written anew is wanted no longer."""
    generation = deployment.installed.generation if deployment.installed else deployment.generation
    return replace(deployment, wanted=Wanted.STOPPED, generation=generation, retry=False)


def disk_identity(disk: dict[str, Any]) -> DiskIdentity:
    """The identity of a disk of an inventory."""
    content = disk.get("content") or {}
    return DiskIdentity(
        serial=disk.get("serial"),
        wwn=disk.get("wwn"),
        bytes=int(disk.get("bytes") or 0),
        model=str(disk.get("model") or ""),
        content=str(content.get("fingerprint") or ""),
        summary=content_in_words(content),
        empty=_is_empty(content),
    )


def content_in_words(content: Mapping[str, Any] | None) -> str:
    """What is on a disk, from the ``content`` of its entry in an inventory, which may be missing."""
    said = (content or {}).get("summary")
    return str(said) if said else "empty" if _is_empty(content) else "unknown content"


def _is_empty(content: Mapping[str, Any] | None) -> bool:
    return (content or {}).get("empty") is True


def choose_disk(machine: Machine, image: Image, wanted: str | None, least_bytes: int | None = None) -> DiskIdentity:
    """The disk to write ``image`` to.

    ``wanted`` names one by serial or WWN, whatever is on it; without it only empty disks are considered, the
    smallest that fits. ``least_bytes`` is what the deployment requires, beside what the image needs. Raises Conflict
    with the reason for every disk that does not do.
    """
    check_image(image, Delivery.DISK)
    disks: Sequence[dict[str, Any]] = (machine.inventory or {}).get("disks") or []
    if wanted is not None:
        named = [disk for disk in disks if wanted in (disk.get("serial"), disk.get("wwn"))]
        if len(named) != 1:
            found = "no disk" if not named else f"{len(named)} disks"
            raise Conflict("disk-not-found", f"{machine.name} has {found} with serial or WWN {wanted!r}", field="disk")
        candidates = named
    else:
        candidates = [disk for disk in disks if _is_empty(disk.get("content"))]
    fitting = [disk for disk in candidates if disk_objection(disk, image, least_bytes) is None]
    if fitting:
        return disk_identity(min(fitting, key=lambda disk: int(disk["bytes"])))
    why = _why_no_disk(disks, candidates, image, least_bytes)
    raise Conflict("no-disk-fits", f"{machine.name}: {why}", _DISK_HINT, "disk")


_DISK_HINT = "choose the disk by its serial to overwrite what is on it"


def _why_no_disk(
    disks: Sequence[dict[str, Any]], candidates: Sequence[dict[str, Any]], image: Image, least_bytes: int | None
) -> str:
    if not disks:
        return "it has no disk"
    reasons = []
    for disk in disks:
        holds = f"holds {disk_identity(disk).summary}"
        objection = disk_objection(disk, image, least_bytes) if disk in candidates else holds
        reasons.append(f"{disk.get('name')} ({disk.get('serial') or disk.get('wwn')}): {objection}")
    return "; ".join(reasons)


def disk_objection(disk: dict[str, Any], image: Image, least_bytes: int | None = None) -> str | None:
    """Why this image cannot go onto that disk whatever is on it; None if it can."""
    if disk.get("read_only"):
        return "is read-only"
    if not (disk.get("serial") or disk.get("wwn")):
        return "has neither serial nor WWN"
    size = int(disk.get("bytes") or 0)
    if size < image.size:
        return f"has {size} bytes, the image needs {image.size}"
    if least_bytes is not None and size < least_bytes:
        return f"has {size} bytes, {least_bytes} are asked for"
    if int(disk.get("sector_size") or 512) != image.sector_size:
        return f"has {disk.get('sector_size')}-byte sectors, the image was made for {image.sector_size}"
    return None


def machine_objection(machine: Machine, requirements: Requirements, taken: Iterable[MachineId]) -> str | None:
    """Why this machine may not be used, its disks aside (see ``choose_disk``); None if it may."""
    if machine.state is not State.IDLE:
        return f"it is {machine.state}"
    if machine.maintenance:
        return "it is in maintenance"
    if machine.rescue is not None:
        return "it is about to be rescued"
    if machine.id in taken:
        return "it is reserved for another deployment"
    if missing := sorted(set(requirements.tags) - set(machine.tags)):
        return f"it lacks the {'tag' if len(missing) == 1 else 'tags'} {', '.join(missing)}"
    return _too_small(machine, requirements)


def _too_small(machine: Machine, requirements: Requirements) -> str | None:
    inventory = machine.inventory or {}
    cpus = int((inventory.get("cpu") or {}).get("threads") or 0)
    memory = _memory(machine)
    if requirements.cpus is not None and cpus < requirements.cpus:
        return f"it has {cpus} of {requirements.cpus} CPUs"
    if requirements.memory_bytes is not None and memory < requirements.memory_bytes:
        return f"it has {memory >> 20} MiB of memory of {requirements.memory_bytes >> 20}"
    if requirements.firmware is not None and machine.firmware != requirements.firmware:
        return f"its firmware is {machine.firmware}, not {requirements.firmware}"
    return None


def choose_root(
    machine: Machine, image: Image, delivery: str, wanted_disk: str | None, least_bytes: int | None
) -> DiskIdentity | None:
    """The disk of this machine that is to hold the root, as ``choose_disk``; None where the delivery needs no disk.

    Raises Conflict with the reason where the machine does not do.
    """
    if on_disk(delivery):
        return choose_disk(machine, image, wanted_disk, least_bytes)
    check_image(image, delivery)
    if in_memory(delivery) and (has := _memory(machine)) < (needed := memory_needed(image)):
        text = f"{machine.name}: it has {has >> 20} MiB of memory, {image.name} needs {needed >> 20} to run from it"
        raise Conflict("memory-too-small", text, "choose a machine with more memory", "machine")
    return None


def choose_machine(
    deployment: Deployment, image: Image, machines: Sequence[Machine], taken: frozenset[MachineId], recent: float
) -> tuple[Machine, DiskIdentity | None]:
    """The machine and disk to use: the one chosen by the user, else the smallest by memory that fits.

    Machines that gave a sign since ``recent`` (Unix time) come first: the others wait for somebody to switch them on.
    Raises Conflict naming, for every machine, why it does not do.
    """
    check_image(image, deployment.delivery)
    wanted = deployment.wanted_machine
    pool = [m for m in machines if wanted in (None, m.id)]
    if not pool:
        raise Conflict("no-machine", "there is no such machine (any more)" if wanted else "there is no machine yet")
    reasons = []
    for machine in sorted(pool, key=lambda m: ((m.last_seen or 0.0) < recent, _memory(m), m.name)):
        objection = machine_objection(machine, deployment.requirements, taken)
        if objection is not None:
            reasons.append(f"{machine.name}: {objection}")
            continue
        try:
            disk, least = deployment.wanted_disk, deployment.requirements.disk_bytes
            return machine, choose_root(machine, image, deployment.delivery, disk, least)
        except Conflict as error:
            reasons.append(error.message)  # names the machine
    raise no_machine_fits("; ".join(reasons))


def no_machine_fits(why: str) -> Conflict:
    """The refusal of a start; ``why`` says it of every machine, or counts them by reason."""
    hint = "take a machine out of maintenance, ask for less, or choose its disk by serial"
    return Conflict("no-machine-fits", f"no machine fits: {why}", hint)


def _memory(machine: Machine) -> int:
    return int(((machine.inventory or {}).get("memory") or {}).get("bytes") or 0)
