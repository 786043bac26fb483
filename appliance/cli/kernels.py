"""``qrm kernels``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.arriving import check_free, sent, show_arriving, stop
from appliance.cli.arriving import listed as listed_by
from appliance.cli.client import Api, segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.cli.pieces import reading
from appliance.machine import check_name

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
replace_option = click.option("--replace", is_flag=True, help="Begin in place of another file that is half there.")
kernel_argument = click.argument("kernel", shell_complete=names("/kernels"))


@click.group(cls=Listing)
def kernels() -> None:
    """Kernels; without a command, their list."""


@kernels.command("list")
@click.option("--builtin/--added", default=None, help="Only those that came with the appliance, or that were added.")
@listing_options("name", "version", "created", search="name, version or command line")
def list_kernels(json_out: bool, limit: int, **query: Any) -> None:
    """List kernels."""
    found = listed("/kernels", json_out, limit, **query)
    if found is not None:
        rows = [(each["name"], each["version"], _remark(each), each["cmdline"]) for each in found]
        empty = "No kernel yet. Add one with: qrm kernels add VMLINUZ --name NAME"
        table(("name", "version", "", "command line"), rows, "No kernel matches." if any(query.values()) else empty)


def _remark(kernel: dict[str, Any]) -> str:
    return "built in" if kernel["builtin"] else "missing" if kernel["missing"] else ""


@kernels.command()
@kernel_argument
@json_option
def show(kernel: str, json_out: bool) -> None:
    """Show a kernel, by name or id."""
    found = api().get(f"/kernels/{segment(kernel)}")
    if json_out:
        as_json(found)
        return
    fields(
        found
        | {"created": moment(found["created"])}
        | {name: "yes" if found[name] else "" for name in ("builtin", "missing")}
    )


@kernels.command()
@click.argument("vmlinuz", type=_FILE)
@click.option("--initrd", type=_FILE, help="Its initrd.")
@click.option("--name", required=True, help="Its name.")
@click.option("--version", default="", help="Its version.")
@click.option("--cmdline", default="", help="Its default command line.")
@click.option("--modules", "archive", type=_FILE, help="An archive of its modules, as of: qrm kernels modules.")
@replace_option
def add(
    vmlinuz: Path, initrd: Path | None, name: str, version: str, cmdline: str, archive: Path | None, replace: bool
) -> None:
    """Upload a kernel; cut off, it goes on where it ended, by itself or when the command is run again.

    VMLINUZ may be a Debian package linux-image-VERSION as well: its modules come along.
    """
    connected, chosen = api(), check_name(name)
    check_free(connected, "kernels", chosen)
    with reading([vmlinuz, *([initrd] if initrd else [])]) as files:
        known = {"file": vmlinuz.name[:200], "version": version, "cmdline": cmdline}
        behind = initrd.stat().st_size if initrd else 0
        made = sent(connected, "kernels", chosen, known | {"initrd_size": behind}, files, replace=replace)
    click.echo(f"{clean(made['name'])} is added")
    if archive:
        _send_modules(connected, chosen, archive, "", replace=replace)


@kernels.command("modules")
@kernel_argument
@click.argument("file", type=_FILE, required=False)
@click.option("--url", help="Where the appliance is to fetch it from, instead of FILE.")
@click.option("--sha256", default="", help="The SHA-256 of the file; needed with --url, compared with FILE.")
@replace_option
def give_modules(kernel: str, file: Path | None, url: str | None, sha256: str, replace: bool) -> None:
    """Give a kernel its modules from FILE, or from --url, so that roots on the network can start with it.

    A tar archive (also packed with gzip, xz or zstd), a squashfs, or a Debian package with lib/modules/VERSION, and
    with the firmware that they need in lib/firmware.
    """
    if (file is None) == (url is None):
        raise click.UsageError("name a FILE, or an address with --url")
    connected = api()
    if file is not None:
        _send_modules(connected, kernel, file, sha256, replace=replace)
        return
    if not sha256:
        raise click.UsageError("say what is to come from there: --sha256 HEX")
    asked = {"url": url, "sha256": sha256, "replace": replace}
    _say_given(listed_by(connected, connected.make(f"/kernels/{segment(kernel)}/modules", asked)))


def _send_modules(connected: Api, kernel: str, file: Path, sha256: str, *, replace: bool) -> None:
    name = connected.get(f"/kernels/{segment(kernel)}")["name"]
    with reading([file]) as files:
        known = {"file": file.name[:200], "sha256": sha256.lower()}
        _say_given(sent(connected, "modules", name, known, files, replace=replace))


def _say_given(made: dict[str, Any]) -> None:
    click.echo(f"{clean(made['name'])} has its modules")


@kernels.command()
@click.argument("image", shell_complete=names("/images"))
@click.option("--version", default="", help="As uname -r tells it; the newest in the image when left out.")
@click.option("--name", default="", help="Its name; after the image and its version when left out.")
def extract(image: str, version: str, name: str) -> None:
    """Take a kernel out of an image, with what roots on the network need of its modules."""
    connected = api()
    made = listed_by(connected, connected.make(f"/images/{segment(image)}/kernels", {"version": version, "name": name}))
    click.echo(clean(f"{made['name']}: kernel {made['version']}, SHA-256 {made['sha256']}"))


@kernels.command()
@json_option
def uploads(json_out: bool) -> None:
    """List the kernels and modules that are half uploaded, or being fetched."""
    show_arriving(api(), "kernels", "modules", json_out=json_out)


@kernels.command("stop-upload")
@click.argument("name")
@click.option("--modules", is_flag=True, help="Its modules, and not the kernel itself.")
def stop_upload(name: str, modules: bool) -> None:
    """Remove what is half uploaded of a kernel, or of its modules."""
    stop(api(), "modules" if modules else "kernels", name)


@kernels.command("set")
@kernel_argument
@click.option("--name", help="Its new name.")
@click.option("--cmdline", help="Its default command line.")
def set_kernel(kernel: str, name: str | None, cmdline: str | None) -> None:
    """Change a kernel's name and default command line."""
    change = {key: value for key, value in {"name": name, "cmdline": cmdline}.items() if value is not None}
    if not change:
        raise click.UsageError("say what to change: --name or --cmdline")
    changed = api().send("PATCH", f"/kernels/{segment(kernel)}", change)
    click.echo(clean(f"{changed['name']}: {changed['cmdline'] or 'no command line of its own'}"))


@kernels.command()
@kernel_argument
@confirm_option
def delete(kernel: str, confirm: str | None) -> None:
    """Delete a kernel that nothing uses."""
    connected = api()
    found, seen = connected.seen(f"/kernels/{segment(kernel)}")
    confirmed([f"Kernel {found['name']} is deleted."], found["name"], confirm)
    connected.send("DELETE", f"/kernels/{segment(str(found['id']))}", seen=seen)
    click.echo(f"{found['name']} is deleted")
