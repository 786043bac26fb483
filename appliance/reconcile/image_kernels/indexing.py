"""The indexes of modules where depmod(8) has not been yet, as in packages: that program makes them, within bounds."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.command import run
from appliance.errors import ApplianceError
from appliance.filesystem.stored import limits
from appliance.imageformat.found import unreadable
from appliance.imageformat.kernels import KernelFiles, below
from appliance.kernel_modules import picking
from appliance.reconcile.disk_room import append
from appliance.reconcile.image_kernels.source import Source, Told

SECONDS = 300.0
LARGEST_INDEX = 64 << 20
"""Bytes of one of them; those of distributions have 2 MB."""
_READ = re.compile(
    r"modules\.(order|builtin|builtin\.modinfo)|([\w.,+@=-]+/)*[\w.,+@=-]+\.ko(\.xz|\.zst|\.gz)?", re.ASCII
)
"""What depmod reads of a directory."""
_MADE = (picking.DEPENDENCIES, *(f"modules.{name}" for name in picking.INDEXES))


class Indexed:
    """A source with indexes besides."""

    def __init__(self, source: Source, made: Mapping[str, bytes]) -> None:
        self._source, self._made = source, made

    @property
    def names(self) -> Collection[str]:
        """As of a source."""
        return {*self._source.names, *self._made}

    def fetch(self, names: Collection[str], told: Told) -> None:
        """As of a source."""
        self._source.fetch([name for name in names if name not in self._made], told)

    def read(self, name: str) -> bytes:
        """As of a source."""
        return self._made[name] if name in self._made else self._source.read(name)


def indexed(source: Source, kernel: KernelFiles, work: Path, told: Told) -> Source:
    """The source with the indexes of the kernel's modules; blocks. ``work`` is where a directory can be made.

    Its vmlinuz, if there is one, is fetched with them: an archive is read from its beginning each time.

    Raises Invalid ``image-format`` for modules that are none; ApplianceError ``program-missing``, ``upload-failed``.
    """
    directory, version = kernel.modules, kernel.version
    names = sorted(name for name in below(directory, source.names) if _READ.fullmatch(name))
    source.fetch([*filter(None, [kernel.vmlinuz]), *(f"{directory}/{name}" for name in names)], told)
    with TemporaryDirectory(suffix=".part", dir=work) as base:
        place = Path(base) / picking.MODULES / version
        place.mkdir(parents=True)
        (Path(base) / "lib").symlink_to("usr/lib")  # depmod is built for the one or for the other
        for name in names:
            _put(place / name, source.read(f"{directory}/{name}"))
        _depmod(base, version)
        made = {f"{directory}/{name}": (place / name).read_bytes() for name in _MADE if (place / name).is_file()}
    return Indexed(source, made)


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except (FileExistsError, NotADirectoryError) as error:
        raise unreadable(f"{path.name!r} in it is a file and a directory") from error
    try:
        append(descriptor, content)
    finally:
        os.close(descriptor)


def _depmod(base: str, version: str) -> None:
    try:
        run([*limits(LARGEST_INDEX), "depmod", "--basedir", base, version], SECONDS)
    except ApplianceError as error:
        if error.code == "program-missing" or "depmod: No such file" in error.message:
            text = "depmod is not installed, which makes the indexes of modules"
            raise ApplianceError("program-missing", text, "install it: apt-get install kmod") from error
        text = f"depmod cannot read the modules of kernel {version}: {error.message[-300:]}"
        raise unreadable(text) from error
