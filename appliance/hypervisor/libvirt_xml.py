"""What a libvirt says in XML, as a tree. Pure."""

from xml.etree import ElementTree as ET

from appliance.errors import ApplianceError


def tree_of(text: str, tag: str) -> ET.Element:
    """The tree of a document whose root has this tag; raises ApplianceError ``libvirt-unreadable``."""
    try:
        root = ET.fromstring(text)  # noqa: S314  from a host's libvirt, which runs as root there; expat bounds entities
    except ET.ParseError as error:
        raise unreadable(f"{tag} from libvirt is no XML: {error}") from error
    if root.tag != tag:
        raise unreadable(f"{tag} was expected from libvirt, and {root.tag} came")
    return root


def unreadable(what: str) -> ApplianceError:
    """What is said of a document that makes no sense."""
    return ApplianceError("libvirt-unreadable", what, "look at it with virsh, dumpxml or domcapabilities")
