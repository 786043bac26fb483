"""One wish for many machines or deployments: a job that does them one after the other, each by itself.

Every item goes through the wish that a user would make for it alone, so that every check counts; what became of it is
stored in the same transaction, so that a restart in between does nothing twice and leaves nothing out.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.decoding import converted
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.reconcile import audit
from appliance.reconcile.bulk_actions import DEPLOYMENT_ACTIONS, MACHINE_ACTIONS, Arguments, BulkAction, check_arguments
from appliance.reconcile.jobs import JobCancelled, JobFailed, JobKind, Running, open_job
from appliance.reconcile.record import Tell, record
from appliance.reconcile.wishes import Wishes
from appliance.store import deployment_list, deployments, machine_list, machines, tasks
from appliance.store.documents import one, rows
from appliance.store.listing import Asked, Listing, selection
from appliance.store.store import Store
from appliance.store.tasks import Item, ItemStatus
from appliance.task import Task

MOST_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class BulkAsked:
    """What a user wants done: to those that are named, or to all that match ``filters``."""

    action: str
    keys: tuple[str, ...] | None = None
    """Ids or names."""
    filters: Mapping[str, Any] | None = None
    """As the noun's list takes them, checked."""
    confirm: str | None = None
    """For what destroys: how many, such as ``12 machines``."""
    arguments: Arguments = field(default_factory=Arguments)


@dataclass(frozen=True, slots=True)
class Noun:
    """What can be done to many of."""

    kind: str
    """Of the task."""
    singular: str
    plural: str
    actions: Mapping[str, BulkAction]
    listing: Listing
    name: str
    """The column of the listing's tables that has the name."""
    find: Callable[[sqlite3.Connection, str], tuple[str, str] | None]
    """Id and name of one, by either."""

    def counted(self, number: int) -> str:
        """Such as ``12 machines``: in titles, and what has to be typed."""
        return f"{number} {self.singular if number == 1 else self.plural}"


def ask(db: sqlite3.Connection, tell: Tell, noun: Noun, asked: BulkAsked, by: Asker, now: float) -> Task:
    """Store the job; ``Jobs`` does it. Raises Invalid, and Conflict ``confirmation-needed``."""
    action = noun.actions.get(asked.action)
    if action is None:
        hint = f"use one of {', '.join(noun.actions)}"
        raise Invalid("action-unknown", f"{asked.action[:40]!r} is no action", hint, "action")
    if action.needs and not getattr(asked.arguments, action.needs):
        raise Invalid("argument-missing", f"{asked.action} needs {action.needs}", "", action.needs)
    check_arguments(asked.arguments)
    found = items_meant(db, noun, asked, now)
    title = action.title.format(noun.counted(len(found)))
    _check_confirmed(noun, action, asked, len(found), title)
    arguments = {
        "action": asked.action,
        "given": msgspec.to_builtins(asked.arguments),
        "filters": None if asked.filters is None else dict(asked.filters),
        "by": msgspec.to_builtins(by),
    }
    task = open_job(db, tell, noun.kind, title, by, now, arguments, found)
    audit.note(db, by, f"{noun.singular}.bulk", ("task", task.id, title), None, _told(asked, found), now=now)
    return task


def _told(asked: BulkAsked, found: Sequence[Item]) -> dict[str, object]:
    """For the audit log, which names each machine or deployment once it is its turn."""
    given = {name: value for name, value in msgspec.to_builtins(asked.arguments).items() if value}
    which = {} if asked.filters is None else {"filter": dict(asked.filters) or "all"}
    return {"action": asked.action, **given, **which, "items": len(found)}


def _check_confirmed(noun: Noun, action: BulkAction, asked: BulkAsked, number: int, title: str) -> None:
    word = noun.counted(number)
    if action.destroys and asked.confirm != word:
        raise Conflict("confirmation-needed", f"{title}.", f"confirm with {word!r}", "confirm")


def items_meant(db: sqlite3.Connection, noun: Noun, asked: BulkAsked, now: float) -> tuple[Item, ...]:
    """The machines or deployments that are meant, by name. Raises Invalid where there are none, or too many."""
    if (asked.keys is None) == (asked.filters is None):
        hint = f"give either {noun.plural} or filter"
        raise Invalid("selection-invalid", f"say once which {noun.plural} are meant", hint, noun.plural)
    found = _matching(db, noun, asked.filters, now) if asked.keys is None else _named(db, noun, asked.keys)
    if not found:
        raise Invalid("selection-empty", f"no {noun.singular} is meant", "choose some first", noun.plural)
    if len(found) > MOST_ITEMS:
        raise Invalid("selection-large", f"{noun.counted(len(found))} are too many", f"{MOST_ITEMS} at most")
    return found


def _matching(db: sqlite3.Connection, noun: Noun, filters: Mapping[str, Any] | None, now: float) -> tuple[Item, ...]:
    chosen, values = selection(noun.listing, Asked(filters or {}, now=now))
    sql = f"SELECT {noun.listing.id}, {noun.name} {chosen} ORDER BY {noun.name}"
    return tuple(Item(str(row[0]), str(row[1]), "waiting") for row in rows(db, sql, *values))


