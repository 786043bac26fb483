"""``qrm deployments``"""

from typing import Any

import click

from appliance.cli.bulk import confirm_many, do_to_many, selected, where_option
from appliance.cli.client import Api, segment
from appliance.cli.completion import names as known
from appliance.cli.completion import tags as known_tags
from appliance.cli.confirm import confirmed, say_consequences
from appliance.cli.context import Listing, api, confirm_option, json_option, wait_option
from appliance.cli.deployment_edit import create, set_deployment
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, attempt_words, clean, fields, gives_up, moment, table
from appliance.cli.seeds import seed
from appliance.cli.waiting import wait_for_task
from appliance.errors import ApplianceError
from appliance.machine import State
from appliance.sizes import in_unit

ACTIONS = {
    "start": "Put deployments on machines that fit, or boot them again from their disks.",
    "stop": "Shut deployments down; their machines and disks stay reserved.",
    "release": "Give the machines of deployments back to the fleet.",
    "redeploy": "Write the image of a deployment anew.",
    "retry": "Try again what failed.",
}
RELEASED = "released"
"""The state of a deployment that is on no machine."""

deployment_argument = click.argument("deployment", shell_complete=known("/deployments"))
names_argument = click.argument("names", nargs=-1, metavar="DEPLOYMENT...", shell_complete=known("/deployments"))
_states = click.Choice([*(each.value for each in State), RELEASED])


@click.group(cls=Listing)
def deployments() -> None:
    """Deployments; without a command, their list."""


@deployments.command("list")
@click.option("--state", type=_states, multiple=True, help="Only in this state; may be given several times.")
@click.option("--image", metavar="IMAGE", shell_complete=known("/images"), help="Only of this image, by name or id.")
@click.option(
    "--machine", metavar="MACHINE", shell_complete=known("/machines"), help="Only on this machine, by name or id."
)
@click.option(
    "--tag", multiple=True, metavar="TAG", shell_complete=known_tags(), help="Only on a machine with this tag."
)
@listing_options("name", "state", "machine", "image", "created", search="its name, image or machine")
def list_deployments(json_out: bool, limit: int, **query: Any) -> None:
    """List deployments."""
    found = listed("/deployments", json_out, limit, **query)
    if found is not None:
        heads = ("name", "state", "image", "machine", "address")
        empty = "No deployment yet. Make one with: qrm deployments create NAME --image IMAGE"
        table(heads, [_row(each) for each in found], "No deployment matches." if any(query.values()) else empty)


def _row(deployment: dict[str, Any]) -> tuple[object, ...]:
    image = deployment["image"]["name"]
    return deployment["name"], state_of(deployment), image, on(deployment, "name"), on(deployment, "address")


def on(deployment: dict[str, Any], field: str) -> str:
    """A field of the machine that it is on."""
    return str(deployment["machine"][field] or "") if deployment["machine"] else ""


def state_of(deployment: dict[str, Any]) -> str:
    """State and progress in a few words."""
    words = [deployment["state"], *attempt_words(deployment["attempt"])]
    if deployment["failed_reason"]:
        words.append(deployment["failed_reason"])
    return ", ".join(words)


@deployments.command()
@deployment_argument
@json_option
def show(deployment: str, json_out: bool) -> None:
    """Show a deployment, by name or id."""
    found = api().get(f"/deployments/{segment(deployment)}")
    if json_out:
        as_json(found)
        return
    disk, wanted = found["disk"], found["requirements"]
    fields(
        {name: found[name] for name in ("name", "hostname", "wanted", "delivery", "generation")}
        | {
            "state": state_of(found),
            "without a sign": gives_up(found["attempt"]),
            "image": found["image"]["name"],
            "machine": on(found, "name"),
            "address": on(found, "address"),
            "disk": f"{disk['serial'] or disk['wwn']}, {disk['model']}" if disk else "",
            "root volume": _root_volume(found["root_volume"]),
            "exported": _exported(found["root_volume"]),
            "asks for": ", ".join(_asks_for(found, wanted)),
            "cloud-init": _seed(found["seed"]),
            "ssh keys": len(found["ssh_keys"]) or "",
            "on release": f"its disk is wiped ({found['wipe_method']})" if found["wipe_on_release"] else "",
            "host keys": ", ".join(found["host_keys"]),
            "created": moment(found["created"]),
        }
    )


def _seed(seed: dict[str, Any] | None) -> str:
    """What it gives to cloud-init, without the texts."""
    if seed is None:
        return ""
    own = ["a network configuration"] if seed["network_config"] else []
    return ", ".join([*([f"user data ({seed['user_data']})"] if seed["user_data"] else []), *own])


def _root_volume(root: dict[str, Any] | None) -> str:
    """By name, pool and size."""
    if root is None:
        return ""
    made = "" if root["ready"] else ", is being made"
    return f"{root['name']} in {root['pool']}, {in_unit(root['bytes'], 'GiB')} GiB{made}"


