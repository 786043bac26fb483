"""The appliance's root as one archive: the base with everything in its place, and ours added."""

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .appliance_places import FACTORY, Places, target
from .errors import BuildError

BLOCK = 4096


@dataclass(frozen=True)
class File:
    """A file of ours: content, or where to read it; or a symbolic link's target."""

    content: bytes | Path = b""
    mode: int = 0o644
    link: str | None = None


@dataclass
class Written:
    """What an archive holds so far. `texts`: files that say which packages there are, by their path in the base."""

    archive: tarfile.TarFile
    epoch: int
    names: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    blocks: int = 0
    """Of BLOCK bytes, that the files take in a file system."""

    def add(self, member: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        """Add a member, and directories that it lies in and nobody made yet; what is there already stays."""
        if member.name in self.names:
            return
        parent = member.name.rpartition("/")[0]
        if parent and parent not in self.names:
            self.add(_made(parent, tarfile.DIRTYPE, 0o755))
        self.names.add(member.name)
        self.blocks += 1 if member.isdir() else -(-member.size // BLOCK)
        member.mtime = min(int(member.mtime) or self.epoch, self.epoch)
        self.archive.addfile(member, content)

    def add_ours(self, files: Mapping[str, File]) -> None:
        """Add files of ours, in the order of their paths."""
        for path, file in sorted(files.items()):
            _add_ours(path, file, self)


def _made(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member


def write(base: Path, places: Places, ours: Mapping[str, File], written: Written) -> None:
    """Put all of `base` (a zstd archive) and `ours` into `written`; where both have a path, ours it is."""
    with _unpacked(base) as source:
        for member in source:
            _carry(source, member, places, ours, written)
    _state(places, written)
    written.add_ours(ours)


@contextmanager
def _unpacked(base: Path) -> Iterator[tarfile.TarFile]:
    with subprocess.Popen(["zstd", "-q", "-d", "-c", str(base)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            yield archive
        process.stdout.read()  # what pads the archive's end, so that zstd ends well
    if process.returncode:
        raise BuildError(f"{base} cannot be read. Remove its directory, and build again.")


def _carry(
    source: tarfile.TarFile, member: tarfile.TarInfo, places: Places, ours: Mapping[str, File], written: Written
) -> None:
    path = member.name.removeprefix("./").strip("/")
    data = source.extractfile(member) if member.isreg() else None
    if data is not None and _says_packages(path):
        text = data.read()
        written.texts[path] = text.decode(errors="replace")
        data = io.BytesIO(text)
    place = places.of(path)
    if path in ("", ".") or place is None or (place in ours and not member.isdir()):
        return
    member.name = place
    if member.islnk():
        member.linkname = places.of(member.linkname.removeprefix("./").strip("/")) or ""
    written.add(member, data)


def _says_packages(path: str) -> bool:
    return path == "var/lib/dpkg/status" or re.fullmatch(r"usr/share/doc/[^/]+/copyright", path) is not None


def _state(places: Places, written: Written) -> None:
    for link in places.links:
        if f"{FACTORY}/{link}" not in written.names:
            written.add(_made(f"{FACTORY}/{link}", tarfile.DIRTYPE, 0o755))
        member = _made(link, tarfile.SYMTYPE, 0o777)
        member.linkname = target(link)
        written.add(member)


def _add_ours(path: str, file: File, written: Written) -> None:
    if file.link is not None:
        member = _made(path, tarfile.SYMTYPE, 0o777)
        member.linkname = file.link
        written.add(member)
        return
    member = _made(path, tarfile.REGTYPE, file.mode)
    if isinstance(file.content, bytes):
        member.size = len(file.content)
        written.add(member, io.BytesIO(file.content))
    else:
        member.size = file.content.stat().st_size
        with file.content.open("rb") as content:
            written.add(member, content)
