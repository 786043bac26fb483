"""The ``qrm lab`` command."""

import asyncio
import json
import os
from pathlib import Path

import click

from appliance.cli.client import Api
from appliance.cli.context import api
from appliance.cli.listing import fetch
from appliance.cli.output import clean
from appliance.errors import ApplianceError
from appliance.lab import control, namespace, neighbours, ssh, terminal
from appliance.lab.card import Card, find_lab, read_card, read_plan
from appliance.lab.check import DEFAULT_DEADLINE_SECONDS
from appliance.lab.directory import LabDirectory, default_base, running
from appliance.lab.plan import MOST_MACHINES, LabPlan, MachinePlan, plan_machines
from appliance.lab.process import run
from appliance.lab.run import Options, run_lab
from appliance.lab.switches import give


@click.group(invoke_without_command=True)
@click.option("--nodes", type=click.IntRange(0, MOST_MACHINES), default=2, show_default=True, help="Machines.")
@click.option(
    "--firmware", type=click.Choice(["bios", "uefi", "mixed", "uefi-http", "secure-boot"]),
    default="mixed", show_default=True,
    help="What they start with; mixed: one BIOS, one UEFI, and so on; uefi-http boots by HTTP instead of PXE.",
)  # fmt: skip
@click.option("--memory", type=click.IntRange(128), default=1024, show_default=True, help="MiB per machine.")
@click.option("--disks", type=click.IntRange(0, 8), default=1, show_default=True, help="Disks of 4 GiB per machine.")
@click.option("--nics", type=click.IntRange(1, 8), default=1, show_default=True, help="Interfaces per machine.")
@click.option(
    "--accelerator", type=click.Choice(["tcg", "kvm"]), default="tcg", show_default=True,
    help="How QEMU runs them; kvm is faster, where the computer has it.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), help="Console port; default: first free from 8443.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Keep disks and database here.")
@click.option("--keep-logs", type=click.Path(path_type=Path, file_okay=False), help="Copy logs here, redacted.")
@click.option("--check", is_flag=True, help="Do the main job without a person; exit 0 only if all of it happened.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Report of --check.")
@click.option("--deadline", type=click.FloatRange(1), default=DEFAULT_DEADLINE_SECONDS, help="Seconds for --check.")
@click.option("--no-daemon", is_flag=True, help="Only switch and machines: bring your own netboot server.")
@click.pass_context
def lab(
    context: click.Context,
    nodes: int,
    firmware: str,
    memory: int,
    disks: int,
    nics: int,
    accelerator: str,
    port: int | None,
    state: Path | None,
    keep_logs: Path | None,
    check: bool,
    json_file: Path | None,
    deadline: float,
    no_daemon: bool,
) -> None:
    """Run a virtual data centre: machines with real firmware on a switch, and the appliance beside them."""
    if context.invoked_subcommand is not None:
        return
    if check and (no_daemon or not nodes):
        raise click.UsageError("--check needs the daemon and at least one machine")
    machines = plan_machines(nodes, firmware, memory_mib=memory, disks=disks, nics=nics)  # type: ignore[arg-type]
    plan = LabPlan(machines, accelerator=accelerator)  # type: ignore[arg-type]
    options = Options(plan, port, state, check, deadline, json_file, keep_logs, daemon=not no_daemon)
    context.exit(_run(options))


def _run(options: Options) -> int:
    try:
        return asyncio.run(run_lab(options))
    except KeyboardInterrupt:
        # Ctrl-C is how a lab ends; a check that was interrupted has not succeeded.
        return 1 if options.check else 0
    except asyncio.CancelledError:
        return 1


_lab_option = click.option("--lab", "lab_name", help="Which lab, as `qrm lab list` calls it; default: the only one.")
_state_option = click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Its --state directory.")


@lab.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_labs(as_json: bool) -> None:
    """List the labs that run now."""
    rows = [(directory, read_card(directory)) for directory in running(default_base())]
    if as_json:
        click.echo(json.dumps([_row(directory, card) for directory, card in rows]))
        return
    for directory, card in rows:
        console = f"https://127.0.0.1:{card.port}/" if card.port else "no console"
        click.echo(f"{directory.name}  {console}  {' '.join(card.machines)}")


def _row(directory: LabDirectory, card: Card) -> dict[str, object]:
    return {"name": directory.name, "path": str(directory.path), "port": card.port, "machines": card.machines}


@lab.command()
@click.argument("node")
@_lab_option
@_state_option
def console(node: str, lab_name: str | None, state: Path | None) -> None:
    """Show the serial console of NODE; Ctrl-] leaves."""
    directory = _find(lab_name, state)
    terminal.attach(directory.console(_machine(directory, node).name))


@lab.command("ssh", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_lab_option
@_state_option
def log_in(node: str, command: tuple[str, ...], lab_name: str | None, state: Path | None) -> None:
    """Log in to what is deployed on NODE with the lab's key."""
    argv = _ssh_argv(_find(lab_name, state), node, command)
    os.execvp(argv[0], argv)  # noqa: S606 - the user's terminal becomes the remote one


def _ssh_argv(directory: LabDirectory, node: str, command: tuple[str, ...]) -> list[str]:
    card, root = read_card(directory), os.getuid() == 0
    macs = frozenset(nic.mac for nic in _machine(directory, node).nics)
    table = asyncio.run(run(namespace.enter_argv(card.door, neighbours.ARGV, root=root)))
    address = neighbours.address_of(macs, table.check("asking for neighbours").stdout)
    if address is None:
        raise ApplianceError("lab-no-address", f"{node} has not been heard of yet", "wait until it has booted")
    return namespace.enter_argv(card.door, ssh.trusting_argv(directory.ssh_key, address, command), root=root)


@lab.command()
@click.argument("node")
@click.argument("what", type=click.Choice(["on", "off", "reset"]))
@_lab_option
@_state_option
def power(node: str, what: str, lab_name: str | None, state: Path | None) -> None:
    """Switch NODE on, pull its plug, or press its reset button."""
    order = {"on": "power-on", "off": "power-off", "reset": "reset"}[what]
    directory = _find(lab_name, state)
    asyncio.run(control.ask(directory.control, order, machine=_machine(directory, node).name))


@lab.command()
@_lab_option
@_state_option
def switches(lab_name: str | None, state: Path | None) -> None:
    """Give the machines of the lab their power switches.

    Log in to the lab's appliance first, as administrator: qrm login. From then on it switches them on and off by
    itself, and you do with: qrm machines power. What is set up already stays as it is.
    """
    directory = _find(lab_name, state)
    card = read_card(directory)
    if card.port is None:
        raise ApplianceError("lab-no-daemon", f"the lab {directory.name} has no appliance", "leave out --no-daemon")
    connected = _logged_in(card.port)
    for line in give(connected, directory, fetch(connected, "/machines", 0)["items"]):
        click.echo(clean(line))


def _logged_in(port: int) -> Api:
    """The appliance that ``qrm`` is logged in to; raises ApplianceError with the address of the lab's."""
    try:
        return api()
    except ApplianceError as error:
        if error.code != "not-logged-in":
            raise
        raise ApplianceError(error.code, error.message, f"log in with: qrm login https://127.0.0.1:{port}") from None


def _find(lab_name: str | None, state: Path | None) -> LabDirectory:
    return LabDirectory(state.resolve(), kept=True) if state else find_lab(default_base(), lab_name)


def _machine(directory: LabDirectory, node: str) -> MachinePlan:
    machines = {machine.name: machine for machine in read_plan(directory).machines}
    if node not in machines:
        hint = f"there are: {', '.join(machines) or 'none'}"
        raise ApplianceError("lab-no-machine", f"there is no machine {node!r} in lab {directory.name}", hint)
    return machines[node]
