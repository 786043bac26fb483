"""``qrm network``"""

from typing import Any
from urllib.parse import quote

import click

from appliance.cli.client import segment
from appliance.cli.completion import values
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.interfaces import interfaces
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, fields, moment, table
from appliance.cli.subnets import COMMANDS as SUBNET_COMMANDS

STAGES = ("asked", "offered", "leased", "program", "ipxe", "script", "stack", "agent")
OWNERS = ("machine", "deployment", "lease", "reservation", "record", "own")
TYPES = ("A", "AAAA", "CNAME", "SRV", "TXT")
NAME_SORTS = ("name", "type", "value", "owner")
seen_argument = click.argument("mac", shell_complete=values("/network/sightings", "mac", says="stage_text", limit=200))


@click.group()
def network() -> None:
    """Subnets, leases, reservations, names, and what was seen on the network and is not here."""


for _command in (*SUBNET_COMMANDS, interfaces):
    network.add_command(_command)


@network.command()
@json_option
def subnets(json_out: bool) -> None:
    """List the subnets, how they are served, how full they are, and other DHCP servers on them."""
    answer = api().get("/network/subnets")
    if json_out:
        as_json(answer)
        return
    rows = [
        (each["interface"], each["network"], _mode(each), *_ranges(each), _foreign(each)) for each in answer["items"]
    ]
    heads = ("interface", "network", "mode", "ranges", "free", "leased", "reserved", "other DHCP servers")
    table(heads, rows, "No subnet: add a [[subnet]] to the configuration file.")


def _mode(subnet: dict[str, Any]) -> str:
    held = [f"held back by {', '.join(subnet['held_by'])}"] if subnet["held_by"] else []
    if subnet["set_aside"]:
        return f"set aside: see qrm network show {subnet['interface']}"
    return ", ".join([subnet["mode"], *held, *(["no link"] if subnet["linked"] is False else [])])


def _ranges(subnet: dict[str, Any]) -> tuple[str, int, int, int]:
    ranges = subnet["ranges"]
    free, leased, reserved = (sum(each[name] for each in ranges) for name in ("free", "leased", "reserved"))
    return ", ".join(f"{each['first']}-{each['last']}" for each in ranges), free, leased, reserved


def _foreign(subnet: dict[str, Any]) -> str:
    return ", ".join(f"{each['address']} (last {moment(each['last'])})" for each in subnet["foreign"])


@network.group(cls=Listing)
def leases() -> None:
    """Addresses that were leased; without a command, their list."""


@leases.command("list")
@click.option("--interface", help="Only on this interface of the appliance.")
@click.option("--active/--ended", default=None, help="Only those that hold their address now, or no more.")
@listing_options("address", "mac", "hostname", "until", search="address, name or MAC address")
def list_leases(json_out: bool, limit: int, **query: Any) -> None:
    """List leases by address."""
    found = listed("/network/leases", json_out, limit, **query)
    if found is not None:
        rows = [
            (
                each["address"],
                each["mac"],
                each["machine_name"] or each["hostname"],
                each["interface"],
                "ended" if each["state"] == "bound" and not each["active"] else each["state"],
                each["port"],
                moment(each["until"]),
            )
            for each in found
        ]
        table(("address", "mac", "name", "interface", "state", "port of a relay", "until"), rows, "No lease.")


@leases.command("delete")
@click.argument("interface")
@click.argument("address")
@confirm_option
def forget_lease(interface: str, address: str, confirm: str | None) -> None:
    """Free an address; for that of a machine that is up, confirm with its name."""
    path = f"/network/leases/{segment(interface)}/{segment(address)}"
    found = api().get("/network/leases", q=address, interface=interface)["items"]
    holder = next((each["machine_name"] for each in found if each["address"] == address and each["active"]), None)
    text = f"{address} comes free at once; its holder uses it until it renews, and then asks for another."
    word = confirmed([text], holder, confirm)
    api().send("DELETE", path + (f"?confirm={quote(word)}" if word else ""))
    click.echo(f"{address} is free")


@network.group(cls=Listing)
def reservations() -> None:
    """Addresses that one interface, board or port is leased and no other; without a command, their list."""


@reservations.command("list")
@click.option("--kind", type=click.Choice(["machine", "other"]), multiple=True, help="Of machines, or of what is none.")
@listing_options("address", "name", "mac", search="address, name, note or MAC address")
def list_reservations(json_out: bool, limit: int, **query: Any) -> None:
    """List reservations by address."""
    found = listed("/network/reservations", json_out, limit, **query)
    if found is not None:
        rows = [
            (each["address"], each["key"] or each["mac"], each["name"], each["kind"], each["note"]) for each in found
        ]
        table(("address", "owner", "name", "of", "note"), rows, "No address is reserved.")


