"""``qrm images``"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from appliance.catalogue import FORMATS
from appliance.cli.arriving import check_free, listed, sent, show_arriving, stop
from appliance.cli.client import Api, segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.listing import listed as list_of
from appliance.cli.listing import listing_options
from appliance.cli.output import as_json, clean, decimal_size, fields, moment, table
from appliance.cli.pieces import reading
from appliance.errors import Conflict, Invalid
from appliance.machine import check_name

image_argument = click.argument("image", shell_complete=names("/images"))


@click.group(cls=Listing)
def images() -> None:
    """Images; without a command, their list."""


@images.command("list")
@click.option("--used/--unused", default=None, help="Only those that a deployment uses, or that none does.")
@listing_options("name", "size", "stored", "created", search="name or description")
def list_images(json_out: bool, limit: int, **query: Any) -> None:
    """List images."""
    found = list_of("/images", json_out, limit, **query)
    if found is not None:
        heads, empty = (
            ("name", "format", "size", "stored", "description"),
            "No image yet. Add one with: qrm images add FILE",
        )
        table(heads, [_row(each) for each in found], "No image matches." if any(query.values()) else empty)


def _row(image: dict[str, Any]) -> tuple[object, ...]:
    stored = "missing" if image["missing"] else decimal_size(image["stored_size"])
    return image["name"], image["format"], decimal_size(image["size"]), stored, image["description"]


@images.command()
@image_argument
@json_option
def show(image: str, json_out: bool) -> None:
    """Show an image, by name or id."""
    found = api().get(f"/images/{segment(image)}")
    if json_out:
        as_json(found)
        return
    said = {"created": moment(found["created"]), "missing": "yes" if found["missing"] else ""}
    fields(found | said | {"deliveries": ", ".join(found["deliveries"]) or "none"})


replace_option = click.option("--replace", is_flag=True, help="Begin in place of another file that is half there.")


@images.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--url", help="Where the appliance is to fetch it from, instead of FILE.")
@click.option("--sha256", default="", help="The SHA-256 of the file; needed with --url, compared with FILE.")
@click.option("--name", help="Its name; from the file's name when left out.")
@click.option("--format", "image_format", type=click.Choice(FORMATS), help="What it is; told from its content.")
@click.option("--description", default="", help="What it is for.")
@replace_option
def add(
    file: Path | None,
    url: str | None,
    sha256: str,
    name: str | None,
    image_format: str | None,
    description: str,
    replace: bool,
) -> None:
    """Upload an image from FILE, or have it fetched from --url.

    A disk (raw, compressed with zstd, or qcow2), or a root file system (tar, squashfs). An upload that was cut off goes
    on where it ended, by itself or when the command is run again.
    """
    if (file is None) == (url is None):
        raise click.UsageError("name a FILE, or an address with --url")
    connected = api()
    chosen = check_name(name or _name_of(file.name if file else urlsplit(url or "").path.rpartition("/")[2]))
    check_free(connected, "images", chosen)
    if url is not None:
        if not sha256:
            raise click.UsageError("say what is to come from there: --sha256 HEX")
        asked = {"name": chosen, "url": url, "sha256": sha256, "description": description, "replace": replace}
        made = listed(connected, connected.make("/images/fetch", asked))
    else:
        assert file is not None
        known = {"file": file.name[:200], "sha256": sha256.lower(), "description": description}
        made = _sent(connected, chosen, file, known | {"format": image_format or ""}, replace)
    click.echo(f"{clean(made['name'])}: {decimal_size(made['size'])}, {made['format']}, SHA-256 {made['sha256']}")


def _sent(connected: Api, name: str, file: Path, known: dict[str, str], replace: bool) -> dict[str, Any]:
    with reading([file]) as files:
        if not files.size:
            raise Invalid("image-empty", f"{file} is empty")
        return sent(connected, "images", name, known, files, replace=replace)


def _name_of(file: str) -> str:
    """The file's name up to its first dot, as a name."""
    return re.sub(r"[^a-z0-9]+", "-", file.lower().partition(".")[0]).strip("-")


@images.command()
@click.argument("name")
@click.option("--recipe", required=True, shell_complete=names("/recipes"), help="What it is made by: see qrm recipes.")
@click.option("--package", "packages", multiple=True, help="A package besides those of the recipe; again for more.")
@click.option("--description", default="", help="What is in it; the recipe's title when left out.")
@click.option("--disk", is_flag=True, help="A whole disk, for a machine's own; a root file system when left out.")
def create(name: str, recipe: str, packages: tuple[str, ...], description: str, disk: bool) -> None:
    """Have an image made by a recipe, and wait for it."""
    connected = api()
    chosen = check_name(name)
    asked = {"name": chosen, "recipe": recipe, "packages": list(packages), "description": description, "disk": disk}
    made = listed(connected, connected.make("/images/build", asked))
    click.echo(f"{clean(made['name'])}: {decimal_size(made['size'])}, {made['format']}, SHA-256 {made['sha256']}")


@images.command()
@json_option
def uploads(json_out: bool) -> None:
    """List the images that are half uploaded, or being fetched."""
    show_arriving(api(), "images", json_out=json_out)


@images.command("stop-upload")
@click.argument("name")
def stop_upload(name: str) -> None:
    """Remove what is half uploaded of an image."""
    stop(api(), "images", name)


@images.command("set")
@image_argument
@click.option("--name", help="Its new name.")
@click.option("--description", help="What is in it.")
def set_image(image: str, name: str | None, description: str | None) -> None:
    """Change what an image is called and what is said of it; its content never changes."""
    change = {key: value for key, value in {"name": name, "description": description}.items() if value is not None}
    if not change:
        raise click.UsageError("say what to change: --name or --description")
    changed = api().send("PATCH", f"/images/{segment(image)}", change)
    click.echo(clean(f"{changed['name']}: {changed['description'] or 'no description'}"))


@images.command()
@image_argument
@confirm_option
def delete(image: str, confirm: str | None) -> None:
    """Delete an image that no deployment uses."""
    connected = api()
    found, seen = connected.seen(f"/images/{segment(image)}")
    foreseen = connected.get(f"/images/{segment(str(found['id']))}/consequences")
    if foreseen["refused"]:
        raise Conflict("image-used", f"{found['name']} cannot be deleted: {foreseen['refused']}")
    confirmed(foreseen["texts"], found["name"], confirm)
    connected.send("DELETE", f"/images/{segment(str(found['id']))}", seen=seen)
    click.echo(f"{found['name']} is deleted")
