"""``qrm hosts``"""

from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import values
from appliance.cli.context import Listing, api, json_option
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.cli.storage_words import room

NONE_YET = (
    "No host yet. Install libvirt on the appliance, or add one with: qrm hosts add NAME qemu+ssh://root@HOST/system"
)
host_argument = click.argument("host", shell_complete=values("/hosts", "name", says="address"))


@click.group(cls=Listing)
def hosts() -> None:
    """Hosts of VMs, the appliance among them; without a command, their list."""


@hosts.command("list")
@json_option
def list_hosts(json_out: bool) -> None:
    """List hosts: what they can do, and how many VMs run on them."""
    found = api().get("/hosts")
    if json_out:
        as_json(found)
        return
    heads = ("name", "VMs", "running", "CPUs", "memory", "libvirt", "address", "state")
    table(heads, [_row(each) for each in found["items"]], NONE_YET)


def _row(host: dict[str, Any]) -> tuple[object, ...]:
    figures = host["cpus"] or "", room(host["memory"]), host["libvirt"] or ""
    return host["name"], host["vms"], host["running"], *figures, host["address"], _state(host)


def _state(host: dict[str, Any]) -> str:
    slow = "no KVM: VMs are slow" if host["kvm"] is False else ""
    return str(host["trouble"] or slow or "fine")


@hosts.command()
@host_argument
@json_option
def show(host: str, json_out: bool) -> None:
    """Show a host."""
    found = api().get(f"/hosts/{segment(host)}")
    if json_out:
        as_json(found)
        return
    seen = {"VMs as of": moment(found["at"])} if found["trouble"] and found["at"] else {}
    fields(
        {"name": found["name"], "address": found["address"], "state": _state(found)}
        | {"VMs": found["vms"], "running": found["running"]}
        | seen
        | {"CPUs": found["cpus"], "memory": room(found["memory"]), "libvirt": found["libvirt"]}
        | {"disks on": ", ".join(found["buses"] or []), "firmware": ", ".join(found["firmwares"] or [])}
        | {"TPM": {True: "yes", False: "no", None: ""}[found["tpm"]]}
    )


@hosts.command()
@click.argument("name")
@click.argument("address")
def add(name: str, address: str) -> None:
    """Add a host by its ADDRESS, such as qemu+ssh://root@kvm2.example/system, and call it NAME."""
    added = api().make("/hosts", {"name": name, "address": address})
    click.echo(clean(f"{added['name']} is added: {added['vms']} VMs, {added['running']} of them run"))


@hosts.command()
@host_argument
def remove(host: str) -> None:
    """Forget a host; its VMs run on, and are not looked at any more."""
    api().send("DELETE", f"/hosts/{segment(host)}")
    click.echo(clean(f"{host} is removed; its VMs run on"))
