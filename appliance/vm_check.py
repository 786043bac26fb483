"""What the definition of a VM may be, field by field, before anything is made of it. Pure."""

import re
import unicodedata
import uuid as uuids
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from appliance.errors import Invalid
from appliance.machine import check_name, parse_mac
from appliance.vm import Autostart, Bus, Cdrom, Disk, Nic, Vm, VmId, by_target, targets

MOST_CPUS = 240
"""QEMU's q35 takes 255 without an interrupt controller that few systems know."""
MIB = 1 << 20
LEAST_MEMORY, MOST_MEMORY = 16 * MIB, 1 << 44
"""Bytes."""
MOST_DISKS, MOST_CDROMS, MOST_NICS = 24, 4, 16
MOST_NOTES = 8192
"""Characters."""
LONGEST_PATH = 1024
MOST_DELAY = 3600.0
"""Seconds."""

_SERIAL = re.compile(r"[A-Za-z0-9_.-]{0,20}")  # virtio-blk shows 20 characters and no more
_BRIDGE = re.compile(r"[a-z][a-z0-9.-]{0,14}")  # as of the appliance's own networks


def checked(vm: Vm) -> Vm:
    """The same in normal form; raises Invalid, whose ``field`` is as ``disks.0.path``.

    Codes: those of ``check_name`` and ``parse_mac``, ``vm-id``, ``vm-cpus``, ``vm-memory``, ``vm-drives``, ``vm-path``,
    ``vm-serial``, ``vm-nics``, ``vm-bridge``, ``vm-vlan``, ``vm-boot``, ``vm-notes``, ``vm-autostart``.
    """
    check_name(vm.name)
    check_cpus(vm.cpus)
    check_memory(vm.memory)
    _check_autostart(vm.autostart)
    nics = tuple(_nic(nic, f"nics.{number}") for number, nic in enumerate(vm.nics))
    boot = tuple(each.lower() if ":" in each else each for each in vm.boot)  # as the addresses of the cards are
    normal = replace(vm, id=check_id(vm.id), nics=nics, notes=notes(vm.notes), boot=boot)
    _check_drives(normal)
    _check_nics(normal)
    _check_boot(normal)
    disks, cdroms = sorted(vm.disks, key=by_target), sorted(vm.cdroms, key=by_target)
    return replace(normal, disks=tuple(disks), cdroms=tuple(cdroms))


def check_id(text: str) -> VmId:
    """Raises Invalid ``vm-id`` for what is no UUID, or one that firmware would take for none."""
    try:
        found = uuids.UUID(text)
    except ValueError:
        found = uuids.UUID(int=0)
    if len(set(found.hex)) == 1 or len(text) != len(str(found)):
        raise Invalid("vm-id", f"{text[:40]!r} is no UUID of a VM", "leave it to the appliance", "id")
    return VmId(str(found))


def check_cpus(count: int, field: str = "cpus") -> int:
    """Raises Invalid ``vm-cpus``."""
    if not 1 <= count <= MOST_CPUS:
        raise Invalid("vm-cpus", f"a VM cannot have {count} CPUs", f"at least 1, at most {MOST_CPUS}", field)
    return count


def check_memory(size: int, field: str = "memory") -> int:
    """Raises Invalid ``vm-memory``; bytes."""
    if not LEAST_MEMORY <= size <= MOST_MEMORY or size % MIB:
        hint = f"whole MiB, at least {LEAST_MEMORY // MIB} MiB, at most {MOST_MEMORY >> 40} TiB"
        raise Invalid("vm-memory", f"a VM cannot have {size} bytes of memory", hint, field)
    return size


