"""The maintenance stack as it is served: the built one, with the agent of this very version appended."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.netboot.cpio import Entry, archive
from appliance.netboot.stack_files import HAND_OVER, NEEDED, StackFile
from appliance.on_disk import sync

CARRIED = ("agent", "resident")
"""Packages that travel in the initrd, to ``/qrm/<name>`` there."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A directory with NEEDED and, where they were built, HAND_OVER, and the hash of them all."""

    directory: Path
    hash: str
    files: Mapping[str, StackFile]
    """Each of its files by name."""

    @property
    def url_path(self) -> str:
        """Where it is served: a name that never changes its content."""
        return f"/stack/{self.hash}"


def assemble(built: Path, source: Path, destination: Path) -> Stack:
    """The stack in ``built`` with the packages below ``source``, under ``destination/<hash>/``.

    Earlier ones there are removed: nobody boots them once the daemon names another. Blocks for as long as it
    takes to copy some 110 MB. Raises ApplianceError ``stack-missing``, or ``stack-unusable`` when it cannot be copied.
    """
    for name in NEEDED:
        if not (built / name).is_file():
            hint = "build it with: image-builder/build stack, and name the directory as [boot] stack"
            raise ApplianceError("stack-missing", f"{built} has no {name}: no maintenance stack to boot", hint)
    carried = archive([entry for package in CARRIED for entry in _entries(source / package, f"qrm/{package}")])
    try:
        names = [name for name in (*NEEDED, *HAND_OVER) if (built / name).is_file()]
        digest = _digest(built, names, carried)
        target = destination / digest
        if not target.is_dir():
            _copy(built, names, carried, target)
        for other in destination.iterdir():
            if other != target:
                shutil.rmtree(other)
        files = {name: _described(target / name) for name in names}
    except OSError as error:
        message = f"the maintenance stack cannot be copied from {built} to {destination}: {error.strerror}"
        raise ApplianceError("stack-unusable", message, "make space and give both to the daemon's user") from error
    return Stack(target, digest, files)


def _digest(built: Path, names: Sequence[str], carried: bytes) -> str:
    digest = hashlib.sha256(carried)
    for name in names:
        digest.update(_sha256(built / name))
    return digest.hexdigest()[:32]


def _described(path: Path) -> StackFile:
    return StackFile(path.stat().st_size, _sha256(path).hex())


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _copy(built: Path, names: Sequence[str], carried: bytes, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in names:
        if name != "initrd":
            shutil.copyfile(built / name, part / name)
    with (part / "initrd").open("wb") as initrd:
        with (built / "initrd").open("rb") as first:
            shutil.copyfileobj(first, initrd, 1 << 20)
        # The kernel skips zero bytes between archives, and wants each to begin at a multiple of four.
        initrd.write(b"\0" * (-initrd.tell() % 4))
        initrd.write(carried)
    for path in part.iterdir():
        sync(path)  # the name with the hash must not outlive a power cut that its content did not
    part.rename(target)


def _entries(package: Path, name: str) -> Iterator[Entry]:
    """Directories before what is in them, in a fixed order; byte code is the other Python's business."""
    if name.count("/") == 1:
        yield Entry("qrm")
    yield Entry(name)
    for path in sorted(package.iterdir()):
        if path.name == "__pycache__":
            continue
        if path.is_dir():
            yield from _entries(path, f"{name}/{path.name}")
        else:
            yield Entry(f"{name}/{path.name}", path.read_bytes(), os.access(path, os.X_OK))
