"""``qrm find``"""

import click

from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, fields, table


@click.command()
@click.argument("what", metavar="CODE|WORDS")
@json_option
def find(what: str, json_out: bool) -> None:
    """Find a machine by the code on its screen, or anything by part of its name."""
    found = api().get("/find", q=what)["items"]
    if json_out:
        as_json(found)
        return
    for each in found:
        if each["todo"]:
            fields({each["kind"]: each["name"], "waits": each["note"], "to do": each["todo"]})
    rows = [(each["name"], each["kind"], each["note"], each["id"]) for each in found if not each["todo"]]
    if rows or not found:
        table(("name", "kind", "note", "id"), rows, "Nothing is called so, and no screen shows that code.")