def notes(text: str) -> str:
    """Lines end as on Unix; raises Invalid ``vm-notes`` for what is too long, or holds what cannot be shown."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(plain) > MOST_NOTES:
        raise Invalid("vm-notes", f"the notes have {len(plain)} characters", f"at most {MOST_NOTES}", "notes")
    if bad := next((each for each in plain if each not in "\n\t" and _unprintable(each)), ""):
        hint = "take that character out"
        raise Invalid("vm-notes", f"the notes hold {bad!r}, which nobody can read", hint, "notes")
    return plain


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Cn")


def _check_autostart(autostart: Autostart | None) -> None:
    if autostart is None:
        return
    if not 0 <= autostart.order <= 9999:
        hint = "from 0, which is first, to 9999"
        raise Invalid("vm-autostart", f"{autostart.order} is no place in the order", hint, "autostart.order")
    if not 0 <= autostart.delay <= MOST_DELAY:  # also false for what is no number
        hint = f"from 0 to {MOST_DELAY:.0f} seconds"
        raise Invalid("vm-autostart", f"nobody waits {autostart.delay} seconds", hint, "autostart.delay")


def _check_drives(vm: Vm) -> None:
    for count, most, what, field in (
        (len(vm.disks), MOST_DISKS, "disks", "disks"),
        (len(vm.cdroms), MOST_CDROMS, "CD-ROM drives", "cdroms"),
    ):
        if count > most:
            raise Invalid("vm-drives", f"a VM cannot have {count} {what}", f"at most {most}", field)
    for number, disk in enumerate(vm.disks):
        _check_disk(disk, f"disks.{number}")
    for number, cdrom in enumerate(vm.cdroms):
        _check_cdrom(cdrom, f"cdroms.{number}")
    if twice := _twice(each.target for each in vm.drives):
        raise Invalid("vm-drives", f"two drives are called {twice}", "each needs a name of its own", "disks")
    if twice := _twice(each.path for each in vm.disks if not each.read_only):
        text = f"{twice} is two disks of this VM: they would destroy each other's content"
        raise Invalid("vm-drives", text, "attach it once", "disks")


def _check_disk(disk: Disk, field: str) -> None:
    _check_target(disk.target, disk.bus, field)
    _check_path(disk.path, f"{field}.path")
    if not _SERIAL.fullmatch(disk.serial):
        hint = "use up to 20 letters, digits, dots, hyphens and underscores"
        text = f"{disk.serial[:40]!r} cannot be the serial number of a disk"
        raise Invalid("vm-serial", text, hint, f"{field}.serial")


def _check_cdrom(cdrom: Cdrom, field: str) -> None:
    _check_target(cdrom.target, Bus.SATA, field)
    if cdrom.path:
        _check_path(cdrom.path, f"{field}.path")


def _check_target(target: str, bus: Bus, field: str) -> None:
    if target not in (names := targets(bus)):
        hint = f"use {names[0]} to {names[-1]}"
        raise Invalid("vm-drives", f"{target[:40]!r} is no name of a drive on {bus}", hint, f"{field}.target")


def _check_path(path: str, field: str) -> None:
    parts = path.split("/")
    odd = any(_unprintable(each) for each in path)
    if not path.startswith("/") or len(path) > LONGEST_PATH or odd or {"", ".", ".."} & set(parts[1:]):
        text = f"{path[:80]!r} is no path of a disk"
        raise Invalid("vm-path", text, "use an absolute path without . and .. in it", field)


def _nic(nic: Nic, field: str) -> Nic:
    if not _BRIDGE.fullmatch(nic.bridge):
        text, hint = f"{nic.bridge[:40]!r} is no name of a bridge", "choose one of the host's bridges"
        raise Invalid("vm-bridge", text, hint, f"{field}.bridge")
    if not 0 <= nic.vlan <= 4094:
        hint = "1 to 4094, or 0 for none"
        raise Invalid("vm-vlan", f"{nic.vlan} is no VLAN", hint, f"{field}.vlan")
    return replace(nic, mac=parse_mac(nic.mac))


def _check_nics(vm: Vm) -> None:
    if len(vm.nics) > MOST_NICS:
        raise Invalid("vm-nics", f"a VM cannot have {len(vm.nics)} network cards", f"at most {MOST_NICS}", "nics")
    if twice := _twice(each.mac for each in vm.nics):
        raise Invalid("vm-nics", f"two network cards have the address {twice}", "each needs its own", "nics")


def _check_boot(vm: Vm) -> None:
    """Firmware that is given no order has one of its own, which nobody sees."""
    there = vm.bootable
    if missing := next((each for each in vm.boot if each not in there), ""):
        text = f"{missing[:40]!r}, which it is to start from, is none of its drives and network cards"
        raise Invalid("vm-boot", text, f"choose from {', '.join(there) or 'nothing: it has none'}", "boot")
    if twice := _twice(vm.boot):
        raise Invalid("vm-boot", f"{twice} is twice in what it starts from", "name each once", "boot")
    if there and not vm.boot:
        raise Invalid("vm-boot", "it has nothing to start from", f"choose from {', '.join(there)}", "boot")


def _twice(names: Iterable[str]) -> str:
    """The first that is there more than once; empty where each is one of a kind."""
    return next((name for name, count in Counter(names).items() if count > 1), "")
