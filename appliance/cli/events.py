"""``qrm events``"""

from collections.abc import Iterable
from typing import Any

import click

from appliance.cli.client import Api
from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, event_line


@click.command()
@click.option("--machine", help="Only of this machine, by name or id.")
@click.option("--deployment", help="Only of this deployment, by name or id.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, the newest.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@json_option
def events(machine: str | None, deployment: str | None, limit: int, follow: bool, json_out: bool) -> None:
    """What happened; the newest at the end. With --follow --json, one JSON object per line."""
    connected = api()
    query = {"machine": machine, "deployment": deployment}
    if follow:
        from appliance.cli.follow import follow as run

        run(connected, _Printer(connected, query, limit, json_out))
        return
    answer = connected.get("/events", limit=limit, **query)
    if json_out:
        as_json(answer)
        return
    for event in reversed(answer["items"]):
        click.echo(event_line(event))


class _Printer:
    """Prints each event once, in order, whatever was missed between two looks."""

    def __init__(self, connected: Api, query: dict[str, Any], limit: int, json_out: bool) -> None:
        self._api, self._query, self._limit, self._json = connected, query, limit, json_out
        self._last = 0

    def look(self) -> None:
        """Ask for what is new; called whenever something happened."""
        limit = 1000 if self._last else self._limit
        found = self._api.get("/events", limit=limit, **self._query)["items"]
        self._print(event for event in reversed(found) if event["id"] > self._last)

    def _print(self, found: Iterable[dict[str, Any]]) -> None:
        for event in found:
            self._last = event["id"]
            click.echo(_one_line(event) if self._json else event_line(event))


def _one_line(event: dict[str, Any]) -> str:
    import json

    return json.dumps(event)
