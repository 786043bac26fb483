"""Tasks: the strip under every page that opens to a drawer, the list of all, one with its log, and its end."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from appliance.errors import Conflict
from appliance.reconcile.taskviews import TaskView, task_log, task_view, task_views
from appliance.store.census import has_pools
from appliance.store.listing import Asked
from appliance.store.tasks import LISTING
from appliance.task import OPEN, STORAGE, Status, Task
from appliance.web.certificate import CERTIFICATE
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.paging import Shown, shown
from appliance.web.console.words import Mark
from appliance.web.keys import SERVICES

IN_STRIP = 20
"""Tasks that go on, and are in the drawer."""
ENDED_IN_STRIP = 5
FILTERS = ("status", "kind", "owner", "machine", "deployment")


@dataclass(frozen=True, slots=True)
class Place:
    """The pool or volume that a task is about."""

    word: str
    name: str
    link: str
    """Empty where it is there no more."""
    then: str = ""
    """Where to go on once a check has ended."""


MARKS = {
    Status.WAITING: Mark("dots", "busy", "waiting"),
    Status.RUNNING: Mark("busy", "busy", "running"),
    Status.DONE: Mark("disc", "good", "done"),
    Status.FAILED: Mark("triangle", "bad", "failed"),
    Status.CANCELLED: Mark("square", "quiet", "cancelled"),
}
"""How the status of a task looks."""


async def strip(request: web.Request) -> web.Response:
    """GET /tasks/strip: what goes on, the last that ended, and what is urgent on every page."""
    running, views = await task_views(*_asked(request, open=True, limit=IN_STRIP))
    _, ended = await task_views(*_asked(request, open=False, limit=ENDED_IN_STRIP))
    network = request.app[SERVICES].network
    held = network.held_back()
    holding = {(interface, address) for interface, standing in held for address in standing.held_by}
    foreign = [each for each in await network.foreign_servers() if (each.interface, each.address) not in holding]
    shows: dict[str, Any] = {"views": views, "ended": ended, "marks": MARKS, "foreign": foreign, "held": held}
    shows["certificate"] = request.app[CERTIFICATE].notice()
    shows["trouble"] = request.app[SERVICES].trouble()
    shows["full"] = await request.app[SERVICES].store.read(_full)
    return render(request, "tasks_strip.html", running=running.total, **shows)


def _full(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    if not has_pools(db):
        return []
    from appliance.web.console.pool_attention import urgent  # who has no pools does without it

    return urgent(db)


def _asked(request: web.Request, *, open: bool, limit: int) -> tuple[Any, Asked]:  # noqa: A002 - the filter's name
    services = request.app[SERVICES]
    return services.store, Asked({"open": open}, limit=limit, now=services.clock())


async def index(request: web.Request) -> web.Response:
    """GET /tasks, filtered by status, kind, owner, machine and deployment."""
    services = request.app[SERVICES]
    asked = shown(request, "/tasks", LISTING, FILTERS)
    found, views = await task_views(services.store, asked.asked)
    listed: Shown[TaskView] = asked.filled(views, found.total)
    return render(request, "tasks.html", listed=listed, marks=MARKS, statuses=list(Status))


async def show(request: web.Request) -> web.Response:
    """GET /tasks/{id}: how far it is, what it said, what became of each of its items."""
    services, key = request.app[SERVICES], request.match_info["key"]
    view = await task_view(services.store, key, services.clock())
    log = await task_log(services.store, key)
    goes_on, place = view.task.status in OPEN, await _place(request, view.task)
    return render(request, "task.html", view=view, task=view.task, log=log, marks=MARKS, goes_on=goes_on, place=place)


async def _place(request: web.Request, task: Task) -> Place | None:
    """What is kept of the pool or the volume that it is about; the pool itself may be gone."""
    if task.kind not in STORAGE:
        return None
    from appliance.store import pools  # who has no pools does without it

    def job(db: sqlite3.Connection) -> Place | None:
        pool = pools.find(db, task.arguments["pool"])
        volume = pools.volume(db, task.arguments["volume"]) if task.arguments.get("volume") else None
        if pool is None:
            return None
        link = "" if pool.retired else f"/storage/{pool.id}"
        if volume is not None:
            return Place("Volume", volume.name, link and f"{link}/volumes/{volume.id}")
        then = f"{link}/repair" if task.kind == "pool.examine" and task.status is Status.DONE else ""
        return Place("Pool", pool.name, link, link and then)

    return await request.app[SERVICES].store.read(job)


async def ask_cancel(request: web.Request) -> web.Response:
    """GET /tasks/{id}/cancel: what that would mean."""
    services = request.app[SERVICES]
    return _cancel_page(request, await task_view(services.store, request.match_info["key"], services.clock()))


def _cancel_page(request: web.Request, view: TaskView) -> web.Response:
    prospect = view.prospect
    return confirm_page(
        request,
        title=f"Cancel: {view.task.title}",
        texts=(prospect.text,),
        button="Cancel this task",
        back=f"/tasks/{view.task.id}",
        refused="" if prospect.possible else prospect.text,
    )


async def cancel(request: web.Request) -> web.Response:
    """POST /tasks/{id}/cancel"""
    services, key = request.app[SERVICES], request.match_info["key"]
    try:
        await services.wishes.cancel_task(key, who(request))
    except Conflict:
        return _cancel_page(request, await task_view(services.store, key, services.clock()))
    return see_other(f"/tasks/{key}")
