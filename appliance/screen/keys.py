"""What is typed: bytes of a terminal in, keys out. Whatever comes, nothing of it is taken for more than a key. Pure.

ECMA-48 section 5.4 gives the form of control sequences; xterm, the Linux console and VT100s differ in some of them.
"""

import codecs
import re
from dataclasses import dataclass

_NAMES = {
    b"\r": "enter", b"\n": "enter", b"\t": "tab", b"\x7f": "backspace", b"\x08": "backspace", b"\x03": "ctrl-c",
    b"\x04": "ctrl-d", b"\x0c": "ctrl-l", b"\x15": "ctrl-u",
}  # fmt: skip
_SEQUENCES = {
    b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left", b"OA": "up", b"OB": "down", b"OC": "right",
    b"OD": "left", b"[H": "home", b"[F": "end", b"OH": "home", b"OF": "end", b"[1~": "home", b"[4~": "end",
    b"[7~": "home", b"[8~": "end", b"[3~": "delete", b"[5~": "pgup", b"[6~": "pgdn", b"[Z": "backtab",
}  # fmt: skip
_CONTROL = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O[@-~])")
_BEGUN = re.compile(rb"\x1b(\[[0-?]*[ -/]*|O)?")
_POSITION = re.compile(rb"\[(\d{1,4});(\d{1,4})R")
LONGEST = 32
"""Bytes of a control sequence; what goes on longer is noise of a line."""


@dataclass(frozen=True, slots=True)
class Position:
    """A terminal's answer to the question where its cursor is (ECMA-48 CPR), counted from 1."""

    row: int
    column: int


Key = str | Position
"""The name of a key, a single letter, or an answer."""


class Keyboard:
    """Collects bytes until they make keys."""

    def __init__(self) -> None:
        self._waiting = b""
        self._letters = codecs.getincrementaldecoder("utf-8")("ignore")

    @property
    def undecided(self) -> bool:
        """Whether an Escape waits that may be the key or the beginning of something longer."""
        return bool(self._waiting)

    def typed(self, data: bytes) -> list[Key]:
        """The keys that are complete now."""
        data, self._waiting = self._waiting + data, b""
        keys: list[Key] = []
        while data:
            if data[:1] != b"\x1b":
                keys += self._plain(data[:1])
                data = data[1:]
                continue
            if _BEGUN.fullmatch(data) and len(data) <= LONGEST:
                self._waiting = data
                break
            data = self._sequence(data, keys)
        return keys

    def paused(self) -> list[Key]:
        """Nothing came for a moment: what waits was the Escape key, or noise."""
        waited, self._waiting = self._waiting, b""
        return ["esc"] if waited == b"\x1b" else []

    def _plain(self, byte: bytes) -> list[Key]:
        if byte in _NAMES:
            return [_NAMES[byte]]
        return [letter for letter in self._letters.decode(byte) if letter.isprintable()]

    def _sequence(self, data: bytes, keys: list[Key]) -> bytes:
        """What is left after the sequence at the beginning of ``data``."""
        found = _CONTROL.match(data)
        if found is None:
            keys.append("esc")
            return data[1:]
        key = _meaning(found[1])
        if key is not None:
            keys.append(key)
        return data[found.end() :]


def _meaning(sequence: bytes) -> Key | None:
    position = _POSITION.fullmatch(sequence)
    if position:
        return Position(int(position[1]), int(position[2]))
    return _SEQUENCES.get(sequence)
