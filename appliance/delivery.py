"""How a machine gets its root: which images a delivery can do anything with, and what the machine must have. Pure."""

from enum import StrEnum
from typing import Final

from appliance.catalogue import Image, disk_obstacle
from appliance.errors import Conflict, Invalid


class Delivery(StrEnum):
    """How a machine gets its root."""

    DISK = "disk"
    """Written to its disk, and started from there."""
    RAM = "ram"
    """Fetched at each start, and kept in memory: what is written to it is gone with the next start."""
    ISCSI = "iscsi"
    """A volume of the appliance that is the machine's own, as a disk over the network."""
    NFS = "nfs"
    """The same as a directory over the network."""


DELIVERIES: Final[tuple[str, ...]] = tuple(each.value for each in Delivery)
MEANINGS: Final[dict[str, str]] = {
    Delivery.DISK: "to the machine's disk (disk)",
    Delivery.RAM: "into the machine's memory (ram): what it writes is gone when it stops",
    Delivery.ISCSI: "onto a volume of the appliance, as a disk over the network (iscsi)",
    Delivery.NFS: "onto a volume of the appliance, as a directory over the network (nfs)",
}
"""For people."""
SPARE = 256 << 20
"""Bytes of memory that the hand-over initrd wants to be free beside an image, or a quarter of the image's if that is
more; and as much that is not free by then: kernel, initrd, and what memory modules have and do not give."""


def on_disk(delivery: str) -> bool:
    """Whether the machine's own disk holds the root; else nothing on its disks is read or written."""
    return delivery == Delivery.DISK


def on_volume(delivery: str) -> bool:
    """Whether a volume of the appliance holds the root, which is exported to the machine."""
    return delivery in (Delivery.ISCSI, Delivery.NFS)


def in_memory(delivery: str) -> bool:
    """Whether the machine's memory holds the root."""
    return delivery == Delivery.RAM


def memory_needed(image: Image) -> int:
    """Bytes of memory that a machine must have to run it from memory."""
    return image.stored_size + max(SPARE, image.stored_size // 4) + SPARE


LEAST_SPARE = 4 << 30
"""Bytes that a root volume has beside its files at least, where nobody says how large it is to be."""


def root_needed(image: Image) -> int:
    """Bytes of the smallest root volume that takes the image: its files, and what the file system notes of them."""
    return image.size + image.size // 4 + SPARE


def root_size(image: Image, wanted: int | None) -> int:
    """Bytes of a root volume; ``wanted`` is what the user asks for. At least what the image needs."""
    spacious = root_needed(image) + max(LEAST_SPARE, image.size)
    return max(wanted or spacious, root_needed(image))


def check_root_size(image: Image, delivery: str, wanted: int | None, least: int = 0) -> None:
    """Raise Invalid ``root-size-small`` for a root volume that the image has no room in; ``wanted`` in bytes.

    ``least`` is what its files are known to take, where that is known: in bytes, too.
    """
    needed = max(root_needed(image), least)
    if on_volume(delivery) and wanted is not None and wanted < needed:
        enough = f"{-(-needed * 10 // (1 << 30)) / 10:.1f} GiB"
        text = f"{image.name} has no room in a root volume of {wanted / (1 << 30):.1f} GiB: it needs {enough}"
        raise Invalid("root-size-small", text, f"ask for {enough} or more, or leave the size out", "root_size")


def obstacle(image: Image, delivery: str) -> str:
    """Why this delivery can do nothing with the image, in words; empty where it can."""
    if on_disk(delivery):
        return disk_obstacle(image)
    if image.format == "squashfs" or (image.format == "tar" and on_volume(delivery)):
        return ""
    if on_volume(delivery):
        return "it is a whole disk, and what fills a root volume are the files of a system (squashfs, tar)"
    what = "a whole disk" if image.format in ("raw", "raw.zst") else f"an archive ({image.format})"
    return f"it is {what}, and what runs from memory is a root file system (squashfs)"


def deliveries_of(image: Image) -> list[str]:
    """The deliveries that can do something with the image."""
    return [each for each in DELIVERIES if not obstacle(image, each)]


def check_image(image: Image, delivery: str) -> None:
    """Raise Conflict ``image-not-deployable`` where this delivery can do nothing with the image, and Invalid
    ``delivery-unknown`` where this version has no such delivery: one that another version stored."""
    if why := obstacle(image, check_delivery(delivery)):
        text = f"image {image.name} cannot be deployed {_WAYS[delivery]}: {why}"
        raise Conflict("image-not-deployable", text, "choose another image, or another delivery", "image")


_WAYS: dict[str, str] = {
    Delivery.DISK: "to a disk",
    Delivery.RAM: "to memory",
    Delivery.ISCSI: "to a volume (iSCSI)",
    Delivery.NFS: "to a volume (NFS)",
}


def check_delivery(delivery: str) -> str:
    """The delivery, if this version can do it; raises Invalid ``delivery-unknown`` otherwise."""
    if delivery not in DELIVERIES:
        text = f"delivery {delivery[:40]!r} is not available"
        raise Invalid("delivery-unknown", text, f"use one of {', '.join(DELIVERIES)}", "delivery")
    return delivery
