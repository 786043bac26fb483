"""An image in memory with a layer of its own above it: what is written there is all that makes it a deployment's."""

import io
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..disk.partitions import SAFE
from ..errors import StepFailed
from ..image.download import Source, download
from ..job import Job, Params
from ..run import ProgramFailed, run

SPARE = 192 << 20
"""Bytes of memory that the maintenance stack needs beside an image to work with it."""
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Layers:
    """A mounted image: `merged` is what a system would see, `upper` what was written to that."""

    merged: Path
    upper: Path

    def packed(self) -> bytes:
        """The upper layer as a compressed archive; what was removed is in it as well."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self.upper.rglob("*")):
                archive.add(path, str(path.relative_to(self.upper)), recursive=False, filter=_plain)
        return packed.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without names of users, which are this system's; the numbers are the image's."""
    member.uname = member.gname = ""
    return member


@contextmanager
def opened(image: Params, job: Job) -> Iterator[Layers]:
    """The squashfs that `image` names, fetched into memory and mounted below an empty layer. Raises StepFailed."""
    source = Source(image.text("url"), image.text("token"), image.integer("stored_size"), image.text("stored_sha256"))
    check_memory(source.size)
    with ExitStack() as held:
        base = Path(tempfile.mkdtemp(prefix="qrm-layers-"))
        held.callback(_remove, base)
        # A file system of its own: overlays are not put upon overlays, and the stack's own root is one.
        _mounted(held, ["-t", "tmpfs", "-o", f"mode=0700,size={source.size + SPARE}", "qrm-layers"], base)
        parts = {name: base / name for name in ("lower", "upper", "work", "merged")}
        for path in parts.values():
            path.mkdir(mode=0o755)
        stored = base / "image"
        _fetch(source, stored, job)
        _mounted(held, ["-t", "squashfs", "-o", f"ro,loop,{SAFE}", str(stored)], parts["lower"])
        layers = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        _mounted(held, ["-t", "overlay", "-o", f"{layers},{SAFE}", "qrm-root"], parts["merged"])
        yield Layers(parts["merged"], parts["upper"])


def keep(layers: Layers, job: Job) -> None:
    """Give the upper layer to the appliance. Raises Abandoned, Refused."""
    job.send("root-layer", {"content": b64encode(layers.packed()).decode()})


def check_memory(size: int) -> None:
    """Raises StepFailed `memory-too-small` where an image of `size` bytes does not fit beside the stack."""
    free = next(
        (int(line.split()[1]) << 10 for line in MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:")), 0
    )
    if free < size + SPARE:
        text = f"the image takes {(size + SPARE) >> 20} MiB of memory with what it needs, {free >> 20} are free"
        raise StepFailed("memory-too-small", text)


def _fetch(source: Source, to: Path, job: Job) -> None:
    got = 0

    def wait(seconds: float, why: str) -> None:
        job.waiting(f"waiting for the image: {why}")
        job.hardware.pause(seconds)

    with to.open("wb") as file:
        for chunk in download(source, wait):
            file.write(chunk)
            got += len(chunk)
            job.progress(got / max(source.size, 1) * 0.9, f"{got >> 20} of {source.size >> 20} MiB fetched")


def _mounted(held: ExitStack, words: list[str], point: Path) -> None:
    try:
        run(["mount", *words, str(point)])
    except ProgramFailed as error:
        raise StepFailed("image-unusable", f"the image cannot be opened: {error.message}") from error
    held.callback(_unmount, point)


def _unmount(point: Path) -> None:
    try:
        run(["umount", str(point)], timeout=60)
    except ProgramFailed:
        with suppress(ProgramFailed):
            run(["umount", "--lazy", str(point)])


def _remove(base: Path) -> None:
    with suppress(OSError):
        base.rmdir()
