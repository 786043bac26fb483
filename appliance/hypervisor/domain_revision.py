"""A definition that is there, changed where what is wanted differs from what it says, and nowhere else. Pure.

So what somebody added past us stays; and a device that is not touched keeps its slot, by which systems name their
network cards.
"""

from xml.etree import ElementTree as ET

from appliance.hypervisor import domain_xml
from appliance.hypervisor.domain_reading import Definition, parsed, read_tree
from appliance.hypervisor.domain_xml import TAG, Accel, key_of
from appliance.vm import Cdrom, Disk, Nic, Vm

_PARTS = {
    "name": ("name",),
    "notes": ("description",),
    "cpus": ("vcpu",),
    "memory": ("memory", "currentMemory"),
    "firmware": ("os", "features"),
    "system": ("features", "clock"),
}
"""Field of a Vm -> elements at the top of a definition that say it."""


def revised(text: str, vm: Vm, owner: str, accel: Accel) -> str:
    """``text`` as ``vm`` wants it; raises ApplianceError ``libvirt-unreadable``, Invalid ``vm-text``."""
    root = parsed(text)
    had, fresh = read_tree(root), domain_xml.tree(vm, owner, accel)
    for field, parts in _PARTS.items():
        if getattr(had.vm, field) != getattr(vm, field):
            for part in parts:
                _exchange(root, fresh, part)
    if had.vm.cpus != vm.cpus:
        _recount(root, fresh)
    if (had.vm.autostart, had.owner) != (vm.autostart, owner):
        _retag(root, vm, owner)
    devices = root.find("devices")
    if devices is None:
        devices = ET.SubElement(root, "devices")
    _revise_devices(devices, had, vm)
    if had.vm.boot != vm.boot:
        domain_xml.set_boot(root, vm)
    return domain_xml.written(root)


def _exchange(root: ET.Element, fresh: ET.Element, part: str) -> None:
    """In its place; the machine's type stays, as its devices stay where they are."""
    old, new = root.find(part), fresh.find(part)
    place = list(root).index(old) if old is not None else len(root)
    if old is not None:
        root.remove(old)
    if new is None:
        return
    kept = old.find("type") if old is not None and part == "os" else None
    if kept is not None:
        for each in new.findall("type"):
            new.remove(each)
        new.insert(0, kept)
    root.insert(place, new)


def _recount(root: ET.Element, fresh: ET.Element) -> None:
    """The processors' number, and nothing else of them."""
    cpu, topology = root.find("cpu"), fresh.find("cpu/topology")
    if cpu is None or topology is None:
        return
    for old in cpu.findall("topology"):
        cpu.remove(old)
    cpu.append(topology)


def _retag(root: ET.Element, vm: Vm, owner: str) -> None:
    metadata = root.find("metadata")
    if metadata is None:
        metadata = ET.SubElement(root, "metadata")
    for old in metadata.findall(TAG):
        metadata.remove(old)
    metadata.append(domain_xml.tag(vm, owner))


def _revise_devices(devices: ET.Element, had: Definition, vm: Vm) -> None:
    before, wanted = _keyed(had.vm), _keyed(vm)
    for device in devices.findall("*"):
        key = key_of(device)
        if key not in before or wanted.get(key) == before[key]:
            continue
        place = list(devices).index(device)
        devices.remove(device)
        if (what := wanted.get(key)) is not None:
            devices.insert(place, _in_its_slot(_made(what), device))
    for key, what in wanted.items():
        if key not in before:
            devices.append(_made(what))
    _revise_furniture(devices, had.vm, vm)


def _revise_furniture(devices: ET.Element, had: Vm, vm: Vm) -> None:
    """Controllers that are missing, and the TPM."""
    there = {each.get("index") for each in devices.findall("controller[@type='scsi']")}
    devices.extend([each for each in domain_xml.controllers(vm) if each.get("index") not in there])
    if had.tpm and not vm.tpm:
        for each in devices.findall("tpm"):
            devices.remove(each)
    if vm.tpm and not had.tpm:
        devices.append(domain_xml.tpm())


def _keyed(vm: Vm) -> dict[str, Disk | Cdrom | Nic]:
    keyed: dict[str, Disk | Cdrom | Nic] = {each.target: each for each in vm.drives}
    return keyed | {each.mac: each for each in vm.nics}


def _made(what: Disk | Cdrom | Nic) -> ET.Element:
    match what:
        case Disk():
            return domain_xml.disk(what)
        case Cdrom():
            return domain_xml.cdrom(what)
        case Nic():
            return domain_xml.nic(what)


def _in_its_slot(new: ET.Element, old: ET.Element) -> ET.Element:
    """With the address of what was there, where it is on the same bus, and with its place in the boot order."""
    for name in ("boot", "address") if _bus(old) == _bus(new) else ("boot",):
        new.extend(old.findall(name))
    return new


def _bus(device: ET.Element) -> str:
    target = device.find("target")
    return target.get("bus", "") if device.tag == "disk" and target is not None else device.tag
