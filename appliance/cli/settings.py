"""``qrm settings``: what the configuration file says, and on a flashed appliance, what can be changed of it."""

import json
from collections.abc import Callable
from typing import Any

import click

from appliance.bootprogram import CHOICES
from appliance.cli.client import segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.flashed import known
from appliance.cli.machines import with_options
from appliance.cli.output import as_json, clean, fields, table
from appliance.cli.subnets import MODES, OTHERS, ROOTS, UNKNOWN, YES_NO

PATH = "/appliance/settings"
ELSEWHERE = "its configuration file belongs to its administrator: edit it, check it with qrm config check, restart"
LISTS = {
    "time_server": "time_servers", "forwarder": "forwarders", "range": "ranges", "dns": "dns", "ntp": "ntp",
    "relay": "relays",
}  # fmt: skip
"""Options that may be repeated, and the fields of the API that they fill."""
NONE = "none"
"""In the place of a value: the key goes out of the file, or the list is empty."""
plan_option = click.option("--only-plan", is_flag=True, help="Say what it would mean, and change nothing.")
subnet_argument = click.argument("subnet")


@click.group(cls=Listing)
def settings() -> None:
    """Version, fingerprint and configuration; on a flashed appliance, what set-up decided is changed here."""


@settings.command("list")
@json_option
def list_settings(json_out: bool) -> None:
    """Show the appliance's version, fingerprint, and the values of its configuration file."""
    found = api().get("/settings")
    if json_out:
        as_json(found)
        return
    fields({"version": found["version"], "authority": found["fingerprint"]})
    if found["trouble"]:
        fields({"trouble": found["trouble"]})
    for name, section in found["config"].items():
        for each in section if isinstance(section, list) else [section]:
            click.echo(clean(f"[{name}]"))
            _print(each)


def _print(section: dict[str, Any]) -> None:
    fields({f"  {name}": json.dumps(value) for name, value in section.items()})


def _standing() -> dict[str, Any]:
    return known(api(), PATH, ELSEWHERE)


@settings.command("show")
@click.option("--file", "file_out", is_flag=True, help="Print the configuration file as it is.")
@json_option
def show_settings(file_out: bool, json_out: bool) -> None:
    """Show names, clock, DNS and subnets of a flashed appliance, as they can be changed."""
    found = api().get(PATH) if json_out or file_out else _standing()
    if json_out:
        as_json(found)
    elif file_out:
        _print_lines(found["text"])
    else:
        listed = {name: ", ".join(found[name]) or "none" for name in ("time_servers", "forwarders")}
        shown = {name: found[name] for name in ("host_name", "domain", "time_zone")} | listed
        fields({name.replace("_", " "): value for name, value in shown.items()})
        fields({"subnets": ", ".join(each["subnet"] for each in found["subnets"]) or "none"})


def _print_lines(text: str) -> None:
    for line in text.splitlines():
        click.echo(clean(line))


@settings.command("set")
@click.option("--host-name", help="One label of DNS.")
@click.option("--domain", help="Of the appliance, its machines and deployments.")
@click.option("--time-zone", help="As Europe/Vienna.")
@click.option("--time-server", multiple=True, help="Name or address; may be repeated. none: the image's own.")
@click.option("--forwarder", multiple=True, help="Name server for other names; may be repeated. none: nobody is asked.")
@plan_option
def set_settings(only_plan: bool, **given: Any) -> None:
    """Change names, clock and DNS of a flashed appliance; it begins anew where its file changes."""
    version = _standing()["version"]
    _change("PATCH", PATH, {**_asked(given), "version": version}, only_plan)


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """What the options say, as the API takes it."""
    asked = {key: value for key, value in given.items() if value not in (None, ()) and key not in LISTS}
    listed = {LISTS[key]: value for key, value in given.items() if key in LISTS and value}
    asked |= {key: [] if value == (NONE,) else list(value) for key, value in listed.items()}
    if not asked:
        raise click.UsageError("say what is to change; --help lists it")
    return asked


def _change(method: str, path: str, body: dict[str, Any], only_plan: bool) -> None:
    _say(api().send(method, path, {**body, "only_plan": True}))
    if not only_plan:
        _end(api().send(method, path, body))


