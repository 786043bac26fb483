"""``qrm tokens`` and ``qrm sessions``: what gets in besides a name and a password, and what is in."""

from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import MOST, names, values
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, fields, moment, table
from appliance.errors import ApplianceError

_everybody = click.option("--everybody", is_flag=True, help="Those of all users; for administrators.")
_user = click.option(
    "--user", shell_complete=names("/users"), help="Only of this user; another than you: for administrators."
)
SCOPES = click.Choice(["viewer", "operator", "admin"])
token_argument = click.argument("token", shell_complete=names("/tokens", says="scope"))


@click.group(cls=Listing)
def tokens() -> None:
    """API tokens; without a command, the list of your own."""


@tokens.command("list")
@_everybody
@_user
@click.option("--scope", type=SCOPES, multiple=True, help="Only with this scope; may be given several times.")
@click.option("--expired/--valid", default=None, help="Only those whose time is over, or the others.")
@listing_options("name", "user", "scope", "created", "expires", "used", search="name, id or user")
def list_tokens(json_out: bool, limit: int, **query: Any) -> None:
    """List API tokens, without the tokens themselves."""
    found = listed("/tokens", json_out, limit, **query)
    if found is None:
        return
    heads = ("id", "name", "user", "scope", "ends", "last used", "from")
    rows = [
        (each["id"], each["name"], each["user"], each["scope"], _end(each), moment(each["used"]), each["used_from"])
        for each in found
    ]
    table(heads, rows, "No token. Make one with: qrm tokens create NAME")


def _end(token: dict[str, Any]) -> str:
    return moment(token["expires"]) if token["expires"] else "never"


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    type=SCOPES,
    default="viewer",
    show_default=True,
    help="The most that it may do; never more than you may.",
)
@click.option("--days", type=click.IntRange(1, 730), default=90, show_default=True, help="When it ends.")
@click.option("--never-ends", is_flag=True, help="For administrators: it does not end by itself.")
@json_option
def create(name: str, scope: str, days: int, never_ends: bool, json_out: bool) -> None:
    """Make a token and print it; it is never shown again."""
    made = api().send("POST", "/tokens", {"name": name, "scope": scope, "days": None if never_ends else days})
    if json_out:
        as_json(made)
        return
    click.echo(f"{made['about']['name']}: {scope}, ends {_end(made['about'])}; it is shown this once:", err=True)
    click.echo(made["token"])


@tokens.command()
@token_argument
@json_option
def show(token: str, json_out: bool) -> None:
    """Show a token, without the token itself, by its id or, if it is yours, its name."""
    found = api().get(f"/tokens/{segment(token)}")
    if json_out:
        as_json(found)
        return
    times = {"created": moment(found["created"]), "expires": _end(found), "used": moment(found["used"])}
    fields(found | times)


@tokens.command()
@token_argument
@confirm_option
def delete(token: str, confirm: str | None) -> None:
    """End a token, named by its id or, if it is yours, its name."""
    connected = api()
    found = connected.get(f"/tokens/{segment(token)}")
    text = f"Token {found['name']} of {found['user']} is worthless from then on; what uses it stops working."
    confirmed([text], found["name"], confirm)
    connected.send("DELETE", f"/tokens/{segment(found['id'])}")
    click.echo(f"{found['name']} is deleted")


@click.group(cls=Listing)
def sessions() -> None:
    """Log-ins that go on; without a command, the list of your own."""


@sessions.command("list")
@_everybody
@_user
@listing_options("used", "created", "expires", "user", "address", search="id, user, address or program")
def list_sessions(json_out: bool, limit: int, **query: Any) -> None:
    """List log-ins, the one used last first."""
    found = listed("/sessions", json_out, limit, **query)
    if found is None:
        return
    heads = ("id", "user", "from", "last used", "begun", "program")
    rows = [
        (
            f"{each['id']}{' *' if each['current'] else ''}",
            each["user"],
            each["address"],
            moment(each["used"]),
            moment(each["created"]),
            each["program"][:60],
        )
        for each in found
    ]
    table(heads, rows, "Nobody is logged in so.")


@sessions.command()
@click.argument("session", shell_complete=values("/sessions", "id", says="program", limit=MOST))
def end(session: str) -> None:
    """End a log-in, named by its id; its open pages close at once."""
    if session == "current":
        raise ApplianceError("session-own", "this is the log-in that you use", "log out with: qrm logout")
    api().send("DELETE", f"/sessions/{segment(session)}")
    click.echo(f"log-in {session} is ended")
