"""A file that arrives piece by piece: which one it is, how far it is, where the next piece begins. Pure."""

import re
from typing import NamedTuple

import msgspec

from appliance.errors import Conflict, Invalid
from appliance.intake import Wish, check_digest

LONGEST_NAME, LONGEST_MARK = 200, 200
KEPT_SECONDS = 86400.0
"""How long an upload that nobody goes on with is kept."""
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


class Identity(msgspec.Struct, frozen=True):
    """What tells one file from another before all of it is here."""

    name: str
    size: int
    """Bytes."""
    sha256: str = ""
    """Of the whole file, hex, lower case; empty where the sender cannot know it in time (browsers)."""
    mark: str = ""
    """Whatever the sender knows its file by besides, such as when it was changed."""


class Half(msgspec.Struct, frozen=True):
    """An upload that was begun."""

    of: Identity
    turn: str
    """Names who sends: each new beginning gets another one, and the one before may send no more."""
    by: str
    begun: float
    """Unix time."""
    becomes: Wish | None = None
    """What it is to become; None: an update of the appliance."""


class Piece(NamedTuple):
    """Where a piece belongs; ``first`` and ``last`` are both part of it."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """Bytes."""
        return self.last - self.first + 1


def parse_range(text: str) -> Piece:
    """``Content-Range: bytes 0-99/1000`` (RFC 9110 section 14.4). Raises Invalid ``range-invalid``."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        what = f"Content-Range {text[:60]!r} says no place" if text else "the piece does not say where it belongs"
        raise Invalid("range-invalid", what, "send Content-Range: bytes FIRST-LAST/SIZE", "Content-Range")
    piece = Piece(*map(int, found.groups()))
    if not piece.first <= piece.last < piece.size:
        text = f"bytes {piece.first} to {piece.last} of {piece.size} are no part of a file"
        raise Invalid("range-invalid", text, "count from 0; the last byte of a file is SIZE - 1", "Content-Range")
    return piece


def check_identity(of: Identity) -> Identity:
    """The same, its digest as ``check_digest`` gives it; how large a file may be is for who takes it to say.

    Raises Invalid ``upload-empty``, ``name-invalid``, ``digest-invalid``, with the field.
    """
    if of.size < 1:
        raise Invalid("upload-empty", f"a file of {of.size} bytes holds nothing", "choose another file", "size")
    if not (of.name.isprintable() and of.name):
        raise Invalid("name-invalid", "this is no name of a file", "send the name that the file has", "name")
    return msgspec.structs.replace(of, sha256=check_digest(of.sha256)) if of.sha256 else of


def same(one: Identity, other: Identity) -> bool:
    """Whether they are the same file, as far as can be known: digest and signature have the last word on what came."""
    if one.size != other.size:
        return False
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    if one.name != other.name or (one.mark and other.mark and one.mark != other.mark):
        return False
    # Browsers know no digest, and ``qrm`` needs no mark: between the two name and size have to do.
    return bool(one.sha256 or other.sha256) or one.mark == other.mark


def surely_same(one: Identity, other: Identity) -> bool:
    """Whether nothing of a file has to be sent, since it is here: name and size alone are too little for that."""
    if not same(one, other):
        return False
    if one.sha256 or other.sha256:
        return one.sha256 == other.sha256 or (bool(one.mark) and one.mark == other.mark)
    return True


def merged(known: Identity, asked: Identity) -> Identity:
    """What is known of a file by all who sent some of it."""
    return Identity(asked.name, asked.size, asked.sha256 or known.sha256, asked.mark or known.mark)


def another(half: Half, received: int, asked: Identity, what: str) -> Conflict:
    """What is said to who brings another file than the one that is half here; ``what`` it is: "another update"."""
    here = half.of
    text = f"{what} is half uploaded: {here.name}, {received} of {here.size} bytes, by {half.by}"
    if here.size == asked.size:
        text += f"; this one has the same size, and {_difference(here, asked)}"
    return Conflict("upload-other", text, "go on with that file, or begin anew in its place (replace)", "sha256")


def _difference(here: Identity, asked: Identity) -> str:
    if here.sha256 and asked.sha256:
        return f"is not the same file (SHA-256 {asked.sha256[:16]}... and not {here.sha256[:16]}...)"
    if here.name != asked.name:
        return f"is called {asked.name}"
    return "was changed at another time, so that it is not the same file"


def check_piece(piece: Piece, half: Half, received: int) -> None:
    """Raise Conflict where a piece is not the next one of this file.

    ``upload-size``: of a file of another size. ``upload-offset``: it overlaps what is here, or leaves a gap.
    """
    if piece.size != half.of.size:
        text = f"the upload has {half.of.size} bytes, and this is a piece of a file of {piece.size} bytes"
        raise Conflict("upload-size", text, "begin the upload of that file", "Content-Range")
    if piece.first != received:
        why = "is here already" if piece.first < received else "would leave a gap"
        text = f"{received} bytes are here, and the piece begins at {piece.first}: that {why}"
        raise Conflict("upload-offset", text, f"go on at byte {received}", "Content-Range")


def check_turn(half: Half | None, turn: str) -> Half:
    """The upload, where ``turn`` may send. Raises Conflict ``upload-unknown`` and ``upload-taken-over``."""
    if half is None:
        raise removed()
    if half.turn != turn:
        raise taken_over()
    return half


def taken_over() -> Conflict:
    """What is said to who sends in somebody else's turn."""
    text = "the upload was begun once more from elsewhere, and goes on from there"
    return Conflict("upload-taken-over", text, "wait for that one, or begin it anew to take it over")


def removed() -> Conflict:
    """What is said to who sends what nobody wants any more."""
    return Conflict("upload-unknown", "no upload was begun, or it is over", "begin it, then send its pieces")
