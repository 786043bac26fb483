"""``qrm seed``: all of set-up in a file, for an appliance that nobody is in front of."""

import asyncio
import pwd
from contextlib import suppress
from pathlib import Path

import click

from appliance.cli.context import json_option
from appliance.cli.output import as_json, clean
from appliance.cli.secret_input import ask_new
from appliance.errors import ApplianceError, NotFound

_FILE = click.Path(path_type=Path)
USER = "appliance"
PROBLEM = Path("/run/appliance/seed-problem")
"""Why a seed was not applied; the appliance's screen shows it."""


@click.group()
def seed() -> None:
    """Check, apply and begin a seed file, which does all of set-up without a person."""


@seed.command()
def example() -> None:
    """Print a seed file with every key, to begin with."""
    from appliance.setup.seed import EXAMPLE

    click.echo(EXAMPLE, nl=False)


@seed.command("hash")
@click.option("--user", default="admin", show_default=True, help="What the administrator is called in the file.")
def hash_password(user: str) -> None:
    """Print the hash of a password, for `password_hash`.

    The password is asked for, or read from standard input; it stands nowhere.
    """
    from appliance.web.passwords import check_password, hash_for_file

    click.echo(hash_for_file(check_password(ask_new(user), user)))


@seed.command()
@click.argument("file", type=_FILE)
@json_option
def check(file: Path, json_out: bool) -> None:
    """Say whether FILE would be accepted, and what it would do.

    Whether the interfaces and disks are there only the appliance itself can tell.
    """
    from appliance.setup.seed import parse
    from appliance.setup.seed_partition import read
    from appliance.setup.summary import lines

    text = read(file)
    if text is None:
        raise NotFound("seed-missing", f"{file}: there is no seed file", "begin one with: qrm seed example")
    shown = lines(parse(text, str(file)))
    if json_out:
        as_json(dict(shown))
        return
    for what, how in shown:
        click.echo(f"{what:<15}{clean(how)}")


@seed.command()
@click.argument("path", metavar="PARTITION|FILE", type=_FILE)
def apply(path: Path) -> None:
    """Apply the seed once; systemd does it before the daemon starts, as root.

    A seed that was applied before is left alone. A wrong one changes nothing. On the installer's stick it is checked
    only: the disk applies it.
    """
    from appliance.installer.stick import is_installer
    from appliance.setup.apply_seed import WAITS, Places
    from appliance.setup.apply_seed import apply as apply_seed
    from appliance.setup.through_helper import HelperAppliance

    places = Places(owner=_owner(), is_installer=is_installer())
    try:
        said = asyncio.run(apply_seed(path, places, HelperAppliance()))
    except ApplianceError as error:
        _show(f"{error.message}{f' ({error.hint})' if error.hint else ''}")
        raise
    click.echo(clean(said))
    if said == WAITS:
        _show(said)
    else:
        PROBLEM.unlink(missing_ok=True)


def _owner() -> tuple[int, int]:
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        hint = "a seed is applied on a flashed appliance only; look at it with: qrm seed check"
        raise ApplianceError("user-unknown", f"there is no user {USER}", hint) from None
    return found.pw_uid, found.pw_gid


def _show(problem: str) -> None:
    """For the screen; the journal has it from systemd."""
    with suppress(OSError):  # no appliance, or not root: the error is told in any case
        PROBLEM.write_text(f"{problem}\n")
