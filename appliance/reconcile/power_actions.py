"""Power actions that users ask for: what they would do, and the task and order that they become."""

import sqlite3

from appliance.accounts import Asker
from appliance.machine import Machine
from appliance.power_order import TITLES, OrderId, PowerAction, PowerOrder
from appliance.power_switch import PowerState
from appliance.reconcile import audit
from appliance.reconcile.consequences import Consequences, MachineAction, check_agreement
from appliance.reconcile.jobs import JobFailed, JobKind, Running, open_job
from appliance.reconcile.power_consequences import Known, power_consequences, power_refusal
from appliance.reconcile.power_orders import PowerOrders
from appliance.reconcile.record import Tell
from appliance.store import attempts, deployments, machines, power
from appliance.store.store import Store
from appliance.task import Task

KIND = "machine.power"
"""Of its tasks."""
POWER_ACTIONS = {
    MachineAction.POWER_ON: PowerAction.ON,
    MachineAction.POWER_OFF: PowerAction.OFF,
    MachineAction.POWER_CYCLE: PowerAction.CYCLE,
    MachineAction.POWER_NETWORK_ONCE: PowerAction.NETWORK_ONCE,
}
"""Those of which users ask what they would do."""


def known(db: sqlite3.Connection, machine: Machine) -> Known:
    """What decides about a power action on a machine."""
    return Known(
        machine,
        deployments.of_machine(db, machine.id),
        attempts.live_of(db, machine.id),
        power.find(db, machine.id),
        power.open_order(db, machine.id),
    )


def foreseen(db: sqlite3.Connection, key: str, action: PowerAction) -> Consequences:
    """What it would do; nothing is changed."""
    return power_consequences(known(db, machines.get(db, key)), action)


def ask_power(
    db: sqlite3.Connection, tell: Tell, key: str, action: PowerAction, confirm: str | None, by: Asker, now: float
) -> Task:
    """Store the order and the task that does it.

    Raises NotFound, and Conflict: ``power-none``, ``power-unsupported``, ``power-busy``, ``confirmation-needed``.
    """
    machine = machines.get(db, key)
    around = known(db, machine)
    if refusal := power_refusal(around, action):
        raise refusal
    check_agreement(power_consequences(around, action), confirm, "")
    title = TITLES[action].format(machine.name)
    task = open_job(db, tell, KIND, title, by, now, {"action": action}, machine=machine.id)
    network = action is PowerAction.NETWORK_ONCE
    order = PowerOrder(OrderId(0), machine.id, action, now, now, by.name, network, task=task.id)
    power.add_order(db, order)
    if action is not PowerAction.TEST:
        wanted = PowerState.OFF if action is PowerAction.OFF else PowerState.ON
        power.put_wanted(db, machine.id, wanted, now)
        subject = ("machine", machine.id, machine.name)
        audit.note(db, by, f"machine.power-{action}", subject, None, {"power": wanted}, now=now)
    return task


def job_kind(store: Store, orders: PowerOrders) -> JobKind:
    """How ``Jobs`` does them: they wait for a switch most of the time, and take no room from others."""

    async def run(running: Running) -> dict[str, object]:
        order = await store.read(lambda db: power.order_of_task(db, running.task.id))
        if order is None:
            raise JobFailed("machine-deleted", "its machine is gone, or its switch", {})
        ended = await orders.carry_out(order.id, running.say, lambda _: running.check())
        if ended is None or ended.code:
            code, reason = (ended.code, ended.reason) if ended else ("machine-deleted", "its machine was deleted")
            raise JobFailed(code, reason, {})
        switch = await store.read(lambda db: power.find(db, ended.machine))
        return {"power": switch.seen.state if switch else PowerState.UNKNOWN}

    return JobKind(run, resumes=True, waits=True)
