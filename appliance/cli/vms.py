"""``qrm vms``"""

from typing import Any

import click

from appliance.cli.client import Api, segment
from appliance.cli.completion import values
from appliance.cli.confirm import agree_options, confirmed
from appliance.cli.context import Listing, api, json_option, wait_option
from appliance.cli.hosts import NONE_YET as NO_HOST
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.cli.storage_words import room
from appliance.cli.vm_figures import screenshot, statistics
from appliance.cli.vm_options import POLICIES, STATES, DiskWords, given, vm_options
from appliance.cli.waiting import wait_for_task

PAGE = 10_000
"""The most that the appliance gives at a time: each page asks all hosts anew."""
vm_argument = click.argument("vm", shell_complete=values("/vms", "name", says="state"))
DISK = "SIZE[,pool=P][,bus=B]"


@click.group(cls=Listing)
def vms() -> None:
    """Virtual machines; without a command, their list.

    A VM is named by its name, or by its id where several are called the same.
    """


vms.add_command(statistics)
vms.add_command(screenshot)


@vms.command("list")
@click.option("--host", shell_complete=values("/hosts", "name"), help="Only those on this host.")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only in this; may be given several times.")
@click.option("--ours/--foreign", default=None, help="Only those that this appliance made, or only others.")
@click.option("--old/--live", default=None, help="Only those whose host does not answer, or others.")
@listing_options("name", "host", "state", "cpus", "memory", search="name, or the beginning of the id")
def list_vms(json_out: bool, limit: int, **query: Any) -> None:
    """List VMs of all hosts, with the states in which they are."""
    found = listed("/vms", json_out, limit, page=PAGE, **query)
    if found is not None:
        asked = any(each not in (None, (), "") for each in query.values())
        heads = ("name", "host", "CPUs", "memory", "state", "id")
        table(heads, [_row(each) for each in found], "No VM matches." if asked else _none_yet())


def _none_yet() -> str:
    if not api().get("/hosts")["items"]:
        return NO_HOST
    return "No VM yet. Make one with: qrm vms create NAME --disk 20G --nic br0"


def _row(vm: dict[str, Any]) -> tuple[object, ...]:
    return vm["name"], vm["host"]["name"], vm["cpus"], room(vm["memory"]), _state(vm), vm["id"]


def _state(vm: dict[str, Any]) -> str:
    words = [
        f"was {vm['state']}, its host does not answer" if vm["old"] else vm["state"],
        vm["why"],
        "" if vm["ours"] else "foreign",
        f"under way: {vm['work']['deed']}" if vm["work"] else "",
        f"needs a restart for {', '.join(vm['needs_restart'])}" if vm.get("needs_restart") else "",
    ]
    return ", ".join(filter(None, words))


@vms.command()
@vm_argument
@json_option
def show(vm: str, json_out: bool) -> None:
    """Show a VM."""
    found = api().get(f"/vms/{segment(vm)}")
    if json_out:
        as_json(found)
        return
    is_of = found["definition"] or found["live"] or {}
    shown = {"name": found["name"], "host": found["host"]["name"], "id": found["id"], "state": _state(found)}
    shown |= {"seen": moment(found["at"])} if found["old"] else {}
    fields(shown | _hardware(is_of, {each["target"]: each["name"] for each in found["volumes"]}))
    for each in found["beyond"]:
        click.echo(clean(f"besides: {each}"))


def _hardware(vm: dict[str, Any], volumes: dict[str, str]) -> dict[str, Any]:
    disks = [f"{d['target']}: {volumes.get(d['target'], d['path'])} ({d['bus']})" for d in vm.get("disks", [])]
    discs = [f"{each['target']}: {each['path'] or 'empty'}" for each in vm.get("cdroms", [])]
    cards = [f"{n['mac']}: {n['bridge']}{_vlan(n)} ({n['model']})" for n in vm.get("nics", [])]
    auto = vm.get("autostart")
    return (
        {"CPUs": vm.get("cpus"), "memory": room(vm.get("memory")), "firmware": vm.get("firmware")}
        | {"TPM": "yes" if vm.get("tpm") else "", "system": vm.get("system")}
        | {"disks": "; ".join(disks), "CD-ROMs": "; ".join(discs), "network": "; ".join(cards)}
        | {"starts from": ", ".join(vm.get("boot", []))}
        | {"autostart": f"{auto['order']}, then {auto['delay']:g} s" if auto else "", "notes": vm.get("notes")}
    )


def _vlan(nic: dict[str, Any]) -> str:
    return f" VLAN {nic['vlan']}" if nic["vlan"] else ""


# -- made and changed


