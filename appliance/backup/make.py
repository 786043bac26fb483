"""Makes a backup: one pass over what has to survive, into one file."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

import msgspec

from appliance import __version__, power_key
from appliance.backup import format as layout
from appliance.backup import recipes, uploads
from appliance.backup.format import Derivation, Header, Manifest, Member, Upload
from appliance.backup.seal import SealedWriter, seal_of
from appliance.backup.snapshot import snapshot
from appliance.backup.whole import whole_file
from appliance.certificates import parse_authority
from appliance.config import load
from appliance.errors import ApplianceError, Invalid
from appliance.state import key_files

SHORTEST_PASSPHRASE = 10
"""Characters: whoever has the file can try passphrases for years."""
_FAST = 1
"""Level of gzip: the store shrinks to a fifth with it, and images hold little that shrinks more."""


_Source = io.BufferedReader | io.BytesIO


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be backed up, and how."""

    config: Path
    target: Path
    host: str
    now: float
    passphrase: str | None = None
    with_images: bool = False
    force: bool = False
    network: bytes | None = None
    """The networks of a flashed appliance, JSON, where it has any."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A member and where its content comes from."""

    member: Member
    source: _Source
    label: str = ""
    """What users call it."""


def make(order: Order) -> tuple[Header, Manifest]:
    """Write the backup; the daemon may run. Returns what is in it.

    Raises ApplianceError: ``file-exists``, ``file-unwritable``, ``passphrase-short``, ``authority-unreadable``,
    ``store-unusable``, ``store-damaged``, ``upload-damaged``, or what is wrong with the configuration file.
    """
    config = _read(order.config)
    state_dir = load(order.config).site.state_dir
    keys = {path.name: _read(path) for path in key_files(state_dir)}
    if order.passphrase is not None and (state_dir / power_key.NAME).exists():
        # A file that everybody can read must not open other computers' controllers.
        keys[power_key.NAME] = _read(state_dir / power_key.NAME)
    fingerprint = _fingerprint(keys, state_dir)
    # The name of the file first: whoever may not write there need not wait for a copy of the store.
    with whole_file(order.target, replace=order.force) as file, snapshot(state_dir) as store, ExitStack() as opened:
        parts = [_part(layout.CONFIG, io.BytesIO(config)), _part(layout.STORE, store.file)]
        parts += [_part(layout.NETWORK, io.BytesIO(order.network))] if order.network is not None else []
        parts += [_part(f"state/{name}", io.BytesIO(key)) for name, key in keys.items()]
        parts += [_part(name, io.BytesIO(text)) for name, text in recipes.texts(state_dir)]
        named = list(uploads.named(store.images, store.isos, store.kernels, state_dir))
        inside = _opened(named, state_dir, opened) if order.with_images else {}
        listed = [msgspec.structs.replace(each, included=each.member.name in inside) for each in named]
        parts += inside.values()
        members = [each.member for each in parts]
        manifest = Manifest(str(order.config.absolute()), str(state_dir), members, listed)
        form = layout.lowest_format([each.name for each in (*members, *(each.member for each in named))])
        header = _header(order, store.schema, fingerprint, form)
        _write(file, header, order.passphrase, manifest, parts)
    return header, manifest


def check_passphrase(passphrase: str) -> str:
    """The passphrase, if it is good enough; raises Invalid otherwise."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        message = f"the passphrase has {len(passphrase)} characters"
        raise Invalid("passphrase-short", message, f"use {SHORTEST_PASSPHRASE} at least; a sentence is fine")
    return passphrase


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "run this as root or as the user that runs the daemon"
        raise ApplianceError("file-unreadable", f"{path}: {error.strerror}", hint) from error


def _fingerprint(keys: dict[str, bytes], state_dir: Path) -> str:
    """Of the authority; a backup without it would be none."""
    try:
        return parse_authority(keys["authority.pem"]).fingerprint
    except (KeyError, ValueError, TypeError) as error:
        message = f"{state_dir / 'authority.pem'} is missing or damaged"
        hint = "name the configuration file that the daemon runs with; it makes the authority at its first start"
        raise ApplianceError("authority-unreadable", message, hint) from error


def _header(order: Order, schema: int, fingerprint: str, form: int) -> Header:
    derivation = Derivation(os.urandom(16).hex()) if order.passphrase is not None else None
    return Header(
        format=form,
        product=__version__,
        schema=schema,
        created=order.now,
        host=order.host[:255],
        authority=fingerprint,
        cipher="chacha20-poly1305" if derivation else "none",
        derivation=derivation,
    )


def _part(name: str, source: _Source) -> _Part:
    """A member with the checksum of what ``source`` holds."""
    digest = hashlib.file_digest(source, "sha256").hexdigest()
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    return _Part(Member(name, size, digest), source, name)


def _opened(named: Sequence[Upload], state_dir: Path, opened: ExitStack) -> dict[str, _Part]:
    """The files that are there, held open: one that is deleted now stays readable to its end."""
    found = {}
    for each in named:
        with suppress(FileNotFoundError):
            source = opened.enter_context(uploads.place(state_dir, each.member).open("rb"))
            found[each.member.name] = _Part(each.member, source, f"{each.kind} {each.name}")
    return found


def _write(file: BinaryIO, header: Header, passphrase: str | None, manifest: Manifest, parts: Sequence[_Part]) -> None:
    start = layout.encode_header(header)
    file.write(start)
    sealed = SealedWriter(file, seal_of(header, passphrase), start)
    with gzip.GzipFile("", "wb", _FAST, sealed) as packed, tarfile.open(mode="w|", fileobj=packed) as tar:
        text = layout.encode_manifest(manifest)
        tar.addfile(_entry(layout.MANIFEST, len(text), header), io.BytesIO(text))
        for part in parts:
            _add(tar, part, header)
    sealed.finish()


def _entry(name: str, size: int, header: Header) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(header.created)
    return entry


def _add(tar: tarfile.TarFile, part: _Part, header: Header) -> None:
    """Add a member; an image that is not what was uploaded would be found out only when it is needed."""
    reading = _Reading(part)
    tar.addfile(_entry(part.member.name, part.member.size, header), cast("IO[bytes]", reading))
    reading.check()


class _Reading:
    """A source that is read once, and has to be what its member says."""

    def __init__(self, part: _Part) -> None:
        self._part, self._digest = part, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """The next bytes; raises ApplianceError where there are fewer."""
        content = self._read(size)
        if len(content) < size:
            raise self._refusal()
        self._digest.update(content)
        return content

    def check(self) -> None:
        """Raise ApplianceError where what was read is not what it should be, or goes on."""
        if self._digest.hexdigest() != self._part.member.sha256 or self._read(1):
            raise self._refusal()

    def _read(self, size: int) -> bytes:
        try:
            return self._part.source.read(size)
        except OSError as error:
            message = f"{self._part.label} cannot be read: {error.strerror}"
            raise ApplianceError("file-unreadable", message, "look at the disk") from error

    def _refusal(self) -> ApplianceError:
        hint = "delete it and upload it again, or make the backup without --with-images"
        return ApplianceError("upload-damaged", f"{self._part.label} is not what was once stored", hint)
