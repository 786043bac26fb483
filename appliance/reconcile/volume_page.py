"""A page of volumes, of one pool or of all: pools are asked for them, so that no SQL filters and sorts it. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from appliance.reconcile.memory_page import Key, MemoryPage, memory_page
from appliance.reconcile.pool_shown import PoolView, VolumeView

WORDS = 16
"""Words of a search that count."""


class Row(NamedTuple):
    """A volume in its pool."""

    pool: PoolView
    view: VolumeView


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which volumes; None: it is no matter."""

    q: str = ""
    """Words in the name, or the beginning of the id."""
    use: tuple[str, ...] = ()
    golden: bool | None = None
    read_only: bool | None = None
    in_use: bool | None = None
    origin: str = ""
    """Id of the volume that they were made from."""
    trouble: bool | None = None


_BY: dict[str, Callable[[Row], str | float]] = {
    "name": lambda row: row.view.volume.name,
    "pool": lambda row: row.pool.known.name,
    "size": lambda row: row.view.volume.size,
    "used": lambda row: row.view.volume.used or 0,
    "created": lambda row: row.view.volume.created,
}
"""Order -> what it goes by."""


def volume_page(pools: Iterable[PoolView], wanted: Wanted, order: str, limit: int, cursor: str) -> MemoryPage[Row]:
    """The page behind ``cursor``; raises Invalid ``cursor-invalid``."""
    by = _BY[order.removeprefix("-")]

    def key(row: Row) -> Key:
        return by(row), row.view.volume.name, row.pool.known.name, row.view.volume.id

    return memory_page(_matching(pools, wanted), key, order, limit, cursor, _bound(wanted))


def _matching(pools: Iterable[PoolView], wanted: Wanted) -> Iterator[Row]:
    matches = _test(wanted)
    for pool in pools:
        for view in pool.unsorted():
            if matches(view):
                yield Row(pool, view)


def _test(wanted: Wanted) -> Callable[[VolumeView], bool]:
    """Of what was asked for only: there may be thousands."""
    tests: list[Callable[[VolumeView], bool]] = []
    if words := wanted.q.lower().split()[:WORDS]:
        tests.append(lambda view: all(_has(view, word) for word in words))
    if wanted.use:
        tests.append(lambda view: view.known.use in wanted.use)
    if wanted.golden is not None:
        tests.append(lambda view: view.known.golden is wanted.golden)
    if wanted.read_only is not None:
        tests.append(lambda view: view.volume.read_only is wanted.read_only)
    if wanted.in_use is not None:
        tests.append(lambda view: view.volume.in_use is wanted.in_use)
    if wanted.trouble is not None:
        tests.append(lambda view: bool(view.volume.trouble) is wanted.trouble)
    if wanted.origin:
        tests.append(lambda view: view.volume.origin == wanted.origin)
    return lambda view: all(test(view) for test in tests)


def _has(view: VolumeView, word: str) -> bool:
    return word in view.volume.name.lower() or view.volume.id.startswith(word)


def _bound(wanted: Wanted) -> list[Any]:
    """What a cursor is good for, beside its order."""
    flags = (wanted.golden, wanted.read_only, wanted.in_use, wanted.trouble)
    return [wanted.q, sorted(wanted.use), *flags, wanted.origin]
