"""``qrm kernels``"""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from appliance.cli.client import form_of_files, segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.output import as_json, fields, moment, table
from appliance.machine import check_name

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Listing)
def kernels() -> None:
    """Kernels; without a command, their list."""


@kernels.command("list")
@json_option
def list_kernels(json_out: bool) -> None:
    """All kernels."""
    answer = api().get("/kernels")
    if json_out:
        as_json(answer)
        return
    rows = [(each["name"], each["version"], _remark(each), each["cmdline"]) for each in answer["items"]]
    table(("name", "version", "", "command line"), rows, "No kernel yet. Add one with: qrm kernels add VMLINUZ")


def _remark(kernel: dict[str, Any]) -> str:
    return "built in" if kernel["builtin"] else "missing" if kernel["missing"] else ""


@kernels.command()
@click.argument("kernel")
@json_option
def show(kernel: str, json_out: bool) -> None:
    """One kernel, by name or id."""
    found = api().get(f"/kernels/{segment(kernel)}")
    if json_out:
        as_json(found)
        return
    fields(found | {"created": moment(found["created"]), "builtin": "yes" if found["builtin"] else ""})


@kernels.command()
@click.argument("vmlinuz", type=_FILE)
@click.option("--initrd", type=_FILE, help="Its initrd.")
@click.option("--name", required=True, help="Its name.")
@click.option("--version", default="", help="Its version.")
@click.option("--cmdline", default="", help="Its default command line.")
def add(vmlinuz: Path, initrd: Path | None, name: str, version: str, cmdline: str) -> None:
    """Upload a kernel."""
    query = urlencode({"name": check_name(name), "version": version, "cmdline": cmdline})
    files = {"vmlinuz": vmlinuz} | ({"initrd": initrd} if initrd else {})
    pieces, length, content_type = form_of_files(files)
    made = api().upload(f"/kernels?{query}", pieces, length, content_type)
    click.echo(f"{made['name']} is added")


@kernels.command()
@click.argument("kernel")
@confirm_option
def delete(kernel: str, confirm: str | None) -> None:
    """Delete a kernel."""
    connected = api()
    found = connected.get(f"/kernels/{segment(kernel)}")
    confirmed([f"Kernel {found['name']} is deleted."], found["name"], confirm)
    connected.send("DELETE", f"/kernels/{segment(str(found['id']))}")
    click.echo(f"{found['name']} is deleted")
