"""``qrm audit``: who changed what."""

import json
import time
from typing import Any

import click

from appliance.cli.context import Listing, api, json_option
from appliance.cli.output import as_json, clean, moment

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@click.group(cls=Listing)
def audit() -> None:
    """The audit log; without a command, its newest entries."""


@audit.command("list")
@click.option("--who", metavar="USER", help="Only what this user did.")
@click.option("--action", help="Only this action (machine.change), or all of a noun (machine).")
@click.option("--subject", metavar="NAME", help="Only what was done to this, by name or id.")
@click.option("--since", metavar="AGE", help="Only from then on: 90m, 12h, 7d, 2w ago.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
def list_entries(
    who: str | None, action: str | None, subject: str | None, since: str | None, limit: int, json_out: bool
) -> None:
    """Log-ins and changes with who, from where, before and after; the newest at the end."""
    start = None if since is None else time.time() - _age(since)
    answer = api().get("/audit", who=who, action=action, subject=subject, since=start, limit=limit)
    if json_out:
        as_json(answer)
        return
    for entry in reversed(answer["items"]):
        click.echo(_line(entry))
    if not answer["items"]:
        click.echo("Nothing of that in the audit log.")


def _age(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise click.UsageError(f"--since {text}: write 90m, 12h, 7d or 2w")
    return int(number) * _UNITS[unit]


def _line(entry: dict[str, Any]) -> str:
    via = "" if entry["via"] == "session" else f", {entry['via']}"
    failed = " FAILED" if entry["outcome"] == "failed" else ""
    where = entry["address"] or "here"
    told = f"{moment(entry['at'])}  {entry['who']} ({where}{via})  {entry['action']} {entry['name']}{failed}"
    return clean(told + _changes(entry["before"] or {}, entry["after"] or {}))


def _changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    parts = [
        f"{name}: {_value(before, name)} -> {_value(after, name)}" if before else f"{name}: {_value(after, name)}"
        for name in {**before, **after}
    ]
    return f"  {', '.join(parts)}"[:400] if parts else ""


def _value(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) and value else json.dumps(value)
