"""``qrm recipes``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.output import as_json, clean, table
from appliance.machine import check_name
from appliance.recipes.recipe import parsed

recipe_argument = click.argument("recipe", shell_complete=names("/recipes"))


@click.group(cls=Listing)
def recipes() -> None:
    """What images can be made by (qrm images create); without a command, their list."""


@recipes.command("list")
@json_option
def list_recipes(json_out: bool) -> None:
    """List recipes."""
    found = api().get("/recipes")
    if json_out:
        as_json(found)
        return
    heads = ("name", "makes", "release", "comes from", "can be made", "whole disks")
    table(heads, [_row(each) for each in found["items"]], "No recipe.")


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    lacking = f"no: {each['lacking']} is not installed" if each["lacking"] else "yes"
    disks = f"no: {each['lacking_for_disks']} is not installed" if each["lacking_for_disks"] else "yes"
    return (
        each["name"],
        each["title"],
        each["suite"],
        "the appliance" if each["builtin"] else "you",
        f"no: {each['trouble']}" if each["trouble"] else lacking,
        disks if each["disk"] else "no",
    )


@recipes.command()
@recipe_argument
@json_option
def show(recipe: str, json_out: bool) -> None:
    """Print a recipe, as a file to begin one of your own with."""
    found = api().get(f"/recipes/{segment(recipe)}")
    if json_out:
        as_json(found)
    else:
        click.echo("\n".join(clean(line) for line in found["text"].splitlines()))


@recipes.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Its name; from the file's name when left out.")
def add(file: Path, name: str | None) -> None:
    """Keep the recipe in FILE (TOML), in place of an older one of this name."""
    text = file.read_text(errors="replace")
    parsed(text)
    kept = api().send("PUT", f"/recipes/{segment(check_name(name or file.stem.lower()))}", {"text": text})
    click.echo(
        clean(f"{kept['name']}: {kept['title']}; make an image by it: qrm images create NAME --recipe {kept['name']}")
    )


@recipes.command()
@recipe_argument
@confirm_option
def delete(recipe: str, confirm: str | None) -> None:
    """Remove a recipe of your own; images that were made by it stay."""
    connected = api()
    found = connected.get(f"/recipes/{segment(recipe)}")
    confirmed([f"Recipe {found['name']} is removed. Images that were made by it stay."], found["name"], confirm)
    connected.send("DELETE", f"/recipes/{segment(found['name'])}")
    click.echo(clean(f"{found['name']} is removed"))
