"""``qrm machines rescue``, ``end-rescue`` and ``boot-messages``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.client import Api, segment
from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, clean, moment

wait_option = click.option("--wait", "and_wait", is_flag=True, help="Come back when it is done.")


@click.command()
@click.argument("machine")
@click.option(
    "--key", "key_files", multiple=True, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with public keys that may log in as root; may be given several times.",
)  # fmt: skip
@wait_option
def rescue(machine: str, key_files: tuple[Path, ...], and_wait: bool) -> None:
    """Boot a machine into the maintenance stack, its disks untouched, with SSH open to your keys."""
    keys = [line for file in key_files for line in file.read_text(errors="replace").splitlines() if line.strip()]
    connected = api()
    _ask(connected, machine, "rescue", {"ssh_keys": keys}, and_wait)
    if and_wait:
        for line in opened(connected.get(f"/machines/{segment(machine)}")):
            click.echo(line)


def opened(machine: dict[str, Any]) -> list[str]:
    """How to log in, and what to compare the host's fingerprint with."""
    shown = machine["rescue"] or {}
    if not shown.get("since"):
        return []
    return [f"ssh root@{clean(shown['address'])}", *(f"  {clean(each)}" for each in shown["fingerprints"])]


@click.command("end-rescue")
@click.argument("machine")
@wait_option
def end_rescue(machine: str, and_wait: bool) -> None:
    """Log everybody out of a machine in rescue: it restarts into a fresh maintenance stack."""
    _ask(api(), machine, "end-rescue", {}, and_wait)


def _ask(connected: Api, machine: str, action: str, body: dict[str, Any], and_wait: bool) -> None:
    path = f"/machines/{segment(machine)}"
    foreseen = connected.get(f"{path}/consequences", action=action)
    if not foreseen["refused"]:  # the server says why, with its code
        for text in foreseen["texts"]:
            click.echo(clean(text), err=True)
    task = connected.send("POST", f"{path}/{action}", body)
    click.echo(f"{clean(foreseen['machine'])}: asked to {action} (task {task['id']})")
    if and_wait:
        from appliance.cli.waiting import wait_for_task

        wait_for_task(connected, task)


@click.command("boot-messages")
@click.argument("machine")
@click.option("--system", is_flag=True, help="Those of its deployed system; else those of the maintenance stack.")
@json_option
def boot_messages(machine: str, system: bool, json_out: bool) -> None:
    """What the kernel said while the machine started last."""
    found = api().get(f"/machines/{segment(machine)}/boot-messages")
    if json_out:
        as_json(found)
        return
    of, name = found["system" if system else "stack"], "its deployed system" if system else "the maintenance stack"
    if of is None:
        click.echo(f"Nothing of {name} has come yet.", err=True)
        return
    click.echo(f"From {name}, {moment(of['at'])}:", err=True)
    for line in of["text"].splitlines():
        click.echo(clean(line))


COMMANDS = (rescue, end_rescue, boot_messages)
