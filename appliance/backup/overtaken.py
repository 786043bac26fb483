"""What was going on when a backup was made ends when it comes back: the world has gone on without this store.

A deploy that was under way may be done by now, and its disk may hold what nobody wants to lose. So nothing of it is
begun or gone on with before a user has looked.
"""

import sqlite3
from contextlib import suppress

from appliance import power_order
from appliance.accounts import APPLIANCE
from appliance.errors import Conflict
from appliance.events import Event
from appliance.reconcile.cancelling import cancel
from appliance.reconcile.record import Tell
from appliance.reconcile.settle import settle
from appliance.reconcile.tasks import changed
from appliance.store import attempts, machines, pools, power, tasks, vm_work
from appliance.task import Status, ended
from appliance.workflow import failed

CODE = "restored"


def end_overtaken(db: sqlite3.Connection, tell: Tell, why: str, now: float) -> None:
    """Take back what was asked for and not begun; fail attempts and jobs that were going on, for the reason ``why``."""
    for task in tasks.doubtful(db):
        with suppress(Conflict):  # it has come true already, and ends at the first look
            cancel(db, tell, str(task.id), APPLIANCE, now)
    for attempt in attempts.live(db):
        machine = machines.get(db, attempt.machine)
        settle(db, tell, machine, attempt, failed(attempt, CODE, why, now), now)
    for order in power.open_orders(db):
        power.put_order(db, power_order.failed(order, CODE, why, now))
    for work in pools.works(db):  # before the tasks that do it: done once more it would undo what came after
        pools.drop_work(db, work.id)
        tell(Event("volume.changed", now, f"{work.deed} of {work.name or 'a pool'} is not gone on with", why))
    for each in vm_work.every(db):  # the same: a VM that was made since is not one that is half made
        vm_work.drop(db, each.id)
        detail = {"host": each.host, "vm": each.vm, "name": each.name}
        tell(Event("vm.changed", now, f"{each.deed} of {each.name} is not gone on with", why, detail=detail))
    vm_work.pass_by(db, now)
    for task in tasks.open_jobs(db):
        tasks.note(db, task.id, now, f"failed: {why}")
        changed(db, tell, task, ended(task, Status.FAILED, now, CODE, why), now)
