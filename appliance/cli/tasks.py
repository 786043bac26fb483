"""``qrm tasks``"""

from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.completion import names, values
from appliance.cli.context import Listing, api, json_option
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, clean, event_line, fields, moment, table
from appliance.cli.waiting import wait_for_task, words_of

STATUSES = ("waiting", "running", "done", "failed", "cancelled")
PAGE = 1000
"""Lines of a log that are asked for at a time."""
task_argument = click.argument("task", shell_complete=values("/tasks", "id", says="title", limit=50))
open_task_argument = click.argument("task", shell_complete=values("/tasks", "id", says="title", limit=50, open="true"))


@click.group(cls=Listing)
def tasks() -> None:
    """Tasks: long work that can be watched and cancelled; without a command, their list."""


@tasks.command("list")
@click.option("--open/--ended", "is_open", default=None, help="Only those that go on, or that have ended.")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these; may be given several times.")
@click.option("--owner", shell_complete=names("/users"), help="Only of this user.")
@click.option(
    "--machine", metavar="MACHINE", shell_complete=names("/machines"), help="Only of this machine, by name or id."
)
@click.option(
    "--deployment",
    metavar="DEPLOYMENT",
    shell_complete=names("/deployments"),
    help="Only of this deployment, by name or id.",
)
@click.option("--kind", help="Only of this kind, such as deployment.start.")
@listing_options("created", "title", "owner", "kind", limit=50)
def list_tasks(is_open: bool | None, limit: int, json_out: bool, **query: Any) -> None:
    """List tasks, the newest first."""
    found = listed("/tasks", json_out, limit, open=is_open, **query)
    if found is not None:
        heads = ("task", "what", "status", "progress", "owner", "begun")
        table(heads, [_row(each) for each in found], "No task.")


def _row(task: dict[str, Any]) -> tuple[object, ...]:
    done, begun = f"{task['progress']:.0%}", moment(task["created"])
    return task["id"], task["title"], task["status"], done, task["owner"], begun


@tasks.command()
@task_argument
@json_option
def show(task: str, json_out: bool) -> None:
    """Show a task, by its number, with what it has brought."""
    found = api().get(f"/tasks/{segment(task)}")
    if json_out:
        as_json(found)
        return
    names = {noun: found[noun]["name"] or found[noun]["id"] for noun in ("machine", "deployment") if found[noun]}
    fields(
        {"task": found["title"], "status": found["status"], "progress": f"{found['progress']:.0%}"}
        | {name: found[name] for name in ("message", "advice", "reason", "code", "owner")}
        | names
        | {"begun": moment(found["created"]), "ended": moment(found["ended"]) if found["ended"] else ""}
        | {"cancel": found["cancel"]["text"]}
    )
    show_items(found)


def show_items(task: dict[str, Any]) -> None:
    """What became of the items of a bulk action: those that are not done, and how many are."""
    items = task["result"].get("items", [])
    rest = [(each["name"], each["status"], each["text"]) for each in items if each["status"] != "done"]
    if rest:
        table(("name", "status", "why"), rest, "")
    if items:
        order = ("done", "failed", "skipped", "waiting")
        click.echo(", ".join(f"{task['counts'][name]} {name}" for name in order if name in task["counts"]))


@tasks.command()
@task_argument
@json_option
def log(task: str, json_out: bool) -> None:
    """Show what happened while a task went on; the newest at the end."""
    connected, after, found = api(), 0, list[dict[str, Any]]()
    while True:
        answer = connected.get(f"/tasks/{segment(task)}/log", after=after, limit=PAGE)
        found += answer["items"]
        after = answer["after"]
        if len(answer["items"]) < PAGE:
            break
    if json_out:
        as_json({"items": found, "after": after})
        return
    for line in found:
        click.echo(event_line(line))


@tasks.command()
@open_task_argument
def cancel(task: str) -> None:
    """Cancel a task; what has begun already is given up."""
    connected = api()
    found = connected.get(f"/tasks/{segment(task)}")
    if found["cancel"]["possible"]:  # else the server says why not, with its code
        click.echo(clean(found["cancel"]["text"]), err=True)
    after = connected.send("POST", f"/tasks/{segment(task)}/cancel")
    said = "is cancelled" if after["status"] == "cancelled" else "ends after what it is at"
    click.echo(clean(f"{after['title']}: {said}"))


@tasks.command()
@open_task_argument
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which to give up.")
def wait(task: str, timeout: float | None) -> None:
    """Wait until a task has ended; fails when it fails.

    Ctrl-C ends the waiting and not the task.
    """
    connected = api()
    done = wait_for_task(connected, connected.get(f"/tasks/{segment(task)}"), timeout)
    click.echo(words_of(done))
