"""What libvirt is told of a VM: its definition, made from our values. Pure.

Made as a tree and written by the library, so that no text of a user can end an attribute or an element; what XML cannot
say at all is refused. ``domain_reading`` is the way back, ``domain_revision`` changes a definition that is there.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from xml.etree import ElementTree as ET

from appliance.errors import Invalid
from appliance.vm import Bus, Cdrom, Disk, Firmware, Nic, System, Vm
from appliance.volume import Format

NAMESPACE = "urn:qrm-appliance:vm"
"""Of the element in a definition's metadata that says whose VM it is."""
BARE_TAG = "vm"
"""As libvirt hands it out alone, without the name space that it was asked by."""
TAG = f"{{{NAMESPACE}}}{BARE_TAG}"
AGENT = "org.qemu.guest_agent.0"
UNITS_PER_CONTROLLER = 7
"""Disks that libvirt puts on one SCSI controller; the names ``sda`` and on count through all of them."""
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
LIBVIRT_BUS = {Bus.VIRTIO_SCSI: "scsi", Bus.VIRTIO_BLK: "virtio", Bus.SATA: "sata", Bus.NVME: "nvme"}


class Accel(StrEnum):
    """What runs a VM's processors, as libvirt calls it."""

    KVM = "kvm"
    QEMU = "qemu"
    """Emulated."""
    TEST = "test"
    """Nothing: libvirt's own driver for tests."""


def definition(vm: Vm, owner: str, accel: Accel) -> str:
    """The definition of a new VM; ``owner`` is the appliance whose it is to be.

    Raises Invalid ``vm-text`` for characters that XML does not have.
    """
    return written(tree(vm, owner, accel))


def tree(vm: Vm, owner: str, accel: Accel) -> ET.Element:
    """The same, before it is written."""
    root = ET.Element("domain", type=accel)
    _add(root, "name", text=vm.name)
    _add(root, "uuid", text=vm.id)
    if vm.notes:
        _add(root, "description", text=vm.notes)
    _add(root, "metadata").append(tag(vm, owner))
    _add(root, "memory", text=str(vm.memory >> 10), unit="KiB")
    _add(root, "currentMemory", text=str(vm.memory >> 10), unit="KiB")
    _add(root, "vcpu", text=str(vm.cpus), placement="static")
    root.extend([*_system(vm, accel)])
    for event, then in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _add(root, f"on_{event}", text=then)
    power = _add(root, "pm")  # a system that suspends itself looks like one that hangs
    _add(power, "suspend-to-mem", enabled="no")
    _add(power, "suspend-to-disk", enabled="no")
    root.append(_devices(vm))
    set_boot(root, vm)
    return root


def tag(vm: Vm, owner: str) -> ET.Element:
    """The element that says whose it is, with what libvirt has no word for."""
    made = ET.Element(TAG, owner=owner)
    if vm.autostart:
        _add(made, f"{{{NAMESPACE}}}autostart", order=str(vm.autostart.order), delay=repr(vm.autostart.delay))
    return made


def set_boot(root: ET.Element, vm: Vm) -> None:
    """Number what it starts from, and nothing else. One list for all of it excludes numbers, so that goes."""
    for system in root.findall("os"):
        for each in system.findall("boot"):
            system.remove(each)
    for device in root.findall("devices/*"):
        for each in device.findall("boot"):
            device.remove(each)
        if (key := key_of(device)) in vm.boot:
            device.append(ET.Element("boot", order=str(vm.boot.index(key) + 1)))


def key_of(device: ET.Element) -> str:
    """What a drive or network card is called in ``Vm.boot``; empty for other devices."""
    if device.tag == "disk":
        return _attribute(device, "target", "dev")
    return _attribute(device, "mac", "address").lower() if device.tag == "interface" else ""


def written(root: ET.Element) -> str:
    """As text; raises Invalid ``vm-text``."""
    for element in root.iter():
        for said in (element.text or "", *element.attrib.values()):
            if _ILLEGAL.search(said) or "\r" in (element.text or ""):
                text = f"{said[:80]!r} holds a character that a VM's definition cannot"
                raise Invalid("vm-text", text, "take that character out")
    ET.register_namespace("qrm", NAMESPACE)
    return ET.tostring(root, encoding="unicode")


def _system(vm: Vm, accel: Accel) -> Iterable[ET.Element]:
    """Firmware, processor and clock."""
    yield _os(vm, accel)
    features = ET.Element("features")
    _add(features, "acpi")
    _add(features, "apic")
    if vm.firmware is Firmware.SECURE_BOOT:
        _add(features, "smm", state="on")
    clock = ET.Element("clock", offset="localtime" if vm.system is System.WINDOWS else "utc")
    _add(clock, "timer", name="rtc", tickpolicy="catchup")
    _add(clock, "timer", name="pit", tickpolicy="delay")
    _add(clock, "timer", name="hpet", present="no")
    if vm.system is System.WINDOWS and accel is Accel.KVM:
        _add_hyperv(features)
        _add(clock, "timer", name="hypervclock", present="yes")
    yield features
    # One socket, since Windows for desktops takes no more than two of them.
    cpu = ET.Element("cpu", mode="host-passthrough" if accel is Accel.KVM else "maximum")
    _add(cpu, "topology", sockets="1", cores=str(vm.cpus), threads="1")
    if accel is not Accel.TEST:
        yield cpu
    yield clock


