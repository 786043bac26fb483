"""The files that the hand-over initrd needs of one kernel, whatever tree that lies in. Pure.

Modules stay compressed as they are: kmod in the initrd reads what distributions use, xz and zstd. The indexes are those
of the whole kernel, as depmod(8) has made them; what they name besides is not there.
"""

import lzma
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from . import choosing

MODULES, FIRMWARE = "usr/lib/modules", "usr/lib/firmware"
"""Where they are in the initrd."""
DEPENDENCIES = "modules.dep"
INDEXES = ("dep.bin", "alias.bin", "softdep", "builtin.bin", "builtin.alias.bin")
"""What modprobe(8) and udev look things up in, as `modules.NAME`; the first is always there after depmod."""
LARGEST_MODULE = 256 << 20
"""Bytes of an unpacked module."""
XZ_MEMORY = 128 << 20
"""Bytes; modules are packed with dictionaries of 1 or 2 MiB."""

_FIRMWARE = re.compile(rb"(?<=\0)firmware=([^\0]{1,4096})")

Unzstd = Callable[[bytes, int], bytes]
"""Unpacks Zstandard, to so many bytes at most."""


def modules(dependencies: str, rules: str, present: Collection[str]) -> list[str]:
    """Files below `/lib/modules/VERSION`: the modules that `rules` choose, all that these need, and the indexes.

    `dependencies` is the text of its `modules.dep`; `present` are the files there. Raises FileNotFoundError where
    depmod has not made the indexes, ValueError for rules that are none. What `modules.dep` names may not be there.
    """
    if f"modules.{INDEXES[0]}" not in present:
        raise FileNotFoundError(f"modules.{INDEXES[0]}")
    kept = choosing.modules_to_keep(choosing.parse_modules_dep(dependencies), choosing.parse_rules(rules))
    indexes = (f"modules.{name}" for name in INDEXES)
    return [*sorted(kept), *(name for name in indexes if name in present)]


def firmware(kept: Iterable[tuple[str, bytes]], available: Iterable[str], unzstd: Unzstd) -> list[str]:
    """Files below `/lib/firmware`, of those `available`, that modules name; `kept` are modules with their names."""
    named = {name for path, content in kept for name in firmware_of(content, path, unzstd)}
    return sorted(choosing.firmware_to_keep(named, available))


def firmware_of(content: bytes, path: str, unzstd: Unzstd) -> list[str]:
    """Firmware that a module names in its `.modinfo` section (`MODULE_FIRMWARE`), compressed as its name says.

    Raises lzma.LZMAError and EOFError for what is not packed as its name says, and what `unzstd` raises.
    """
    said = _FIRMWARE.findall(_unpacked(content, path, unzstd))
    return [name.decode(errors="replace") for name in said]


def _unpacked(content: bytes, path: str, unzstd: Unzstd) -> bytes:
    if path.endswith(".xz"):
        unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)
        unpacked = unpacking.decompress(content, LARGEST_MODULE)
        if not unpacking.eof:
            raise EOFError(f"{path} is cut off, or unpacks to more than {LARGEST_MODULE} bytes")
        return unpacked
    if path.endswith(".zst"):
        return unzstd(content, LARGEST_MODULE)
    return content


def with_directories(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | None]]:
    """The files behind all directories that they are in, which have no content; the kernel makes none by itself."""
    needed = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
    yield from ((name, None) for name in sorted(needed))
    yield from files.items()
