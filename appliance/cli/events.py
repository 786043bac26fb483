"""``qrm events`` and ``qrm machines timeline``"""

from collections.abc import Iterable
from typing import Any

import click

from appliance.cli.client import Api, segment
from appliance.cli.completion import event_kinds, names
from appliance.cli.context import api
from appliance.cli.listing import PAGE, fetch, listing_options, moment_options, plain
from appliance.cli.output import as_json, event_line

kind_option = click.option(
    "--kind", multiple=True, shell_complete=event_kinds(), help="Only of this kind; may be given several times."
)


@click.command()
@click.option(
    "--machine", metavar="MACHINE", shell_complete=names("/machines"), help="Only of this machine, by name or id."
)
@click.option(
    "--deployment",
    metavar="DEPLOYMENT",
    shell_complete=names("/deployments"),
    help="Only of this deployment, by name or id.",
)
@kind_option
@moment_options
@listing_options("id", "at", search="text or reason", limit=50)
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
def events(limit: int, follow: bool, json_out: bool, **query: Any) -> None:
    """Show what happened, the newest at the end; with --follow --json, one JSON object per line."""
    connected = api()
    if follow:
        from appliance.cli.follow import follow as run

        run(connected, _Printer(connected, plain(query), limit or PAGE, json_out))
        return
    _show(fetch(connected, "/events", limit, **query), json_out)


@click.command()
@click.argument("machine", shell_complete=names("/machines"))
@click.option(
    "--deployment",
    metavar="DEPLOYMENT",
    shell_complete=names("/deployments"),
    help="Only of this deployment, by name or id.",
)
@kind_option
@moment_options
@listing_options("id", "at", search="text or reason", limit=50)
def timeline(machine: str, limit: int, json_out: bool, **query: Any) -> None:
    """Show what happened to a machine, and why; the newest at the end."""
    _show(fetch(api(), f"/machines/{segment(machine)}/timeline", limit, **query), json_out)


def _show(answer: dict[str, Any], json_out: bool) -> None:
    if json_out:
        as_json(answer)
        return
    for event in sorted(answer["items"], key=lambda event: int(event["id"])):
        click.echo(event_line(event))


class _Printer:
    """Prints each event once, in order, whatever was missed between two looks."""

    def __init__(self, connected: Api, query: dict[str, Any], limit: int, json_out: bool) -> None:
        self._api, self._query, self._limit, self._json = connected, query | {"sort": "-id"}, limit, json_out
        self._last = 0

    def look(self) -> None:
        """Ask for what is new; called whenever something happened."""
        limit = PAGE if self._last else min(self._limit, PAGE)
        found = self._api.get("/events", limit=limit, **self._query)["items"]
        self._print(event for event in reversed(found) if event["id"] > self._last)

    def _print(self, found: Iterable[dict[str, Any]]) -> None:
        for event in found:
            self._last = event["id"]
            click.echo(_one_line(event) if self._json else event_line(event))


def _one_line(event: dict[str, Any]) -> str:
    import json

    return json.dumps(event)
