"""What a host can emulate, from what its libvirt says of that. Pure."""

from xml.etree import ElementTree as ET

from appliance.hypervisor.domain_xml import LIBVIRT_BUS
from appliance.hypervisor.libvirt_xml import tree_of
from appliance.vm import Bus, Firmware


def abilities(text: str) -> tuple[frozenset[Bus], frozenset[Firmware], bool]:
    """Buses of disks, firmwares, and whether there is a TPM, from the domain capabilities of libvirt.

    Raises ApplianceError ``libvirt-unreadable``.
    """
    root = tree_of(text, "domainCapabilities")
    offered = _values(root, "devices/disk", "bus")
    buses = frozenset(bus for bus, name in LIBVIRT_BUS.items() if name in offered)
    firmwares = {Firmware.BIOS}
    if "efi" in _values(root, "os", "firmware"):
        firmwares.add(Firmware.UEFI)
        if "yes" in _values(root, "os/loader", "secure"):
            firmwares.add(Firmware.SECURE_BOOT)
    return buses, frozenset(firmwares), "emulator" in _values(root, "devices/tpm", "backendModel")


def _values(root: ET.Element, place: str, name: str) -> set[str]:
    """All of one list, where what it is of is there at all."""
    found = root.find(place)
    if found is None or found.get("supported") == "no":
        return set()
    return {each.text or "" for each in found.findall(f"enum[@name='{name}']/value")}
