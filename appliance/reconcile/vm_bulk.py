"""One order for many VMs: a task that gives it to one after the other, and says what became of each.

What is so already is done, so that a restart of the daemon in between needs no more than to go on; a reset that it cut
off is the one order that may come twice.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.decoding import converted
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Bus
from appliance.reconcile import audit
from appliance.reconcile.jobs import JobFailed, JobKind, Running, open_job
from appliance.reconcile.record import Tell, record
from appliance.reconcile.vms.service import Vms
from appliance.store import tasks
from appliance.store.store import Store
from appliance.store.tasks import Item
from appliance.task import VMS_BULK, Task, TaskId
from appliance.vm import Order

SHUT_DOWN = "shut-down"
MOST_ITEMS = 2000


@dataclass(frozen=True, slots=True)
class VmBulk:
    """What can be ordered of many."""

    title: str
    """With how many in its braces."""
    order: Order | None = None
    """None: a task of its own for each, which shuts it down."""
    destroys: bool = False
    """What is not written is lost: how many has to be typed."""


ACTIONS: Mapping[str, VmBulk] = {
    "start": VmBulk("Start {}", Order.START),
    SHUT_DOWN: VmBulk("Shut down {}"),
    "pause": VmBulk("Pause {}", Order.PAUSE),
    "resume": VmBulk("Resume {}", Order.RESUME),
    "reset": VmBulk("Reset {}", Order.RESET, destroys=True),
    "off": VmBulk("Switch off {}", Order.OFF, destroys=True),
}


def counted(number: int) -> str:
    """Such as ``3 VMs``: in titles, and what has to be typed."""
    return f"{number} VM{'' if number == 1 else 's'}"


async def begin(
    store: Store, bus: Bus, action: str, items: Sequence[Item], confirm: str | None, by: Asker, now: float
) -> Task:
    """Store the job and have it begun.

    Raises Invalid ``action-unknown``, ``selection-empty``, ``selection-large``, Conflict ``confirmation-needed``.
    """
    found = ACTIONS.get(action)
    if found is None:
        raise Invalid("action-unknown", f"{action[:40]!r} is no action", f"use one of {', '.join(ACTIONS)}", "action")
    if not items:
        raise Invalid("selection-empty", "no VM is meant", "choose some first", "vms")
    if len(items) > MOST_ITEMS:
        raise Invalid("selection-large", f"{counted(len(items))} are too many", f"{MOST_ITEMS} at most", "vms")
    word = counted(len(items))
    title = found.title.format(word)
    if found.destroys and confirm != word:
        raise Conflict("confirmation-needed", f"{title}.", f"confirm with {word!r}", "confirm")
    arguments = {"action": action, "by": msgspec.to_builtins(by)}

    def job(db: sqlite3.Connection, tell: Tell) -> Task:
        task = open_job(db, tell, VMS_BULK, title, by, now, arguments, tuple(items))
        told = {"action": action, "items": len(items)}
        audit.note(db, by, "vm.bulk", ("task", task.id, title), None, told, now=now)
        return task

    return await record(store, bus, job)


async def run(vms: Vms, clock: Callable[[], float], running: Running) -> dict[str, Any]:
    """Do what waits of it. Raises JobCancelled, and JobFailed where some failed."""
    task, last = running.task, -1
    act, by = ACTIONS[task.arguments["action"]], converted(task.arguments["by"], Asker)
    while due := await running.store.read(partial(tasks.next_item, task=task.id, after=last)):
        last, item = due
        await running.check()
        await running.progress(0.0, item.name)
        done = await _ordered(vms, act, item, by)
        await _noted(running, last, done, clock())
    counts = await running.store.read(lambda db: tasks.counts(db, task.id))
    if failed := counts.get("failed", 0):
        raise JobFailed("items-failed", f"{failed} of {counted(sum(counts.values()))} failed", {})
    return {}


async def _ordered(vms: Vms, act: VmBulk, item: Item, by: Asker) -> Item:
    """What became of it."""
    try:
        if act.order is None:
            led_to: TaskId | None = (await vms.shut_down(item.id, by)).id
        else:
            await vms.order(item.id, act.order, by)
            led_to = None
    except ApplianceError as error:
        if error.code == "store-failed":
            raise  # nothing is known of this item: the job fails, and says why
        text = "; ".join(words for words in (error.message, error.hint) if words)
        gone = error.code == "vm-unknown"
        return replace(item, status="skipped" if gone else "failed", code=error.code, text=text)
    return replace(item, status="done", task=led_to)


async def _noted(running: Running, position: int, item: Item, now: float) -> None:
    def job(db: sqlite3.Connection) -> None:
        tasks.put_item(db, running.task.id, position, item)
        if item.status != "done":
            tasks.note(db, running.task.id, now, f"{item.name}: {item.status}: {item.text}")

    await running.store.write(job)


def job_kinds(vms: Callable[[], Vms], clock: Callable[[], float]) -> dict[str, JobKind]:
    """How ``Jobs`` does them; an item that is through is not done again."""
    return {VMS_BULK: JobKind(lambda running: run(vms(), clock, running), resumes=True)}
