"""How subnets are served: shown, switched, looked over; and boot options for other people's DHCP servers."""

from collections.abc import Callable
from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import values
from appliance.cli.confirm import confirmed, say_consequences
from appliance.cli.context import api, confirm_option, json_option
from appliance.cli.output import as_json, clean, fields, moment

MODES = ("authoritative", "proxy", "reservations", "off")
UNKNOWN = ("enlist", "local-disk", "ignore")
OTHERS = ("refuse", "ignore")
ROOTS = ("ask", "trust")
SERVERS = ("dnsmasq", "dhcpd", "kea", "mikrotik", "opnsense")
LINKS = {True: "yes", False: "no", None: "not known: it ends in no cable"}
YES_NO = {"yes": True, "no": False}

subnet_argument = click.argument(
    "subnet", shell_complete=values("/network/subnets", "interface", says="mode", limit=200)
)
_OPTIONS = (
    click.option(
        "--mode", type=click.Choice(MODES),
        help="Who gives addresses: we, another server while we say what to boot, we for reservations only, nobody.",
    ),
    click.option(
        "--serve-non-pxe", type=click.Choice(list(YES_NO)),
        help="Whether computers get addresses that neither network-boot nor are known.",
    ),
    click.option("--unknown-machines", type=click.Choice(UNKNOWN), help="What is done with unknown machines."),
    click.option(
        "--other-servers", type=click.Choice(OTHERS),
        help="While another DHCP server answers: give no new addresses, or give them all the same.",
    ),
    click.option(
        "--network-roots", type=click.Choice(ROOTS),
        help="Machines that restart by themselves: they ask for their root on the network, or get it at once.",
    ),
)  # fmt: skip


def _rules(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _asked(rules: dict[str, str | None]) -> dict[str, Any]:
    """The rules that were given, as the API takes them."""
    given = {name: value for name, value in rules.items() if value is not None}
    if not given:
        options = "--mode, --serve-non-pxe, --unknown-machines, --other-servers, --network-roots"
        raise click.UsageError(f"say what is to change: {options}")
    return {name: YES_NO.get(value, value) if name == "serve_non_pxe" else value for name, value in given.items()}


def _path(subnet: str, rest: str = "") -> str:
    return f"/network/subnets/{segment(subnet)}{rest}"


def _foreseen(subnet: str, asked: dict[str, Any]) -> dict[str, Any]:
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in asked.items()}
    found: dict[str, Any] = api().get(_path(subnet, "/consequences"), **query)
    return found


@click.command("show")
@subnet_argument
@json_option
def show_subnet(subnet: str, json_out: bool) -> None:
    """Show how a subnet is served, which rules are fixed, and whether another DHCP server holds service back."""
    found = api().get(_path(subnet))
    if json_out:
        as_json(found)
        return
    said = {name: value for name, value in found.items() if name not in ("ranges", "foreign", "looked", "linked")}
    ranges = ", ".join(f"{each['first']}-{each['last']} ({each['free']} free)" for each in found["ranges"])
    foreign = ", ".join(each["address"] for each in found["foreign"])
    looked = moment(found["looked"]) if found["looked"] else "never"
    fixed = ", ".join(found["fixed"]) or "nothing: all may be switched with qrm network set"
    fields(
        {name.replace("_", " "): value for name, value in said.items()}
        | {"link": LINKS[found["linked"]], "link trouble": found["link_trouble"] or "none"}
        | {"set aside": found["set_aside"] or "no"}
        | {"ranges": ranges, "fixed": fixed, "held by": ", ".join(found["held_by"]) or "nobody"}
        | {"looked": looked, "other DHCP servers": foreign or "none was noticed"}
    )


@click.command("set")
@subnet_argument
@_rules
@confirm_option
def set_subnet(subnet: str, confirm: str | None, **rules: str | None) -> None:
    """Serve a subnet in another way, at once; what takes something from machines is confirmed with its name."""
    asked = _asked(rules)
    foreseen = _foreseen(subnet, asked)
    word = confirmed(foreseen["texts"], foreseen["confirm"], confirm)
    changed = api().send("PATCH", _path(subnet), asked | ({"confirm": word} if word else {}))
    click.echo(clean(f"{changed['interface']}: {changed['mode']}"))
    if changed["held_by"] or changed["looking"]:
        others = ", ".join(changed["held_by"])
        text = f"while another DHCP server, {others}, answers" if others else "until it was looked for other servers"
        click.echo(clean(f"no new addresses are given {text}"), err=True)


@click.command("consequences")
@subnet_argument
@_rules
@json_option
def subnet_consequences(subnet: str, json_out: bool, **rules: str | None) -> None:
    """Say what it would mean to serve a subnet in another way; nothing is changed."""
    say_consequences(_foreseen(subnet, _asked(rules)), json_out)


@click.command("look")
@subnet_argument
def look_for_servers(subnet: str) -> None:
    """Look for other DHCP servers now; what is found shows in: qrm network show SUBNET"""
    api().send("POST", _path(subnet, "/look"))
    click.echo(f"looking on {clean(subnet)}: it takes some five seconds")


@click.command("snippet")
@subnet_argument
@click.option("--for", "server", type=click.Choice(SERVERS), required=True, help="The DHCP server that it is for.")
@click.option("--secure-boot", is_flag=True, help="Send UEFI shim: machines with Secure Boot need it, others start it.")
@json_option
def boot_options(subnet: str, server: str, secure_boot: bool, json_out: bool) -> None:
    """Print boot options for another DHCP server on a subnet; where they go is said on standard error."""
    found = api().get(_path(subnet, "/snippet"), **{"for": server, "secure_boot": secure_boot or None})
    if json_out:
        as_json(found)
        return
    click.echo(clean(found["where"]), err=True)
    click.echo(found["text"], nl=False)


COMMANDS = (show_subnet, set_subnet, subnet_consequences, look_for_servers, boot_options)
"""Of ``qrm network``."""
