"""Lists at the border: from a noun's declaration to parameters, from a request to what is asked, and the page."""

from collections.abc import Iterable
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from aiohttp import web

from appliance.store.listing import LIMIT, Asked, Found, Listing
from appliance.web.api.query import Param, given
from appliance.web.keys import SERVICES

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T]):
    """A page of a list. ``next`` is the cursor of the page after it, null on the last; ``total`` counts all pages."""

    items: list[T]
    next: str | None
    total: int


def params(listing: Listing) -> tuple[Param, ...]:
    """What a list's address takes, for its Endpoint."""
    sorts = tuple(name for each in listing.sorts for name in (each, f"-{each}"))
    return (
        *(Param(name, each.kind, each.says) for name, each in listing.filters.items()),
        Param("sort", Literal[sorts], f"the order, with - in front for descending; {listing.default} when left out"),
        Param(
            "limit", Annotated[int, msgspec.Meta(ge=1, le=listing.largest)], f"items of a page; {LIMIT} when left out"
        ),
        Param("cursor", Annotated[str, msgspec.Meta(max_length=8000)], "`next` of the page before"),
    )


def asked(request: web.Request, listing: Listing) -> Asked:
    """What the request asks of the list; raises Invalid for what the list does not take."""
    values = given(request, params(listing))
    return Asked(
        filters={name: value for name, value in values.items() if name in listing.filters},
        sort=values.get("sort", ""),
        limit=values.get("limit", LIMIT),
        cursor=values.get("cursor", ""),
        now=request.app[SERVICES].clock(),
    )


def page(found: Found, items: Iterable[T]) -> Page[T]:
    """The answer: the page's rows as shapes of the API."""
    return Page(items=list(items), next=found.next, total=found.total)
