"""A page of a list that is in memory, so that no SQL sorts it; the cursor says behind which item it begins. Pure."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from appliance.decoding import decoded
from appliance.errors import Invalid

T = TypeVar("T")
Key = tuple[str | float, ...]
"""By which a list is ordered: one of a kind for each item, of the same types for all."""


@dataclass(frozen=True, slots=True)
class MemoryPage(Generic[T]):
    """One page: its items, the cursor of the next one, and how many items match in all."""

    items: Sequence[T]
    next: str | None
    total: int


def memory_page(
    matching: Iterable[T], key: Callable[[T], Key], order: str, limit: int, cursor: str, bound: Any = None
) -> MemoryPage[T]:
    """The page behind ``cursor``. ``order`` begins with ``-`` where it is descending.

    What stays is neither missed nor shown twice, whatever comes and goes between two pages. Raises Invalid
    ``cursor-invalid`` for a cursor of another order, or of other filters: ``bound`` tells those apart.
    """
    turned = order.startswith("-")
    keyed = sorted(((key(each), number, each) for number, each in enumerate(matching)), reverse=turned)
    total = len(keyed)
    if cursor:
        seen = _opened(cursor, (order, bound))
        try:
            keyed = [each for each in keyed if (each[0] < seen if turned else each[0] > seen)]
        except TypeError:
            raise _invalid() from None
    shown = keyed[:limit]
    more = _sealed((order, bound), shown[-1][0]) if shown and len(keyed) > limit else None
    return MemoryPage([each for _, _, each in shown], more, total)


def _sealed(of: Any, key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((of, key))).rstrip(b"=").decode()


def _opened(cursor: str, of: Any) -> Key:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        sealed, key = decoded(text, tuple[Any, Key])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _invalid() from None
    if sealed != msgspec.json.decode(msgspec.json.encode(of)):
        raise _invalid()
    return key


def _invalid() -> Invalid:
    hint = "begin again without a cursor; one is good only for the list, the order and the filters that it came from"
    return Invalid("cursor-invalid", "this cursor is not of this list", hint, "cursor")
