"""A page of the names that DNS gives: they are in memory, so that no SQL filters and sorts them. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from appliance.reconcile.memory_page import Key, MemoryPage, memory_page


class Named(Protocol):
    """What a name that is listed has."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def of(self) -> str: ...


N = TypeVar("N", bound=Named)
SORTS = ("name", "type", "value", "owner")


def name_page(names: Sequence[N], filters: dict[str, Any], sort: str, limit: int, cursor: str) -> MemoryPage[N]:
    """The page after ``cursor``; raises Invalid ``cursor-invalid`` for one that is not of this list and order."""
    order = sort or "name"
    matching = (each for each in names if _matches(each, filters))
    return memory_page(matching, _key(order.removeprefix("-")), order, limit, cursor)


def _key(sort: str) -> Callable[[Named], Key]:
    return lambda each: (getattr(each, sort), each.name, each.type, each.value, each.of)


def _matches(each: Named, filters: dict[str, Any]) -> bool:
    text = f"{each.name} {each.value}".lower()
    words = filters.get("q", "").lower().split()[:16]
    kinds, types = filters.get("owner"), filters.get("type")
    return (
        all(word in text for word in words) and (not kinds or each.owner in kinds) and (not types or each.type in types)
    )
