"""``qrm deployments``"""

from pathlib import Path
from typing import Any

import click

from appliance.cli.bulk import confirm_many, do_to_many, selected, where_option
from appliance.cli.client import Api, segment
from appliance.cli.confirm import confirmed
from appliance.cli.context import Listing, api, confirm_option, json_option
from appliance.cli.output import as_json, attempt_words, clean, fields, gives_up, moment, table
from appliance.cli.waiting import wait_for_task
from appliance.errors import ApplianceError

ACTIONS = {
    "start": "Put it on a machine that fits, or boot it again from its disk.",
    "stop": "Shut it down; its machine and disk stay reserved.",
    "release": "Give its machine back to the fleet.",
    "redeploy": "Write its image anew.",
    "retry": "Try again what failed.",
}


@click.group(cls=Listing)
def deployments() -> None:
    """Deployments; without a command, their list."""


@deployments.command("list")
@json_option
def list_deployments(json_out: bool) -> None:
    """All deployments."""
    answer = api().get("/deployments")
    if json_out:
        as_json(answer)
        return
    rows = [
        (each["name"], state_of(each), each["image"]["name"], on(each, "name"), on(each, "address"))
        for each in answer["items"]
    ]
    empty = "No deployment yet. Make one with: qrm deployments create NAME --image IMAGE"
    table(("name", "state", "image", "machine", "address"), rows, empty)


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
@click.argument("deployment")
@json_option
def show(deployment: str, json_out: bool) -> None:
    """One deployment, by name or id."""
    found = api().get(f"/deployments/{segment(deployment)}")
    if json_out:
        as_json(found)
        return
    disk = found["disk"]
    fields(
        {name: found[name] for name in ("name", "hostname", "wanted", "delivery", "generation")}
        | {
            "state": state_of(found),
            "without a sign": gives_up(found["attempt"]),
            "image": found["image"]["name"],
            "machine": on(found, "name"),
            "address": on(found, "address"),
            "disk": f"{disk['serial'] or disk['wwn']}, {disk['model']}" if disk else "",
            "host keys": ", ".join(found["host_keys"]),
            "created": moment(found["created"]),
        }
    )


@deployments.command()
@click.argument("name")
@click.option("--image", required=True, help="The image to run, by name or id.")
@click.option("--machine", help="This machine and no other.")
@click.option("--disk", help="This disk, by serial or WWN, whatever is on it.")
@click.option("--cpus", type=click.IntRange(1), help="At least so many.")
@click.option("--memory", "memory_mib", type=click.IntRange(1), metavar="MIB", help="At least so much memory.")
@click.option("--disk-size", "disk_gib", type=click.IntRange(1), metavar="GIB", help="A disk of at least this size.")
@click.option("--firmware", type=click.Choice(["bios", "uefi"]), help="Only machines with this firmware.")
@click.option("--tag", "tags", multiple=True, help="Only machines with this tag; may be given several times.")
@click.option(
    "--ssh-key", "key_files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with public keys that may log in; may be given several times.",
)  # fmt: skip
@click.option("--wipe-on-release", is_flag=True, help="Wipe the disk when it is released.")
def create(
    name: str,
    image: str,
    machine: str | None,
    disk: str | None,
    cpus: int | None,
    memory_mib: int | None,
    disk_gib: int | None,
    firmware: str | None,
    tags: tuple[str, ...],
    key_files: tuple[Path, ...],
    wipe_on_release: bool,
) -> None:
    """Make a deployment; nothing is touched before it is started."""
    requirements = {
        "cpus": cpus,
        "memory_bytes": memory_mib << 20 if memory_mib else None,
        "disk_bytes": disk_gib << 30 if disk_gib else None,
        "firmware": firmware,
        "tags": list(tags),
    }
    body = {"name": name, "image": image, "machine": machine, "disk": disk, "requirements": requirements}
    keys = [line for file in key_files for line in file.read_text(errors="replace").splitlines() if line.strip()]
    made = api().send("POST", "/deployments", {**body, "ssh_keys": keys, "wipe_on_release": wipe_on_release})
    click.echo(f"{made['name']} is made; start it with: qrm deployments start {made['name']}")


def _add_action(action: str, help_text: str) -> None:
    @deployments.command(action, help=help_text)
    @click.argument("names", nargs=-1, metavar="DEPLOYMENT...")
    @where_option
    @confirm_option
    @click.option("--wait", "and_wait", is_flag=True, help="Come back when it is done.")
    def act(names: tuple[str, ...], where: str | None, confirm: str | None, and_wait: bool) -> None:
        which = selected("deployments", names, where)
        if len(names) == 1:
            _act(api(), names[0], action, confirm, and_wait)
        else:
            _act_on_many(api(), which, action, confirm)


def _act(connected: Api, deployment: str, action: str, confirm: str | None, and_wait: bool) -> None:
    path = f"/deployments/{segment(deployment)}"
    foreseen = connected.get(f"{path}/consequences", action=action)
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm)
    task = connected.send("POST", f"{path}/{action}", {"confirm": word, "content": foreseen["content"]})
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
@click.argument("deployment")
@click.argument("action", type=click.Choice(list(ACTIONS)))
@json_option
def consequences(deployment: str, action: str, json_out: bool) -> None:
    """What an action would do; nothing is done."""
    foreseen = api().get(f"/deployments/{segment(deployment)}/consequences", action=action)
    if json_out:
        as_json(foreseen)
        return
    for text in [*foreseen["texts"], foreseen["refused"]]:
        if text:
            click.echo(clean(text))
    if foreseen["confirm"]:
        click.echo(f"To be confirmed with: {clean(foreseen['confirm'])}")


@deployments.command()
@click.argument("deployment")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which to give up.")
def wait(deployment: str, timeout: float | None) -> None:
    """Wait until it is what was last asked for; fails when it fails."""
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
@click.argument("names", nargs=-1, metavar="DEPLOYMENT...")
@where_option
@confirm_option
def delete(names: tuple[str, ...], where: str | None, confirm: str | None) -> None:
    """Forget deployments that are on no machine."""
    connected, which = api(), selected("deployments", names, where)
    if len(names) == 1:
        found = connected.get(f"/deployments/{segment(names[0])}")
        confirmed([f"Deployment {found['name']} is forgotten."], found["name"], confirm)
        connected.send("DELETE", f"/deployments/{found['id']}")
        click.echo(f"{found['name']} is deleted")
        return
    word = confirm_many(connected, "deployments", which, ("{} are forgotten.",), confirm)
    do_to_many(connected, "deployments", which, "delete", confirm=word)
