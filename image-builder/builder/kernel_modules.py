"""The modules that the hand-over initrd needs of one kernel, as an archive that is loaded behind it.

What is picked, the appliance and this program know from one place, `appliance/kernel_modules`. Here it is read from a
directory as `/lib/modules/VERSION`, with the indexes that depmod(8) has made, and one with firmware.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from appliance.kernel_modules import picking

from . import cache, cpio

SHARED = cache.SOURCE.parent / "appliance" / "kernel_modules"
"""What is common with the appliance; it is copied into the tree that the stack is picked from."""
RULES = "appliance/kernel_modules/hand-over.list"
"""What the initrd needs of a kernel, from where that tree has it."""


def archive(modules: Path, rules: str, firmware: Path | None = None) -> bytes:
    """A cpio with the modules that `rules` choose, all that they need, and their firmware.

    `modules` is named by the kernel's version, as in `/lib/modules/6.12.1-amd64`; in the archive it is
    `usr/lib/modules/VERSION`. Raises FileNotFoundError where depmod has not made the indexes.
    """
    dependencies = (modules / picking.DEPENDENCIES).read_text()
    kept = picking.modules(dependencies, rules, {path.name for path in modules.iterdir()})
    files = {f"{picking.MODULES}/{modules.name}/{name}": (modules / name).read_bytes() for name in kept}
    if firmware is not None:
        named = picking.firmware(files.items(), _files(firmware), _unzstd)
        files |= {f"{picking.FIRMWARE}/{name}": (firmware / name).read_bytes() for name in named}
    return cpio.archive(
        cpio.directory(name) if content is None else cpio.plain(name, content)
        for name, content in picking.with_directories(files)
    )


def _files(folder: Path) -> Iterator[str]:
    """What is a link there, is the file that it stands for in the archive."""
    return (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _unzstd(packed: bytes, _: int) -> bytes:
    # The standard library has it from Python 3.14 on.
    return subprocess.run(["zstd", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout
