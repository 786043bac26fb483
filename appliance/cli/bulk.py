"""One action on many machines or deployments, named or found by a filter."""

from typing import Any

import click

from appliance.cli.client import Api
from appliance.cli.confirm import confirmed
from appliance.cli.tasks import show_items
from appliance.cli.waiting import wait_for_task
from appliance.errors import ApplianceError

FLAGS = ("maintenance", "offline", "assigned", "asking")
"""Filters that are true or false."""

where_option = click.option(
    "--where",
    metavar="FILTER",
    help="All that match, such as state=idle,tag=rack-3; the filters are those of the list.",
)


def parse_where(text: str) -> dict[str, Any]:
    """``state=idle,tag=a,tag=b`` as the API takes it; raises UsageError."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not name or not equals:
            raise click.UsageError(f"--where {text!r}: {part.strip()!r} is not NAME=VALUE")
        found.setdefault(name, []).append(_flag(name, value) if name in FLAGS else value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _flag(name: str, value: str) -> bool:
    words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    if value not in words:
        raise click.UsageError(f"--where {name}={value}: use true or false")
    return words[value]


def selected(noun: str, names: tuple[str, ...], where: str | None) -> dict[str, Any]:
    """Which ones are meant, as the API takes it; raises UsageError unless it is said, and said once."""
    if (where is None) == (not names):
        raise click.UsageError(f"name the {noun}, or choose them with --where")
    return {noun: list(names)} if where is None else {"filter": parse_where(where)}


def do_to_many(api: Api, noun: str, which: dict[str, Any], action: str, **arguments: Any) -> dict[str, Any]:
    """Have it done, wait for it, and say what became of each; the task. Raises ApplianceError where some failed."""
    task = api.make(f"/{noun}/bulk", {"action": action, **which, **arguments})
    try:
        wait_for_task(api, task)
    except ApplianceError as error:
        if error.code != "items-failed":
            raise
        show_items(api.get(f"/tasks/{task['id']}"))
        raise
    done: dict[str, Any] = api.get(f"/tasks/{task['id']}")
    click.echo(done["title"])
    show_items(done)
    return done


def confirm_many(api: Api, noun: str, which: dict[str, Any], texts: tuple[str, ...], given: str | None) -> str | None:
    """Have their number typed, such as ``12 machines``, or take it from ``--confirm``."""
    number = _count(api, noun, which)
    word = f"{number} {noun if number != 1 else noun[:-1]}"
    return confirmed([text.format(word) for text in texts], word, given)


def _count(api: Api, noun: str, which: dict[str, Any]) -> int:
    if noun in which:
        return len(set(which[noun]))
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in which["filter"].items()}
    total: int = api.get(f"/{noun}", limit=1, **query)["total"]
    return total
