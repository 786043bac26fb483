"""``qrm settings``"""

import json
from typing import Any

import click

from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, clean, fields


@click.command()
@json_option
def settings(json_out: bool) -> None:
    """Show the appliance's version, fingerprint, and the values of its configuration file."""
    found = api().get("/settings")
    if json_out:
        as_json(found)
        return
    fields({"version": found["version"], "authority": found["fingerprint"]})
    if found["trouble"]:
        fields({"trouble": found["trouble"]})
    for name, section in found["config"].items():
        for each in section if isinstance(section, list) else [section]:
            click.echo(clean(f"[{name}]"))
            _print(each)


def _print(section: dict[str, Any]) -> None:
    fields({f"  {name}": json.dumps(value) for name, value in section.items()})
