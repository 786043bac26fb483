"""A page of the names that DNS gives: they are in memory, so that no SQL filters and sorts them. Pure."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from appliance.errors import Invalid


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
Key = tuple[str, str, str, str, str]
SORTS = ("name", "type", "value", "owner")


class NamePage(Generic[N]):
    """One page: its names, the cursor of the next one, and how many names match in all."""

    def __init__(self, items: Sequence[N], after: str | None, total: int) -> None:
        self.items, self.next, self.total = items, after, total


def name_page(names: Sequence[N], filters: dict[str, Any], sort: str, limit: int, cursor: str) -> NamePage[N]:
    """The page after ``cursor``; raises Invalid ``cursor-invalid`` for one that is not of this list and order."""
    order = sort or "name"
    key, turned = _key(order.removeprefix("-")), order.startswith("-")
    matching = sorted((each for each in names if _matches(each, filters)), key=key, reverse=turned)
    seen = _opened(cursor, order) if cursor else None
    rest = [each for each in matching if seen is None or (key(each) < seen if turned else key(each) > seen)]
    more = len(rest) > limit
    return NamePage(rest[:limit], _sealed(order, key(rest[limit - 1])) if more else None, len(matching))


def _key(sort: str) -> Callable[[Named], Key]:
    return lambda each: (getattr(each, sort), each.name, each.type, each.value, each.of)


def _matches(each: Named, filters: dict[str, Any]) -> bool:
    text = f"{each.name} {each.value}".lower()
    words = filters.get("q", "").lower().split()[:16]
    kinds, types = filters.get("owner"), filters.get("type")
    return (
        all(word in text for word in words) and (not kinds or each.owner in kinds) and (not types or each.type in types)
    )


def _sealed(order: str, key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((order, key))).rstrip(b"=").decode()


def _opened(cursor: str, order: str) -> Key:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        of, key = msgspec.json.decode(text, type=tuple[str, Key])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        of, key = "", ("", "", "", "", "")
    if of != order:
        hint = "begin again without a cursor; one is good only for the list and the order that it came from"
        raise Invalid("cursor-invalid", "this cursor is not of this list", hint, "cursor")
    return key
