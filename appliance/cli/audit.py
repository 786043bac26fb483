"""``qrm audit``: who changed what."""

import json
from typing import Any

import click

from appliance.cli.completion import names
from appliance.cli.context import Listing, api
from appliance.cli.listing import fetch, listing_options, moment_options
from appliance.cli.output import as_json, clean, moment


@click.group(cls=Listing)
def audit() -> None:
    """The audit log; without a command, its newest entries."""


@audit.command("list")
@click.option("--who", metavar="USER", shell_complete=names("/users"), help="Only what this user did.")
@click.option("--action", help="Only this action (machine.change), or all of a noun (machine).")
@click.option("--subject", metavar="NAME", help="Only what was done to this, by name or id.")
@moment_options
@listing_options("at", limit=50)
def list_entries(json_out: bool, limit: int, **query: Any) -> None:
    """List log-ins and changes with who, from where, before and after; the newest at the end."""
    answer = fetch(api(), "/audit", limit, **query)
    if json_out:
        as_json(answer)
        return
    for entry in sorted(answer["items"], key=lambda entry: int(entry["id"])):
        click.echo(_line(entry))
    if not answer["items"]:
        click.echo("Nothing of that in the audit log.")


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
