"""What all listings have in common: which items, in which order, how many. Pages are followed here."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from appliance.cli.client import Api
from appliance.cli.context import api, json_option
from appliance.cli.output import as_json

F = TypeVar("F", bound=Callable[..., Any])
PAGE = 1000
"""The most that the appliance gives at a time."""
UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def listing_options(*sorts: str, search: str = "", limit: int = 100) -> Callable[[F], F]:
    """``--search``, ``--sort``, ``--limit`` and ``--json``, the first two where the list has them."""
    orders = click.Choice([name for each in sorts for name in (each, f"-{each}")])

    def add(command: F) -> F:
        command = limit_option(limit)(json_option(command))
        if sorts:
            text = f"Order by {', '.join(sorts)}; with - in front, descending."
            command = click.option("--sort", type=orders, metavar="ORDER", help=text)(command)
        if search:
            text = f"Only with all of these words in {search}."
            command = click.option("-q", "--search", "q", metavar="WORDS", help=text)(command)
        return command

    return add


def limit_option(limit: int) -> Callable[[F], F]:
    """``--limit``; 0 stands for all there are."""
    return click.option(
        "--limit",
        type=click.IntRange(0),
        metavar="N",
        default=limit,
        show_default=True,
        help="How many at most; 0: all.",
    )


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """A moment as people write it, as Unix time."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """From "12h" (ago) or a date with or without a time, in the user's zone."""
        if isinstance(value, float):
            return value
        if value[:-1].isdecimal() and value[-1:] in UNITS:
            return time.time() - int(value[:-1]) * UNITS[value[-1]]
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r}: write 90m, 12h, 7d, 2w, or a date such as 2026-11-20T14:00", param, ctx)


def moment_options(command: F) -> F:
    """``--since`` and ``--before``."""
    kind, how = Moment(), "90m, 12h, 7d or 2w ago, or a date"
    command = click.option("--before", type=kind, metavar="WHEN", help=f"Only before then: {how}.")(command)
    return click.option("--since", type=kind, metavar="WHEN", help=f"Only from then on: {how}.")(command)


def fetch(connected: Api, path: str, limit: int, *, page: int = 0, **query: Any) -> dict[str, Any]:
    """The answer of a listing with as many items as are asked for, from as many pages as that takes.

    ``page`` is the most that this list gives at a time, where that is more than others give.
    """
    asked, most = plain(query), page or PAGE
    answer: dict[str, Any] = connected.get(path, limit=_page(limit, 0, most), **asked)
    items = list(answer["items"])
    while answer["next"] and (not limit or len(items) < limit):
        answer = connected.get(path, limit=_page(limit, len(items), most), cursor=answer["next"], **asked)
        items += answer["items"]
    return {**answer, "items": items}


def _page(limit: int, have: int, most: int) -> int:
    return min(most, limit - have) if limit else most


def plain(query: dict[str, Any]) -> dict[str, Any]:
    """Options as parameters; what is not asked for is left out."""
    return {name: _parameter(value) for name, value in query.items()}


def _parameter(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return list(value) or None
    return None if value == "" else value


def listed(path: str, json_out: bool, limit: int, *, page: int = 0, **query: Any) -> list[dict[str, Any]] | None:
    """The items to be shown as a table; None where the whole answer was printed as JSON."""
    answer = fetch(api(), path, limit, page=page, **query)
    if json_out:
        as_json(answer)
        return None
    rest = answer["total"] - len(answer["items"])
    if rest > 0:
        click.echo(f"{rest} more are not shown: use --limit, or a filter", err=True)
    return list(answer["items"])
