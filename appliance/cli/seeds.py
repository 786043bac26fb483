"""``qrm deployments seed``, and the options for what cloud-init is given."""

from collections.abc import Callable
from typing import IO, Any, TypeVar

import click

from appliance.cli.client import segment
from appliance.cli.completion import names as known
from appliance.cli.context import api, json_option
from appliance.cli.output import as_json, clean
from appliance.cloud_init import LONGEST, PARTS, USER_DATA

F = TypeVar("F", bound=Callable[..., Any])


def seed_options(command: F) -> F:
    """Files with the texts of a seed; ``-`` reads one from standard input, as passwords had better come."""
    user_data = "File for cloud-init in the image: #cloud-config, a script and so on; - reads it from standard input."
    network = "File with a network configuration of version 2, for cloud-init. Without: DHCP, by the MAC address."
    options = (
        click.option("--user-data", type=click.File("rb"), metavar="FILE", help=user_data),
        click.option("--network-config", type=click.File("rb"), metavar="FILE", help=network),
    )
    for add in reversed(options):
        command = add(command)
    return command


def no_seed_options(command: F) -> F:
    """Take the texts away again."""
    helped = "Give cloud-init no user data from the next deploy on."
    command = click.option("--no-user-data", is_flag=True, help=helped)(command)
    helped = "Have the network configuration made by itself from the next deploy on."
    return click.option("--no-network-config", is_flag=True, help=helped)(command)


def seed_in(given: dict[str, Any]) -> dict[str, str]:
    """Of the options, what is sent; raises click.UsageError for both a text and none."""
    found = {part: _read(given[part], part) for part in PARTS if given[part] is not None}
    for part in PARTS:
        if given.get(f"no_{part}"):
            if part in found:
                option = part.replace("_", "-")
                raise click.UsageError(f"--{option} and --no-{option} do not go together")
            found[part] = ""
    return found


def _read(file: IO[bytes], part: str) -> str:
    octets = file.read(LONGEST + 1)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        if len(octets) > LONGEST:  # cut in the middle of a character; the server says how long it may be
            return octets.decode(errors="replace")
        option = f"--{part.replace('_', '-')}"
        raise click.BadParameter("it is no text in UTF-8", param_hint=option) from None


@click.command()
@click.argument("deployment", shell_complete=known("/deployments"))
@click.option(
    "--part",
    type=click.Choice([each.replace("_", "-") for each in PARTS]),
    default=USER_DATA.replace("_", "-"),
    help="Which of the two texts.",
)
@json_option
def seed(deployment: str, part: str, json_out: bool) -> None:
    """Print what a deployment gives to cloud-init, with the passwords that are in it."""
    found = api().get(f"/deployments/{segment(deployment)}/seed")
    if json_out:
        as_json(found)
        return
    text = str(found[part.replace("-", "_")])
    click.echo("".join(each if each in "\n\t" else clean(each) for each in text), nl=False)
