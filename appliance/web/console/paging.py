"""From the address of a list's page to what is asked of the store, and back to links."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.store.listing import Asked, Found, Listing
from appliance.web.console.listing import Query, parse_query
from appliance.web.keys import SERVICES

T = TypeVar("T")
PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """One page of a list: what it asks for, and, once it was read, what is on it."""

    query: Query
    asked: Asked
    rows: Sequence[T] = ()
    matching: int = 0
    total: int = 0
    """Rows without any filter, where the page tells."""

    @property
    def pages(self) -> int:
        """How many pages the matching rows fill."""
        return max(-(-self.matching // PER_PAGE), 1)

    @property
    def filtered(self) -> bool:
        """Whether the address narrows the list."""
        return bool(self.query.filters)

    def filled(self, rows: Sequence[Any], matching: int) -> "Shown[Any]":
        """The page with its rows; ``matching`` counts those of all pages."""
        return replace(self, rows=rows, matching=matching)

    def with_filters(self, shown: Mapping[str, str], asked: Mapping[str, Any]) -> "Shown[T]":
        """Narrowed further by what the noun's own words in the address stand for."""
        query = replace(self.query, filters={**self.query.filters, **shown})
        return replace(self, query=query, asked=replace(self.asked, filters={**self.asked.filters, **asked}))

    def on_page(self, number: int) -> "Shown[T]":
        """The same list, another page of it."""
        asked = replace(self.asked, offset=(number - 1) * PER_PAGE)
        return replace(self, query=replace(self.query, page=number), asked=asked)


async def read(
    wanted: "Shown[Any]", page: Callable[[Asked], Awaitable[tuple[Found, Sequence[T]]]], total: int
) -> "Shown[T]":
    """The page with its rows; one beyond the last shows the last."""
    found, rows = await page(wanted.asked)
    if not rows and found.total:
        wanted = wanted.on_page(-(-found.total // PER_PAGE))
        found, rows = await page(wanted.asked)
    return replace(wanted, rows=rows, matching=found.total, total=total)


def shown(request: web.Request, path: str, listing: Listing, filters: Sequence[str]) -> "Shown[Any]":
    """What the request's address asks of a list.

    What it does not know, or cannot read, it ignores: an address may be older than this version.
    """
    default = listing.default.removeprefix("-")
    columns = (default, *(name for name in listing.sorts if name != default))
    query = parse_query(path, request.query, filters, columns)
    values = {name: value for name in filters if (value := _value(listing, name, query.filters.get(name))) is not None}
    known = replace(query, filters={name: query.filters[name] for name in values})
    usual = listing.default.startswith("-")
    turned = known.descending if "sort" in request.query else usual
    known = replace(known, descending=turned, default_descending=usual)
    return Shown(known, _asked(request, known, values))


def _value(listing: Listing, name: str, text: str | None) -> Any:
    """The filter's value, None where there is none that it takes."""
    if text is None or name not in listing.filters:
        return None
    kind = listing.filters[name].kind
    listed = getattr(kind, "__origin__", None) is list
    try:
        return converted([text] if listed else text, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _asked(request: web.Request, query: Query, values: dict[str, Any]) -> Asked:
    return Asked(
        filters=values,
        sort=f"{'-' if query.descending else ''}{query.sort}",
        limit=PER_PAGE,
        offset=(query.page - 1) * PER_PAGE,
        now=request.app[SERVICES].clock(),
    )
