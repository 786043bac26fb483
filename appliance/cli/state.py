"""``qrm state``: backup, restore, and a lost password; on the appliance itself, without its API."""

import asyncio
import functools
import getpass
import json
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from appliance.cli.context import json_option
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.errors import ApplianceError, Invalid

_FILE = click.Path(path_type=Path)
DEFAULT_CONFIG = Path("/etc/qrm/appliance.toml")
SUFFIX = ".qrmstate"

_config_option = click.option(
    "--config", "config", type=_FILE, default=DEFAULT_CONFIG, show_default=True, help="The configuration file."
)
_passphrase_option = click.option(
    "--passphrase-file", "passphrase_file", type=_FILE, help="File whose first line is the passphrase."
)


@click.group()
def state() -> None:
    """Back up and restore the state, and reset a lost password.

    Runs on the appliance itself, as root or as the user that runs the daemon.
    """


@state.command()
@click.argument("target", metavar="FILE|DIR", type=_FILE)
@_config_option
@click.option("--encrypt", is_flag=True, help="Encrypt it with a passphrase that is asked for twice.")
@_passphrase_option
@click.option("--with-images", is_flag=True, help="Put the content of images and kernels in, too.")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def backup(
    target: Path, config: Path, encrypt: bool, passphrase_file: Path | None, with_images: bool, force: bool
) -> None:
    """Write configuration, store and keys to FILE, or to a new file in DIR.

    The daemon may run. Without a passphrase whoever has the file has the keys of the appliance.
    """
    from appliance.backup.make import Order, check_passphrase, make

    host, now = socket.gethostname(), time.time()
    if target.is_dir():
        target /= f"{host}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}{SUFFIX}"
    passphrase = check_passphrase(_new_passphrase(passphrase_file)) if encrypt or passphrase_file else None
    _, manifest = make(Order(config, target, host, now, passphrase, with_images, force, _network(config)))
    click.echo(f"{clean(target)}: {_bytes(target.stat().st_size)}, {'encrypted' if passphrase else 'not encrypted'}")
    left = [each for each in manifest.uploads if not each.included]
    if with_images and left:
        click.echo(f"without {_names(left)}, whose content is not here", err=True)


@state.command("list")
@click.argument("place", metavar="FILE|DIR", type=_FILE)
@_passphrase_option
@click.option("--check", is_flag=True, help="Read all of FILE and compare every checksum.")
@json_option
def list_(place: Path, passphrase_file: Path | None, check: bool, json_out: bool) -> None:
    """Say what is in the backup FILE, or which backups are in DIR.

    Of an encrypted one everybody can read when and where it was made; the rest takes its passphrase.
    """
    if place.is_dir():
        _list_directory(place, json_out)
        return
    found = _described(place, passphrase_file, check)
    if json_out:
        as_json(found)
        return
    _show(found)


@state.command()
@click.argument("file", type=_FILE)
@_config_option
@click.option("--state-dir", type=_FILE, help="Another state directory than the configuration file says.")
@click.option("--replace-config", is_flag=True, help="Restore the configuration file, too; the old one is kept.")
@_passphrase_option
def restore(
    file: Path, config: Path, state_dir: Path | None, replace_config: bool, passphrase_file: Path | None
) -> None:
    """Bring back the state in FILE, while no daemon runs on the state directory.

    The file is read and checked as a whole before anything is touched. The state that was there is moved aside. The
    configuration file is restored where there is none.
    """
    from appliance.backup.restore import Order, restore

    order = Order(file, config, _asking(file, passphrase_file), time.time(), state_dir, replace_config)
    outcome = restore(order)
    header = outcome.contents.header
    click.echo(f"{outcome.state_dir} is the state of {clean(header.host)}, of {moment(header.created)}")
    if outcome.resumed:
        click.echo("an earlier run had put it in place already; this one finished it")
    if outcome.aside:
        click.echo(f"the state that was there is in {outcome.aside}; remove it when you need it no more")
    if outcome.config_aside:
        click.echo(f"the configuration file that was there is {outcome.config_aside}")
    click.echo("passwords and API tokens are as they were then: delete again what was deleted since")
    if outcome.state_dir.stat().st_uid == 0:
        click.echo(f"it belongs to root; where the daemon runs as another user: chown -R USER: {outcome.state_dir}")
    click.echo(_next_words(outcome.config_written, config, outcome.state_dir))
    for name in outcome.missing:
        click.echo(f"{clean(name)} has no content here: upload it again", err=True)


@state.command("reset-password")
@click.argument("user")
@_config_option
def reset_password(user: str, config: Path) -> None:
    """Give USER a new password, and end all of their log-ins.

    The daemon may run. The password is asked for twice, or read from standard input. The role of the user stays.
    """
    from appliance.config import load
    from appliance.web.recovery import find_user
    from appliance.web.recovery import reset_password as reset

    directory = load(config).site.state_dir
    name = find_user(directory, user).name
    password = _twice("New password") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    has_admin = asyncio.run(reset(directory, name, password, time.time()))
    click.echo(f"{clean(name)} has a new password; all of their log-ins ended")
    if not has_admin:
        hint = "restore a backup from when there was one: qrm state restore FILE"
        click.echo(f"nobody here is an administrator any more; {hint}", err=True)


