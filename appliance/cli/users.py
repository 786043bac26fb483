"""``qrm users`` and ``qrm passwd``."""

from typing import Any

import click

from appliance.cli import credentials
from appliance.cli.client import api_of, normal_url, segment
from appliance.cli.completion import names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.credentials import Server
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, fields, moment, table
from appliance.cli.secret_input import ask, ask_new

ROLES = click.Choice(["viewer", "operator", "admin"])
user_argument = click.argument("user", shell_complete=names("/users", says="role"))


@click.group(cls=Listing)
def users() -> None:
    """Users; without a command, their list."""


@users.command("list")
@click.option("--role", type=ROLES, multiple=True, help="Only with this role; may be given several times.")
@click.option("--disabled/--enabled", default=None, help="Only those under whose name nobody gets in, or the others.")
@listing_options("name", "role", "created", "last_log_in", search="the name")
def list_users(json_out: bool, limit: int, **query: Any) -> None:
    """List users."""
    found = listed("/users", json_out, limit, **query)
    if found is None:
        return
    rows = [
        (each["name"], each["role"], "disabled" if each["disabled"] else "", moment(each["last_log_in"]))
        for each in found
    ]
    table(("name", "role", "", "last log-in"), rows, "No user matches.")


@users.command()
@user_argument
@json_option
def show(user: str, json_out: bool) -> None:
    """Show a user."""
    found = api().get(f"/users/{segment(user)}")
    if json_out:
        as_json(found)
        return
    fields(_shown(found))


def _shown(user: dict[str, Any]) -> dict[str, object]:
    times = {name: moment(user[name]) for name in ("created", "last_log_in")}
    return user | times | {"disabled": "yes" if user["disabled"] else ""}


@users.command()
@click.argument("user")
@click.option("--role", type=ROLES, default="viewer", show_default=True, help="What the user may do.")
def create(user: str, role: str) -> None:
    """Make a user; the password is asked for, or read from standard input."""
    made = api().send("POST", "/users", {"name": user, "role": role, "password": ask_new(user)})
    click.echo(f"{made['name']} may log in as {made['role']}")


@users.command("set")
@user_argument
@click.option("--role", type=ROLES, help="What the user may do from now on.")
@click.option("--disabled/--enabled", default=None, help="Disabled: nobody gets in under this name.")
def set_user(user: str, role: str | None, disabled: bool | None) -> None:
    """Change what a user may do."""
    change = {name: value for name, value in {"role": role, "disabled": disabled}.items() if value is not None}
    if not change:
        raise click.UsageError("say what to change: --role, --disabled or --enabled")
    changed = api().send("PATCH", f"/users/{segment(user)}", change)
    click.echo(f"{changed['name']}: {changed['role']}{', disabled' if changed['disabled'] else ''}")


@users.command()
@user_argument
def password(user: str) -> None:
    """Give another user another password; it is asked for, or read from standard input."""
    api().send("PUT", f"/users/{segment(user)}/password", {"password": ask_new(user)})
    click.echo(f"{user} has another password, and is logged out everywhere")


@users.command()
@user_argument
@confirm_option
def delete(user: str, confirm: str | None) -> None:
    """Forget a user, with all log-ins and tokens."""
    connected = api()
    found, seen = connected.seen(f"/users/{segment(user)}")
    text = f"{found['name']} is forgotten, with all log-ins and tokens. What the user did stays in the audit log."
    confirmed([text], found["name"], confirm)
    connected.send("DELETE", f"/users/{segment(found['name'])}", seen=seen)
    click.echo(f"{found['name']} is deleted")


@click.command()
def passwd() -> None:
    """Change your own password; all your other log-ins end.

    The present and the new one are asked for, or read from standard input, one a line.
    """
    known = credentials.load()
    url = click.get_current_context().find_root().params.get("server")
    server = known.chosen(normal_url(url) if url else None)
    old = ask(f"Present password of {server.user}")
    made = api_of(server).send("PUT", "/account/password", {"old": old, "password": ask_new(server.user)})
    known.servers[server.url] = Server(server.url, server.user, made["token"], server.ca, server.pinned)
    credentials.save(known)
    click.echo("your password is changed; your other log-ins have ended")