def _named(db: sqlite3.Connection, noun: Noun, keys: Sequence[str]) -> tuple[Item, ...]:
    """Each once; who is not there any more is an item all the same."""
    found: dict[str, Item] = {}
    for key in keys[: MOST_ITEMS + 1]:
        known = noun.find(db, key)
        number, name = known or (key, key)
        found.setdefault(number, Item(number, name, "waiting"))
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Next:
    """The item that is due."""

    position: int
    item: Item
    meant: bool
    """Whether it is there, and matches the filter, as it did when the user asked."""


async def run(wishes: Wishes, noun: Noun, clock: Callable[[], float], running: Running) -> dict[str, Any]:
    """Do what waits of a bulk job, one item after the other. Raises JobCancelled, and JobFailed where items failed."""
    last = -1
    while due := await running.store.read(partial(_due, noun, running.task, last, clock())):
        last = due.position
        await _do(wishes, noun, clock, running, due)
        await running.progress(0.0, due.item.name)
    counts = await running.store.read(lambda db: tasks.counts(db, running.task.id))
    if failed := counts.get("failed", 0):
        raise JobFailed("items-failed", f"{failed} of {noun.counted(sum(counts.values()))} failed", {})
    return {}


def _due(noun: Noun, task: Task, last: int, now: float, db: sqlite3.Connection) -> _Next | None:
    """What comes behind position ``last``; None once nothing waits. Raises JobCancelled."""
    if tasks.get(db, task.id).cancelled_by:
        raise JobCancelled
    found = tasks.next_item(db, task.id, last)
    return _Next(*found, _is_meant(db, noun, task, found[1], now)) if found else None


def _is_meant(db: sqlite3.Connection, noun: Noun, task: Task, item: Item, now: float) -> bool:
    filters = task.arguments["filters"]
    if filters is None:
        return True
    chosen, values = selection(noun.listing, Asked(filters, now=now))
    sql = f"SELECT 1 {chosen} {'AND' if filters else 'WHERE'} {noun.listing.id} = ?"
    return one(db, sql, *values, item.id) is not None


async def _do(wishes: Wishes, noun: Noun, clock: Callable[[], float], running: Running, due: _Next) -> None:
    task, item = running.task, due.item
    by = converted(task.arguments["by"], Asker)
    given = converted(task.arguments["given"], Arguments)

    def note(db: sqlite3.Connection, outcome: object) -> None:
        led_to = outcome.id if isinstance(outcome, Task) else None
        tasks.put_item(db, task.id, due.position, replace(item, status="done", task=led_to))

    try:
        if not due.meant:
            raise NotFound("left-selection", f"{item.name} does not match the filter any more, or is gone")
        await noun.actions[task.arguments["action"]].act(wishes.with_beside(note), item.id, given, by)
    except ApplianceError as error:
        if error.code == "store-failed":
            raise  # nothing is known of this item: the job fails, and says why
        text = "; ".join(words for words in (error.message, error.hint) if words)
        status: ItemStatus = "skipped" if isinstance(error, NotFound) else "failed"
        await _not_done(running, due.position, replace(item, status=status, code=error.code, text=text), clock())


async def _not_done(running: Running, position: int, item: Item, now: float) -> None:
    def job(db: sqlite3.Connection) -> None:
        tasks.put_item(db, running.task.id, position, item)
        tasks.note(db, running.task.id, now, f"{item.name}: {item.status}: {item.text}")

    await running.store.write(job)


def _machine(db: sqlite3.Connection, key: str) -> tuple[str, str] | None:
    found = machines.find(db, key)
    return (found.id, found.name) if found else None


def _deployment(db: sqlite3.Connection, key: str) -> tuple[str, str] | None:
    try:
        found = deployments.get(db, key)
    except NotFound:
        return None
    return str(found.id), found.name


MACHINES = Noun("machines.bulk", "machine", "machines", MACHINE_ACTIONS, machine_list.LISTING, "m.name", _machine)
DEPLOYMENTS = Noun(
    "deployments.bulk", "deployment", "deployments", DEPLOYMENT_ACTIONS, deployment_list.LISTING, "d.name", _deployment
)


async def begin(store: Store, bus: Bus, noun: Noun, asked: BulkAsked, by: Asker, now: float) -> Task:
    """Store the job and have it begun. Raises Invalid, and Conflict ``confirmation-needed``."""
    return await record(store, bus, lambda db, tell: ask(db, tell, noun, asked, by, now))


def job_kinds(wishes: Wishes, clock: Callable[[], float]) -> dict[str, JobKind]:
    """How ``Jobs`` does them; an item that is through is not done again."""
    return {noun.kind: JobKind(partial(run, wishes, noun, clock), resumes=True) for noun in (MACHINES, DEPLOYMENTS)}