def _say(foreseen: dict[str, Any]) -> None:
    for line in foreseen["lines"] or ["Nothing would change."]:
        click.echo(clean(line))
    if foreseen["difference"]:
        _print_lines(foreseen["difference"])


def _end(done: dict[str, Any]) -> None:
    click.echo("done: the appliance begins anew with it" if done["begins_anew"] else "done")


# -- subnets


@settings.group(cls=Listing)
def subnets() -> None:
    """The networks where machines boot, as the configuration file says them; without a command, their list."""


@subnets.command("list")
@json_option
def list_subnets(json_out: bool) -> None:
    """List the subnets of the file, and the interfaces where one could be made."""
    found = api().get(PATH) if json_out else _standing()
    if json_out:
        as_json({name: found[name] for name in ("here", "subnets", "free")})
        return
    rows = [
        (each["subnet"], ", ".join(each["ranges"]), each["lease_seconds"], each["gateway"], each["package_proxy"])
        for each in found["subnets"]
    ]
    table(("subnet", "ranges", "lease", "gateway", "package proxy"), rows, "No network is served.")
    for each in found["free"]:
        where = f"qrm settings subnets add {each['interface']}" if each["address"] else "it has no address yet"
        click.echo(clean(f"{each['interface']} is for machines to boot on, and is not served: {where}"))


@subnets.command("show")
@subnet_argument
@json_option
def show_subnet(subnet: str, json_out: bool) -> None:
    """Show all that the file says of a subnet."""
    found = next((each for each in _standing()["subnets"] if each["subnet"] == subnet), None)
    if found is None:
        raise click.UsageError(f"the configuration has no subnet {subnet!r}; see: qrm settings subnets")
    if json_out:
        as_json(found)
        return
    fields({name.replace("_", " "): _shown(value) for name, value in found.items()})


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={inner}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value in (None, "") else str(value)


@subnets.command("add")
@click.argument("interface")
@click.option("--mode", type=click.Choice(MODES), help="Who gives addresses there.")
@click.option("--range", multiple=True, metavar="FIRST-LAST", help="Addresses to give; proposed where left out.")
@click.option("--gateway", help="The router of the machines.")
@click.option("--unknown-machines", type=click.Choice(UNKNOWN), help="What is done with unknown machines.")
@click.option("--package-proxy", metavar="URL", help="HTTP proxy by which deployed systems get their packages.")
@plan_option
def add_subnet(interface: str, only_plan: bool, **given: Any) -> None:
    """Serve the network of INTERFACE, which has the role provisioning: machines boot there."""
    found = _standing()
    place = next((each for each in found["free"] if each["interface"] == interface), {"ranges": [], "gateway": ""})
    gives = given["mode"] in (None, "authoritative")
    proposed = {"ranges": place["ranges"] if gives else [], "gateway": place["gateway"]}
    said = {key: value for key, value in given.items() if value}
    body = {**proposed, **(_asked(said) if said else {}), "interface": interface, "version": found["version"]}
    _change("POST", f"{PATH}/subnets", body, only_plan)


_KEYS = (
    click.option("--range", multiple=True, metavar="FIRST-LAST", help="Addresses to give; may be repeated."),
    click.option("--lease-seconds", metavar="SECONDS", help="How long an address is given for."),
    click.option("--gateway", help="The router of the machines."),
    click.option("--dns", multiple=True, help="A name server for the clients; may be repeated."),
    click.option("--ntp", multiple=True, help="A time server for the clients; may be repeated."),
    click.option("--package-proxy", metavar="URL", help="HTTP proxy by which deployed systems get their packages."),
    click.option("--relay", multiple=True, help="Of a subnet behind relays: their addresses."),
    click.option("--mode", type=click.Choice((*MODES, NONE)), help="Fixed in the file; none: users switch it."),
    click.option("--serve-non-pxe", type=click.Choice((*YES_NO, NONE)), help="The same for other computers."),
    click.option("--unknown-machines", type=click.Choice((*UNKNOWN, NONE)), help="The same for unknown machines."),
    click.option("--other-servers", type=click.Choice((*OTHERS, NONE)), help="The same for other DHCP servers."),
    click.option("--network-roots", type=click.Choice((*ROOTS, NONE)), help="The same for roots over the network."),
    click.option("--boot-program", type=click.Choice((*CHOICES, NONE)), help="What firmware is sent first."),
    click.option("--identify-by", type=click.Choice(("mac", "client-id", NONE)), help="What tells clients apart."),
    click.option("--leases-per-port", metavar="COUNT", help="Most addresses for one port of a relay."),
    click.option("--tftp-block-size", metavar="BYTES", help="Most bytes in a TFTP block."),
    click.option("--dhcp-option", multiple=True, metavar="NAME=VALUE", help="May be repeated; NAME= takes it away."),
)


