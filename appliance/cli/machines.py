"""``qrm machines``"""

from collections.abc import Callable
from typing import Any

import click

from appliance.bootprogram import CHOICES, PROGRAMS
from appliance.cli import power, rescue
from appliance.cli.bulk import confirm_many, do_to_many, selected, where_option
from appliance.cli.client import segment
from appliance.cli.completion import names as known
from appliance.cli.completion import tags as known_tags
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.events import timeline
from appliance.cli.listing import listed, listing_options, plain
from appliance.cli.output import as_json, attempt_words, decimal_size, fields, gives_up, moment, table
from appliance.deployment import content_in_words
from appliance.dhcp_options import normal_name
from appliance.machine import State

machine_argument = click.argument("machine", shell_complete=known("/machines"))
names_argument = click.argument("names", nargs=-1, metavar="MACHINE...", shell_complete=known("/machines"))


@click.group(cls=Listing)
def machines() -> None:
    """Machines; without a command, their list."""


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which machines, as the API filters them."""
    states, firmware = click.Choice([each.value for each in State]), click.Choice(["bios", "uefi"])
    power_states = click.Choice(["on", "off", "unknown"])
    options = (
        click.option("-q", "--search", "q", metavar="WORDS", help="Only with all of these words in names or hardware."),
        click.option("--state", type=states, multiple=True, help="Only in this state; may be given several times."),
        click.option(
            "--tag",
            multiple=True,
            metavar="TAG",
            shell_complete=known_tags(),
            help="Only with this tag; with several, all of them.",
        ),
        click.option("--maintenance/--in-use", default=None, help="Only with, or without, the maintenance flag."),
        click.option("--offline/--online", default=None, help="Only silent, or not silent, for too long."),
        click.option("--assigned/--unassigned", default=None, help="Only with, or without, a deployment."),
        click.option("--asking/--not-asking", default=None, help="Only what waits, or does not, to be let in."),
        click.option("--firmware", type=firmware, multiple=True, help="Only with this firmware."),
        click.option("--power", type=power_states, multiple=True, help="Only those whose power switch says so."),
        click.option(
            "--deployment",
            metavar="DEPLOYMENT",
            shell_complete=known("/deployments"),
            help="Only what this deployment is on.",
        ),
    )
    for add in reversed(options):
        command = add(command)
    return command


@machines.command("list")
@filter_options
@listing_options("name", "state", "deployment", "address", "cpus", "memory", "seen", "created")
def list_machines(json_out: bool, limit: int, **query: Any) -> None:
    """List machines."""
    found = listed("/machines", json_out, limit, **query)
    if found is not None:
        heads = ("name", "state", "power", "deployment", "address", "firmware", "tags", "id")
        empty = "No machine yet. Let one boot from the network that the appliance serves."
        table(heads, [_row(each) for each in found], "No machine matches." if any(query.values()) else empty)


def _row(machine: dict[str, Any]) -> tuple[object, ...]:
    deployment, tags = deployment_of(machine), ", ".join(machine["tags"])
    on, address = machine["power"]["state"] if machine["power"] else "", machine["address"]
    return machine["name"], state_of(machine), on, deployment, address, machine["firmware"], tags, machine["id"]


@machines.command()
@filter_options
@json_option
def summary(json_out: bool, **query: Any) -> None:
    """Count machines by state and tag."""
    found = api().get("/machines/summary", **plain(query))
    if json_out:
        as_json(found)
        return
    fields({name: found[name] for name in ("total", "maintenance", "offline", "assigned")})
    counts = [*found["states"].items(), *((f"tag {tag}", number) for tag, number in found["tags"].items())]
    table(("of which", "machines"), counts, "No machine matches.")


def state_of(machine: dict[str, Any]) -> str:
    """State, progress and flags in a few words."""
    words = [machine["state"], *attempt_words(machine["attempt"])]
    if machine["state"] == "failed":
        words.append(machine["failed_reason"])
    words += [word for word in ("maintenance", "offline") if machine[word]]
    words += ["asks to be let in"] if machine["asks_since"] else []
    return ", ".join(words)


def deployment_of(machine: dict[str, Any]) -> str:
    """The name of the deployment that it is assigned to."""
    return str(machine["deployment"]["name"]) if machine["deployment"] else ""


@machines.command()
@machine_argument
@json_option
def show(machine: str, json_out: bool) -> None:
    """Show a machine, by name or id, with its disks."""
    found = api().get(f"/machines/{segment(machine)}")
    if json_out:
        as_json(found)
        return
    same = ("name", "id", "firmware", "address", "uuid", "serial", "cpus", "notes")
    fields(
        {name: found[name] for name in same}
        | {
            "state": state_of(found),
            "without a sign": gives_up(found["attempt"]),
            "deployment": deployment_of(found),
            "macs": ", ".join(found["macs"]),
            "memory": f"{found['memory_bytes'] >> 20} MiB" if found["memory_bytes"] else "",
            "reserved": found["reserved_address"],
            "DHCP options": ", ".join(f"{name} = {value}" for name, value in found["dhcp_options"].items()),
            "hand-over": found["hand_over"],
            "boot program": found["boot_program"] or "chosen by itself",
            "secure boot": {True: "on", False: "off"}.get(found["secure_boot"], ""),
            "tags": ", ".join(found["tags"]),
            "rescue": "; ".join(rescue.opened(found)),
            "power": ", ".join(filter(None, power.power_words(found["power"]))),
            "last seen": moment(found["last_seen"]),
        }
    )
    for each in (found["inventory"] or {}).get("neighbours") or []:
        place = f"{each.get('port')} of {each.get('system') or each.get('chassis')}"
        fields({"plugged in": f"{each.get('nic')} to {place}{_vlan(each)}"})
    for disk in (found["inventory"] or {}).get("disks") or []:
        content = content_in_words(disk.get("content"))
        names = [disk.get("serial"), decimal_size(disk.get("bytes")), disk.get("model"), content]
        fields({"disk": ", ".join(str(name) for name in names if name)})

    for wiped in found["wiped"]:
        fields({"wiped": ", ".join([moment(wiped["at"]), *_wiped(wiped)])})


def _wiped(record: dict[str, Any]) -> list[str]:
    """Which disk, how, and what was read back."""
    read = "all of it" if record["whole"] else decimal_size(record["bytes_read"])
    believed = f"{read} read back" if record["verified"] else "not verified"
    names = [record["serial"] or record["wwn"], decimal_size(record["bytes"]), record["method"], believed]
    hidden = f"{decimal_size(record['hidden_bytes'])} hidden" if record["hidden_bytes"] else ""
    return [str(each) for each in (*names, hidden, *record["tried"]) if each]


def _vlan(neighbour: dict[str, Any]) -> str:
    return f", VLAN {neighbour['vlan']}" if neighbour.get("vlan") else ""


@machines.command("set")
@names_argument
@where_option
@click.option("--name", help="Its new name; also its name in DNS.")
@click.option("--maintenance", type=click.Choice(["on", "off"]), help="On: it is seen, but not used.")
@click.option("--broken/--mended", default=None, help="Broken: it is never chosen for anything.")
@click.option("--notes", help="Anything worth knowing.")
@click.option("--hand-over", type=click.Choice(["kexec", "reboot"]), help="Reboot: for hardware that kexec upsets.")
@click.option(
    "--boot-program",
    type=click.Choice(["auto", *CHOICES]),
    help="What its firmware loads first; auto: chosen by itself. What each is: qrm machines boot-programs.",
)
@click.option("--address", help="Lease it this address and nobody else; none: any address of the ranges.")
@click.option(
    "--dhcp-option",
    "dhcp_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Tell it this by DHCP, by name or number; NAME= takes it away. May be given several times.",
)
@click.option(
    "--tag",
    "add_tags",
    multiple=True,
    shell_complete=known_tags(),
    help="Give it this tag; may be given several times.",
)
@click.option(
    "--untag",
    "remove_tags",
    multiple=True,
    shell_complete=known_tags(),
    help="Take this tag away; may be given several times.",
)
def set_machine(names: tuple[str, ...], where: str | None, **options: Any) -> None:
    """Change machines: one, or many in one go.

    Name, notes, boot program, address and DHCP options are for one machine only.
    """
    which, change = selected("machines", names, where), _change(**options)
    if not change:
        offered = (
            "--name, --maintenance, --broken, --mended, --notes, --hand-over, --boot-program, --address,"
            " --dhcp-option, --tag or --untag"
        )
        raise click.UsageError(f"say what to change: {offered}")
    if len(names) == 1:
        if wanted := change.pop("dhcp_options", None):
            change["dhcp_options"] = with_options(api().get(f"/machines/{segment(names[0])}")["dhcp_options"], wanted)
        changed = api().send("PATCH", f"/machines/{segment(names[0])}", change)
        click.echo(f"{changed['name']}: {state_of(changed)}")
        return
    for action, arguments in _bulk_actions(change):
        do_to_many(api(), "machines", which, action, **arguments)


def _change(maintenance: str | None, address: str | None, boot_program: str | None, **given: Any) -> dict[str, Any]:
    """The options as the API takes them."""
    change = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    change = {key: value for key, value in change.items() if value not in (None, [])}
    if maintenance:
        change["maintenance"] = maintenance == "on"
    if boot_program is not None:
        change["boot_program"] = "" if boot_program == "auto" else boot_program
    if address is not None:
        change["reserved_address"] = None if address == "none" else address
    return change


def with_options(before: dict[str, str], wanted: list[str]) -> dict[str, str]:
    """All DHCP options, once these are set or, without a value, taken away; raises UsageError."""
    after = dict(before)
    for each in wanted:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--dhcp-option {each}: write NAME=VALUE, such as mtu=9000; NAME= takes it away")
        after.pop(normal_name(name.strip()), None)
        if value.strip():
            after[name.strip()] = value
    return after


def _bulk_actions(change: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The bulk actions of a change with their arguments; raises UsageError for what only one machine can have."""
    actions: dict[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
        "maintenance": lambda on: (f"maintenance-{'on' if on else 'off'}", {}),
        "broken": lambda broken: ("break" if broken else "mend", {}),
        "hand_over": lambda method: ("hand-over", {"hand_over": method}),
        "add_tags": lambda tags: ("tag", {"tags": tags}),
        "remove_tags": lambda tags: ("untag", {"tags": tags}),
    }
    if single := set(change) - set(actions):
        words = ", ".join(sorted(each.replace("reserved_", "").replace("_", " ") for each in single))
        raise click.UsageError(f"{words}: only one machine can have that")
    return [actions[key](value) for key, value in change.items()]


