"""``qrm deployments create`` and ``set``: what a deployment asks for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance.cli.client import segment
from appliance.cli.completion import names as known
from appliance.cli.completion import tags as known_tags
from appliance.cli.context import api
from appliance.cli.output import clean
from appliance.cli.seeds import no_seed_options, seed_in, seed_options
from appliance.cli.sshkeys import key_option, keys_in
from appliance.delivery import DELIVERIES
from appliance.errors import Invalid
from appliance.sizes import parse_size
from appliance.wiping import WipeMethod

F = TypeVar("F", bound=Callable[..., Any])
ANY = "any"
AMOUNTS = {"cpus": "cpus", "memory": "memory_bytes", "disk_size": "disk_bytes"}
"""Option -> the requirement that it sets."""


class Amount(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """A whole number above 0; or ``any``, which asks for nothing."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or ``any``."""
        if isinstance(value, int) or value == ANY:
            return value
        if not (value.isdecimal() and value.isascii()) or not 1 <= int(value) <= 2**20:
            self.fail(f"{value!r}: write a whole number above 0, or {ANY}", param, ctx)
        return int(value)


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """Bytes, from a number with a unit, or without one in the unit of the option; or ``any``, which asks for nothing.

    The units are those of the console's form.
    """

    name = "size"

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The bytes, or ``any``."""
        if isinstance(value, int) or value == ANY:
            return value
        try:
            return parse_size(value, self.unit)
        except Invalid as error:
            self.fail(f"{error.message}: {error.hint}; or {ANY}", param, ctx)


def requirement_options(command: F) -> F:
    """What a machine must have at least; ``any`` asks for nothing."""
    amount, firmware = Amount(), click.Choice(["bios", "uefi", ANY])
    options = (
        click.option("--cpus", type=amount, help="At least so many; or any."),
        click.option(
            "--memory",
            type=Size("GiB"),
            metavar="SIZE",
            help="At least so much memory, such as 64GiB; a number alone counts GiB; or any.",
        ),
        click.option(
            "--disk-size",
            type=Size("GB"),
            metavar="SIZE",
            help="For delivery disk: one of at least this size, such as 500GB or 1.5TB (a number counts GB); or any.",
        ),
        click.option("--firmware", type=firmware, help="Only machines with this firmware."),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="TAG",
            shell_complete=known_tags(),
            help="Only machines with this tag.",
        ),
    )
    for add in reversed(options):
        command = add(command)
    return command


def wipe_method_option(command: F) -> F:
    """How its release wipes the disk."""
    choice = click.Choice([each.value for each in WipeMethod])
    helped = "How it is wiped: by the strongest way that the disk has (automatic), or this way and nothing weaker."
    return click.option("--wipe-method", type=choice, help=helped)(command)


def root_options(command: F) -> F:
    """Where the root volume of deliveries iscsi and nfs is made, and how large; what roots are started with."""
    kernel = "The kernel that its root on the network is started with, by name or number; any: the appliance's own."
    command = click.option("--kernel", metavar="KERNEL", shell_complete=known("/kernels"), help=kernel)(command)
    size = "It has at least so much, such as 20GiB; a number alone counts GiB; any: as the image needs."
    pool = "The pool of its root volume (deliveries iscsi and nfs), by name or number; any: the first that fits."
    command = click.option("--root-size", type=Size("GiB"), metavar="SIZE", help=size)(command)
    return click.option("--pool", metavar="POOL", shell_complete=known("/pools"), help=pool)(command)


@click.command()
@click.argument("name")
@click.option("--image", required=True, shell_complete=known("/images"), help="The image to run, by name or id.")
@click.option("--delivery", type=click.Choice(tuple(DELIVERIES)), default="disk", help="How it gets its root.")
@click.option("--machine", metavar="MACHINE", shell_complete=known("/machines"), help="This machine and no other.")
@click.option("--disk", help="This disk, by serial or WWN, whatever is on it.")
@requirement_options
@key_option("--ssh-key")
@click.option("--wipe-on-release", is_flag=True, help="Wipe the disk when it is released.")
@wipe_method_option
@root_options
@seed_options
def create(key_files: tuple[Path, ...], **given: Any) -> None:
    """Make a deployment; nothing is touched before it is started."""
    body = {name: given[name] for name in ("name", "image", "delivery", "machine", "disk", "wipe_on_release")}
    if given["wipe_method"]:
        body["wipe_method"] = given["wipe_method"]
    body |= {name: given[name] for name in ("pool", "root_size", "kernel") if given[name] not in (None, ANY)}
    body |= seed_in(given)
    made = api().make("/deployments", {**body, "requirements": _asked({}, given), "ssh_keys": keys_in(key_files)})
    click.echo(f"{made['name']} is made; start it with: qrm deployments start {made['name']}")


def _asked(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Requirements as they were, with what the options change of them."""
    after = dict(before)
    for option, field in AMOUNTS.items():
        if given[option] is not None:
            after[field] = None if given[option] == ANY else given[option]
    if given["firmware"]:
        after["firmware"] = None if given["firmware"] == ANY else given["firmware"]
    kept = [tag for tag in before.get("tags", ()) if tag not in given.get("untag", ())]
    return after | {"tags": list(dict.fromkeys([*kept, *given["tags"]]))}


@click.command("set")
@click.argument("deployment", shell_complete=known("/deployments"))
@click.option("--name", help="Its new name; only while it is on no machine.")
@click.option(
    "--image", metavar="IMAGE", shell_complete=known("/images"), help="The image that the next deploy writes."
)
@requirement_options
@click.option("--untag", multiple=True, metavar="TAG", shell_complete=known_tags(), help="Ask for this tag no more.")
@key_option("--ssh-key")
@click.option("--no-ssh-keys", is_flag=True, help="Nobody may log in by SSH from the next deploy on.")
@click.option("--wipe-on-release/--keep-on-release", default=None, help="Whether its disk is wiped on release.")
@wipe_method_option
@root_options
@seed_options
@no_seed_options
def set_deployment(deployment: str, key_files: tuple[Path, ...], no_ssh_keys: bool, **given: Any) -> None:
    """Change what a deployment asks for; what runs goes on as it is until the next start or deploy.

    The keys of --ssh-key take the place of all that it has.
    """
    connected, path = api(), f"/deployments/{segment(deployment)}"
    before, seen = connected.seen(path)
    plain = ("name", "image", "wipe_on_release", "wipe_method")
    change = {name: given[name] for name in plain if given[name] is not None} | seed_in(given)
    for chosen in ("pool", "kernel"):
        if given[chosen] is not None:
            change[chosen] = "" if given[chosen] == ANY else given[chosen]
    if given["root_size"] is not None:
        change["root_size"] = 0 if given["root_size"] == ANY else given["root_size"]
    if key_files or no_ssh_keys:
        change["ssh_keys"] = keys_in(key_files)
    if (wanted := _asked(before["requirements"], given)) != before["requirements"]:
        change["requirements"] = wanted
    if not change:
        raise click.UsageError("that is how it is already: say what to change, such as --image or --memory")
    changed = connected.send("PATCH", path, change, seen)
    click.echo(f"{clean(changed['name'])}: the next start or deploy makes it so")
