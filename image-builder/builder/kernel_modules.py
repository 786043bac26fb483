"""The modules that the hand-over initrd needs of one kernel, as an archive that is loaded behind it.

For whichever kernel: what is read is a directory as `/lib/modules/VERSION` with the indexes that depmod(8) has made,
and one with firmware. Modules stay compressed as they are: kmod in the initrd reads what distributions use, xz and
zstd. The indexes are those of the whole kernel; what they name besides is not there.

Also runs inside the tree that the maintenance stack is picked from, so it imports the standard library only.
"""

import lzma
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import cpio, trim

DEPENDENCIES = "modules.dep"
INDEXES = ("dep.bin", "alias.bin", "softdep", "builtin.bin", "builtin.alias.bin")
"""What modprobe(8) and udev look things up in, as `modules.NAME`; the first is always there after depmod."""


def archive(modules: Path, rules: str, firmware: Path | None = None) -> bytes:
    """A cpio with the modules that `rules` (as `modules.list`) choose, all that they need, and their firmware.

    `modules` is named by the kernel's version, as in `/lib/modules/6.12.1-amd64`; in the archive it is
    `usr/lib/modules/VERSION`. Raises FileNotFoundError where depmod has not made the indexes.
    """
    dependencies = trim.parse_modules_dep((modules / DEPENDENCIES).read_text())
    (modules / f"modules.{INDEXES[0]}").stat()
    kept = sorted(trim.modules_to_keep(dependencies, trim.parse_rules(rules)))
    files = {f"usr/lib/modules/{modules.name}/{path}": modules / path for path in kept}
    indexes = [f"modules.{name}" for name in INDEXES if (modules / f"modules.{name}").exists()]
    files |= {f"usr/lib/modules/{modules.name}/{name}": modules / name for name in indexes}
    if firmware is not None:
        named = {name for path in kept for name in firmware_of((modules / path).read_bytes(), path)}
        files |= {f"usr/lib/firmware/{name}": firmware / name for name in _firmware(named, firmware)}
    return cpio.archive([*_directories(files), *(cpio.plain(name, path.read_bytes()) for name, path in files.items())])


def _firmware(named: Iterable[str], firmware: Path) -> list[str]:
    """Files below `firmware` that modules name; what is a link there, is the file that it stands for in the archive."""
    available = (str(path.relative_to(firmware)) for path in firmware.rglob("*") if path.is_file())
    return sorted(trim.firmware_to_keep(named, available))


def _directories(files: Iterable[str]) -> Iterator[cpio.Entry]:
    """All that the files are in, each before what is in it: the kernel makes none by itself."""
    needed = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    return (cpio.directory(name) for name in sorted(needed))


def firmware_of(content: bytes, path: str) -> list[str]:
    """Firmware that a module names in its `.modinfo` section (`MODULE_FIRMWARE`), compressed as its name says."""
    entries = _unpacked(content, path).split(b"\0")
    return [entry[9:].decode(errors="replace") for entry in entries if entry.startswith(b"firmware=")]


def _unpacked(content: bytes, path: str) -> bytes:
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".zst"):
        # The standard library has it from Python 3.14 on.
        return subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
    return content
