"""Public SSH keys that our own sshd is to take, read to the last byte: harmless when they are written anew. Pure."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from appliance.errors import Invalid
from appliance.ssh_keys import BEGINNINGS, HINT, LONGEST_LINE, MOST_KEYS, fingerprint, no_key

LONGEST_COMMENT = 100
"""Characters."""
LEAST_RSA, MOST_RSA = 2048, 16384
"""Bits; sshd reads no longer ones (sshbuf.h, SSHBUF_MAX_BIGNUM)."""
_POINTS = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
"""Bytes of a coordinate on each curve (RFC 5656 section 10.1)."""


class PublicKey(NamedTuple):
    """A key that sshd of today takes."""

    kind: str
    """As ``ssh-ed25519``."""
    blob: bytes
    """The key itself in SSH's own form (RFC 4253 section 6.6); its type stands in it once more."""
    comment: str = ""

    @property
    def line(self) -> str:
        """As a line of ``authorized_keys`` (sshd(8)), without its end."""
        return " ".join(filter(None, [self.kind, base64.b64encode(self.blob).decode(), self.comment]))

    @property
    def fingerprint(self) -> str:
        """As ``SHA256:...``."""
        return fingerprint(self.blob)


def parse_all(lines: Sequence[str], field: str) -> tuple[PublicKey, ...]:
    """Each key once, at most ``MOST_KEYS``; raises Invalid as ``parse``, and ``ssh-key-twice``, ``ssh-keys-many``."""
    if len(lines) > MOST_KEYS:
        raise Invalid("ssh-keys-many", f"{len(lines)} keys are too many", f"give {MOST_KEYS} at most", field)
    keys = tuple(parse(line, field) for line in lines)
    blobs = [key.blob for key in keys]
    for key in keys:
        if blobs.count(key.blob) > 1:
            raise Invalid("ssh-key-twice", f"{key.fingerprint} stands here twice", "give each key once", field)
    return keys


def parse(line: str, field: str) -> PublicKey:
    """The key of one line; raises Invalid ``ssh-key-invalid``, ``ssh-key-unknown``, ``ssh-key-weak``."""
    text = line.strip()
    words = text.split(None, 2)
    if len(text.splitlines()) > 1 or len(words) < 2 or words[0] not in _KINDS:
        raise _other(text, words, field)
    kind, encoded, comment = (*words, "")[:3]
    if len(text) > LONGEST_LINE:
        raise Invalid("ssh-key-invalid", f"{kind}: the line is too long for a key", HINT, field)
    blob = _decoded(kind, encoded, field)
    _check_comment(comment, field)
    _check_inside(kind, blob, field)
    return PublicKey(kind, blob, comment)


def _other(text: str, words: Sequence[str], field: str) -> Invalid:
    """What is wrong with a text that does not begin with a kind of key that is taken, or is more than one line."""
    if len(words) < 2 or len(text.splitlines()) > 1 or "PRIVATE" in text:
        return no_key(text, field)
    if any(each in text.split() for each in _KINDS):
        hint = "leave out what stands before the type of the key"
        return Invalid("ssh-key-invalid", f"{text[:30]!r}: options are not taken", hint, field)
    if words[0].startswith(BEGINNINGS):
        hint = f"make one that is: ssh-keygen -t ed25519; taken are {', '.join(_KINDS)}"
        return Invalid("ssh-key-unknown", f"{words[0][:60]!r} is no kind of key that is taken", hint, field)
    return no_key(text, field)


def _decoded(kind: str, encoded: str, field: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Invalid("ssh-key-invalid", f"{kind}: the key is damaged", HINT, field) from None


def _check_comment(comment: str, field: str) -> None:
    if len(comment) > LONGEST_COMMENT or not comment.isprintable():
        hint = f"leave {LONGEST_COMMENT} printable characters at most behind the key"
        raise Invalid("ssh-key-invalid", f"the comment {comment[:30]!r} cannot be used", hint, field)


def _check_inside(kind: str, blob: bytes, field: str) -> None:
    try:
        name, *parts = _strings(blob)
        right = name == kind.encode() and _KINDS[kind](parts)
    except ValueError:
        right = False
    if not right:
        raise Invalid("ssh-key-invalid", f"{kind}: what follows is no such key, or not all of it", HINT, field)
    if kind == "ssh-rsa" and (bits := _bits(parts[1])) < LEAST_RSA:
        text = f"an RSA key of {bits} bits is too weak"
        raise Invalid("ssh-key-weak", text, "make another: ssh-keygen -t ed25519", field)


def _strings(blob: bytes) -> list[bytes]:
    """All of it, as strings with their lengths before them (RFC 4251 section 5); raises ValueError."""
    found, rest = [], blob
    while rest:
        end = 4 + int.from_bytes(rest[:4])
        if len(rest) < 4 or len(rest) < end:
            raise ValueError("it ends too early")
        found.append(rest[4:end])
        rest = rest[end:]
    if not found:
        raise ValueError("it is empty")
    return found


def _bits(number: bytes) -> int:
    return int.from_bytes(number).bit_length()


def _ed25519(parts: Sequence[bytes]) -> bool:  # RFC 8709 section 4
    return len(parts) == 1 and len(parts[0]) == 32


def _rsa(parts: Sequence[bytes]) -> bool:  # RFC 4253 section 6.6
    # Numbers are signed and written as short as can be (RFC 4251 section 5); these two are odd.
    return (
        len(parts) == 2
        and all(each and each[0] < 0x80 and each[-1] & 1 for each in parts)
        and all(each[0] or (len(each) > 1 and each[1] >= 0x80) for each in parts)
        and int.from_bytes(parts[0]) >= 3
        and _bits(parts[1]) <= MOST_RSA
    )


def _ecdsa(curve: str) -> Callable[[Sequence[bytes]], bool]:  # RFC 5656 section 3.1
    length = 1 + 2 * _POINTS[curve]
    return lambda parts: (
        len(parts) == 2 and parts[0] == curve.encode() and len(parts[1]) == length and parts[1][0] == 4
    )  # fmt: skip


def _on_token(key: Callable[[Sequence[bytes]], bool]) -> Callable[[Sequence[bytes]], bool]:
    """A key on a security token: the same, with what it is for behind it (OpenSSH, PROTOCOL.u2f)."""
    return lambda parts: len(parts) >= 2 and key(parts[:-1]) and 0 < len(parts[-1]) <= 255


_KINDS: Mapping[str, Callable[[Sequence[bytes]], bool]] = {
    "ssh-ed25519": _ed25519,
    **{f"ecdsa-sha2-{curve}": _ecdsa(curve) for curve in _POINTS},
    "sk-ssh-ed25519@openssh.com": _on_token(_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _on_token(_ecdsa("nistp256")),
    "ssh-rsa": _rsa,
}
"""Kinds of keys, and whether the parts of one are as they have to be."""
