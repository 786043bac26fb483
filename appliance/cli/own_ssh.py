"""``qrm ssh-keys``: who may log in to the appliance itself by SSH, as root."""

from pathlib import Path
from typing import Any

import click

from appliance.authorized_keys import parse, parse_all
from appliance.cli.client import Api
from appliance.cli.context import Listing, api, json_option
from appliance.cli.flashed import known
from appliance.cli.output import as_json, clean, fields, table
from appliance.cli.sshkeys import keys_in
from appliance.errors import Invalid, NotFound

_FILE = click.Path(path_type=Path)
PATH = "/appliance/ssh"


@click.group("ssh-keys", cls=Listing)
def ssh_keys() -> None:
    """SSH keys of the appliance itself; without a command, their list.

    Whoever has one of them is root of the appliance. Without any, SSH is off.
    """


def _found(connected: Api) -> dict[str, Any]:
    return known(
        connected, PATH, "who may log in to it is said by its administrator, with what the system has for that"
    )


@ssh_keys.command("list")
@json_option
def list_keys(json_out: bool) -> None:
    """List the keys that are let in."""
    connected = api()
    if json_out:
        as_json(connected.get(PATH))
        return
    found = _found(connected)
    rows = [(each["comment"], each["kind"], each["fingerprint"]) for each in found["keys"]]
    table(("of", "kind", "fingerprint"), rows, "SSH is off: no key is let in. Let one in: qrm ssh-keys add FILE")
    state = f"on, {found['active']}" if found["on"] else ""
    fields({"ssh": state, "host key": found["host_key"], "lines by hand": found["others"] or ""})


@ssh_keys.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
def add(files: tuple[Path, ...]) -> None:
    """Let in who has the private half of a key in FILE, such as ~/.ssh/id_ed25519.pub, as root."""
    given = parse_all(_lines(files), "keys")
    if not given:
        raise Invalid("ssh-key-missing", f"there is no key in {files[0]}", "name a .pub file", "keys")
    connected = api()
    found = _found(connected)
    present = [each["line"] for each in found["keys"]]
    known = {each["fingerprint"] for each in found["keys"]}
    wanted = [key.line for key in given if key.fingerprint not in known]
    if wanted:
        _put(connected, [*present, *wanted], found["version"])
    for key in given:
        what = "was let in already" if key.fingerprint in known else "is let in as root"
        click.echo(f"{clean(key.comment or key.fingerprint)} {what}")


def _lines(files: tuple[Path, ...]) -> list[str]:
    try:
        return keys_in(files)
    except OSError as error:
        raise Invalid("file-unreadable", f"{error.filename}: {error.strerror}", "name a .pub file", "keys") from error


@ssh_keys.command()
@click.argument("fingerprint")
def remove(fingerprint: str) -> None:
    """Let the key with FINGERPRINT in no more; the last one switches SSH off.

    FINGERPRINT is as the list shows it, or the file of the key. Who has logged in with it already stays logged in.
    """
    connected = api()
    found = _found(connected)
    wanted = _fingerprint(fingerprint)
    rest = [each["line"] for each in found["keys"] if each["fingerprint"] != wanted]
    if len(rest) == len(found["keys"]):
        raise NotFound("ssh-key-unknown", f"{wanted} is not let in", "see which are: qrm ssh-keys list")
    _put(connected, rest, found["version"])
    click.echo(f"{clean(wanted)} is let in no more{'' if rest else '; SSH is off'}")


def _fingerprint(said: str) -> str:
    """Of a file where it is the name of one."""
    if Path(said).is_file():
        return parse(Path(said).read_text(errors="replace"), "fingerprint").fingerprint
    return said if said.startswith("SHA256:") else f"SHA256:{said}"


def _put(connected: Api, keys: list[str], version: str) -> None:
    connected.send("PUT", PATH, {"keys": keys, "version": version})
