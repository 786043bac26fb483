"""``qrm tasks``"""

from typing import Any

import click

from appliance.cli.client import segment
from appliance.cli.context import Listing, api, json_option
from appliance.cli.output import as_json, clean, event_line, fields, moment, table
from appliance.cli.waiting import wait_for_task, words_of

STATUSES = ("waiting", "running", "done", "failed", "cancelled")
PAGE = 1000
"""Lines of a log that are asked for at a time."""


@click.group(cls=Listing)
def tasks() -> None:
    """Tasks: long work that can be watched and cancelled; without a command, their list."""


@tasks.command("list")
@click.option("--open/--ended", "is_open", default=None, help="Only those that go on, or that have ended.")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these; may be given several times.")
@click.option("--owner", help="Only of this user.")
@click.option("--machine", help="Only of this machine, by name or id.")
@click.option("--deployment", help="Only of this deployment, by name or id.")
@click.option("--kind", help="Only of this kind, such as deployment.start.")
@click.option("--sort", type=click.Choice(["created", "-created", "title", "-title", "owner", "kind"]), help="Order.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
def list_tasks(
    is_open: bool | None, status: tuple[str, ...], limit: int, json_out: bool, **filters: str | None
) -> None:
    """Tasks, the newest first."""
    going = None if is_open is None else str(is_open).lower()
    answer = api().get("/tasks", open=going, status=list(status) or None, limit=limit, **filters)
    if json_out:
        as_json(answer)
        return
    rows = [
        (each["id"], each["title"], each["status"], f"{each['progress']:.0%}", each["owner"], moment(each["created"]))
        for each in answer["items"]
    ]
    table(("task", "what", "status", "progress", "owner", "begun"), rows, "No task.")


@tasks.command()
@click.argument("task")
@json_option
def show(task: str, json_out: bool) -> None:
    """One task by its number, with what it has brought."""
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
@click.argument("task")
@json_option
def log(task: str, json_out: bool) -> None:
    """What happened while it went on; the newest at the end."""
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
@click.argument("task")
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
@click.argument("task")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which to give up.")
def wait(task: str, timeout: float | None) -> None:
    """Wait until it has ended; fails when it fails. Ctrl-C ends the waiting and not the task."""
    connected = api()
    done = wait_for_task(connected, connected.get(f"/tasks/{segment(task)}"), timeout)
    click.echo(words_of(done))
