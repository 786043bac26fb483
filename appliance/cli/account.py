"""``qrm setup``, ``qrm login`` and ``qrm logout``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance.cli import credentials, trust
from appliance.cli.client import Api, api_of, fetch_authority, normal_url
from appliance.cli.context import confirm_option
from appliance.cli.credentials import Credentials, Server
from appliance.cli.errors import Refused
from appliance.cli.secret_input import ask, ask_new
from appliance.errors import ApplianceError, Invalid

F = TypeVar("F", bound=Callable[..., Any])


def _trust_options(command: F) -> F:
    text = "PEM file of the authority that signed its certificate."
    command = click.option("--ca", type=click.Path(path_type=Path), help=text)(command)
    text = "Fingerprint of the appliance's authority, as in its log."
    return click.option("--fingerprint", metavar="SHA256", help=text)(command)


@click.command()
@click.argument("url")
@click.option("--user", default="admin", show_default=True, help="What the first administrator is to be called.")
@click.option("--seed", "seed_file", type=click.Path(path_type=Path), help="Do all of a flashed appliance's set-up.")
@click.option("--despite-dhcp", is_flag=True, help="Another DHCP server that is found will be switched off.")
@confirm_option
@_trust_options
def setup(
    url: str,
    user: str,
    seed_file: Path | None,
    despite_dhcp: bool,
    confirm: str | None,
    ca: Path | None,
    fingerprint: str | None,
) -> None:
    """Make the first administrator of the appliance at URL, and log in.

    The one-time link of its log, or the token in it, and the new password are asked for, or read from standard input,
    one a line. With --seed the other steps are answered from a seed file (see qrm seed), whose account does not count,
    and carried out; who is logged in there already is not asked for anything.
    """
    from appliance.cli.setting_up import seed_of, set_up_by

    known, target = credentials.load(), normal_url(_without_link(url))
    wanted = seed_of(seed_file) if seed_file else None
    server = known.servers.get(target)
    if wanted is None or server is None or not server.token:
        server = _first_administrator(target, user, _reached(target, ca, fingerprint, known))
        _keep(known, server)
    if wanted is not None:
        _keep(known, set_up_by(server, wanted, despite_dhcp, confirm))


def _first_administrator(target: str, user: str, reached: tuple[Api, str, bool]) -> Server:
    api, pem, pinned = reached
    link = ask("Set-up link, or its token")
    body = {"token": link.rpartition("token=")[2].strip(), "name": user, "password": ask_new(user)}
    return Server(target, user, str(api.send("POST", "/setup", body)["token"]), pem, pinned)


def _without_link(url: str) -> str:
    """The address as it is; raises Invalid for a set-up link, which is a secret, and arguments are for all to read."""
    address, _, token = url.partition("/setup?token=")
    if token:
        hint = f"write: qrm setup {address}; it asks for the link by itself"
        raise Invalid("link-in-arguments", "every user of this computer can read what programs are called with", hint)
    return address


@click.command()
@click.argument("url", required=False)
@click.option("--user", default="admin", show_default=True, help="Who you are there.")
@_trust_options
@click.option("--token-stdin", is_flag=True, help="Use an API token, read from standard input, and no password.")
def login(url: str | None, user: str, ca: Path | None, fingerprint: str | None, token_stdin: bool) -> None:
    """Log in to the appliance at URL; without one, again to that of the last time.

    The password is asked for, or read from standard input.
    """
    known = credentials.load()
    target = normal_url(url) if url else known.chosen(None).url
    api, pem, pinned = _reached(target, ca, fingerprint, known)
    user, token = _by_token(api) if token_stdin else _by_password(api, user)
    _keep(known, Server(target, user, token, pem, pinned))


def _reached(target: str, ca: Path | None, fingerprint: str | None, known: Credentials) -> tuple[Api, str, bool]:
    """The appliance there, the authority that it is trusted by, and whether that is its own."""
    if ca and fingerprint:
        raise click.UsageError("use --ca or --fingerprint, not both")
    pem, pinned = _authority(target, ca, fingerprint, known.servers.get(target))
    return Api(target, trust.context(pem, names_matter=not pinned)), pem, pinned


def _keep(known: Credentials, server: Server) -> None:
    known.servers[server.url] = server
    known.current = server.url
    credentials.save(known)
    click.echo(f"logged in to {server.url} as {server.user}")


@click.command()
def logout() -> None:
    """End the log-in, here and on the appliance; its authority stays pinned."""
    known = credentials.load()
    server = known.chosen(None)
    try:
        api_of(server).send("DELETE", "/sessions/current")
    except Refused as error:
        if error.code != "login-needed":
            raise
    known.servers[server.url] = Server(server.url, server.user, "", server.ca, server.pinned)
    credentials.save(known)
    click.echo(f"logged out of {server.url}")


def _authority(url: str, ca: Path | None, fingerprint: str | None, known: Server | None) -> tuple[str, bool]:
    """The authority to trust, and whether it is the appliance's own."""
    if ca:
        return trust.read_file(ca), False
    if fingerprint:
        return trust.named_by_fingerprint(fingerprint, lambda: _fetch(url)), True
    if known:
        return known.ca, known.pinned
    return _first_contact(url), True


def _first_contact(url: str) -> str:
    pem = _fetch(url)
    click.echo(f"{url} is not known here. The fingerprint of its certificate authority is", err=True)
    click.echo(f"  {trust.spaced(trust.fingerprint(pem))}", err=True)
    if not sys.stdin.isatty():
        hint = "compare the fingerprint, then use --fingerprint SHA256"
        raise ApplianceError("authority-unknown", f"nobody is there to say whether {url} is to be trusted", hint)
    if not click.confirm(
        "Is it the one in the appliance's log, and in ca-fingerprint in its state directory?", err=True
    ):
        raise ApplianceError("authority-refused", "not logged in", "the appliance logs its fingerprint at each start")
    return pem


def _fetch(url: str) -> str:
    return fetch_authority(url, trust.untrusting_context())


def _by_password(api: Api, user: str) -> tuple[str, str]:
    made = api.send("POST", "/sessions", {"name": user, "password": ask(f"Password of {user} at {api.url}")})
    return user, str(made["token"])


def _by_token(api: Api) -> tuple[str, str]:
    """Whose token it is, and the token; nothing is kept of one that is not good."""
    api.token = ask("API token")
    return str(api.get("/sessions/current")["name"]), api.token
