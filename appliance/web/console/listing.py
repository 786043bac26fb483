"""Filter, sort and page of a list, all from the address of the page. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")
PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Query:
    """What a list's address asks for. ``sort`` is a column; ``page`` counts from 1."""

    path: str
    filters: dict[str, str]
    sort: str
    descending: bool
    page: int
    default: str = ""
    """The column that sorts when the address names none."""
    default_descending: bool = False
    """The direction then."""

    def link(self, **changes: str) -> str:
        """The address with some parameters changed; an empty value drops one, any change starts at page 1."""
        values = self.parameters() | {"page": ""} | changes
        kept = {key: value for key, value in values.items() if value}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path

    def parameters(self) -> dict[str, str]:
        """The address's parameters."""
        usual = (self.sort, self.descending) == (self.default, self.default_descending)
        order = {"sort": self.sort, "dir": "desc" if self.descending else ""}
        return self.filters | ({} if usual else order) | {"page": str(self.page) if self.page > 1 else ""}

    def sort_link(self, column: str) -> str:
        """The address sorted by a column, turned round when it is already."""
        turned = self.sort == column and not self.descending
        return self.link(sort=column, dir="desc" if turned else "")

    def direction(self, column: str) -> str:
        """``ascending``, ``descending`` or ``none``, as ``aria-sort`` has it."""
        if self.sort != column:
            return "none"
        return "descending" if self.descending else "ascending"


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page of what matches, and how much there is."""

    rows: Sequence[T]
    matching: int
    total: int
    query: Query

    @property
    def pages(self) -> int:
        """How many pages the matching rows fill."""
        return max(-(-self.matching // PER_PAGE), 1)

    @property
    def filtered(self) -> bool:
        """Whether the address narrows the list."""
        return bool(self.query.filters)


def parse_query(path: str, values: Mapping[str, str], filters: Sequence[str], columns: Sequence[str]) -> Query:
    """The query of an address. What it does not know it ignores: an address may be older than this version."""
    sort = values.get("sort", "")
    page = values.get("page", "")
    return Query(
        path,
        {name: values[name].strip()[:200] for name in filters if values.get(name, "").strip()},
        sort if sort in columns else columns[0],
        values.get("dir") == "desc",
        max(int(page[:9]), 1) if page.isascii() and page.isdecimal() else 1,
        columns[0],
    )


def listed(
    everything: Iterable[T], query: Query, matches: Callable[[T], bool], columns: Mapping[str, Callable[[T], Any]]
) -> Listed[T]:
    """The page that ``query`` asks for; a page beyond the last shows the last."""
    rows = list(everything)
    found = [row for row in rows if matches(row)]
    found.sort(key=columns[query.sort], reverse=query.descending)
    last = max(-(-len(found) // PER_PAGE), 1)
    page = min(query.page, last)
    start = (page - 1) * PER_PAGE
    return Listed(found[start : start + PER_PAGE], len(found), len(rows), replace(query, page=page))
