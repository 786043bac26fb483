"""Numbered chunks that notice every change: a flipped bit, another order, an end that came too early.

A chunk is four bytes (length of its text, the highest bit set on the last chunk), the text, and a tag. With a
passphrase the text is encrypted with ChaCha20-Poly1305 (RFC 8439) and the tag is its own; without one the tag is a
SHA-256, which notices accidents and no attackers. Either tag also covers the header of the file, the number of the
chunk, and whether it is the last.
"""

import hashlib
import hmac
import unicodedata
from typing import BinaryIO, Protocol

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.backup.format import Derivation, Header, damaged
from appliance.errors import ApplianceError

CHUNK = 1 << 20
"""Bytes of text in every chunk but the last."""
_LAST = 1 << 31


class Seal(Protocol):
    """Puts the text of one chunk under its tag and takes it out again."""

    tag_size: int

    def close(self, text: bytes, bound: bytes, number: int) -> bytes:
        """Sealed text with its tag; ``bound`` is what has to be the same when it is opened."""

    def open(self, sealed: bytes, bound: bytes, number: int) -> bytes | None:
        """The text, or None where anything was changed."""


class DigestSeal:
    """Readable by everybody; notices accidents."""

    tag_size = 32

    def close(self, text: bytes, bound: bytes, number: int) -> bytes:
        """The text and its digest."""
        return text + _digest(bound, number, text)

    def open(self, sealed: bytes, bound: bytes, number: int) -> bytes | None:
        """The text, if the digest is its own."""
        text, digest = sealed[: -self.tag_size], sealed[-self.tag_size :]
        return text if hmac.compare_digest(digest, _digest(bound, number, text)) else None


def _digest(bound: bytes, number: int, text: bytes) -> bytes:
    return hashlib.sha256(bound + number.to_bytes(12, "big") + text).digest()


class PassphraseSeal:
    """Readable by whoever has the passphrase; notices everybody else."""

    tag_size = 16

    def __init__(self, passphrase: str, derivation: Derivation) -> None:
        """Takes a moment and ``derivation.memory_kib`` of memory."""
        key = hash_secret_raw(
            unicodedata.normalize("NFKC", passphrase).encode(errors="replace"),  # two keyboards send one letter
            bytes.fromhex(derivation.salt),
            time_cost=derivation.passes,
            memory_cost=derivation.memory_kib,
            parallelism=derivation.lanes,
            hash_len=32,
            type=Type.ID,
        )
        self._cipher = ChaCha20Poly1305(key)

    def close(self, text: bytes, bound: bytes, number: int) -> bytes:
        """The encrypted text. The number can be the nonce, since the salt makes every file's key another one."""
        return self._cipher.encrypt(number.to_bytes(12, "big"), text, bound)

    def open(self, sealed: bytes, bound: bytes, number: int) -> bytes | None:
        """The text, if key and everything else is right."""
        try:
            return self._cipher.decrypt(number.to_bytes(12, "big"), sealed, bound)
        except InvalidTag:
            return None


def seal_of(header: Header, passphrase: str | None) -> Seal:
    """The seal that a file with this header has; raises ApplianceError ``passphrase-needed``."""
    if header.derivation is None:
        return DigestSeal()
    if passphrase is None:
        message = "the backup is encrypted and its passphrase is needed"
        raise ApplianceError("passphrase-needed", message, "--passphrase-file FILE, or run this in a terminal")
    return PassphraseSeal(passphrase, header.derivation)


class SealedWriter:
    """A file to write to, whose content goes to ``file`` in chunks. Nothing is whole before ``finish``."""

    def __init__(self, file: BinaryIO, seal: Seal, header: bytes) -> None:
        self._file, self._seal = file, seal
        self._header = hashlib.sha256(header).digest()
        self._waiting, self._number = bytearray(), 0

    def write(self, text: bytes) -> int:
        """Take more; a chunk goes out when there is more than one, since the last one is marked."""
        self._waiting += text
        while len(self._waiting) > CHUNK:
            self._put(bytes(self._waiting[:CHUNK]), 0)
            del self._waiting[:CHUNK]
        return len(text)

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._waiting), _LAST)

    def flush(self) -> None:
        """Files have this; chunks go out when they are full."""

    def _put(self, text: bytes, last: int) -> None:
        head = (len(text) | last).to_bytes(4, "big")
        self._file.write(head + self._seal.close(text, self._header + head, self._number))
        self._number += 1


class SealedReader:
    """A file to read from, which gives nothing that was not checked."""

    def __init__(self, file: BinaryIO, seal: Seal, header: bytes, name: str) -> None:
        """``file`` stands behind the header; ``name`` is for messages."""
        self._file, self._seal, self._name = file, seal, name
        self._header = hashlib.sha256(header).digest()
        self._ready, self._number, self._ended = b"", 0, False

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, b"" at the end; raises ApplianceError ``backup-damaged`` or ``passphrase-wrong``."""
        while not self._ready and not self._ended:
            self._ready = self._next()
        taken = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(taken) :]
        return taken

    def readable(self) -> bool:
        """Files have this."""
        return True

    def finish(self) -> None:
        """Read what is left, so that all of the file was checked; raises as ``read``."""
        while self.read(CHUNK):
            continue
        if self._file.read(1):
            raise damaged(self._name, "there is more behind its end")

    def _next(self) -> bytes:
        head = self._taken(4)
        length = int.from_bytes(head, "big") & ~_LAST
        sealed = self._taken(min(length, CHUNK) + self._seal.tag_size)
        if len(head) < 4 or len(sealed) < length + self._seal.tag_size:
            raise damaged(self._name, "it ends too early, or one of its lengths is wrong")
        text = self._seal.open(sealed, self._header + head, self._number)
        if text is None:
            raise self._refusal()
        self._number += 1
        self._ended = bool(int.from_bytes(head, "big") & _LAST)
        return text

    def _taken(self, size: int) -> bytes:
        """As it stands in the file; what cannot be read is no trouble of whoever writes it somewhere."""
        try:
            return self._file.read(size)
        except OSError as error:
            message = f"{self._name}: {error.strerror or error}"
            raise ApplianceError("file-unreadable", message, "take another copy of it, or an older backup") from error

    def _refusal(self) -> ApplianceError:
        if self._number == 0 and isinstance(self._seal, PassphraseSeal):
            message = f"{self._name}: the passphrase is wrong, or the beginning of the file is damaged"
            return ApplianceError("passphrase-wrong", message, "nothing was changed here; mind upper and lower case")
        return damaged(self._name, f"chunk {self._number + 1} is not what was written")
