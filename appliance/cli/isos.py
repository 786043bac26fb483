"""``qrm isos``"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from appliance.cli.arriving import check_free, listed, sent, show_arriving, stop
from appliance.cli.client import segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.listing import listed as list_of
from appliance.cli.listing import listing_options
from appliance.cli.output import as_json, clean, decimal_size, fields, moment, table
from appliance.cli.pieces import reading
from appliance.errors import Conflict, Invalid
from appliance.machine import check_name

iso_argument = click.argument("iso", shell_complete=names("/isos"))


@click.group(cls=Listing)
def isos() -> None:
    """ISOs for the CD-ROM drives of VMs; without a command, their list."""


@isos.command("list")
@listing_options("name", "size", "created", search="name, description or label")
def list_isos(json_out: bool, limit: int, **query: Any) -> None:
    """List ISOs."""
    found = list_of("/isos", json_out, limit, **query)
    if found is not None:
        empty = "No ISO matches." if any(query.values()) else "No ISO yet. Add one with: qrm isos add FILE"
        table(("name", "label", "starts with", "size", "description"), [_row(each) for each in found], empty)


def _row(iso: dict[str, Any]) -> tuple[object, ...]:
    size = "missing" if iso["missing"] else decimal_size(iso["size"])
    return iso["name"], iso["label"], ", ".join(iso["firmware"]) or "nothing", size, iso["description"]


@isos.command()
@iso_argument
@json_option
def show(iso: str, json_out: bool) -> None:
    """Show an ISO, by name or id."""
    found = api().get(f"/isos/{segment(iso)}")
    if json_out:
        as_json(found)
        return
    said = {"created": moment(found["created"]), "missing": "yes" if found["missing"] else ""}
    fields(found | said | {"firmware": ", ".join(found["firmware"]) or "nothing starts from it"})


@isos.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--url", help="Where the appliance is to fetch it from, instead of FILE.")
@click.option("--sha256", default="", help="The SHA-256 of the file; needed with --url, compared with FILE.")
@click.option("--name", help="Its name; from the file's name when left out.")
@click.option("--description", default="", help="What is on it.")
@click.option("--replace", is_flag=True, help="Begin in place of another file that is half there.")
def add(file: Path | None, url: str | None, sha256: str, name: str | None, description: str, replace: bool) -> None:
    """Upload an ISO from FILE, or have it fetched from --url.

    An upload that was cut off goes on where it ended, by itself or when the command is run again.
    """
    if (file is None) == (url is None):
        raise click.UsageError("name a FILE, or an address with --url")
    connected = api()
    chosen = check_name(name or _name_of(file.name if file else urlsplit(url or "").path.rpartition("/")[2]))
    check_free(connected, "isos", chosen)
    if url is not None:
        if not sha256:
            raise click.UsageError("say what is to come from there: --sha256 HEX")
        asked = {"name": chosen, "url": url, "sha256": sha256, "description": description, "replace": replace}
        made = listed(connected, connected.make("/isos/fetch", asked))
    else:
        assert file is not None
        with reading([file]) as files:
            if not files.size:
                raise Invalid("upload-empty", f"{file} is empty")
            known = {"file": file.name[:200], "sha256": sha256.lower(), "description": description}
            made = sent(connected, "isos", chosen, known, files, replace=replace)
    click.echo(f"{clean(made['name'])}: {decimal_size(made['size'])}, SHA-256 {made['sha256']}")


def _name_of(file: str) -> str:
    """The file's name as one of ours: those of discs have dots in their versions."""
    return re.sub(r"[^a-z0-9]+", "-", file.lower().removesuffix(".iso")).strip("-")[:63].strip("-")


@isos.command()
@json_option
def uploads(json_out: bool) -> None:
    """List the ISOs that are half uploaded, or being fetched."""
    show_arriving(api(), "isos", json_out=json_out)


@isos.command("stop-upload")
@click.argument("name")
def stop_upload(name: str) -> None:
    """Remove what is half uploaded of an ISO."""
    stop(api(), "isos", name)


@isos.command("set")
@iso_argument
@click.option("--name", help="Its new name.")
@click.option("--description", help="What is on it.")
def set_iso(iso: str, name: str | None, description: str | None) -> None:
    """Change what an ISO is called and what is said of it; VMs that have it are not touched."""
    change = {key: value for key, value in {"name": name, "description": description}.items() if value is not None}
    if not change:
        raise click.UsageError("say what to change: --name or --description")
    changed = api().send("PATCH", f"/isos/{segment(iso)}", change)
    click.echo(clean(f"{changed['name']}: {changed['description'] or 'no description'}"))


@isos.command()
@iso_argument
@confirm_option
def delete(iso: str, confirm: str | None) -> None:
    """Delete an ISO that no VM has in its CD-ROM drive."""
    connected = api()
    found, seen = connected.seen(f"/isos/{segment(iso)}")
    foreseen = connected.get(f"/isos/{segment(str(found['id']))}/consequences")
    if foreseen["refused"]:
        raise Conflict("iso-used", f"{found['name']} cannot be deleted: {foreseen['refused']}")
    confirmed(foreseen["texts"], found["name"], confirm)
    connected.send("DELETE", f"/isos/{segment(str(found['id']))}", seen=seen)
    click.echo(f"{found['name']} is deleted")