def _network(config: Path) -> bytes | None:
    """The networks of a flashed appliance, which stand beside its configuration; None elsewhere."""
    with suppress(OSError, ValueError, KeyError):
        return json.dumps(json.loads((config.parent / "network.json").read_text())["layout"]).encode()
    return None


def _new_passphrase(file: Path | None) -> str:
    return _first_line(file) if file else _twice("Passphrase of the backup")


def _twice(label: str) -> str:
    """Something secret, typed twice. Raises Invalid where the two differ."""
    if not sys.stdin.isatty():
        hint = "run this in a terminal, or use --passphrase-file FILE"
        raise ApplianceError("terminal-needed", f"nobody is there to type it: {label.lower()}", hint)
    typed = getpass.getpass(f"{label}: ")
    if getpass.getpass("Once more: ") != typed:
        raise Invalid("typed-differently", "the two are not the same", "nothing was done; try again")
    return typed


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ApplianceError("file-unreadable", f"{file}: {reason}", "name a file with the passphrase") from error


def _asking(file: Path, passphrase_file: Path | None) -> Any:
    """Asks for the passphrase of a backup, once; None where nobody is there."""

    @functools.cache
    def asked() -> str | None:
        if passphrase_file:
            return _first_line(passphrase_file)
        return getpass.getpass(f"Passphrase of {clean(file)}: ") if sys.stdin.isatty() else None

    return asked


def _described(file: Path, passphrase_file: Path | None, check: bool) -> dict[str, Any]:
    """Header and, where it can be read, manifest."""
    from appliance.backup.contents import Nowhere, read, read_header, read_manifest

    header, asked = read_header(file), _asking(file, passphrase_file)
    found = {"file": str(file), "bytes": file.stat().st_size, **_public(header), "checked": check}
    if header.derivation and not check and not asked():
        return {**found, "members": None, "uploads": None}
    manifest = (read(file, asked, Nowhere()) if check else read_manifest(file, asked)).manifest
    return {
        **found,
        "config_path": manifest.config_path,
        "state_dir": manifest.state_dir,
        "members": [{"name": each.name, "bytes": each.size, "sha256": each.sha256} for each in manifest.members],
        "uploads": [
            {"kind": each.kind, "name": each.name, "included": each.included, "sha256": each.member.sha256}
            for each in manifest.uploads
        ],
    }


def _public(header: Any) -> dict[str, Any]:
    return {
        "created": header.created,
        "host": header.host,
        "product": header.product,
        "schema": header.schema,
        "authority": header.authority,
        "encrypted": header.derivation is not None,
    }


def _show(found: dict[str, Any]) -> None:
    shown = {**found, "created": moment(found["created"]), "bytes": _bytes(found["bytes"])}
    shown = {name: value for name, value in shown.items() if name not in ("members", "uploads", "checked")}
    fields({**shown, "encrypted": "yes" if found["encrypted"] else "no"})
    if found["members"] is None:
        click.echo("what is in it takes its passphrase: --passphrase-file FILE, or run this in a terminal", err=True)
        return
    click.echo()
    members = [(each["name"], _bytes(each["bytes"]), each["sha256"]) for each in found["members"]]
    table(("file", "size", "SHA-256"), members, "nothing is in it")
    for each in found["uploads"]:
        if not each["included"]:
            click.echo(f"{each['kind']} {clean(each['name'])}: by name and checksum only")
    if found["checked"]:
        click.echo("every checksum is right")


def _list_directory(directory: Path, json_out: bool) -> None:
    """All backups in it, newest first; what is no backup is left out."""
    found = [each for path in sorted(directory.iterdir()) if path.is_file() and (each := _brief(path))]
    found.sort(key=lambda each: each["created"] or 0, reverse=True)
    if json_out:
        as_json({"items": found})
        return
    heads = ("file", "made", "host", "version", "size", "encrypted", "")
    rows = [
        (
            Path(each["file"]).name,
            moment(each["created"]),
            each["host"],
            each["product"],
            _bytes(each["bytes"]),
            "yes" if each["encrypted"] else "no",
            each["error"],
        )
        for each in found
    ]
    table(heads, rows, f"there is no backup in {directory}")


def _brief(path: Path) -> dict[str, Any] | None:
    from appliance.backup.contents import read_header

    found: dict[str, Any] = {"file": str(path), "bytes": path.stat().st_size, "error": None}
    try:
        return {**found, **_public(read_header(path))}
    except ApplianceError as error:
        if error.code == "backup-foreign":
            return None
        nothing = dict.fromkeys(("created", "host", "product", "schema", "authority", "encrypted"))
        return {**found, **nothing, "error": error.message}


def _next_words(config_written: bool, config: Path, state_dir: Path) -> str:
    """What to do before the daemon starts."""
    from appliance.config import load

    if config_written:
        return f"{config} was restored; look it through where this is another computer, then start the daemon"
    if load(config).site.state_dir.resolve() != state_dir:
        return f'write state_dir = "{state_dir}" into {config}, then start the daemon'
    return "start the daemon"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _names(uploads: Any) -> str:
    return ", ".join(dict.fromkeys(f"{each.kind} {clean(each.name)}" for each in uploads))
