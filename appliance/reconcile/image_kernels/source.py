"""The files of an image that may belong to a kernel, whatever it is stored as: read, bounded, never mounted."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from appliance.catalogue import DISKS, Image
from appliance.command import streamed
from appliance.errors import ApplianceError, Conflict
from appliance.filesystem.stored import Stored, archive
from appliance.imageformat import disk, ext4_tree
from appliance.imageformat.ext4_tree import Inode, Tree
from appliance.imageformat.found import HEAD, unreadable
from appliance.imageformat.kernels import DIRECTORIES, check_count, is_wanted, resolved
from appliance.imageformat.tar import members
from appliance.reconcile.disk_room import append, check_room
from appliance.reconcile.recognising import ALL_SECONDS, MEMORY, UNPACK

Told = Callable[[float], None]
"""Hears how far the reading of the whole image is, 0 to 1; raises where nobody waits for it."""
LARGEST_FILE = 256 << 20
"""Bytes of one file of an image that is taken out."""
MOST_BYTES = 2 << 30
"""Bytes of all files that are taken out of one archive."""
STEP = 1 << 20
_DEEPEST = 12
"""Directories within each other."""
_OTHERS = (
    (0, b"XFSB", "xfs"),
    (0x10040, b"_BHRfS_M", "btrfs"),
    (512, b"LABELONE", "a volume group (LVM)"),
    (0, b"LUKS", "encrypted (LUKS)"),
)
"""What else may be in a partition, and how it begins."""


class Source(Protocol):
    """One image; all methods block."""

    @property
    def names(self) -> Collection[str]:
        """Paths of the files in DIRECTORIES, and of links among them that stand for one."""
        ...

    def fetch(self, names: Collection[str], told: Told) -> None:
        """Have them ready; raises Invalid for what is too large, ApplianceError ``upload-failed`` without room."""
        ...

    def read(self, name: str) -> bytes:
        """All of a file that was fetched."""
        ...


@contextmanager
def opened(image: Image, path: Path, scratch: Path, told: Told) -> Iterator[Source]:
    """The files of an image; ``scratch`` is a file that is not there yet, and is removed at the end.

    Raises Invalid for what cannot be read, Conflict ``image-unread`` for a disk with nothing that is read here.
    """
    try:
        if image.format in DISKS:
            with _disk(image, path, scratch, told) as stored:
                yield _Disk(stored)
        else:
            with opened_archive(Stored(path, image.format, image.stored_size), scratch, told) as archived:
                yield archived
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def opened_archive(stored: Stored, scratch: Path, told: Told) -> Iterator["Archive"]:
    """As ``opened``, of a tar or squashfs."""
    try:
        with open(os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b", buffering=0) as spool:
            yield Archive(stored, spool.fileno(), told)
    finally:
        scratch.unlink(missing_ok=True)


class Archive:
    """A tar or squashfs, read from begin to end each time; what is wanted of it is kept in one file of ours."""

    def __init__(self, stored: Stored, spool: int, told: Told) -> None:
        self._stored, self._spool = stored, spool
        self._kept: dict[str, tuple[int, int]] = {}
        files, links = set[str](), dict[str, str]()
        with archive(stored, self._share(told)) as content:
            for member in members(content):
                if is_wanted(member.path):
                    check_count(len(files) + len(links))
                    if member.target:
                        links[member.path] = member.target
                    else:
                        files.add(member.path)
        self._stands = {link: file for link in links if (file := resolved(link, links, files))}
        self._files = files
        self.astray = links.keys() - self._stands.keys()
        """Links that stand for no file that is here, and are among no ``names``."""

    @property
    def names(self) -> Collection[str]:
        return self._files | self._stands.keys()

    def fetch(self, names: Collection[str], told: Told) -> None:
        wanted = {self._stands.get(name, name) for name in names} - self._kept.keys()
        if not wanted:
            return
        with archive(self._stored, self._share(told)) as content:
            for member in members(content):
                if member.path in wanted and not member.target:
                    at = os.lseek(self._spool, 0, os.SEEK_END)
                    _check_size(member.path, member.size)
                    if at + member.size > MOST_BYTES:
                        raise unreadable(f"its kernel has more than {MOST_BYTES >> 20} MiB of files")
                    while piece := member.read(STEP):
                        append(self._spool, piece)
                    self._kept[member.path] = at, member.size

    def read(self, name: str) -> bytes:
        at, size = self._kept[self._stands.get(name, name)]
        return os.pread(self._spool, size, at)

    def _share(self, told: Told) -> Callable[[int], object]:
        """Nobody knows how much there is in an archive: three times the size of the file is usual."""
        return lambda at: told(min(at / max(self._stored.size * 3, 1), 1.0))


class _Disk:
    """A disk with partitions of ext2, ext3 or ext4, or with such a file system and no partitions."""

    def __init__(self, stored: BinaryIO) -> None:
        self._at: dict[str, tuple[Tree, Inode]] = {}
        links: dict[str, str] = {}
        places = [start for start, _ in disk.partitions_of(stored.read(HEAD))] or [0]
        for start in places:
            if ext4_tree.is_here(stored, start):
                self._add(Tree(stored, start), links)
        if not any(ext4_tree.is_here(stored, start) for start in places):
            raise _unread(stored, places)
        for link in links:
            if file := resolved(link, links, self._at):
                self._at[link] = self._at[file]

    @property
    def names(self) -> Collection[str]:
        return self._at.keys()

    def fetch(self, names: Collection[str], told: Told) -> None:
        for name in names:
            _check_size(name, self._at[name][1].size)

    def read(self, name: str) -> bytes:
        tree, inode = self._at[name]
        return tree.content(inode, LARGEST_FILE)

    def _add(self, tree: Tree, links: dict[str, str]) -> None:
        """A file system that is no root may be the one for ``/boot``: kernels are at its top."""
        top = tree.find("")
        assert top is not None, "a path without names is the root"
        is_root = any(name in ("usr", "etc", "lib") for name, _ in tree.entries(top))
        for place in DIRECTORIES if is_root else ("",):
            found = tree.find(place)
            if found is not None and found.kind == "directory":
                self._walk(tree, found, place or "boot", links, 0 if is_root else _DEEPEST)

    def _walk(self, tree: Tree, directory: Inode, path: str, links: dict[str, str], depth: int) -> None:
        for name, number in tree.entries(directory):
            inode, at = tree.inode(number), f"{path}/{name}"
            check_count(len(self._at) + len(links))
            if inode.kind == "file":
                self._at[at] = tree, inode
            elif inode.kind == "link" and inode.size < 4096:
                links[at] = tree.content(inode, 4096).decode("utf-8", "surrogateescape")
            elif inode.kind == "directory" and depth < _DEEPEST:
                self._walk(tree, inode, at, links, depth + 1)


@contextmanager
def _disk(image: Image, path: Path, scratch: Path, told: Told) -> Iterator[BinaryIO]:
    with ExitStack() as last:
        if image.format == "raw":
            yield last.enter_context(path.open("rb"))
            return
        unpacked = last.enter_context(
            open(os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b", buffering=0)
        )
        packed = last.enter_context(streamed([*UNPACK, MEMORY, str(path)], ALL_SECONDS))
        _unpack(packed, unpacked.fileno(), image.size, told)
        yield unpacked


def _unpack(packed: IO[bytes], descriptor: int, size: int, told: Told) -> None:
    """The disk with holes where it holds nothing; raises Invalid where it has another size than was found before."""
    at = 0
    while piece := packed.read(STEP):
        told(at / size)
        if piece.strip(b"\0"):
            check_room(descriptor, len(piece))
            written = 0
            while written < len(piece):
                written += os.pwrite(descriptor, piece[written:], at + written)
        at += len(piece)
        if at > size:
            break
    if at != size:
        raise unreadable(f"it unpacks to another size than the {size} bytes that it had before")
    os.truncate(descriptor, size)


def _check_size(name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise unreadable(f"{name[:200]!r} in it has {size} bytes, and no file of a kernel is that large")


def _unread(stored: BinaryIO, places: Collection[int]) -> ApplianceError:
    holds = [words for start in places if (words := _holds(stored, start))]
    found = f"; found: {', '.join(holds)}" if holds else ""
    text = f"there is no ext2, ext3 or ext4 file system on the disk, and no other is read here{found}"
    hint = "take vmlinuz and /lib/modules/VERSION out of a running system, and add them: qrm kernels add"
    return Conflict("image-unread", text, hint)


def _holds(stored: BinaryIO, start: int) -> str:
    for at, magic, words in _OTHERS:
        stored.seek(start + at)
        if stored.read(len(magic)) == magic:
            return words
    return ""
