"""``qrm network interfaces``: the appliance's own networks, changed on trial."""

from collections.abc import Callable
from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import interfaces as interface_names
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.flashed import known
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.errors import ApplianceError

KINDS = ("bond", "vlan", "bridge")
METHODS = ("dhcp", "static", "none")
ROLES = ("management", "provisioning", "vms", "storage")
MODES = ("active-backup", "802.3ad", "balance-xor", "balance-rr", "balance-tlb", "balance-alb")
LISTS = {"port": "ports", "address": "addresses", "dns": "dns", "role": "roles"}
"""Options that may be repeated, and the fields of the API that they fill."""
plan_option = click.option("--only-plan", is_flag=True, help="Say what it would mean, and change nothing.")
name_argument = click.argument("name", shell_complete=interface_names())
_OPTIONS = (
    click.option("--method", type=click.Choice(METHODS), help="Where its addresses come from."),
    click.option("--address", multiple=True, help="As 192.0.2.5/24; may be repeated. Makes it static."),
    click.option("--gateway", help="The router to everywhere else; of one interface only. An empty text: none."),
    click.option("--dns", multiple=True, help="A name server; may be repeated."),
    click.option("--role", multiple=True, type=click.Choice((*ROLES, "none")),
                 help="What its network is for; may be repeated."),
    click.option("--port", multiple=True, help="An interface in a bond or bridge; may be repeated."),
    click.option("--mode", type=click.Choice(MODES), help="Of a bond."),
    click.option("--tag", type=int, help="Of a VLAN: 1 to 4094."),
    click.option("--parent", help="Of a VLAN: the interface that carries it."),
)  # fmt: skip


def _described(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=Listing)
def interfaces() -> None:
    """The appliance's own interfaces: addresses, bonds, VLANs, bridges; without a command, their list."""


def _standing() -> dict[str, Any]:
    hint = "its network belongs to its administrator: use what the system has for that"
    return known(api(), "/appliance/network", hint)


@interfaces.command("list")
@json_option
def list_interfaces(json_out: bool) -> None:
    """List all interfaces, with what is tried and not confirmed yet."""
    found = _standing()
    if json_out:
        as_json(found)
        return
    seen = {each["name"]: each for each in found["seen"]}
    trial = found["trial"]
    rows = [_row(each, seen.get(each["name"], {})) for each in (trial or found)["interfaces"]]
    table(("name", "kind", "cable", "method", "addresses now", "roles", "made of"), rows, "No interface.")
    if (trial or found)["nat"]:
        click.echo("Machines of the provisioning networks reach everything else through the appliance (NAT).")
    _say_trial(found)


def _row(of: dict[str, Any], seen: dict[str, Any]) -> tuple[Any, ...]:
    made = ", ".join(of["ports"]) or (f"{of['parent']}, tag {of['tag']}" if of["parent"] else of["mac"])
    link = "" if not seen else "yes" if seen["link"] else "no"
    addresses = ", ".join(seen.get("addresses") or of["addresses"])
    return of["name"], of["kind"], link, of["method"], addresses, ", ".join(of["roles"]), made


def _say_trial(found: dict[str, Any]) -> None:
    if found["trial"]:
        until = moment(found["trial"]["until"])
        click.echo(f"This is tried until {until}, then taken back. Keep it: qrm network interfaces confirm")
    elif found["reverted"]:
        back = found["reverted"]
        click.echo(f"The last change was taken back at {moment(back['at'])}: {clean(back['why'])}")


@interfaces.command("show")
@name_argument
@json_option
def show_interface(name: str, json_out: bool) -> None:
    """Show one interface."""
    found = _standing()
    one = _named(found, name)
    now = next((each for each in found["seen"] if each["name"] == name), None)
    if json_out:
        as_json({**one, "seen": now})
        return
    shown = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in one.items()}
    link = {"cable": "yes" if now["link"] else "no", "addresses now": ", ".join(now["addresses"])} if now else {}
    fields({key: value for key, value in shown.items() if value} | link)


def _named(found: dict[str, Any], name: str) -> dict[str, Any]:
    one: dict[str, Any] | None = next((each for each in found["interfaces"] if each["name"] == name), None)
    if one is None:
        names = ", ".join(each["name"] for each in found["interfaces"])
        raise ApplianceError("interface-unknown", f"the appliance has no interface {name!r}", f"there are {names}")
    return one


