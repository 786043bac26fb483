"""Reads a backup: its public header, its manifest, or all of it with every checksum compared."""

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

from appliance.backup import format as layout
from appliance.backup.format import Header, Manifest, Member, damaged
from appliance.backup.seal import SealedReader, seal_of
from appliance.errors import ApplianceError

_BLOCK = 1 << 20
_MARGIN = 64 * 1024
"""Octets that tar may take beside the content, for each file and at the end."""

Passphrase = Callable[[], str | None]
"""Asks for the passphrase, once it is known that one is needed; None where there is nobody to ask."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup says of itself."""

    header: Header
    manifest: Manifest
    digest: str
    """SHA-256 of header and manifest: two backups with the same one hold the same."""


class Sink(Protocol):
    """Takes what is inside."""

    def begin(self, contents: Contents) -> None:
        """Before the first member; may refuse."""

    def take(self, member: Member) -> AbstractContextManager[BinaryIO]:
        """A file to write the member's content to."""


@dataclass(slots=True)
class _Opened:
    """A backup, its header read; the rest comes out of ``reader``."""

    name: str
    start: bytes
    header: Header
    file: BinaryIO


@contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    try:
        with path.open("rb") as file:
            start = file.read(12)
            length = layout.header_length(start, str(path))
            text = file.read(length)
            if len(text) < length:
                raise damaged(str(path), "it ends within its header")
            yield _Opened(str(path), start + text, layout.decode_header(text, str(path)), file)
    except OSError as error:
        hint = "name a file that `qrm state backup` made"
        raise ApplianceError("file-unreadable", f"{path}: {error.strerror or error}", hint) from error


def read_header(path: Path) -> Header:
    """What everybody may read of a backup.

    Raises ApplianceError ``file-unreadable``, ``backup-foreign``, ``backup-newer`` or ``backup-damaged``. Whether the
    header is the one that was written is known only when a chunk is read.
    """
    with _opened(path) as opened:
        return opened.header


def read_manifest(path: Path, passphrase: Passphrase) -> Contents:
    """Header and manifest; what follows is not looked at. Raises as ``read``."""
    with _opened(path) as opened, _tar(opened, passphrase) as inside:
        return _contents(opened, inside.tar)


def read(path: Path, passphrase: Passphrase, sink: Sink) -> Contents:
    """Hand everything to ``sink``; what it has is right only when this returns.

    Raises ApplianceError as ``read_header``, and ``passphrase-needed`` or ``passphrase-wrong``.
    """
    with _opened(path) as opened, _tar(opened, passphrase) as inside:
        contents = _contents(opened, inside.tar)
        sink.begin(contents)
        for member in contents.manifest.members:
            inside.packed.allow(member.size + _MARGIN)
            with sink.take(member) as target:
                _copy(_next(inside.tar, member.name, opened.name), member, target, opened.name)
        if inside.tar.next() is not None:
            raise damaged(opened.name, "there is more in it than its manifest says")
        inside.sealed.finish()
    return contents


class _Bounded:
    """What comes out of gzip, and no more of it than was allowed: a small file can hold a header of any size."""

    def __init__(self, packed: gzip.GzipFile, name: str) -> None:
        self._packed, self._name, self._left = packed, name, layout.LARGEST_MANIFEST + _MARGIN

    def allow(self, more: int) -> None:
        """So many octets more may come."""
        self._left += more

    def read(self, size: int) -> bytes:
        """The next octets; raises ApplianceError ``backup-damaged``."""
        text = self._packed.read(size)
        self._left -= len(text)
        if self._left < 0:
            raise damaged(self._name, "more comes out of it than its manifest says")
        return text


@dataclass(frozen=True, slots=True)
class _Inside:
    """The layers of a backup, from the outermost."""

    sealed: SealedReader
    packed: _Bounded
    tar: tarfile.TarFile


@contextmanager
def _tar(opened: _Opened, passphrase: Passphrase) -> Iterator[_Inside]:
    """The tar inside; what its parsers object to is damage as well."""
    asked = passphrase() if opened.header.derivation else None
    seal = seal_of(opened.header, asked)
    reader = SealedReader(opened.file, seal, opened.start, opened.name)
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", reader)) as packed:
            bounded = _Bounded(packed, opened.name)
            with tarfile.open(fileobj=cast("BinaryIO", bounded), mode="r|") as tar:
                yield _Inside(reader, bounded, tar)
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise damaged(opened.name, str(error)) from error


def _contents(opened: _Opened, tar: tarfile.TarFile) -> Contents:
    found = _next(tar, layout.MANIFEST, opened.name)
    text = found.read(layout.LARGEST_MANIFEST)
    digest = hashlib.sha256(opened.start + text).hexdigest()
    return Contents(opened.header, layout.decode_manifest(text, opened.name), digest)


def _next(tar: tarfile.TarFile, name: str, backup: str) -> IO[bytes]:
    """The content of the next member, which must be a plain file of this name."""
    entry = tar.next()
    if entry is None or entry.name != name or not entry.isreg():
        raise damaged(backup, f"{name} is not where it should be")
    found = tar.extractfile(entry)
    assert found is not None, "it is a plain file"
    return found


def _copy(source: IO[bytes], member: Member, target: BinaryIO, backup: str) -> None:
    digest, left = hashlib.sha256(), member.size
    while left and (block := source.read(min(_BLOCK, left))):
        digest.update(block)
        target.write(block)
        left -= len(block)
    if left or source.read(1) or digest.hexdigest() != member.sha256:
        raise damaged(backup, f"{member.name} is not what was written")


class Nowhere:
    """Keeps nothing: for whoever wants to know only whether a backup is whole."""

    def begin(self, contents: Contents) -> None:
        """Takes everything."""

    @contextmanager
    def take(self, member: Member) -> Iterator[BinaryIO]:
        """A file that forgets."""
        with open(os.devnull, "wb") as file:
            yield file
