"""What is typed into forms of VMs, to wishes and back; and which field an error stands beside. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from appliance.errors import ApplianceError, Invalid
from appliance.reconcile.vms.wish import DiskWish, NicWish, VmChange, VmWish
from appliance.sizes import in_unit, parse_size
from appliance.vm import Autostart, Bus, Firmware, Nic, NicModel, System, Vm

Typed = dict[str, str]
E = TypeVar("E", bound=StrEnum)

UNIT = "GiB"
"""What a number alone counts."""
DISK_ROWS = NIC_ROWS = 4
"""In the form of a new VM; more are added to it afterwards."""
CDROM_ROWS = 2
"""For the system, and for its drivers."""
MOST_NIC_ROWS = 16
NO_DRIVE = "-"
"""Chosen in place of a disc: the drive itself is to go."""
MACHINE = ("name", "system", "cpus", "memory", "firmware", "tpm", "autostart", "order", "delay", "notes")
"""Fields of a new VM, and of one that is changed."""
DISK, NIC = ("from", "size", "bus"), ("mac", "bridge", "vlan", "model")
NEW = (
    *MACHINE, "host", "start",
    *(f"disk{row}_{each}" for row in range(DISK_ROWS) for each in DISK),
    *(f"nic{row}_{each}" for row in range(NIC_ROWS) for each in NIC),
    *(f"cdrom{row}" for row in range(CDROM_ROWS)),
)  # fmt: skip
NICS = tuple(f"nic{row}_{each}" for row in range(MOST_NIC_ROWS) for each in NIC)

_SAME: Typed = {"order": "0", "delay": "0", "start": "yes", "disk0_from": ""}
DEFAULTS: Mapping[System, Typed] = {
    System.LINUX: _SAME | {
        "system": System.LINUX, "cpus": "2", "memory": "2 GiB", "firmware": Firmware.UEFI, "disk0_size": "20 GiB",
        **{f"disk{row}_bus": Bus.VIRTIO_SCSI for row in range(DISK_ROWS)},
        **{f"nic{row}_model": NicModel.VIRTIO for row in range(NIC_ROWS)},
    },
    System.WINDOWS: _SAME | {
        "system": System.WINDOWS, "cpus": "4", "memory": "8 GiB", "firmware": Firmware.SECURE_BOOT, "tpm": "yes",
        "disk0_size": "64 GiB",
        **{f"disk{row}_bus": Bus.SATA for row in range(DISK_ROWS)},
        **{f"nic{row}_model": NicModel.E1000E for row in range(NIC_ROWS)},
    },
}  # fmt: skip
"""What the form begins with: Windows has no drivers for virtio before somebody gives it some."""


def new_vm(typed: Typed) -> VmWish:
    """Raises Invalid with the field of the form."""
    return VmWish(
        name=typed["name"],
        host=typed["host"],
        cpus=number(typed, "cpus"),
        memory=parse_size(typed["memory"], UNIT, "memory"),
        disks=tuple(disk(typed, f"disk{row}_") for row in disk_rows(typed)),
        nics=tuple(nic(typed, row) for row in nic_rows(typed)),
        cdroms=tuple(each for row in range(CDROM_ROWS) if (each := typed[f"cdrom{row}"]) and each != NO_DRIVE),
        firmware=chosen(Firmware, typed, "firmware"),
        tpm=bool(typed["tpm"]),
        system=chosen(System, typed, "system"),
        notes=typed["notes"],
        autostart=autostart(typed),
        start=bool(typed["start"]),
    )


def changed_vm(typed: Typed) -> VmChange:
    """Everything of MACHINE; raises Invalid with the field of the form."""
    return VmChange(
        name=typed["name"],
        cpus=number(typed, "cpus"),
        memory=parse_size(typed["memory"], UNIT, "memory"),
        firmware=chosen(Firmware, typed, "firmware"),
        tpm=bool(typed["tpm"]),
        system=chosen(System, typed, "system"),
        notes=typed["notes"],
        autostart=autostart(typed) or False,
    )


def stored(vm: Vm) -> Typed:
    """What the form of a change begins with."""
    on = vm.autostart
    return {
        "name": vm.name,
        "system": vm.system,
        "cpus": str(vm.cpus),
        "memory": f"{in_unit(vm.memory, UNIT)} {UNIT}",
        "firmware": vm.firmware,
        "tpm": "yes" if vm.tpm else "",
        "autostart": "yes" if on else "",
        "order": str(on.order if on else 0),
        "delay": f"{on.delay:g}" if on else "0",
        "notes": vm.notes,
    }


def stored_nics(nics: Sequence[Nic]) -> Typed:
    """The same of its network cards."""
    typed: Typed = {}
    for row, each in enumerate(nics):
        given = (each.mac, each.bridge, str(each.vlan or ""), each.model)
        typed |= {f"nic{row}_{name}": value for name, value in zip(NIC, given, strict=True)}
    return typed


def disk(typed: Typed, before: str) -> DiskWish:
    """One row: a new volume in a pool, or one that is there; ``before`` begins the names of its fields."""
    kind, _, rest = typed[f"{before}from"].partition(":")
    bus = chosen(Bus, typed, f"{before}bus")
    if kind == "volume" and "/" in rest:
        pool, _, volume = rest.partition("/")
        return DiskWish(pool=pool, volume=volume, bus=bus)
    if kind not in ("", "pool"):
        raise Invalid("choice-invalid", "There is no such volume", "choose a pool, or a volume", f"{before}from")
    return DiskWish(parse_size(typed[f"{before}size"], UNIT, f"{before}size"), rest, bus=bus)


def nic(typed: Typed, row: int) -> NicWish:
    """One row of network cards."""
    vlan = number(typed, f"nic{row}_vlan", empty=0)
    model = chosen(NicModel, typed, f"nic{row}_model")
    return NicWish(typed[f"nic{row}_bridge"], vlan, model, typed.get(f"nic{row}_mac", ""))


def disk_rows(typed: Typed) -> list[int]:
    """Rows of disks that something is said in."""
    return [row for row in range(DISK_ROWS) if typed[f"disk{row}_size"] or typed[f"disk{row}_from"][:7] == "volume:"]


def nic_rows(typed: Typed, rows: int = NIC_ROWS) -> list[int]:
    """Rows of network cards that something is said in."""
    return [row for row in range(rows) if typed[f"nic{row}_bridge"] or typed[f"nic{row}_vlan"]]


def autostart(typed: Typed) -> Autostart | None:
    """Raises Invalid with the field."""
    if not typed["autostart"]:
        return None
    return Autostart(number(typed, "order"), float(number(typed, "delay")))


def number(typed: Typed, name: str, empty: int | None = None) -> int:
    """Raises Invalid ``number-invalid``; ``empty`` is what nothing counts as, None: it is a mistake."""
    word = typed[name]
    if not word and empty is not None:
        return empty
    if not (word.isascii() and word.isdecimal() and len(word) < 9):
        raise Invalid("number-invalid", f"{word[:40]!r} is no number", "use digits", name)
    return int(word)


def chosen(kind: type[E], typed: Typed, name: str) -> E:
    """Raises Invalid ``choice-invalid``."""
    try:
        return kind(typed[name])
    except ValueError:
        hint = f"choose from {', '.join(kind)}"
        raise Invalid("choice-invalid", f"{typed[name][:40]!r} is none of them", hint, name) from None


_PLAIN = {
    "autostart.order": "order", "autostart.delay": "delay", "disks": "disk0_size", "size": "disk0_size",
    "nics": "nic0_bridge", "cdroms": "cdrom0", "pool": "disk0_from", "iso": "cdrom0",
}  # fmt: skip

_BY_CODE = {
    "pool-unknown": "disk0_from", "pool-missing": "disk0_from", "pool-none": "disk0_from",
    "pool-too-small": "disk0_size", "volume-unknown": "disk0_from", "volume-taken": "disk0_from",
    "name-taken": "name", "iso-unknown": "cdrom0",
}  # fmt: skip
"""Of errors that name no field of ours."""


def field_of(error: ApplianceError, typed: Typed, known: Sequence[str]) -> str:
    """The field of the form that an error stands beside; ``form`` where it is about none."""
    given = error.field or ""
    name = _PLAIN.get(given, given) if given else _BY_CODE.get(error.code, "")
    kind, _, rest = name.partition(".")
    if kind in ("disks", "nics"):
        place, _, part = rest.partition(".")
        rows = (
            disk_rows(typed) if kind == "disks" else nic_rows(typed, MOST_NIC_ROWS if NICS[-1] in typed else NIC_ROWS)
        )
        row = rows[int(place)] if place.isdecimal() and int(place) < len(rows) else 0
        parts = {"path": "from", "serial": "from", "target": "bus"}
        name = f"{kind.removesuffix('s')}{row}_{parts.get(part, part)}"
    return name if name in known else "form"
