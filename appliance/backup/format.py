"""The public header of a backup and the manifest inside it. Pure.

A backup is: MAGIC, the header's length (four bytes, most significant first), the header (JSON), and then chunks, as
``seal`` reads and writes them. What the chunks hold is a gzipped tar: ``manifest.json`` first, then its members in
the order of the manifest.
"""

import re
from collections.abc import Collection
from typing import Literal

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError

MAGIC = b"QRMSTATE"
FORMAT = 5
"""Rises when a program of today could not read a file of tomorrow: 2 has POWER_KEY in it, 3 NETWORK, 4 RECIPES, 5 names
ISOS, with or without their content; else it is 1."""
LONGEST_HEADER = 64 * 1024
LARGEST_MANIFEST = 64 << 20

MANIFEST = "manifest.json"
CONFIG = "config.toml"
STORE = "state/store.db"
POWER_KEY = "state/power.key"
"""What opens the passwords of power switches: only in a backup that has a passphrase."""
NETWORK = "network.json"
"""The networks of a flashed appliance, as its API takes them: offered after a restore, never put on by itself."""
RECIPES = "state/recipes/"
"""Beginning of the names of recipes that users brought."""
ISOS = "state/isos/"
"""Beginning of the names of ISOs."""
_NAME = re.compile(
    r"config\.toml|network\.json|state/store\.db|state/power\.key|state/[a-z0-9][a-z0-9.-]{0,60}\.pem"
    r"|state/recipes/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.toml"
    r"|state/images/[0-9]{1,18}|state/kernels/[0-9]{1,18}\.(vmlinuz|initrd|modules)|state/isos/[0-9a-f]{64}\.iso"
)
"""Everything that a member may be called: nothing else is ever written to a disk."""


class Derivation(msgspec.Struct, frozen=True):
    """How a passphrase becomes a key: Argon2id (RFC 9106). The bounds keep a foreign file from taking all memory."""

    salt: str
    """16 bytes, hex."""
    passes: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{32}", self.salt):
            raise ValueError("the salt is not 16 bytes of hex")
        if not (1 <= self.passes <= 16 and 1 <= self.lanes <= 16 and 8 * self.lanes <= self.memory_kib <= 1 << 20):
            raise ValueError("the derivation of its key is out of bounds")


class Header(msgspec.Struct, frozen=True):
    """What everybody may read of a backup; changed by nobody, since every chunk is bound to it."""

    format: int
    product: str
    """Version of the program that made it."""
    schema: int
    """Version of the store's schema in it."""
    created: float
    """Unix time."""
    host: str
    authority: str
    """SHA-256 of the certificate authority, 64 hex digits."""
    cipher: Literal["none", "chacha20-poly1305"]
    derivation: Derivation | None = None
    """None for a backup without a passphrase."""

    def __post_init__(self) -> None:
        if (self.cipher == "none") != (self.derivation is None):
            raise ValueError("cipher and derivation do not go together")
        if not re.fullmatch("[0-9a-f]{64}", self.authority):
            raise ValueError("the authority's fingerprint is not 64 hex digits")


class Member(msgspec.Struct, frozen=True):
    """One file inside; ``size`` in bytes."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"no backup of ours has a file {self.name[:80]!r}")
        if self.size < 0 or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"the checksum of {self.name} is none")


class Upload(msgspec.Struct, frozen=True):
    """A file of an image, an ISO or a kernel that the store names, whether it is inside or not."""

    kind: Literal["image", "iso", "kernel"]
    name: str
    member: Member
    included: bool


class Manifest(msgspec.Struct, frozen=True):
    """What is inside, with the checksum of everything."""

    config_path: str
    """Where the configuration file stood."""
    state_dir: str
    """Where the state directory was."""
    members: list[Member]
    """Everything that follows in the tar, in its order."""
    uploads: list[Upload]
    """What the store names; those that are not included have to be there already or be uploaded again."""


def lowest_format(names: Collection[str]) -> int:
    """The form of a backup in which files of these names are, or are named: as old a program as can shall read it."""
    if any(each.startswith(ISOS) for each in names):
        return 5
    if any(each.startswith(RECIPES) for each in names):
        return 4
    if NETWORK in names:
        return 3
    return 2 if POWER_KEY in names else 1


def encode_header(header: Header) -> bytes:
    """The beginning of a file, up to its first chunk."""
    text = msgspec.json.encode(header)
    return MAGIC + len(text).to_bytes(4, "big") + text


def header_length(start: bytes, name: str) -> int:
    """Length of the header behind the first twelve bytes of a file; raises ApplianceError ``backup-foreign``."""
    length = int.from_bytes(start[8:12], "big")
    if start[:8] != MAGIC or len(start) < 12 or not 0 < length <= LONGEST_HEADER:
        hint = "name a file that `qrm state backup` made"
        raise ApplianceError("backup-foreign", f"{name} is not a backup of an appliance's state", hint)
    return length


def decode_header(text: bytes, name: str) -> Header:
    """The header; raises ApplianceError ``backup-newer`` or ``backup-damaged``."""
    try:
        version = decoded(text, dict[str, msgspec.Raw]).get("format", msgspec.Raw(b"0"))
        if decoded(version, int) > FORMAT:
            message = f"{name} was made by a newer version, in a form that this one cannot read"
            raise ApplianceError("backup-newer", message, "install that version of qrm, then restore with it")
        return decoded(text, Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(name, f"its header cannot be read: {error}") from error


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of ``manifest.json``."""
    return msgspec.json.encode(manifest)


def decode_manifest(text: bytes, name: str) -> Manifest:
    """The manifest; raises ApplianceError ``backup-damaged``."""
    try:
        manifest = decoded(text, Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(name, f"its manifest cannot be read: {error}") from error
    names = [each.name for each in manifest.members]
    if len(set(names)) < len(names) or not {CONFIG, STORE, "state/authority.pem"} <= set(names):
        raise damaged(name, "it lacks the configuration, the store or the authority, or has them twice")
    return manifest


def damaged(name: str, why: str) -> ApplianceError:
    """Raised for a file that was a backup once."""
    hint = "take another copy of it, or an older backup; nothing was changed here"
    return ApplianceError("backup-damaged", f"{name} is damaged: {why}", hint)
