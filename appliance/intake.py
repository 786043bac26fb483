"""What a file that arrives is to become: an image, an ISO, a kernel with its initrd, or the modules of one. Pure."""

import re
from typing import NamedTuple

import msgspec

from appliance.catalogue import FORMATS, LONGEST_DESCRIPTION, LONGEST_VERSION, check_cmdline
from appliance.errors import Invalid
from appliance.machine import check_length, check_name

IMAGE_FETCH, IMAGE_ADD, KERNEL_ADD = "image.fetch", "image.add", "kernel.add"
"""Kinds of the tasks that bring files in: from an address, and from an upload once all of it is here."""
ISO_FETCH, ISO_ADD = "iso.fetch", "iso.add"
"""The same of ISOs."""
IMAGE_BUILD = "image.build"
"""Kind of the tasks that make an image by a recipe."""
KERNEL_EXTRACT = "kernel.extract"
"""The kind of the task that takes one out of an image."""
MODULES_ADD, MODULES_FETCH = "modules.add", "modules.fetch"
"""Kinds of the tasks that give a kernel its modules: from an upload, and from an address."""
LARGEST_FILE = 1 << 44
"""Bytes: 16 TiB, which ext4 and XFS hold in one file (ext4(5)). The room of the disk ends most uploads before."""
LARGEST_MODULES = 4 << 30
"""Bytes of an archive of modules: those of distributions have 0.1 GB, with all that debuggers want 1 GB."""


class ImageWish(msgspec.Struct, frozen=True, tag="image", tag_field="kind"):
    """An image that is to be."""

    name: str
    description: str = ""
    format: str = ""
    """What it is said to be, which is compared with what it is; empty: its content tells."""
    url: str = ""
    """Where it is fetched from; empty where it is sent."""


class IsoWish(msgspec.Struct, frozen=True, tag="iso", tag_field="kind"):
    """An ISO that is to be."""

    name: str
    description: str = ""
    url: str = ""
    """Where it is fetched from; empty where it is sent."""


class KernelWish(msgspec.Struct, frozen=True, tag="kernel", tag_field="kind"):
    """A kernel that is to be; what is sent is the kernel, and behind it its initrd."""

    name: str
    version: str = ""
    cmdline: str = ""
    initrd_size: int = 0
    """Bytes at the end that are the initrd; 0: there is none."""


class ModulesWish(msgspec.Struct, frozen=True, tag="modules", tag_field="kind"):
    """Modules that a kernel of the catalogue is to have; what is sent is an archive of ``lib/modules/VERSION``."""

    name: str
    """What the kernel is called."""
    url: str = ""
    """Where they are fetched from; empty where they are sent."""


Wish = ImageWish | IsoWish | KernelWish | ModulesWish
Fetched = ImageWish | IsoWish | ModulesWish
"""What may come from an address."""


class Way(NamedTuple):
    """How one kind of files arrives."""

    add: str
    """Kind of the task that looks at it once all is here."""
    fetch: str
    """Kind of the task that fetches it; empty where nothing does."""
    subject: str
    """What it changes in the end: ``image``, ``iso`` or ``kernel``."""
    adding: str
    """The title of the first task, with ``{}`` for the name."""
    fetching: str
    called: str
    """What it is called besides."""
    most: int = LARGEST_FILE
    """Bytes that it may have."""


WAYS = {
    "image": Way(IMAGE_ADD, IMAGE_FETCH, "image", "Add image {}", "Fetch image {}", "image {}"),
    "iso": Way(ISO_ADD, ISO_FETCH, "iso", "Add ISO {}", "Fetch ISO {}", "ISO {}"),
    "kernel": Way(KERNEL_ADD, "", "kernel", "Add kernel {}", "", "kernel {}"),
    "modules": Way(
        MODULES_ADD, MODULES_FETCH, "kernel", "Give kernel {} its modules", "Fetch the modules of kernel {}",
        "the modules of kernel {}", LARGEST_MODULES,
    ),
}  # fmt: skip
"""By the kind of a ``Place``."""


class Place(NamedTuple):
    """What names one arrival: there is one for each name that something is to have."""

    kind: str
    """A key of ``WAYS``."""
    name: str

    @property
    def way(self) -> Way:
        """How such files arrive."""
        return WAYS[self.kind]

    def __str__(self) -> str:
        return self.way.called.format(self.name)


def place_of(wish: Wish) -> Place:
    """Where it arrives."""
    match wish:
        case ImageWish():
            return Place("image", wish.name)
        case IsoWish():
            return Place("iso", wish.name)
        case KernelWish():
            return Place("kernel", wish.name)
        case ModulesWish():
            return Place("modules", wish.name)


def checked(wish: Wish, size: int) -> Wish:
    """The wish, as it is kept; raises Invalid with the field that is wrong. ``size``: bytes that are to come."""
    check_name(wish.name)
    if isinstance(wish, IsoWish):
        check_length(wish.description, LONGEST_DESCRIPTION, "description")
        return wish
    if isinstance(wish, ImageWish):
        check_length(wish.description, LONGEST_DESCRIPTION, "description")
        if wish.format and wish.format not in FORMATS:
            hint = f"use one of {', '.join(FORMATS)}, or none"
            raise Invalid("image-format", f"format {wish.format[:20]!r} is unknown", hint, "format")
        return wish
    if isinstance(wish, ModulesWish):
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
