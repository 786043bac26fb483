"""The kernels of a root file system, told from the names of its files. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname, normpath

from appliance.imageformat import bzimage
from appliance.imageformat.found import unreadable
from appliance.kernel_modules.picking import DEPENDENCIES

MOST_NAMES = 300_000
"""Files in the directories that are looked at."""
MODULES, FIRMWARE = ("usr/lib/modules", "lib/modules"), ("usr/lib/firmware", "lib/firmware")
DIRECTORIES = ("boot", *MODULES, *FIRMWARE)
"""Where kernels and what belongs to them are; all else of an image is not looked at."""
_VMLINUZ = re.compile(r"boot/vmlinuz-(?P<version>[^/]+)|(?:usr/)?lib/modules/(?P<of>[^/]+)/vmlinuz")
_INITRDS = ("boot/initrd.img-{}", "boot/initramfs-{}.img", "boot/initrd-{}")
"""As Debian, Fedora and SUSE call them."""
_DEEPEST_LINK = 8


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """One kernel of an image, and where in the image it is."""

    version: str
    """As ``uname -r`` tells it."""
    vmlinuz: str
    initrd: str
    """Empty where there is none."""
    modules: str
    """The directory ``lib/modules/VERSION``; empty where there is none, or where depmod has not been there."""


def is_wanted(path: str) -> bool:
    """Whether a file with this path may belong to a kernel."""
    return path.startswith(tuple(f"{each}/" for each in DIRECTORIES))


def kernels_in(names: Collection[str]) -> list[KernelFiles]:
    """Those that are in an image with files of these names, the newest first."""
    found: dict[str, str] = {}
    for name in sorted(names):
        match = _VMLINUZ.fullmatch(name)
        version = (match["version"] or match["of"]) if match else ""
        if bzimage.VERSION.fullmatch(version):
            found.setdefault(version, name)
    kernels = [
        KernelFiles(version, at, _initrd(version, names), _modules(version, names)) for version, at in found.items()
    ]
    return sorted(kernels, key=lambda each: (bool(each.modules), _order(each.version)), reverse=True)


def modules_in(names: Iterable[str]) -> dict[str, str]:
    """Directories with modules among files of these names, by the version of the kernel that they are for."""
    found: dict[str, str] = {}
    for name in names:
        for place in MODULES:
            version, _, rest = name.removeprefix(f"{place}/").partition("/")
            if rest and name.startswith(f"{place}/"):
                found.setdefault(version, f"{place}/{version}")
    return found


def _initrd(version: str, names: Collection[str]) -> str:
    return next((name for each in _INITRDS if (name := each.format(version)) in names), "")


def _modules(version: str, names: Collection[str]) -> str:
    places = (f"{each}/{version}" for each in MODULES)
    return next((at for at in places if has_indexes(at, names)), "")


def has_indexes(directory: str, names: Collection[str]) -> bool:
    """Whether depmod(8) has been in a directory of modules."""
    return all(f"{directory}/{index}" in names for index in (DEPENDENCIES, f"{DEPENDENCIES}.bin"))


def _order(version: str) -> list[tuple[int, str]]:
    """Numbers in a version count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]{1,18})", version)]


def below(directory: str, names: Iterable[str]) -> Iterator[str]:
    """What is in a directory, as it is called from there."""
    return (name[len(directory) + 1 :] for name in names if name.startswith(f"{directory}/"))


def resolved(link: str, links: Mapping[str, str], names: Collection[str]) -> str:
    """The file that a link in the image stands for in the end; empty where that is none of ``names``."""
    at = link
    for _ in range(_DEEPEST_LINK):
        target = links.get(at)
        if target is None:
            return at if at in names else ""
        at = normpath(target.lstrip("/") if target.startswith("/") else f"{dirname(at)}/{target}")
    return ""


def check_count(count: int) -> None:
    """Raise Invalid where an image has more files than any kernel could need."""
    if count > MOST_NAMES:
        raise unreadable(f"it has more than {MOST_NAMES} files in {', '.join(DIRECTORIES)}")