def _exported(root: dict[str, Any] | None) -> str:
    """To whom, and how; empty for a deployment without a root volume."""
    if root is None:
        return ""
    export = root["export"]
    return f"by {export['kind']} to {export['initiator'] or export['address']}" if export else "to nobody"


def _asks_for(deployment: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What its machine must have, or which one it must be."""
    sizes = {"memory": (wanted["memory_bytes"], "GiB"), "disk": (wanted["disk_bytes"], "GB")}
    named = {"machine": deployment["wanted_machine"], "disk": deployment["wanted_disk"]}
    return [
        *(f"{noun} {name}" for noun, name in named.items() if name),
        *([f"{wanted['cpus']} CPUs"] if wanted["cpus"] else []),
        *(f"{in_unit(size, unit)} {unit} of {noun}" for noun, (size, unit) in sizes.items() if size),
        *([wanted["firmware"]] if wanted["firmware"] else []),
        *([f"pool {deployment['pool']}"] if deployment["pool"] else []),
        *([f"kernel {deployment['kernel']}"] if deployment["kernel"] else []),
        *([f"{in_unit(deployment['root_size'], 'GiB')} GiB of root volume"] if deployment["root_size"] else []),
        *(f"tag {tag}" for tag in wanted["tags"]),
    ]


def _add_action(action: str, help_text: str) -> None:
    @deployments.command(action, help=help_text)
    @names_argument
    @where_option
    @confirm_option
    @wait_option
    def act(names: tuple[str, ...], where: str | None, confirm: str | None, and_wait: bool) -> None:
        which = selected("deployments", names, where)
        if len(names) == 1:
            _act(api(), names[0], action, confirm, and_wait)
        else:
            _act_on_many(api(), which, action, confirm)


def _act(connected: Api, deployment: str, action: str, confirm: str | None, and_wait: bool) -> None:
    path = f"/deployments/{segment(deployment)}"
    _, seen = connected.seen(path)
    foreseen = connected.get(f"{path}/consequences", action=action)
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm)
    task = connected.make(f"{path}/{action}", {"confirm": word, "content": foreseen["content"]}, seen)
    click.echo(f"{task['deployment']['name']}: asked to {action} (task {task['id']})")
    if and_wait:
        wait_for_task(connected, task)


def _act_on_many(connected: Api, which: dict[str, Any], action: str, confirm: str | None) -> None:
    if action == "redeploy":
        raise click.UsageError("an image is written anew on one deployment at a time")
    word = None
    if action == "release":
        texts = ("The machines of {} go back to the fleet; disks are wiped where their deployments say so.",)
        word = confirm_many(connected, "deployments", which, texts, confirm)
    do_to_many(connected, "deployments", which, action, confirm=word)


for _action, _help in ACTIONS.items():
    _add_action(_action, _help)


@deployments.command()
@deployment_argument
@click.argument("action", type=click.Choice(list(ACTIONS)))
@json_option
def consequences(deployment: str, action: str, json_out: bool) -> None:
    """Say what an action would do to a deployment; nothing is done."""
    say_consequences(api().get(f"/deployments/{segment(deployment)}/consequences", action=action), json_out)


@deployments.command()
@deployment_argument
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which to give up.")
def wait(deployment: str, timeout: float | None) -> None:
    """Wait until a deployment is what was last asked for; fails when it fails."""
    _wait(api(), deployment, timeout)


def _wait(connected: Api, deployment: str, timeout: float | None) -> None:
    going = connected.get("/tasks", deployment=deployment, open="true", limit=1)["items"]
    if going:
        wait_for_task(connected, going[0], timeout)
    found = connected.get(f"/deployments/{segment(deployment)}")
    if found["state"] == "failed":
        hint = f"qrm machines timeline {on(found, 'name')}; then qrm deployments retry {found['name']}"
        raise ApplianceError("deployment-failed", f"{found['name']} failed: {found['failed_reason']}", hint)
    click.echo(f"{found['name']}: {clean(state_of(found))}", err=True)


@deployments.command()
@names_argument
@where_option
@confirm_option
def delete(names: tuple[str, ...], where: str | None, confirm: str | None) -> None:
    """Forget deployments that are on no machine."""
    connected, which = api(), selected("deployments", names, where)
    if len(names) == 1:
        found, seen = connected.seen(f"/deployments/{segment(names[0])}")
        confirmed([f"Deployment {found['name']} is forgotten."], found["name"], confirm)
        connected.send("DELETE", f"/deployments/{found['id']}", seen=seen)
        click.echo(f"{found['name']} is deleted")
        return
    word = confirm_many(connected, "deployments", which, ("{} are forgotten.",), confirm)
    do_to_many(connected, "deployments", which, "delete", confirm=word)


for _command in (create, set_deployment, seed):
    deployments.add_command(_command)
