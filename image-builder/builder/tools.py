"""Programs of Debian 13 for builds on whatever Debian this is: unpacked, never installed, and run where they lie.

No root and no namespace is needed for that: the loader of the unpacked tree is called with the tree's own libraries.
"""

import shlex
import tarfile
from pathlib import Path

from . import cache, mmdebstrap
from .progress import phase

# mke2fs reads tar archives (and so keeps owners without being root) from e2fsprogs 1.47.1 on, with libarchive.
PACKAGES = ("base-files", "tar", "e2fsprogs", "libarchive13t64", "python3.13", "rauc", "squashfs-tools")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def build(directory: Path) -> Path:
    """The unpacked tree in the cache `directory`. Raises BuildError."""
    name = cache.key({**cache.inputs(("tools", "mmdebstrap")), "sources": mmdebstrap.sources().encode()})
    return cache.kept(directory, "tools", name, lambda into, scratch: _build(into, scratch, directory / "debs-tools"))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    with phase("tools", f"unpacking programs that build ({mmdebstrap.SUITE})"):
        packed = scratch / "tools.tar"
        hooks = [f"tar-out /usr {shlex.quote(str(packed))}"]
        mmdebstrap.make(mmdebstrap.Recipe("extract", PACKAGES, hooks), archives, scratch)
        with tarfile.open(packed) as archive:
            archive.extractall(into, filter="tar")


def program(tools: Path, path: str) -> list[str | Path]:
    """The words that start the program at `path` of the tree, such as `usr/sbin/mke2fs`."""
    return [tools / LIBRARIES / "ld-linux-x86-64.so.2", "--library-path", tools / LIBRARIES, tools / path]


def python(tools: Path) -> tuple[list[str | Path], dict[str, str]]:
    """The words that start the tree's Python, and what it needs in the environment."""
    return program(tools, "usr/bin/python3.13"), {"PYTHONHOME": str(tools / "usr"), "PYTHONDONTWRITEBYTECODE": "1"}
