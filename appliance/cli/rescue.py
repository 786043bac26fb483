"""``qrm machines rescue``, ``end-rescue``, ``admit``, ``consequences`` and ``boot-messages``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.bulk import do_to_many, selected, where_option
from appliance.cli.client import Api, segment
from appliance.cli.completion import names as known
from appliance.cli.confirm import say_consequences
from appliance.cli.context import api, json_option, wait_option
from appliance.cli.output import as_json, clean, moment
from appliance.cli.sshkeys import key_option, keys_in

ACTIONS = (
    "break", "delete", "rescue", "end-rescue", "admit", "power-on", "power-off", "power-cycle", "power-network-once",
)  # fmt: skip
names_argument = click.argument("names", nargs=-1, metavar="MACHINE...", shell_complete=known("/machines"))


@click.command()
@names_argument
@where_option
@key_option("--key", required=True, whom="as root")
@wait_option
def rescue(names: tuple[str, ...], where: str | None, key_files: tuple[Path, ...], and_wait: bool) -> None:
    """Boot machines into the maintenance stack, their disks untouched, with SSH open to your keys."""
    connected, which, keys = api(), selected("machines", names, where), keys_in(key_files)
    if len(names) != 1:
        do_to_many(connected, "machines", which, "rescue", ssh_keys=keys)
        return
    _ask(connected, names[0], "rescue", {"ssh_keys": keys}, and_wait)
    if and_wait:
        for line in opened(connected.get(f"/machines/{segment(names[0])}")):
            click.echo(line)


def opened(machine: dict[str, Any]) -> list[str]:
    """How to log in, and what to compare the host's fingerprint with."""
    shown = machine["rescue"] or {}
    if not shown.get("since"):
        return []
    return [f"ssh root@{clean(shown['address'])}", *(f"  {clean(each)}" for each in shown["fingerprints"])]


@click.command("end-rescue")
@names_argument
@where_option
@wait_option
def end_rescue(names: tuple[str, ...], where: str | None, and_wait: bool) -> None:
    """Log everybody out of machines in rescue: they restart into a fresh maintenance stack."""
    which = selected("machines", names, where)
    if len(names) == 1:
        _ask(api(), names[0], "end-rescue", {}, and_wait)
    else:
        do_to_many(api(), "machines", which, "end-rescue")


@click.command()
@names_argument
@where_option
def admit(names: tuple[str, ...], where: str | None) -> None:
    """Let machines in that restarted by themselves and wait for their root on the network."""
    which, connected = selected("machines", names, where), api()
    if len(names) != 1:
        do_to_many(connected, "machines", which, "admit")
        return
    _foretell(connected, names[0], "admit")
    found = connected.send("POST", f"/machines/{segment(names[0])}/admit", {})
    click.echo(f"{clean(found['name'])}: let in; it gets its root when it next asks, within seconds")


def _foretell(connected: Api, machine: str, action: str) -> dict[str, Any]:
    """Say what an action would do; why not is said by the server when it is asked, with its code."""
    foreseen: dict[str, Any] = connected.get(f"/machines/{segment(machine)}/consequences", action=action)
    if not foreseen["refused"]:
        for text in foreseen["texts"]:
            click.echo(clean(text), err=True)
    return foreseen


def _ask(connected: Api, machine: str, action: str, body: dict[str, Any], and_wait: bool) -> None:
    path = f"/machines/{segment(machine)}"
    foreseen = _foretell(connected, machine, action)
    task = connected.make(f"{path}/{action}", body)
    click.echo(f"{clean(foreseen['machine'])}: asked to {action} (task {task['id']})")
    if and_wait:
        from appliance.cli.waiting import wait_for_task

        wait_for_task(connected, task)


@click.command()
@click.argument("machine", shell_complete=known("/machines"))
@click.argument("action", type=click.Choice(ACTIONS))
@json_option
def consequences(machine: str, action: str, json_out: bool) -> None:
    """Say what an action would do to a machine; nothing is done."""
    say_consequences(api().get(f"/machines/{segment(machine)}/consequences", action=action), json_out)


@click.command("boot-messages")
@click.argument("machine", shell_complete=known("/machines"))
@click.option("--system", is_flag=True, help="Those of its deployed system; else those of the maintenance stack.")
@json_option
def boot_messages(machine: str, system: bool, json_out: bool) -> None:
    """Show what the kernel said while the machine started last."""
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


COMMANDS = (rescue, end_rescue, admit, consequences, boot_messages)
