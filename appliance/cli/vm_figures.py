"""``qrm vms statistics`` and ``screenshot``: what a VM uses, and what is on its screen."""

from pathlib import Path
from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import values
from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, clean, decimal_size, table

SPANS = ("hour", "day", "week")
FIGURES = {
    "cpu": ("processor cores", 1.0),
    "memory": ("memory held on its host, MB", 1e6),
    "used": ("memory used in it, MB", 1e6),
    "read": ("read from disks, MB per second", 1e6),
    "written": ("written to disks, MB per second", 1e6),
    "reads": ("reads per second", 1.0),
    "writes": ("writes per second", 1.0),
    "received": ("received, MB per second", 1e6),
    "sent": ("sent, MB per second", 1e6),
}
"""Column -> what it is, and what it is divided by."""
NONE_YET = "Nothing was measured: the VM did not run, or only just started."
vm_argument = click.argument("vm", shell_complete=values("/vms", "name", says="state"))


@click.command()
@vm_argument
@click.option("--last", "span", type=click.Choice(SPANS), default="hour", show_default=True, help="How far back.")
@json_option
def statistics(vm: str, span: str, json_out: bool) -> None:
    """Show what a VM uses: now, on average while it ran, and at most."""
    found = api().get(f"/vms/{segment(vm)}/statistics", span=span)
    if json_out:
        as_json(found)
        return
    rows = [(said, *_summed(found, name, unit)) for name, (said, unit) in FIGURES.items()]
    table(("figure", "now", "average", "at most"), [row for row in rows if any(row[1:])], NONE_YET)


def _summed(found: dict[str, Any], name: str, unit: float) -> tuple[str, str, str]:
    """Empty for what nobody knows."""
    known = [value for value in found[name] if value is not None]
    peaks = [value for value in found["peaks"][name] if value is not None]
    now = found[name][-1] if found["live"] and found[name] else None
    average = sum(known) / len(known) if known else None
    return _said(now, unit), _said(average, unit), _said(max(peaks, default=None), unit)


def _said(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:.2f}"


@click.command()
@vm_argument
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def screenshot(vm: str, file: Path, force: bool) -> None:
    """Write what is on the screen of a VM to FILE, a PNG."""
    from appliance.backup.whole import whole_file

    with whole_file(file, replace=force) as target:
        size = api().save(f"/vms/{segment(vm)}/screenshot", None, target)
    click.echo(f"{clean(file)}: {decimal_size(size)}")
