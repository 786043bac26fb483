"""``qrm health``, ``packages``, ``support-bundle``, ``factory-reset``, ``identify``: the appliance itself."""

from pathlib import Path

import click

from appliance.cli.client import segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import api, confirm_option, json_option
from appliance.cli.output import as_json, clean, decimal_size, table

LONG = 300.0
"""Seconds that a support bundle may take."""
LOST = (
    "Everything that the appliance has learnt is lost: machines, deployments, leases, users, images, settings, logs.",
    "Disks of machines and data disks are not touched. It restarts at once, and asks to be set up like a new one.",
    "A backup brings the state back: qrm backup download FILE. Without one there is no way back.",
)


@click.command()
@json_option
def health(json_out: bool) -> int:
    """Show how the appliance itself is, part by part, with what to do.

    The exit code is 1 where something is wrong, for monitors.
    """
    found = api().get("/appliance/health")
    if json_out:
        as_json(found)
    else:
        click.echo(clean(f"{found['name']}, version {found['version']}: {found['level']}"))
        rows = [(each["level"], each["name"], " ".join([each["text"], each["advice"]])) for each in found["findings"]]
        table(("", "part", "what is known"), rows, "nothing is known")
    return 1 if found["level"] == "bad" else 0


@click.command()
@json_option
def packages(json_out: bool) -> None:
    """List what the appliance's image is made of, with versions and licences."""
    found = api().get("/appliance/packages")
    if json_out:
        as_json(found)
        return
    rows = [(each["name"], each["version"], each["kind"], ", ".join(each["licences"])) for each in found["items"]]
    table(
        ("package", "version", "kind", "licences"), rows, "This appliance was not flashed: it has no list of packages."
    )


@click.command("support-bundle")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def support_bundle(file: Path, force: bool) -> None:
    """Write what somebody who helps needs to see to FILE, a gzipped tar.

    Versions, settings, events, journals, figures and the network are in it; passwords, keys and tokens are not. It
    names your machines: look through it before you send it.
    """
    from appliance.backup.whole import whole_file

    connected = api()
    connected.seconds = LONG
    with whole_file(file, replace=force) as target:
        size = connected.save("/appliance/support-bundle", {}, target)
    click.echo(f"{clean(file)}: {decimal_size(size)}; look through it before you send it")


@click.command()
@click.argument("disk")
def identify(disk: str) -> None:
    """Let the light of DISK, a disk of the appliance such as sda, blink for ten seconds."""
    api().send("POST", f"/appliance/disks/{segment(disk)}/identify")
    click.echo(f"{clean(disk)} has blinked")


@click.command("factory-reset")
@confirm_option
def factory_reset(confirm: str | None) -> None:
    """Forget everything, as if the appliance were flashed anew; it restarts at once."""
    connected = api()
    name = connected.get("/appliance/health")["name"]
    confirmed(LOST, name, confirm)
    connected.send("POST", "/appliance/factory-reset", {"confirm": name})
    click.echo(f"{clean(name)} restarts, and forgets everything")
