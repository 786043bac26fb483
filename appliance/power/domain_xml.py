"""A VM's definition with the network as its first boot device. Pure."""

from xml.etree import ElementTree

from appliance.power_switch import PowerError


def network_first(definition: str) -> str:
    """The definition of a libvirt VM, its interfaces before everything else that it boots from.

    Its order may stand beside each device (``<boot order=...>``) or in one list (``<os><boot dev=...>``); the two
    exclude each other. Raises PowerError for a VM without a network interface, and for what is no definition.
    """
    try:
        root = ElementTree.fromstring(definition)  # noqa: S314  from our own host's libvirt, which runs as root there
    except ElementTree.ParseError as error:
        raise PowerError("power-failed", f"the VM's definition makes no sense: {error}", "look at it") from None
    interfaces = root.findall("./devices/interface")
    if not interfaces:
        raise PowerError("power-unsupported", "the VM has no network interface to boot from", "give it one")
    if root.find("./devices/*/boot") is None:
        _in_list(root)
    else:
        _beside_devices(root, interfaces)
    return ElementTree.tostring(root, encoding="unicode")


def noted_at(note: str) -> int:
    """When a note of ours was made; raises ValueError where it is none."""
    try:
        return int(ElementTree.fromstring(note).get("at", ""))  # noqa: S314  our own note
    except ElementTree.ParseError as error:
        raise ValueError("no XML") from error


def _in_list(root: ElementTree.Element) -> None:
    system = root.find("./os")
    if system is None:
        raise PowerError("power-failed", "the VM's definition has no <os>", "look at it")
    others = [each for each in system.findall("boot") if each.get("dev") != "network"]
    for each in system.findall("boot"):
        system.remove(each)
    system.append(ElementTree.Element("boot", dev="network"))
    system.extend(others)


def _beside_devices(root: ElementTree.Element, interfaces: list[ElementTree.Element]) -> None:
    ordered = sorted((each for each in root.findall("./devices/*") if each.find("boot") is not None), key=_order)
    first = [each for each in ordered if each in interfaces] or interfaces
    for number, device in enumerate([*first, *(each for each in ordered if each not in first)], start=1):
        boot = device.find("boot")
        if boot is None:
            boot = ElementTree.SubElement(device, "boot")
        boot.set("order", str(number))


def _order(device: ElementTree.Element) -> int:
    boot = device.find("boot")
    said = boot.get("order", "") if boot is not None else ""
    return int(said) if said.isascii() and said.isdigit() else 1_000_000