@reservations.command("add")
@click.argument("owner")
@click.argument("address")
@click.option("--name", help="Its name in the site's domain.")
@click.option("--note", default="", help="Anything worth knowing.")
def add_reservation(owner: str, address: str, name: str | None, note: str) -> None:
    """Reserve an address for what is no machine, such as a printer or a switch.

    OWNER is a MAC address; or uuid:UUID, the SMBIOS UUID of a board; or port:RELAY/CIRCUIT, the port of a relay by its
    address or remote-id and its circuit-id, as `qrm network leases` shows it, such as port:10.78.0.1/eth3.

    That of a machine is reserved with: qrm machines set MACHINE --address ADDRESS
    """
    made = api().make("/network/reservations", {**_owner(owner), "address": address, "name": name, "note": note})
    click.echo(f"{made['address']} is reserved for {made['key']}")


def _owner(text: str) -> dict[str, str]:
    by, _, word = text.partition(":")
    return {by: word} if by in ("uuid", "port") else {"mac": text}


@reservations.command("delete")
@click.argument("owner", shell_complete=values("/network/reservations", "key", says="name", kind="other", limit=200))
def delete_reservation(owner: str) -> None:
    """Give a reservation up; OWNER as the list shows it."""
    api().send("DELETE", f"/network/reservations/{segment(owner)}")
    click.echo(f"nothing is reserved for {owner} any more")


@network.group(cls=Listing)
def names() -> None:
    """Names that DNS gives; without a command, their list."""


@names.command("list")
@click.option("--owner", type=click.Choice(OWNERS), multiple=True, help="Only of these; may be given several times.")
@click.option("--type", type=click.Choice(TYPES), multiple=True, help="Only of this type; may be given several times.")
@listing_options(*NAME_SORTS, search="name or value")
def list_names(json_out: bool, limit: int, **query: Any) -> None:
    """List every name that DNS gives now, and those that it does not since they are somebody else's."""
    found = listed("/network/names", json_out, limit, **query)
    if found is not None:
        rows = [
            (
                each["name"],
                each["type"],
                each["value"],
                f"{each['owner']} {each['of']}".strip(),
                moment(each["until"]) if each["until"] else "",
                f"a {each['hidden_by']} has it" if each["hidden_by"] else "",
            )
            for each in found
        ]
        table(("name", "type", "value", "of", "until", "not given"), rows, "No name.")


@names.command("add")
@click.argument("name")
@click.argument("type", type=click.Choice(TYPES, case_sensitive=False))
@click.argument("value")
@click.option("--note", default="", help="Anything worth knowing.")
def add_name(name: str, type: str, value: str, note: str) -> None:  # noqa: A002 - as users read it in the help
    """Add a record to the site's domain, such as: www A 10.77.0.9, or: _ldap._tcp SRV '0 5 389 node-1'"""
    made = api().make("/network/names", {"name": name, "type": type.upper(), "value": value, "note": note})
    click.echo(f"record {made['id']}: {made['name']} {made['type']} {made['value']}")


@names.command("delete")
@click.argument("record")
def delete_name(record: str) -> None:
    """Delete a record that a user added, by its number."""
    api().send("DELETE", f"/network/names/{segment(record)}")
    click.echo(f"record {record} is deleted")


@network.group(cls=Listing)
def seen() -> None:
    """What was seen on the network and is not here; without a command, the list."""


@seen.command("list")
@click.option("--interface", help="Only on this interface of the appliance.")
@click.option("--stage", type=click.Choice(STAGES), multiple=True, help="Only that came so far; may be repeated.")
@click.option("--here/--not-here", default=None, help="Only machines that came up once, or only what never did.")
@listing_options("last", "first", "stage", "mac", "interface", search="MAC address, address or names")
def list_seen(json_out: bool, limit: int, **query: Any) -> None:
    """List how far each came, and the likely cause; the latest first."""
    found = listed("/network/sightings", json_out, limit, **query)
    if found is not None:
        rows = [
            (
                each["mac"],
                each["machine_name"] or each["hostname"],
                moment(each["last"]),
                each["stage_text"],
                f"{each['cause']}: {each['hint']}",
            )
            for each in found
        ]
        table(("mac", "name", "last", "how far", "why not further"), rows, "Nothing that is not here was seen.")


@seen.command("show")
@seen_argument
@json_option
def show_seen(mac: str, json_out: bool) -> None:
    """Show all that is known of an interface that was seen."""
    found = api().get(f"/network/sightings/{segment(mac)}")
    if json_out:
        as_json(found)
        return
    times = {name: moment(found[name]) for name in ("first", "last", "stage_at")}
    fields({name.replace("_", " "): value for name, value in (found | times).items()})


@seen.command("delete")
@seen_argument
def forget_seen(mac: str) -> None:
    """Forget what was seen of an interface; it comes back with its next sign."""
    api().send("DELETE", f"/network/sightings/{segment(mac)}")
    click.echo(f"{mac} is forgotten")
