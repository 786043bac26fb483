"""``qrm images``"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from appliance.cli.client import Api, file_chunks, segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.errors import Refused
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, clean, decimal_size, fields, moment, table
from appliance.cli.uploading import uploading
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
    found = listed("/images", json_out, limit, **query)
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
    fields(found | {"created": moment(found["created"]), "missing": "yes" if found["missing"] else ""})


@images.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Its name; from the file's name when left out.")
@click.option("--format", "image_format", type=click.Choice(["raw", "raw.zst"]), help="From the file's content.")
@click.option("--description", default="", help="What it is.")
def add(file: Path, name: str | None, image_format: str | None, description: str) -> None:
    """Upload a disk image: raw, or compressed with zstd."""
    connected = api()
    chosen = check_name(name or _name_of(file))
    if _is_there(connected, chosen):
        raise Conflict("name-taken", f"another image is called {chosen}", "choose another with --name")
    kind = image_format or _format_of(file)
    query = urlencode({"name": chosen, "format": kind, "description": description})
    size = file.stat().st_size
    with file.open("rb") as content, uploading(chosen, size) as begin:

        def chunks() -> Iterator[bytes]:
            content.seek(0)
            return file_chunks(content, begin())

        made = connected.upload(f"/images?{query}", chunks, size, "application/octet-stream")
    click.echo(f"{made['name']}: {decimal_size(made['size'])} on a disk, SHA-256 {made['stored_sha256']}")


def _name_of(file: Path) -> str:
    """The file's name up to its first dot, as a name."""
    return re.sub(r"[^a-z0-9]+", "-", file.name.lower().partition(".")[0]).strip("-")


def _format_of(file: Path) -> str:
    with file.open("rb") as content:
        head = content.read(4)
    if not head:
        raise Invalid("image-empty", f"{file} is empty")
    return "raw.zst" if head == b"\x28\xb5\x2f\xfd" else "raw"  # RFC 8878 section 3.1.1


def _is_there(connected: Api, name: str) -> bool:
    """Said before a long upload instead of after it. One whose content is missing can be uploaded again."""
    try:
        found = connected.get(f"/images/{segment(name)}")
    except Refused as error:
        if error.code == "image-unknown":
            return False
        raise
    return not found["missing"]


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
    confirmed([f"Image {found['name']} and its content are deleted."], found["name"], confirm)
    connected.send("DELETE", f"/images/{segment(str(found['id']))}", seen=seen)
    click.echo(f"{found['name']} is deleted")
