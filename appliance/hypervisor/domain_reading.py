"""What a definition of libvirt says, in our values: of our VMs, and of others as far as it goes. Pure."""

import contextlib
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from appliance.errors import Invalid
from appliance.hypervisor.domain_xml import LIBVIRT_BUS, NAMESPACE, TAG, key_of
from appliance.hypervisor.libvirt_xml import tree_of, unreadable
from appliance.machine import MacAddress, parse_mac
from appliance.vm import Autostart, Cdrom, Disk, Firmware, Nic, NicModel, System, Vm, VmId, by_target
from appliance.volume import Format

_UNITS = {"b": 1, "bytes": 1, "KB": 1000, "k": 1 << 10, "KiB": 1 << 10, "MB": 10**6, "M": 1 << 20, "MiB": 1 << 20}
_UNITS |= {"GB": 10**9, "G": 1 << 30, "GiB": 1 << 30, "TB": 10**12, "T": 1 << 40, "TiB": 1 << 40}
"""Of an amount of memory, as libvirt reads them."""
_BUSES = {libvirt: ours for ours, libvirt in LIBVIRT_BUS.items()}
_KINDS = {"hd": "disk", "cdrom": "cdrom", "network": "interface"}
_FURNITURE = frozenset(
    {
        *("emulator", "controller", "serial", "console", "channel", "input", "graphics", "video"),
        *("memballoon", "rng", "audio", "sound", "watchdog", "panic"),
    }
)
"""Devices that every VM has some of, and that are no part of what is wanted of it."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition says."""

    vm: Vm
    owner: str | None
    """The appliance whose it is; None where it is nobody's that we know."""
    beyond: tuple[str, ...]
    """Devices that no ``Vm`` can say, in words of libvirt."""


def read(text: str) -> Definition:
    """Raises ApplianceError ``libvirt-unreadable`` for what is no definition."""
    return read_tree(parsed(text))


def parsed(text: str) -> ET.Element:
    """The tree of a definition; raises ApplianceError ``libvirt-unreadable``."""
    root = tree_of(text, "domain")
    if not root.findtext("name"):
        raise unreadable("a VM without a name came from libvirt")
    return root


def read_tree(root: ET.Element) -> Definition:
    """The same of a tree."""
    tag = root.find(f"metadata/{TAG}")
    drives = root.findall("devices/disk")
    disks = tuple(sorted(filter(None, map(disk, drives)), key=by_target))
    cdroms = tuple(sorted(filter(None, map(cdrom, drives)), key=by_target))
    nics = tuple(filter(None, map(nic, root.findall("devices/interface"))))
    vm = Vm(
        VmId(root.findtext("uuid", "")),
        root.findtext("name", ""),
        _number(root.findtext("vcpu", "1")),
        _memory(root.find("memory")),
        disks,
        cdroms,
        nics,
        _boot(
            root, {*(each.target for each in disks), *(each.target for each in cdroms), *(each.mac for each in nics)}
        ),
        _firmware(root),
        root.find("devices/tpm") is not None,
        System.WINDOWS if _at(root, "clock", "offset") == "localtime" else System.LINUX,
        root.findtext("description", ""),
        _autostart(tag),
    )
    return Definition(vm, tag.get("owner", "") if tag is not None else None, _beyond(root))


def disk(device: ET.Element) -> Disk | None:
    """None for what is no disk, or one on a bus or from a place that we do not use."""
    bus = _BUSES.get(_at(device, "target", "bus"))
    path = _at(device, "source", "file") or _at(device, "source", "dev")
    if device.get("device", "disk") != "disk" or bus is None or not path:
        return None
    with contextlib.suppress(ValueError):
        return Disk(
            _at(device, "target", "dev"),
            path,
            bus,
            Format(_at(device, "driver", "type") or "raw"),
            device.findtext("serial", ""),
            device.find("readonly") is not None,
        )
    return None


def cdrom(device: ET.Element) -> Cdrom | None:
    """None for what is no CD-ROM drive on SATA."""
    if device.get("device") != "cdrom" or _at(device, "target", "bus") != "sata":
        return None
    return Cdrom(_at(device, "target", "dev"), _at(device, "source", "file") or _at(device, "source", "dev"))


def nic(device: ET.Element) -> Nic | None:
    """None for what is no port of a bridge, and for models that we do not use."""
    bridge, tags = _at(device, "source", "bridge"), device.findall("vlan/tag")
    if device.get("type") != "bridge" or not bridge or len(tags) > 1:
        return None
    with contextlib.suppress(ValueError, Invalid):
        mac: MacAddress = parse_mac(_at(device, "mac", "address"))
        vlan = _number(tags[0].get("id", "")) if tags else 0
        return Nic(mac, bridge, vlan, NicModel(_at(device, "model", "type")))
    return None


def _boot(root: ET.Element, known: set[str]) -> tuple[str, ...]:
    """Numbers beside the devices, or one list of kinds, which means the first of each."""
    devices = root.findall("devices/*")
    numbered = sorted((_number(_at(each, "boot", "order")), key_of(each)) for each in devices if key_of(each) in known)
    if chosen := tuple(key for number, key in numbered if number):
        return chosen
    named = [_KINDS.get(each.get("dev", ""), "") for each in root.findall("os/boot")]
    first = (next((key_of(each) for each in devices if _kind(each) == kind), "") for kind in named)
    return tuple(key for key in dict.fromkeys(first) if key in known)


def _kind(device: ET.Element) -> str:
    return device.get("device", "disk") if device.tag == "disk" else device.tag


def _firmware(root: ET.Element) -> Firmware:
    loader, system = root.find("os/loader"), root.find("os")
    pflash = loader is not None and loader.get("type") == "pflash"
    if not pflash and (system is None or system.get("firmware") != "efi"):
        return Firmware.BIOS
    features = {each.get("name"): each.get("enabled") for each in root.findall("os/firmware/feature")}
    secure = loader is not None and loader.get("secure") == "yes"
    return Firmware.SECURE_BOOT if secure or features.get("secure-boot") == "yes" else Firmware.UEFI


def _autostart(tag: ET.Element | None) -> Autostart | None:
    found = tag.find(f"{{{NAMESPACE}}}autostart") if tag is not None else None
    if found is None:
        return None
    with contextlib.suppress(ValueError):
        return Autostart(_number(found.get("order", "")), float(found.get("delay", "")))
    return Autostart()


def _beyond(root: ET.Element) -> tuple[str, ...]:
    names = []
    for device in root.findall("devices/*"):
        if device.tag in ("disk", "interface"):
            if disk(device) or cdrom(device) or nic(device):
                continue
            kind = _at(device, "target", "bus") if device.tag == "disk" else device.get("type", "")
            names.append(f"{device.tag} {key_of(device)} ({kind})")
        elif device.tag not in _FURNITURE | {"tpm"}:
            names.append(device.tag)
    return tuple(names)


def _memory(amount: ET.Element | None) -> int:
    if amount is None:
        return 0
    return _number(amount.text or "") * _UNITS.get(amount.get("unit", "KiB"), 1 << 10)


def _number(text: str) -> int:
    """0 for what is none."""
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 19 else 0


def _at(element: ET.Element, child: str, name: str) -> str:
    found = element.find(child)
    return found.get(name, "") if found is not None else ""
