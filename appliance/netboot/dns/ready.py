"""Answers kept in wire form, by the bytes of the query: the hot path parses nothing. Pure.

Only the id, the first two bytes, differs between equal queries; flags, case and EDNS are part of the key.
"""

from collections.abc import Iterable
from typing import NamedTuple

_MOST_BYTES = 4 << 20
_OVERHEAD = 400
"""Bytes that an answer takes besides its own and its key's, roughly."""
_LONGEST_KEY = 300
"""Bytes. No plain query is longer; others are not worth the memory."""


class _Kept(NamedTuple):
    answer: bytes
    fresh_until: float
    names: tuple[str, ...]


class _Half:
    """Answers, and which of them go when a name changes."""

    def __init__(self) -> None:
        self.answers: dict[bytes, _Kept] = {}
        self._keys: dict[str, set[bytes]] = {}
        self.size = 0

    def put(self, key: bytes, kept: _Kept) -> None:
        self.answers[key] = kept
        self.size += len(key) + len(kept.answer) + _OVERHEAD
        for name in kept.names:
            self._keys.setdefault(name, set()).add(key)

    def forget(self, name: str) -> None:
        for key in self._keys.pop(name, ()):
            self.answers.pop(key, None)


class ReadyAnswers:
    """Two halves of `most_bytes` each. When the younger is full, the older goes and the younger takes its place.

    What is asked again moves to the younger half: a flood of names that nobody asks twice pushes out nothing
    that is in use.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._young, self._old = _Half(), _Half()

    def __len__(self) -> int:
        return len(self._young.answers.keys() | self._old.answers.keys())

    def get(self, query: bytes, now: float) -> bytes | None:
        """The answer to `query` if one is kept and still true at `now` (unix time)."""
        key = query[2:]
        kept = self._young.answers.get(key) or self._moved(key)
        return query[:2] + kept[0] if kept and now < kept[1] else None

    def put(self, query: bytes, answer: bytes, names: tuple[str, ...], fresh_until: float) -> None:
        """Keep `answer` until `fresh_until`, or until one of `names` (canonical) changes."""
        if len(query) <= _LONGEST_KEY:
            self._put(query[2:], _Kept(answer[2:], fresh_until, names))

    def forget(self, names: Iterable[str]) -> None:
        """Drop every answer that one of `names` had a say in."""
        for name in names:
            self._young.forget(name)
            self._old.forget(name)

    def _moved(self, key: bytes) -> _Kept | None:
        kept = self._old.answers.get(key)
        if kept is not None:
            self._put(key, kept)
        return kept

    def _put(self, key: bytes, kept: _Kept) -> None:
        if self._young.size >= self._most:
            self._young, self._old = _Half(), self._young
        self._young.put(key, kept)
