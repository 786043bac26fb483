"""The command ``qrm``: one table of commands, each imported when it is used."""

import sys
from importlib import import_module

import click

from appliance import __version__
from appliance.cli.errors import WRONG_USAGE, exit_code
from appliance.cli.output import clean
from appliance.cli.patience import SECONDS
from appliance.errors import ApplianceError

COMMANDS: dict[str, tuple[str, str]] = {
    "setup": ("appliance.cli.account:setup", "Make the first administrator of a new appliance."),
    "login": ("appliance.cli.account:login", "Log in to an appliance."),
    "logout": ("appliance.cli.account:logout", "Log out of the appliance."),
    "passwd": ("appliance.cli.users:passwd", "Change your own password."),
    "find": ("appliance.cli.find:find", "Find a machine by the code on its screen, or anything by name."),
    "machines": ("appliance.cli.machines:machines", "Machines: list, show, set, rescue, timeline and more."),
    "images": ("appliance.cli.images:images", "Images: list, show, add, set, delete."),
    "recipes": ("appliance.cli.recipes:recipes", "What images can be made by: list, show, add, delete."),
    "isos": ("appliance.cli.isos:isos", "ISOs for the CD-ROM drives of VMs: list, show, add, set, delete."),
    "kernels": ("appliance.cli.kernels:kernels", "Kernels: list, show, add, set, delete."),
    "deployments": (
        "appliance.cli.deployments:deployments",
        "Deployments: create, set, start, stop, release and more.",
    ),
    "pools": ("appliance.cli.pools:pools", "Pools of storage: list, make, extend, adopt, repair, retire."),
    "volumes": ("appliance.cli.volumes:volumes", "Volumes: list, create, grow, snapshot, clone, roll-back, delete."),
    "vms": ("appliance.cli.vms:vms", "Virtual machines: list, create, set, start, shutdown, delete and more."),
    "hosts": ("appliance.cli.hosts:hosts", "Hosts of VMs: list, show, add, remove."),
    "network": ("appliance.cli.network:network", "Subnets, leases, reservations, names, and what was seen."),
    "tasks": ("appliance.cli.tasks:tasks", "Tasks: list, show, log, cancel, wait."),
    "events": ("appliance.cli.events:events", "What happened, and what happens."),
    "metrics": ("appliance.cli.metrics:metrics", "Boot traffic and load, in figures."),
    "settings": ("appliance.cli.settings:settings", "Version, fingerprint and configuration of the appliance."),
    "users": ("appliance.cli.users:users", "Users: list, show, create, set, password, delete."),
    "tokens": ("appliance.cli.tokens:tokens", "API tokens: list, show, create, delete."),
    "sessions": ("appliance.cli.tokens:sessions", "Log-ins that go on: list, end."),
    "audit": ("appliance.cli.audit:audit", "Who changed what, from where, before and after."),
    "certificate": ("appliance.cli.certificate:certificate", "The console's certificate: show, set, reset."),
    "ssh-keys": ("appliance.cli.own_ssh:ssh_keys", "Who may log in to the appliance itself by SSH."),
    "health": ("appliance.cli.health:health", "How the appliance itself is, and what to do."),
    "packages": ("appliance.cli.health:packages", "What the appliance is made of, with licences."),
    "identify": ("appliance.cli.health:identify", "Let the light of a disk of the appliance blink."),
    "support-bundle": ("appliance.cli.health:support_bundle", "Write a file for somebody who helps, without secrets."),
    "factory-reset": ("appliance.cli.health:factory_reset", "Forget everything, as if flashed anew."),
    "backup": ("appliance.cli.backup:backup", "Backups of the state: download, upload, restore."),
    "serve": ("appliance.cli.server:serve", "Run the appliance in the foreground."),
    "helper": ("appliance.cli.privileged:helper", "Carry out what needs root; systemd starts it."),
    "seed": ("appliance.cli.seed:seed", "Set-up from a file: check, apply, example, hash."),
    "update": ("appliance.cli.update:update", "Updates of the appliance: status, install, restart, back."),
    "slot": ("appliance.cli.slot:slot", "Find out what became of an update; systemd starts it."),
    "state": ("appliance.cli.state:state", "Back up and restore the state; reset a lost password."),
    "config": ("appliance.cli.server:config", "Check or show a configuration file."),
    "probe": ("appliance.probe.command:probe", "Examine the network as a machine sees it."),
    "completion": ("appliance.cli.completion:completion", "Print the completion script of a shell."),
    "screen": ("appliance.screen.command:screen", "The appliance's own screen, on this terminal."),
    "install": ("appliance.installer.command:install", "Install the appliance from a stick onto a disk."),
    "lab": ("appliance.lab.command:lab", "Run the virtual data centre."),
}
"""Name, where it is, and its line in the help: the help imports nothing."""


class Commands(click.Group):
    """Imports a command when it is asked for, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--server", metavar="URL", envvar="QRM_SERVER", help="Another appliance than that of the last log-in.")
@click.option(
    "--patience",
    metavar="SECONDS",
    envvar="QRM_PATIENCE",
    type=click.FloatRange(min=0),
    default=SECONDS,
    help="How long to wait for an appliance that is starting; 0: not at all. 30 where it is left out.",
)
@click.version_option(__version__, prog_name="qrm")
def cli(server: str | None, patience: float) -> None:
    """Turn bare computers into a fleet that runs what you ask for.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not reachable, 4 refused by the server.
    """


def main() -> int:
    """Run the command line; the exit code."""
    try:
        result = cli.main(prog_name="qrm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return WRONG_USAGE if isinstance(error, click.UsageError) else error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was asked for already goes on", err=True)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, as `head` does
        return 1
    except ApplianceError as error:
        return say(error)
    return result if isinstance(result, int) else 0


def say(error: ApplianceError) -> int:
    """Print what happened, where, and what to do; the exit code."""
    field = f" [{clean(error.field)}]" if error.field else ""
    click.echo(f"qrm: {clean(error.message)}{field} ({clean(error.code)})", err=True)
    if error.hint:
        click.echo(f"  {clean(error.hint)}", err=True)
    return exit_code(error)
