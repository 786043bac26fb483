"""Builds the appliance's image a second time from the same packages, and says what differs."""

import hashlib
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import appliance, appliance_base, appliance_python, cache, tools
from .errors import BuildError
from .progress import say
from .run import run

REMAINDER: frozenset[str] = frozenset()
"""Paths that may differ in the image, and do not matter: none is known."""


def compare(directory: Path, wanted: appliance.Wanted) -> None:
    """Build in `directory`, unless it has the image, and in a fresh cache with the same packages.

    Raises BuildError naming what differs.
    """
    key = appliance.name(wanted)
    first = _built(directory, wanted)
    with tempfile.TemporaryDirectory(prefix="qrm-twice-", dir=cache.scratch_base()) as scratch:
        second = _built(_fresh(directory, Path(scratch)), wanted)
        if appliance.name(wanted) != key:
            raise BuildError("Files of the project changed between the two builds. Leave them alone and try again.")
        differing = differences(*(_members(one, Path(scratch)) for one in (first, second)))
        if unexpected := sorted(differing - REMAINDER):
            raise BuildError(f"Two builds differ in {len(unexpected)} files: {', '.join(unexpected[:20])}")
        if not differing and _sha256(first.image) != _sha256(second.image):
            raise BuildError("Two builds are made of the same files, and yet their images differ.")
    say(f"appliance: two builds are the same but for: {', '.join(sorted(differing)) or 'nothing'}")


def _fresh(directory: Path, scratch: Path) -> Path:
    own = scratch / "cache"
    own.mkdir()
    for part in directory.iterdir():
        if not part.name.startswith(("appliance-", ".")):
            (own / part.name).symlink_to(part)
    return own


@dataclass(frozen=True)
class Built:
    """An image, and what of it was not written by us: Debian's part, and the Python packages."""

    image: Path
    base: Path
    python: Path


def _built(directory: Path, wanted: appliance.Wanted) -> Built:
    image = appliance.build(directory, wanted) / "appliance.raw.zst"
    python = appliance_python.build(directory, tools.build(directory))
    return Built(image, appliance_base.build(directory) / "base.tar.zst", python)


def _members(built: Built, scratch: Path) -> dict[str, str]:
    plain, places = scratch / "plain.tar", appliance.places()
    run(["zstd", "-q", "-d", "-f", built.base, "-o", plain], scratch / "twice.log")
    with tarfile.open(plain) as archive:
        found = {member.name.removeprefix("./"): _digest(archive, member) for member in archive}
    ours = {path: digest for path, digest in found.items() if places.of(path) is not None}
    return ours | _files(built.python)


def _files(python: Path) -> dict[str, str]:
    files = (path for path in python.rglob("*") if path.is_file())
    return {f"{appliance_python.SITE}/{path.relative_to(python)}": _sha256(path) for path in files}


def _digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = archive.extractfile(member) if member.isreg() else None
    about = f"{member.mode} {member.uid} {member.gid} {member.mtime} {member.type!r} {member.linkname}"
    return hashlib.sha256(about.encode() + (content.read() if content else b"")).hexdigest()


def differences(first: dict[str, str], second: dict[str, str]) -> set[str]:
    """Names that are in one only, or differ."""
    return {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
