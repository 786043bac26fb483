"""``qrm machines power`` and ``qrm machines power-settings``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.bulk import confirm_many, do_to_many, selected, where_option
from appliance.cli.client import Api, segment
from appliance.cli.completion import names as known
from appliance.cli.confirm import confirmed
from appliance.cli.context import api, confirm_option, json_option, wait_option
from appliance.cli.listing import fetch
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.cli.secret_input import ask
from appliance.cli.waiting import wait_for_task
from appliance.errors import ApplianceError, Invalid
from appliance.power_switch import PRIVILEGES, SECRETS, PowerKind

ACTIONS = ("on", "off", "cycle", "network-once", "test")
CUTS = ("off", "cycle", "network-once")
MANY = ("The power of {} is cut at once, without shutting down what runs: what that has not written to disk is lost.",)
machine_argument = click.argument("machine", shell_complete=known("/machines"))


@click.command(options_metavar="[OPTIONS]")
@click.argument("names", nargs=-1, metavar="MACHINE...", shell_complete=known("/machines"))
@click.argument("action", type=click.Choice([*ACTIONS, "status"]))
@where_option
@confirm_option
@wait_option
@json_option
def power(
    names: tuple[str, ...], action: str, where: str | None, confirm: str | None, and_wait: bool, json_out: bool
) -> None:
    """Switch machines on or off, by their power switches.

    off and cycle cut the power without shutting anything down; network-once does as cycle, into one start from the
    network. test only asks the switch, status says what it said last.
    """
    which = selected("machines", names, where)
    if action == "status":
        _status(which, json_out)
    elif len(names) == 1:
        _one(api(), names[0], action, confirm, and_wait)
    elif action == "test":
        raise click.UsageError("test asks one switch at a time")
    else:
        _many(api(), which, action, confirm, and_wait)


def _status(which: dict[str, Any], json_out: bool) -> None:
    """What the switches said last, without asking them."""
    connected = api()
    if "machines" in which:
        found = [connected.get(f"/machines/{segment(name)}") for name in which["machines"]]
    else:
        found = fetch(connected, "/machines", 0, **which["filter"])["items"]
    if json_out:
        as_json([{"name": each["name"], "power": each["power"]} for each in found])
        return
    rows = [(each["name"], *power_words(each["power"])) for each in found]
    table(("machine", "power", "since", "wanted", "switch", "trouble"), rows, "No machine matches.")


def power_words(of: dict[str, Any] | None) -> tuple[str, str, str, str, str]:
    """State, since, wanted, kind and trouble."""
    if of is None:
        return "", "", "", "by hand", ""
    wanted = "" if of["wanted"] == "unknown" else of["wanted"]
    return of["state"], moment(of["since"]) if of["since"] else "", wanted, of["kind"], of["trouble"]


def _one(connected: Api, machine: str, action: str, confirm: str | None, and_wait: bool) -> None:
    path, word = f"/machines/{segment(machine)}", None
    if action != "test":
        foreseen = connected.get(f"{path}/consequences", action=f"power-{action}")
        if not foreseen["refused"]:  # the server says why, with its code
            word = confirmed(foreseen["texts"], foreseen["confirm"], confirm)
    task = connected.make(f"{path}/power/{action}", {"confirm": word})
    click.echo(f"{clean(task['title'])} (task {task['id']})")
    if and_wait:
        done = wait_for_task(connected, task)
        if done["result"]["power"] != "unknown":  # nobody sees what Wake-on-LAN brings
            click.echo(f"{clean(machine)} is {done['result']['power']}")


def _many(connected: Api, which: dict[str, Any], action: str, confirm: str | None, and_wait: bool) -> None:
    """Every machine gets a task of its own; with ``and_wait`` all of them have ended."""
    word = confirm_many(connected, "machines", which, MANY, confirm) if action in CUTS else None
    done = do_to_many(connected, "machines", which, f"power-{action}", confirm=word)
    if and_wait:
        _wait_for_each(connected, done["result"]["items"])


def _wait_for_each(connected: Api, items: list[dict[str, Any]]) -> None:
    """Come back once all their tasks have ended; raises ApplianceError ``items-failed`` where some of them failed."""
    failed = 0
    for each in items:
        try:
            if each["task"]:
                wait_for_task(connected, connected.get(f"/tasks/{each['task']}"))
        except ApplianceError as error:
            if error.code == "wait-stopped":
                raise
            failed += 1
            click.echo(clean(error.message), err=True)
    if failed:
        raise ApplianceError("items-failed", f"{failed} of {len(items)} machines failed", "look at: qrm tasks")


@click.group("power-settings")
def settings() -> None:
    """How machines are switched on and off; for administrators."""


@settings.command()
@machine_argument
@json_option
def show(machine: str, json_out: bool) -> None:
    """Show how a machine is switched, without the password."""
    found = api().get(f"/machines/{segment(machine)}/power")
    if json_out:
        as_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    given = ("kind", "address", "port", "user", "system", "fingerprint", "cipher_suite", "privilege")
    fields(
        {name.replace("_", " "): found[name] for name in given if found[name]}
        | {"password": "set" if found["secret_set"] else "none", "power": found["power"]["state"]}
        | ({"trouble": found["power"]["trouble"]} if found["power"]["trouble"] else {})
    )


@settings.command("set")
@machine_argument
@click.option("--kind", type=click.Choice([each.value for each in PowerKind]), required=True, help="What switches it.")
@click.option("--address", default="", help="Of its controller; libvirt: of the host, such as qemu:///system.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where it is not the usual one.")
@click.option("--user", default="", help="A user of the controller.")
@click.option("--system", default="", help="Redfish: the Id of the system. libvirt: the VM.")
@click.option("--fingerprint", default="", help="Redfish: SHA-256 of the controller's certificate.")
@click.option(
    "--cipher-suite", type=click.Choice(["17", "3", "8", "12"]), help="IPMI: the best of both sides if left out."
)
@click.option("--privilege", type=click.Choice(PRIVILEGES), help="IPMI: what the user may do there.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The password's file; else it is asked for.",
)
@click.option("--keep-password", is_flag=True, help="Keep the one that is stored.")
def set_settings(
    machine: str,
    kind: str,
    cipher_suite: str | None,
    privilege: str | None,
    password_file: Path | None,
    keep_password: bool,
    **given: Any,
) -> None:
    """Say how a machine is switched.

    The password is asked for, or read from a file or from standard input.
    """
    body = {"kind": kind, **given, "cipher_suite": int(cipher_suite or 0), "privilege": privilege or ""}
    body["secret"] = None if keep_password else _secret(PowerKind(kind), password_file)
    _print(api().send("PUT", f"/machines/{segment(machine)}/power", body))


def _secret(kind: PowerKind, file: Path | None) -> str:
    """The password, without the line end of a file; kinds that have none are not asked for one."""
    if file is None:
        return ask(SECRETS[kind].capitalize()) if SECRETS.get(kind) == "password" else ""
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("file-unreadable", f"{file} cannot be read: {error}", "name a text file") from error


@settings.command()
@machine_argument
@click.option("--address", required=True, help="Of the controller.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where it is not 443.")
@json_option
def fingerprint(machine: str, address: str, port: int, json_out: bool) -> None:
    """Show the fingerprint of the certificate that a Redfish controller shows now.

    Compare it with what the controller's own pages say, then give it to: set --fingerprint.
    """
    found = api().get(f"/machines/{segment(machine)}/power/certificate", address=address, port=str(port))
    if json_out:
        as_json(found)
        return
    click.echo(found["fingerprint"])


@settings.command()
@machine_argument
@confirm_option
def remove(machine: str, confirm: str | None) -> None:
    """Forget how a machine is switched, with the password."""
    texts = [f"How {machine} is switched is forgotten, with the password; the machine stays as it is, on or off."]
    confirmed(texts, machine, confirm)
    api().send("DELETE", f"/machines/{segment(machine)}/power")
    click.echo(f"{clean(machine)} is switched by hand from now on")


COMMANDS = (power, settings)