@machines.command("boot-programs")
@json_option
def boot_programs(json_out: bool) -> None:
    """List the boot programs that firmware can be sent, and what each is for."""
    found = [PROGRAMS[name] for name in CHOICES]
    if json_out:
        as_json([{"name": each.name, "firmware": each.firmware, "text": each.text} for each in found])
        return
    table(("name", "firmware", "what it is"), [(each.name, each.firmware, each.text) for each in found], "")


@machines.command()
@names_argument
@where_option
@confirm_option
def delete(names: tuple[str, ...], where: str | None, confirm: str | None) -> None:
    """Forget machines that are assigned to nothing."""
    connected, which = api(), selected("machines", names, where)
    if len(names) == 1:
        found, seen = connected.seen(f"/machines/{segment(names[0])}")
        text = f"{found['name']} is forgotten with its inventory; it appears again, as new, when it next boots."
        confirmed([text], found["name"], confirm)
        connected.send("DELETE", f"/machines/{segment(found['id'])}", seen=seen)
        click.echo(f"{found['name']} is deleted")
        return
    texts = ("{} are forgotten with their inventories; they appear again, as new, when they next boot.",)
    word = confirm_many(connected, "machines", which, texts, confirm)
    do_to_many(connected, "machines", which, "delete", confirm=word)


for _command in (*rescue.COMMANDS, *power.COMMANDS, timeline):
    machines.add_command(_command)
