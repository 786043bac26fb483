"""``qrm machines``"""

from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.output import as_json, attempt_words, event_line, fields, gigabytes, gives_up, moment, table
from appliance.cli.rescue import COMMANDS, opened
from appliance.deployment import content_in_words


@click.group(cls=Listing)
def machines() -> None:
    """Machines; without a command, their list."""


@machines.command("list")
@json_option
def list_machines(json_out: bool) -> None:
    """All machines."""
    answer = api().get("/machines")
    if json_out:
        as_json(answer)
        return
    rows = [
        (
            each["name"],
            state_of(each),
            deployment_of(each),
            each["address"],
            each["firmware"],
            ", ".join(each["tags"]),
            each["id"],
        )
        for each in answer["items"]
    ]
    empty = "No machine yet. Let one boot from the network that the appliance serves."
    table(("name", "state", "deployment", "address", "firmware", "tags", "id"), rows, empty)


def state_of(machine: dict[str, Any]) -> str:
    """State, progress and flags in a few words."""
    words = [machine["state"], *attempt_words(machine["attempt"])]
    if machine["state"] == "failed":
        words.append(machine["failed_reason"])
    words += [word for word in ("maintenance", "offline") if machine[word]]
    return ", ".join(words)


def deployment_of(machine: dict[str, Any]) -> str:
    """The name of the deployment that it is assigned to."""
    return str(machine["deployment"]["name"]) if machine["deployment"] else ""


@machines.command()
@click.argument("machine")
@json_option
def show(machine: str, json_out: bool) -> None:
    """One machine, by name or id, with its disks."""
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
            "hand-over": found["hand_over"],
            "tags": ", ".join(found["tags"]),
            "rescue": "; ".join(opened(found)),
            "last seen": moment(found["last_seen"]),
        }
    )
    for disk in (found["inventory"] or {}).get("disks") or []:
        content = content_in_words(disk.get("content"))
        names = [disk.get("serial"), gigabytes(disk.get("bytes")), disk.get("model"), content]
        fields({"disk": ", ".join(str(name) for name in names if name)})


@machines.command("set")
@click.argument("machine")
@click.option("--name", help="Its new name; also its name in DNS.")
@click.option("--maintenance", type=click.Choice(["on", "off"]), help="On: it is seen, but not used.")
@click.option("--broken/--mended", default=None, help="Broken: it is never chosen for anything.")
@click.option("--notes", help="Anything worth knowing.")
@click.option("--hand-over", type=click.Choice(["kexec", "reboot"]), help="Reboot: for hardware that kexec upsets.")
@click.option("--address", help="Lease it this address and nobody else; none: any address of the ranges.")
@click.option("--tag", "add_tags", multiple=True, help="Give it this tag; may be given several times.")
@click.option("--untag", "remove_tags", multiple=True, help="Take this tag away; may be given several times.")
def set_machine(
    machine: str,
    name: str | None,
    maintenance: str | None,
    broken: bool | None,
    notes: str | None,
    hand_over: str | None,
    address: str | None,
    add_tags: tuple[str, ...],
    remove_tags: tuple[str, ...],
) -> None:
    """Change a machine."""
    given = {"name": name, "broken": broken, "notes": notes, "hand_over": hand_over}
    change: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if maintenance:
        change["maintenance"] = maintenance == "on"
    if address is not None:
        change["reserved_address"] = None if address == "none" else address
    change |= {key: list(tags) for key, tags in (("add_tags", add_tags), ("remove_tags", remove_tags)) if tags}
    if not change:
        options = "--name, --maintenance, --broken, --mended, --notes, --hand-over, --address, --tag or --untag"
        raise click.UsageError(f"say what to change: {options}")
    changed = api().send("PATCH", f"/machines/{segment(machine)}", change)
    click.echo(f"{changed['name']}: {state_of(changed)}")


@machines.command()
@click.argument("machine")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, newest first.")
@json_option
def timeline(machine: str, limit: int, json_out: bool) -> None:
    """What happened to a machine, and why; the newest at the end."""
    answer = api().get(f"/machines/{segment(machine)}/timeline", limit=limit)
    if json_out:
        as_json(answer)
        return
    for event in reversed(answer["items"]):
        click.echo(event_line(event))


@machines.command()
@click.argument("machine")
@confirm_option
def delete(machine: str, confirm: str | None) -> None:
    """Forget a machine that is assigned to nothing."""
    connected = api()
    found = connected.get(f"/machines/{segment(machine)}")
    text = f"{found['name']} is forgotten with its inventory; it appears again, as new, when it next boots."
    confirmed([text], found["name"], confirm)
    connected.send("DELETE", f"/machines/{segment(found['id'])}")
    click.echo(f"{found['name']} is deleted")


for _command in COMMANDS:
    machines.add_command(_command)
