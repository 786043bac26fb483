"""VMs and their hosts as people read them: states, what is under way, what a field is called. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.reconcile.vms.shown import MAKING, HostView, VmView
from appliance.vm import Bus, Firmware, NicModel, Order, System, Vm, VmState
from appliance.vm_host import Found
from appliance.vm_work import VmDeed
from appliance.web.console.words import Mark

MARKS: Mapping[VmState, Mark] = {
    VmState.OFF: Mark("square", "quiet", "off"),
    VmState.RUNNING: Mark("disc", "good", "running"),
    VmState.PAUSED: Mark("diamond", "warn", "paused", "It stands still, and keeps its memory"),
    VmState.STOPPING: Mark("busy", "busy", "stopping", "Its system has shut down; its process is about to end"),
    VmState.CRASHED: Mark("triangle", "bad", "crashed", "Its process is kept, with its disks open"),
    VmState.ASLEEP: Mark("circle", "neutral", "asleep", "Its system has suspended itself"),
    VmState.UNKNOWN: Mark("hollow", "warn", "unknown", "Its host does not say what state it is in"),
}
COMING = Mark("busy", "busy", "being made", "Its disks are made, then it is")
OLD = Mark("hollow", "warn", "as it was", "Its host does not answer: nobody knows how it is now")
ANSWERS = Mark("disc", "good", "answers")
SILENT = Mark("hollow", "warn", "does not answer", "What runs on it may run on")
UNDER_WAY: Mapping[VmDeed, str] = {
    VmDeed.CREATE: "being made",
    VmDeed.DELETE: "being deleted",
    VmDeed.SHUT_DOWN: "shutting down",
    VmDeed.ADD_DISK: "getting a disk",
}
FIELDS: Mapping[str, str] = {
    "cpus": "CPUs",
    "memory": "memory",
    "disks": "disks",
    "cdroms": "CD-ROM drives",
    "nics": "network cards",
    "boot": "boot order",
    "firmware": "firmware",
    "tpm": "TPM",
    "system": "system",
}
"""What a change of needs a restart, in the words of forms."""
SYSTEMS: Mapping[System, tuple[str, str]] = {
    System.LINUX: ("Linux", "Linux, BSD and what else reads UTC from the clock."),
    System.WINDOWS: ("Windows", "Its clock shows local time, and Windows finds the interfaces that it is faster with."),
}
FIRMWARES: Mapping[Firmware, tuple[str, str]] = {
    Firmware.UEFI: ("UEFI", "What today's systems start with."),
    Firmware.SECURE_BOOT: ("UEFI with Secure Boot", "Starts only what Microsoft's keys have signed, as Windows does."),
    Firmware.BIOS: ("BIOS", "For systems that know no UEFI."),
}  # fmt: skip
BUSES: Mapping[Bus, str] = {
    Bus.VIRTIO_SCSI: "virtio-scsi",
    Bus.VIRTIO_BLK: "virtio-blk",
    Bus.SATA: "SATA",
    Bus.NVME: "NVMe",
}
NICS: Mapping[NicModel, str] = {
    NicModel.VIRTIO: "virtio",
    NicModel.E1000E: "Intel e1000e",
    NicModel.E1000: "Intel e1000",
    NicModel.RTL8139: "Realtek 8139",
}


@dataclass(frozen=True, slots=True)
class OrderWords:
    """How an order is offered, and what it means."""

    word: str
    icon: str
    title: str
    """With the name of the VM in it."""
    says: tuple[str, ...] = ()
    """What it does and what is lost, before it is done; none: it is done at once."""


ORDERS: Mapping[Order, OrderWords] = {
    Order.START: OrderWords("Start", "play", "Start {}"),
    Order.PAUSE: OrderWords("Pause", "pause", "Pause {}"),
    Order.RESUME: OrderWords("Resume", "play", "Resume {}"),
    Order.RESET: OrderWords(
        "Reset",
        "rotate-ccw",
        "Reset {}",
        (
            "It starts again at once, as if the button on its box was pressed. Its system is not asked.",
            "What its programs have not written to disk is lost.",
        ),
    ),
    Order.OFF: OrderWords(
        "Switch off",
        "power-off",
        "Switch {} off",
        (
            "It is off at once, as if its plug was drawn. Its system is not asked.",
            "What its programs have not written to disk is lost. Its disks stay.",
        ),
    ),
}
"""What is offered of all orders; a shutdown is asked for as a task of its own."""
POWER = (Order.PAUSE, Order.RESUME, Order.RESET, Order.OFF)


def vm_mark(view: VmView) -> Mark:
    """The state as it was seen."""
    if view.work and view.work.deed is VmDeed.CREATE and view.seen.why == MAKING:
        return COMING
    return MARKS[view.seen.state]


def host_mark(view: HostView) -> Mark:
    """Whether it answers."""
    return SILENT if view.trouble else ANSWERS


def restart_words(fields: tuple[str, ...]) -> str:
    """Such as ``memory and CPUs``."""
    words = [FIELDS.get(name, name) for name in fields]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


@dataclass(frozen=True, slots=True)
class Start:
    """One thing that a VM starts from."""

    key: str
    """As in ``Vm.boot``."""
    word: str
    icon: str


def starts(vm: Vm) -> list[Start]:
    """What it starts from, in its order."""
    known = {each.key: each for each in bootable(vm)}
    return [known.get(key, Start(key, key, "circle-question-mark")) for key in vm.boot]


def bootable(vm: Vm) -> list[Start]:
    """Everything that it could start from."""
    return [
        *(Start(each.target, f"Disk {each.target}", "hard-drive") for each in vm.disks),
        *(Start(each.target, f"CD-ROM {each.target}", "disc-3") for each in vm.cdroms),
        *(Start(each.mac, f"Network {each.mac}", "network") for each in vm.nics),
    ]


def shown(found: Found) -> Vm | None:
    """The definition that a page is about: what is stored, or what runs where nothing is."""
    return found.stored or found.live
