"""What a file that arrives is to become: an image, or a kernel with its initrd. Pure."""

import re
from typing import NamedTuple

import msgspec

from appliance.catalogue import FORMATS, LONGEST_DESCRIPTION, LONGEST_VERSION, check_cmdline
from appliance.errors import Invalid
from appliance.machine import check_length, check_name

IMAGE_FETCH, IMAGE_ADD, KERNEL_ADD = "image.fetch", "image.add", "kernel.add"
"""Kinds of the tasks that bring files in: from an address, and from an upload once all of it is here."""
IMAGE_BUILD = "image.build"
"""Kind of the tasks that make an image by a recipe."""
KERNEL_EXTRACT = "kernel.extract"
"""The kind of the task that takes one out of an image."""
LARGEST_FILE = 1 << 44
"""Bytes: 16 TiB, which ext4 and XFS hold in one file (ext4(5)). The room of the disk ends most uploads before."""


class ImageWish(msgspec.Struct, frozen=True, tag="image", tag_field="kind"):
    """An image that is to be."""

    name: str
    description: str = ""
    format: str = ""
    """What it is said to be, which is compared with what it is; empty: its content tells."""
    url: str = ""
    """Where it is fetched from; empty where it is sent."""


class KernelWish(msgspec.Struct, frozen=True, tag="kernel", tag_field="kind"):
    """A kernel that is to be; what is sent is the kernel, and behind it its initrd."""

    name: str
    version: str = ""
    cmdline: str = ""
    initrd_size: int = 0
    """Bytes at the end that are the initrd; 0: there is none."""


Wish = ImageWish | KernelWish


class Place(NamedTuple):
    """What names one arrival: there is one for each name that something is to have."""

    kind: str
    """``image`` or ``kernel``."""
    name: str


def place_of(wish: Wish) -> Place:
    """Where it arrives."""
    return Place("image" if isinstance(wish, ImageWish) else "kernel", wish.name)


def checked(wish: Wish, size: int) -> Wish:
    """The wish, as it is kept; raises Invalid with the field that is wrong. ``size``: bytes that are to come."""
    check_name(wish.name)
    if isinstance(wish, ImageWish):
        check_length(wish.description, LONGEST_DESCRIPTION, "description")
        if wish.format and wish.format not in FORMATS:
            hint = f"use one of {', '.join(FORMATS)}, or none"
            raise Invalid("image-format", f"format {wish.format[:20]!r} is unknown", hint, "format")
        return wish
    check_length(wish.version, LONGEST_VERSION, "version")
    if not 0 <= wish.initrd_size < size:
        text = f"the initrd has {wish.initrd_size} bytes of {size}, which leaves no kernel"
        raise Invalid("initrd-size", text, "count the bytes of the initrd alone", "initrd_size")
    return msgspec.structs.replace(wish, cmdline=check_cmdline(wish.cmdline))


_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_digest(text: str) -> str:
    """A SHA-256 as programs print it, in lower case; raises Invalid ``digest-invalid``."""
    found = text.strip().lower()
    if not _SHA256.fullmatch(found):
        raise Invalid("digest-invalid", "this is no SHA-256", "give its 64 hexadecimal digits", "sha256")
    return found
