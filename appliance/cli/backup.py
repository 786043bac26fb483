"""``qrm backup``: backups of an appliance, made and brought back through its API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from appliance.cli.client import file_chunks, segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import api, confirm_option, json_option
from appliance.cli.output import as_json, clean, decimal_size, fields, moment
from appliance.cli.secret_input import ask, ask_new, first_line
from appliance.cli.uploading import uploading
from appliance.errors import Invalid

LONG = 600.0
"""Seconds that a restore may take before it answers: the whole store is read and checked."""
_passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path), help="File whose first line is the passphrase."
)


@click.group()
def backup() -> None:
    """Backups of the appliance's state: download, upload, restore.

    On the appliance itself, `qrm state backup` and `qrm state restore` do the same without its API.
    """


@backup.command()
@json_option
def show(json_out: bool) -> None:
    """Show the backup that was uploaded, and what restores have left to decide."""
    found = api().get("/appliance/backup")
    if json_out:
        as_json(found)
        return
    if found["uploaded"]:
        _uploaded(found["uploaded"])
    else:
        click.echo("no backup was uploaded")
    for each in found["old_states"]:
        click.echo(f"old state {clean(each['name'])}, {decimal_size(each['size'])}: qrm backup remove-old NAME")
    if found["configuration"] is not None:
        click.echo("the configuration file of the backup, which is not in use:\n")
        click.echo("\n".join(clean(line) for line in found["configuration"].splitlines()))
    if found["network"] is not None:
        click.echo(
            "\nthe networks of that appliance, which are not in use; PUT /api/v1/appliance/network takes them:\n"
        )
        as_json(found["network"])


def _uploaded(found: dict[str, Any]) -> None:
    shown = {name: found[name] for name in ("host", "version", "authority")}
    fields(
        {
            "backup of": shown["host"],
            "made": moment(found["created"]),
            "version": shown["version"],
            "authority": shown["authority"],
            "size": decimal_size(found["size"]),
            "encrypted": "yes" if found["encrypted"] else "no",
        }
    )


@backup.command()
@click.argument("file", type=click.Path(path_type=Path))
@_passphrase_option
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def download(file: Path, passphrase_file: Path | None, force: bool) -> None:
    """Make a backup of configuration, store and keys, and write it to FILE.

    It is encrypted with a passphrase that is asked for twice. Images and kernels are not in it.
    """
    from appliance.backup.whole import whole_file

    passphrase = first_line(passphrase_file) if passphrase_file else ask_new("the backup")
    connected = api()
    connected.seconds = LONG
    with whole_file(file, replace=force) as target:
        size = connected.save("/appliance/backup", {"passphrase": passphrase}, target)
    click.echo(f"{clean(file)}: {decimal_size(size)}, encrypted")


@backup.command()
@click.argument("file", type=click.Path(path_type=Path))
def upload(file: Path) -> None:
    """Bring the backup FILE to the appliance; nothing changes until it is restored."""
    try:
        size = file.stat().st_size
        opened = file.open("rb")
    except OSError as error:
        raise Invalid("file-unreadable", f"{file}: {error.strerror}", "name a backup") from error
    with opened as content, uploading(file.name, size) as begin:

        def chunks() -> Iterator[bytes]:
            return file_chunks(content, begin())

        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        found = api().request("PUT", "/appliance/backup/upload", chunks(), headers)
    _uploaded(found)
    click.echo("restore it with: qrm backup restore")


@backup.command()
def discard() -> None:
    """Remove the backup that was uploaded."""
    api().send("DELETE", "/appliance/backup/upload")
    click.echo("the uploaded backup is removed")


@backup.command()
@_passphrase_option
@confirm_option
def restore(passphrase_file: Path | None, confirm: str | None) -> None:
    """Bring the state of the uploaded backup back; the present one is kept aside.

    Everybody has to log in again, with the accounts of the backup.
    """
    connected = api()
    found = connected.get("/appliance/backup")["uploaded"]
    host, passphrase = found["host"] if found else "restore", ""
    texts = [
        f"The state of {host}, of {moment(found['created'])}, takes the place of the present one." if found else "",
        "Machines, deployments, leases, users and keys are as they were then; the present ones are kept aside.",
        "Everybody has to log in again, with the accounts of the backup.",
    ]
    confirmed([each for each in texts if each], host, confirm)
    if found and found["encrypted"]:
        passphrase = first_line(passphrase_file) if passphrase_file else ask("Password of the backup")
    connected.seconds = LONG
    missing = connected.send("POST", "/appliance/restore", {"passphrase": passphrase})["missing"]
    click.echo(f"the appliance begins anew on the state of {clean(host)}; log in again: qrm login")
    for name in missing:
        click.echo(f"{clean(name)} has no content here: upload it again", err=True)


@backup.command("use-configuration")
@confirm_option
def use_configuration(confirm: str | None) -> None:
    """Put the configuration file of the restored backup in force; the daemon starts anew with it.

    Look at it first: qrm backup show. It is refused where it serves an interface that is not here.
    """
    texts = ["Subnets, domain and addresses of the console become those of the backup, and the daemon starts anew."]
    confirmed(texts, "configuration", confirm)
    api().send("POST", "/appliance/restore/configuration")
    click.echo("the configuration of the backup is in force")


@backup.command("dismiss-configuration")
def dismiss_configuration() -> None:
    """Leave the configuration as it is, and forget the one of the backup."""
    api().send("DELETE", "/appliance/restore/configuration")
    click.echo("the configuration stays as it is")


@backup.command("remove-old")
@click.argument("name")
@confirm_option
def remove_old(name: str, confirm: str | None) -> None:
    """Remove the state NAME that a restore took the place of, for good."""
    confirmed([f"The old state {name} is removed for good."], name, confirm)
    api().send("DELETE", f"/appliance/restore/old/{segment(name)}")
    click.echo(f"{clean(name)} is removed")
