"""Discs in definitions of libvirt. Pure."""

from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from appliance.hypervisor.domain_reading import parsed
from appliance.hypervisor.domain_xml import written


def gives_away(address: str) -> bool:
    """Whether the libvirt there makes files the VMs' own before it starts them, unless it is told not to.

    That of root does (its security model ``dac``). Its capabilities name the model too, after all of the host's
    emulators were asked what they can do, which may take a minute.
    """
    found = urlsplit(address)
    return found.scheme.partition("+")[0] == "qemu" and found.path == "/system"


def owners_kept(text: str) -> str:
    """A definition whose discs stay whose they are: one disc is in many drives, and no VM may write it."""
    root = parsed(text)
    for source in root.findall("devices/disk[@device='cdrom']/source"):
        if all(each.get("model") != "dac" for each in source.findall("seclabel")):
            source.append(_stays())
    return written(root)


def drive_in(text: str, target: str) -> ET.Element | None:
    """The CD-ROM drive of that name in a definition."""
    drives = parsed(text).findall("devices/disk[@device='cdrom']")
    return next((each for each in drives if _attribute(each, "target", "dev") == target), None)


def path_in(drive: ET.Element) -> str:
    """The disc that is in it; empty: none."""
    return _attribute(drive, "source", "file") or _attribute(drive, "source", "dev")


def refilled(drive: ET.Element, path: str, *, owner_kept: bool) -> str:
    """The drive as it is, with another disc or none."""
    for name in ("source", "backingStore", "mirror"):
        for each in drive.findall(name):
            drive.remove(each)
    drive.set("type", "file")
    if path:
        source = ET.Element("source", file=path)
        if owner_kept:
            source.append(_stays())
        drive.insert(1, source)
    return written(drive)


def _stays() -> ET.Element:
    return ET.Element("seclabel", model="dac", relabel="no")


def _attribute(device: ET.Element, child: str, name: str) -> str:
    found = device.find(child)
    return found.get(name, "") if found is not None else ""