@interfaces.command("set")
@name_argument
@_described
@plan_option
@confirm_option
def set_interface(name: str, only_plan: bool, confirm: str | None, **given: Any) -> None:
    """Change addresses, roles, ports of an interface; tried for 60 seconds unless it is confirmed."""
    before = {key: value for key, value in _named(_standing(), name).items() if key != "name"}
    _put(name, {**before, **_asked(given, before)}, only_plan, confirm)


@interfaces.command("create")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What it is made as.")
@_described
@plan_option
@confirm_option
def create_interface(name: str, kind: str, only_plan: bool, confirm: str | None, **given: Any) -> None:
    """Make a bond, VLAN or bridge; a new bond or bridge takes over addresses and roles of its ports."""
    if any(each["name"] == name for each in _standing()["interfaces"]):
        raise ApplianceError("name-taken", f"there is an interface {name!r} already", "change it with: set")
    _put(name, {"kind": kind, **_asked(given, {})}, only_plan, confirm)


def _asked(given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What the options say, as the API takes it; addresses make an interface static, and other methods take them."""
    asked = {key: value for key, value in given.items() if value is not None and key not in LISTS}
    asked |= {LISTS[key]: list(value) for key, value in given.items() if key in LISTS and value}
    if asked.get("roles") == ["none"]:
        asked["roles"] = []
    if asked.get("addresses"):
        asked.setdefault("method", "static")
    if asked.get("method", before.get("method")) != "static":
        asked |= {"addresses": [], "gateway": "", "dns": []}
    return asked


def _put(name: str, body: dict[str, Any], only_plan: bool, confirm: str | None) -> None:
    path = f"/appliance/network/interfaces/{segment(name)}"

    def ask(**more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = api().send("PUT", path, {**body, **more})
        return answer

    _try(ask, only_plan, confirm)


def _try(ask: Callable[..., dict[str, Any]], only_plan: bool, confirm: str | None) -> None:
    """Say what it means, ask where somebody would be cut off, and begin."""
    foreseen = ask(only_plan=True)
    for line in (*foreseen["lines"], foreseen["lost"]):
        if line:
            click.echo(clean(line))
    if only_plan:
        return
    word = confirmed([], foreseen["confirm"] or None, confirm)
    begun = ask(confirm=word)
    where = f" --server https://{begun['target']}:8443" if begun["target"] else ""
    click.echo(f"Tried until {moment(begun['until'])}, then taken back. Keep it: qrm{where} network interfaces confirm")


@interfaces.command("delete")
@name_argument
@plan_option
@confirm_option
def delete_interface(name: str, only_plan: bool, confirm: str | None) -> None:
    """Take a bond, VLAN or bridge away; its first port gets what it had."""

    def ask(**more: Any) -> dict[str, Any]:
        query = "&".join(f"{key}={segment(str(value).lower())}" for key, value in more.items() if value is not None)
        path = f"/appliance/network/interfaces/{segment(name)}"
        answer: dict[str, Any] = api().send("DELETE", f"{path}?{query}" if query else path)
        return answer

    _try(ask, only_plan, confirm)


@interfaces.command("nat")
@click.argument("on", type=click.Choice(["yes", "no"]))
@plan_option
@confirm_option
def nat(on: str, only_plan: bool, confirm: str | None) -> None:
    """Let machines of the provisioning networks reach everything else through the appliance, or not."""
    found = _standing()

    def ask(**more: Any) -> dict[str, Any]:
        body = {"interfaces": found["interfaces"], "nat": on == "yes", **more}
        answer: dict[str, Any] = api().send("PUT", "/appliance/network", body)
        return answer

    _try(ask, only_plan, confirm)


@interfaces.command("confirm")
def confirm_network() -> None:
    """Keep the network that is tried; asked over the new network."""
    api().send("POST", "/appliance/network/confirm")
    click.echo("the network is kept")


@interfaces.command("revert")
def revert_network() -> None:
    """Take the network that is tried back at once."""
    api().send("POST", "/appliance/network/revert")
    click.echo("the network of before is on again")
