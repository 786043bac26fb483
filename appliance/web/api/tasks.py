"""Tasks for programs: how far long work is, what it said and brought, and how to cancel it."""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.reconcile.taskviews import LOG_LINES, TaskView, task_log, task_view, task_views
from appliance.store.tasks import LISTING
from appliance.task import Status
from appliance.web.api import listing
from appliance.web.api.body import answer, key
from appliance.web.api.query import Param, Position, given
from appliance.web.keys import SERVICES, USER


class _Out(msgspec.Struct, kw_only=True):
    """What the API gives."""


class TaskMachine(_Out):
    """The machine of a task; its name is null once it is deleted."""

    id: str
    name: str | None


class TaskDeployment(_Out):
    """The deployment of a task; its name is null once it is deleted."""

    id: int
    name: str | None


class CancelOut(_Out):
    """Whether a task can be cancelled; ``text`` says what that would mean, or why it cannot."""

    possible: bool
    text: str


class TaskOut(_Out):
    """A long piece of work. Times are Unix time."""

    id: int
    kind: str
    title: str
    owner: str
    status: Status
    progress: float
    """0 to 1."""
    message: str
    """What it is at; empty once it has ended."""
    advice: str
    """What somebody has to do by hand for it to go on; empty: nothing."""
    deadline: float | None
    """When it gives up without a further sign of its machine."""
    machine: TaskMachine | None
    deployment: TaskDeployment | None
    attempt: str | None
    """The attempt that it follows."""
    counts: dict[str, int]
    """Of the items of a bulk action: how many are waiting, done, failed, skipped."""
    cancel: CancelOut
    code: str
    reason: str
    """Why it failed or was cancelled."""
    created: float
    ended: float | None


class TaskDetail(TaskOut):
    """A task with its result."""

    result: dict[str, Any]
    """What it has brought: ``items`` of a bulk action, each with id, name, status, code and text."""


class TaskLogLine(_Out):
    """One line; ``kind`` is that of an event, empty for what a job of the appliance says."""

    number: int
    at: float
    kind: str
    text: str
    reason: str


class TaskLog(_Out):
    """Lines, oldest first. What comes behind them is asked for with ``after``, now or later."""

    items: list[TaskLogLine]
    after: int


QUERY = listing.params(LISTING)
"""What ``GET /tasks`` takes."""
LOG_QUERY = (
    Param("after", Position, "only lines behind this number"),
    Param("limit", Annotated[int, msgspec.Meta(ge=1, le=LOG_LINES)], f"lines at most; {LOG_LINES} when left out"),
)
"""What ``GET /tasks/{key}/log`` takes."""
LOG_QUERY = (
    Param("after", Position, "only lines behind this number"),
    Param("limit", Annotated[int, msgspec.Meta(ge=1, le=LOG_LINES)], f"lines at most; {LOG_LINES} when left out"),
)


async def index(request: web.Request) -> web.Response:
    """Tasks, newest first."""
    found, views = await task_views(request.app[SERVICES].store, listing.asked(request, LISTING))
    return answer(listing.page(found, [TaskOut(**_fields(view)) for view in views]))


async def show(request: web.Request) -> web.Response:
    """One task with its result."""
    return await shown(request, key(request), 200)


async def log(request: web.Request) -> web.Response:
    """What happened while it went on."""
    asked = given(request, LOG_QUERY)
    after, limit = asked.get("after", 0), asked.get("limit", LOG_LINES)
    found = await task_log(request.app[SERVICES].store, key(request), after, limit)
    lines = [converted(line, TaskLogLine, from_attributes=True) for line in found]
    return answer(TaskLog(items=lines, after=lines[-1].number if lines else after))


async def cancel(request: web.Request) -> web.Response:
    """Cancel it; a job ends once the item that it is at is finished."""
    task = await request.app[SERVICES].wishes.cancel_task(key(request), request[USER])
    return await shown(request, str(task.id), 200)


async def shown(request: web.Request, task: str, status: int = 202) -> web.Response:
    """A task as the answer; with 202, where it can be looked at again."""
    found = await detail(request, task)
    shown_task = answer(found, status)
    if status == 202:
        shown_task.headers["Location"] = f"/api/v1/tasks/{found.id}"
    return shown_task


async def detail(request: web.Request, task: str) -> TaskDetail:
    """A task as a part of an answer."""
    services = request.app[SERVICES]
    view = await task_view(services.store, task, services.clock())
    return TaskDetail(**_fields(view), result=msgspec.to_builtins(view.result))


def _fields(view: TaskView) -> dict[str, Any]:
    task, prospect = view.task, view.prospect
    same = ("id", "kind", "title", "owner", "status", "attempt", "code", "reason", "created", "ended")
    return {
        **{name: getattr(task, name) for name in same},
        "progress": view.progress,
        "message": view.message,
        "advice": view.advice,
        "deadline": view.deadline,
        "machine": TaskMachine(id=task.machine, name=view.machine) if task.machine is not None else None,
        "deployment": TaskDeployment(id=task.deployment, name=view.deployment) if task.deployment is not None else None,
        "counts": view.counts,
        "cancel": CancelOut(possible=prospect.possible, text=prospect.text),
    }