def _os(vm: Vm, accel: Accel) -> ET.Element:
    made = ET.Element("os")
    if vm.firmware is not Firmware.BIOS:
        made.set("firmware", "efi")
    if accel is Accel.TEST:
        _add(made, "type", text="hvm", arch="i686")
    else:
        _add(made, "type", text="hvm", arch="x86_64", machine="q35")
    if vm.firmware is not Firmware.BIOS:
        wanted = "yes" if vm.firmware is Firmware.SECURE_BOOT else "no"
        features = _add(made, "firmware")
        _add(features, "feature", enabled=wanted, name="enrolled-keys")
        _add(features, "feature", enabled=wanted, name="secure-boot")
    return made


def _add_hyperv(features: ET.Element) -> None:
    """What Windows asks of the hypervisor that it believes to run on."""
    hyperv = _add(features, "hyperv", mode="custom")
    for name in ("relaxed", "vapic", "vpindex", "runtime", "synic"):
        _add(hyperv, name, state="on")
    _add(hyperv, "spinlocks", state="on", retries="8191")


def _devices(vm: Vm) -> ET.Element:
    made = ET.Element("devices")
    made.extend([disk(each) for each in vm.disks])
    made.extend([cdrom(each) for each in vm.cdroms])
    made.extend(controllers(vm))
    made.extend([nic(each) for each in vm.nics])
    _add(_add(made, "serial", type="pty"), "target", port="0")
    channel = _add(made, "channel", type="unix")
    _add(channel, "target", type="virtio", name=AGENT)
    _add(made, "input", type="tablet", bus="usb")  # the pointer stands where the browser's does
    if vm.tpm:
        made.append(tpm())
    screen = _add(made, "graphics", type="vnc")
    _add(screen, "listen", type="socket")  # no port: whoever can reach the host must not reach the screen
    _add(_add(made, "video"), "model", type="vga")
    _add(_add(made, "memballoon", model="virtio"), "stats", period="10")
    rng = _add(made, "rng", model="virtio")
    _add(rng, "backend", text="/dev/urandom", model="random")
    return made


def disk(of: Disk) -> ET.Element:
    """A disk. One that cannot be read or written pauses the VM, which goes on where it was once that is mended."""
    device = of.path.startswith("/dev/")
    made = ET.Element("disk", type="block" if device else "file", device="disk")
    driver = _add(made, "driver", name="qemu", type=of.format, error_policy="stop", rerror_policy="stop")
    driver.set("discard", "unmap")
    if device:  # a file's system need not have direct I/O; flushes of the VM reach the disk either way
        driver.set("cache", "none")
        driver.set("io", "native")
    _add(made, "source", **{"dev" if device else "file": of.path})
    _add(made, "target", dev=of.target, bus=LIBVIRT_BUS[of.bus])
    if of.serial:
        _add(made, "serial", text=of.serial)
    if of.read_only:
        _add(made, "readonly")
    return made


def cdrom(of: Cdrom) -> ET.Element:
    """A drive, and the disc in it."""
    made = ET.Element("disk", type="file", device="cdrom")
    _add(made, "driver", name="qemu", type=Format.RAW)
    if of.path:
        _add(made, "source", file=of.path)
    _add(made, "target", dev=of.target, bus="sata")
    _add(made, "readonly")
    return made


def controllers(vm: Vm) -> list[ET.Element]:
    """Of SCSI only: libvirt adds the others by itself, and that one with a model that few systems know."""
    units = [ord(each.target[2]) - ord("a") for each in vm.disks if each.bus is Bus.VIRTIO_SCSI]
    count = max(units) // UNITS_PER_CONTROLLER + 1 if units else 0
    return [ET.Element("controller", type="scsi", index=str(each), model="virtio-scsi") for each in range(count)]


def nic(of: Nic) -> ET.Element:
    """A port of a bridge."""
    made = ET.Element("interface", type="bridge")
    _add(made, "mac", address=of.mac)
    _add(made, "source", bridge=of.bridge)
    if of.vlan:
        _add(_add(made, "vlan"), "tag", id=str(of.vlan))
    _add(made, "model", type=of.model)
    return made


def tpm() -> ET.Element:
    """A TPM 2.0 whose state libvirt keeps."""
    made = ET.Element("tpm", model="tpm-crb")
    _add(made, "backend", type="emulator", version="2.0")
    return made


def _add(parent: ET.Element, what: str, /, *, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, what, attributes)
    made.text = text
    return made


def _attribute(device: ET.Element, child: str, name: str) -> str:
    found = device.find(child)
    return found.get(name, "") if found is not None else ""