@vms.command()
@click.argument("name")
@click.option("--host", default="", shell_complete=values("/hosts", "name"), help="Where; left out, one is chosen.")
@click.option("--policy", type=click.Choice(POLICIES), default="load", help="By what it is chosen.")
@click.option(
    "--disk",
    "disks",
    type=DiskWords(),
    multiple=True,
    metavar=DISK,
    help="A new volume, or -,pool=P,volume=V for one that is there; may be given several times.",
)
@vm_options
@click.option("--start", is_flag=True, help="Switch it on once it is made.")
@wait_option
def create(name: str, and_wait: bool, autostart: dict[str, Any] | None, **options: Any) -> None:
    """Make a VM called NAME."""
    connected = api()
    body = {"name": name, **given(options), **({"autostart": autostart} if autostart else {})}
    _task(connected, connected.make("/vms", body), f"{name} is made", and_wait)


@vms.command("set")
@vm_argument
@click.option("--name", help="Only while it is off.")
@vm_options
@click.option("--no-nics", is_flag=True, help="Take all network cards away.")
@click.option("--no-cdroms", is_flag=True, help="Take all CD-ROM drives away.")
@click.option("--detach", multiple=True, metavar="TARGET", help="Take a disk away; its volume stays.")
@click.option("--force", is_flag=True, help="Take out discs too that its system holds.")
def set_vm(
    vm: str, autostart: dict[str, Any] | None, no_nics: bool, no_cdroms: bool, force: bool, **options: Any
) -> None:
    """Change a VM; one that runs gets discs at once, and most else at its next start."""
    connected = api()
    change = given(options)
    change |= {"nics": []} if no_nics else {}
    change |= {"cdroms": []} if no_cdroms else {}
    if autostart is not None:
        change |= {"autostart": autostart} if autostart else {"no_autostart": True}
    if not change:
        raise click.UsageError("Say what is to be changed; see --help.")
    seen = connected.get(f"/vms/{segment(vm)}")
    sent = change | ({"force": True} if force else {}) | {"revision": seen["revision"]}
    after = connected.send("PATCH", f"/vms/{seen['id']}", sent)
    waits = after["needs_restart"]
    click.echo(clean(f"{after['name']} is changed{'; a restart brings: ' if waits else ''}{', '.join(waits)}"))


@vms.command("add-disk")
@vm_argument
@click.argument("disk", type=DiskWords(), metavar=DISK)
@wait_option
def add_disk(vm: str, disk: dict[str, Any], and_wait: bool) -> None:
    """Give a VM one more disk; one that runs sees it after its next start."""
    connected = api()
    _task(connected, connected.make(f"/vms/{segment(vm)}/disks", disk), f"{vm} has one more disk", and_wait)


# -- ordered


def _order(vm: str, order: str, said: str) -> None:
    after = api().send("POST", f"/vms/{segment(vm)}/{order}", {})
    click.echo(clean(f"{after['name']} {said}"))


@vms.command()
@vm_argument
def start(vm: str) -> None:
    """Switch a VM on."""
    _order(vm, "start", "is started")


@vms.command()
@vm_argument
def pause(vm: str) -> None:
    """Let a VM stand still; its memory stays."""
    _order(vm, "pause", "is paused")


@vms.command()
@vm_argument
def resume(vm: str) -> None:
    """Let a VM go on that is paused or asleep."""
    _order(vm, "resume", "goes on")


@vms.command()
@vm_argument
def reset(vm: str) -> None:
    """Start a VM again at once, as by the button on a box; its system is not asked."""
    _order(vm, "reset", "is reset")


@vms.command()
@vm_argument
def off(vm: str) -> None:
    """Switch a VM off at once, as if its plug was drawn; what is not written yet is lost."""
    _order(vm, "off", "is switched off")


@vms.command()
@vm_argument
@click.option(
    "--patience",
    type=click.FloatRange(0, 3600),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="After which it is switched off.",
)
@wait_option
def shutdown(vm: str, patience: float, and_wait: bool) -> None:
    """Ask a VM's system to shut down: its agent, then by its power button; at the end it is switched off."""
    connected = api()
    task = connected.make(f"/vms/{segment(vm)}/shut-down", {"patience": patience})
    _task(connected, task, f"{vm} is off", and_wait)


@vms.command()
@vm_argument
@click.option("--disks", is_flag=True, help="Delete its volumes as well; what is in them is lost.")
@agree_options
@wait_option
def delete(vm: str, disks: bool, confirm: str | None, yes: bool, and_wait: bool) -> None:
    """Switch a VM off and delete it; without --disks its volumes stay."""
    connected = api()
    found = connected.get(f"/vms/{segment(vm)}")
    path = f"/vms/{found['id']}"
    foreseen = connected.get(f"{path}/consequences", action="delete", disks=str(disks).lower())
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    task = connected.make(f"{path}/delete", {"disks": disks, "confirm": word})
    _task(connected, task, f"{found['name']} is deleted", and_wait)


def _task(connected: Api, task: dict[str, Any], said: str, and_wait: bool) -> None:
    """Say which task does it, or wait for that."""
    if not and_wait:
        click.echo(f"{clean(task['title'])} (task {task['id']})")
        return
    wait_for_task(connected, task)
    click.echo(clean(said))
