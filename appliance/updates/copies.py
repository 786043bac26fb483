"""Which copy of the store belongs to which version, told by its file's name alone. Pure.

A copy is taken right before a migration, and only good for taking that one migration back: a copy from before an
earlier one lacks everything since. So its name says both schemas, and when it was taken.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

KEPT = 2
"""Copies, and stores that were put aside: the newest ones of each."""

_MOMENT = "%Y%m%dT%H%M%SZ"
_COPY = re.compile(r"schema-(\d{1,6})-to-(\d{1,6})-(\d{8}T\d{6}Z)\.db")
_ASIDE = re.compile(r"schema-(\d{1,6})-since-(\d{8}T\d{6}Z)\.db")


def _seconds(moment: str) -> float | None:
    try:
        return datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_MOMENT)


@dataclass(frozen=True, slots=True, order=True)
class StoreCopy:
    """The store as it was before one migration."""

    taken: float
    """Unix time, whole seconds."""
    schema: int
    """Of the copy."""
    to: int
    """The schema that the store was brought to afterwards."""

    @property
    def name(self) -> str:
        """Of its file."""
        return f"schema-{self.schema}-to-{self.to}-{_moment(self.taken)}.db"

    @classmethod
    def of(cls, name: str) -> Self | None:
        """The copy in a file of this name; None for any other file."""
        if (found := _COPY.fullmatch(name)) is None or (taken := _seconds(found[3])) is None:
            return None
        return cls(taken, int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True, order=True)
class PutAside:
    """A store that a newer version wrote, which a copy has taken the place of."""

    since: float
    """Unix time: what was changed after it is in this file only."""
    schema: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"schema-{self.schema}-since-{_moment(self.since)}.db"

    @classmethod
    def of(cls, name: str) -> Self | None:
        """The store in a file of this name; None for any other file."""
        if (found := _ASIDE.fullmatch(name)) is None or (since := _seconds(found[2])) is None:
            return None
        return cls(since, int(found[1]))


def copies(names: Iterable[str]) -> list[StoreCopy]:
    """Those of the files that are copies, oldest first."""
    return sorted(copy for name in names if (copy := StoreCopy.of(name)) is not None)


def fitting(names: Iterable[str], known: int, present: int) -> StoreCopy | None:
    """The copy with which a program that knows ``known`` schemas goes back from a store of schema ``present``.

    Only one that was taken before the very migration that made the store what it is.
    """
    able = [copy for copy in copies(names) if copy.schema <= known and copy.to == present]
    return max(able, key=lambda copy: (copy.schema, copy.taken), default=None)


def needless(names: Iterable[str], keep: int) -> list[str]:
    """The files of all copies but the newest ``keep``."""
    found = copies(names)
    return [copy.name for copy in found[: max(len(found) - keep, 0)]]


def room_needed(store: int, free_after: int) -> int:
    """Bytes that must be free before a migration: a copy, and the store written anew in its journal."""
    return 2 * store + free_after


def lost_in_words(since: float, until: float) -> str:
    """How much time a store that was put aside holds alone."""
    minutes = max(1, round((until - since) / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