def _keys(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_KEYS):
        command = option(command)
    return command


@subnets.command("set")
@subnet_argument
@_keys
@plan_option
def set_subnet(subnet: str, only_plan: bool, **given: Any) -> None:
    """Change what the file says of a subnet; none takes a key out of it."""
    found = _standing()
    asked = {key: _value(key, value) for key, value in _asked(given).items()}
    if "dhcp_option" in asked:
        present: dict[str, str] = next((each["options"] for each in found["subnets"] if each["subnet"] == subnet), {})
        asked["options"] = with_options(present, asked.pop("dhcp_option"))
    _change("PATCH", f"{PATH}/subnets/{segment(subnet)}", {**asked, "version": found["version"]}, only_plan)


def _value(key: str, value: Any) -> Any:
    if value in (NONE, []):
        return None
    if key == "serve_non_pxe":
        return YES_NO[value]
    if key not in ("lease_seconds", "leases_per_port", "tftp_block_size"):
        return value
    if not value.isdecimal():
        raise click.UsageError(f"--{key.replace('_', '-')} takes a number, or none")
    return int(value)


@subnets.command("remove")
@subnet_argument
@plan_option
@confirm_option
def remove_subnet(subnet: str, only_plan: bool, confirm: str | None) -> None:
    """Serve a subnet no more: machines there do not boot, and get no addresses."""
    path = f"{PATH}/subnets/{segment(subnet)}"
    version = segment(_standing()["version"])
    foreseen = api().send("DELETE", f"{path}?only_plan=true")
    _say(foreseen)
    if only_plan:
        return
    word = confirmed([], foreseen["confirm"], confirm)
    _end(api().send("DELETE", f"{path}?version={version}&confirm={segment(word or '')}"))


# -- disks


@settings.group(cls=Listing)
def disks() -> None:
    """The disks on which images, volumes and VMs are to be kept; without a command, their list."""


@disks.command("list")
@json_option
def list_disks(json_out: bool) -> None:
    """List the disks, which of them are in the data group, and why others cannot be."""
    hint = "its disks belong to its administrator"
    found = api().get(f"{PATH}/disks") if json_out else known(api(), f"{PATH}/disks", hint)
    if json_out:
        as_json(found)
        return
    rows = [
        (each["identifier"] or each["name"], each["model"], each["bytes"] // 10**9, each["content"], each["refused"])
        for each in found["disks"]
    ]
    table(("disk", "model", "GB", "on it", "why not"), rows, "No disk.")
    if not found["chosen"]:
        click.echo("No disk was chosen yet: data is kept on what the appliance's own disk has left.")


@disks.command("use")
@click.argument("wanted", nargs=-1, required=True, metavar="DISK...")
@plan_option
@confirm_option
def use_disks(wanted: tuple[str, ...], only_plan: bool, confirm: str | None) -> None:
    """Clear disks, by serial number or WWN, and take them into the data group; all that is on them is lost."""
    body = {"disks": list(wanted)}
    foreseen = api().send("POST", f"{PATH}/disks", {**body, "only_plan": True})
    for line in foreseen["lines"] or ["Nothing that anybody recognises is on these disks."]:
        click.echo(clean(line))
    if only_plan:
        return
    word = confirmed([], foreseen["confirm"] or None, confirm)
    api().send("POST", f"{PATH}/disks", {**body, "confirm": word})
    click.echo("done")
