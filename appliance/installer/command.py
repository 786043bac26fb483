"""``qrm install``: the appliance that runs from a stick onto a disk, without the screen."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from appliance.cli.context import confirm_option, json_option
from appliance.cli.output import as_json, clean, table
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.installer.disks import Disk, size_words

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--source", type=_FILE, required=True, help="The disk that the appliance runs from.")
@click.option("--slot", type=click.Choice(["A", "B"]), default="A", show_default=True, help="Its root slot that runs.")
@click.option("--disk", "wanted", metavar="SERIAL", help="The disk to install onto; without it, all are listed.")
@confirm_option
@json_option
def install(source: Path, slot: str, wanted: str | None, confirm: str | None, json_out: bool) -> None:
    """Install the appliance onto a disk of this computer.

    Everything on that disk is lost. A disk that holds data has to be confirmed with its serial number.
    """
    from appliance.installer.act import list_disks

    disks = list_disks(source)
    if wanted is None:
        _show(disks, json_out)
        return
    disk = _found(disks, wanted)
    if disk.holds and confirm != disk.identifier:
        said = "; ".join(each.strip() for each in disk.holds)
        raise Conflict("confirmation-needed", f"{disk} holds data: {said}", f"--confirm {disk.identifier}", "confirm")
    _install(source, slot, disk)


def _install(source: Path, slot: str, disk: Disk) -> None:
    from appliance.installer import act

    with click.progressbar(length=1000, label=clean(str(disk))) as bar:

        def tell(part: float, doing: str) -> None:
            bar.update(int(part * 1000) - bar.pos)

        act.install(source, slot, disk, tell, lambda: True)
    click.echo(f"the appliance is on {clean(disk)}; take the stick out and restart")


def _found(disks: tuple[Disk, ...], wanted: str) -> Disk:
    found = [disk for disk in disks if wanted in (disk.serial, disk.wwn, disk.identifier)]
    if len(found) == 1:
        return found[0]
    if found:
        text = f"{len(found)} disks call themselves {wanted[:80]!r}"
        raise ApplianceError("disk-ambiguous", text, "take all but one of them out")
    raise NotFound("disk-unknown", f"there is no disk {wanted[:80]!r}", "see the list: qrm install --source DISK")


def _show(disks: tuple[Disk, ...], json_out: bool) -> None:
    if json_out:
        as_json({"items": [_described(disk) for disk in disks]})
        return
    rows = [
        (
            disk.identifier,
            disk.model,
            size_words(disk.size),
            "; ".join(each.strip() for each in disk.holds),
            disk.refused,
        )
        for disk in disks
    ]
    table(("serial", "model", "size", "holds", "cannot be used"), rows, "this computer has no disk that can be seen")


def _described(disk: Disk) -> dict[str, Any]:
    return {**dataclasses.asdict(disk), "identifier": disk.identifier}
