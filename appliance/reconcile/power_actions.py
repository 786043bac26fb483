"""Power actions that users ask for: what they would do, and the task and order that they become."""

import contextlib
import sqlite3
from dataclasses import replace

from appliance.accounts import Asker
from appliance.deployment import Deployment
from appliance.machine import Machine
from appliance.power_order import STAGES, TITLES, OrderId, PowerAction, PowerOrder, Stage
from appliance.power_switch import PowerState
from appliance.reconcile import audit
from appliance.reconcile.consequences import Consequences, MachineAction, check_agreement
from appliance.reconcile.jobs import JobCancelled, JobFailed, JobKind, Running, open_job
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


_AT = {Stage.LOOK: "asking its switch", Stage.OFF: "switching it off", Stage.ON: "switching it on", None: ""}


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
    order = PowerOrder(OrderId(0), machine.id, action, now, now, by.name, action is PowerAction.NETWORK_ONCE)
    return _ordered(db, tell, machine, order, TITLES[action].format(machine.name), by)


def ask_fence(
    db: sqlite3.Connection, tell: Tell, machine: Machine, deployment: Deployment, by: Asker, now: float
) -> Task:
    """Store the order that switches a broken machine off, and then takes the deployment off it, with its task.

    Raises Conflict as ``ask_power`` does; what is lost has been agreed to.
    """
    if refusal := power_refusal(known(db, machine), PowerAction.OFF):
        raise refusal
    title = f"Switch {machine.name} off and release {deployment.name}"
    order = PowerOrder(OrderId(0), machine.id, PowerAction.OFF, now, now, by.name, releases=deployment.id)
    return _ordered(db, tell, machine, order, title, by)


def _ordered(db: sqlite3.Connection, tell: Tell, machine: Machine, order: PowerOrder, title: str, by: Asker) -> Task:
    action, now = order.action, order.created
    arguments = {"action": action}
    task = open_job(db, tell, KIND, title, by, now, arguments, machine=machine.id, deployment=order.releases)
    power.add_order(db, replace(order, task=task.id))
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
        ended = await orders.carry_out(order.id, running.say, _Watched(running).go_on)
        if ended is None or ended.code:
            code, reason = (ended.code, ended.reason) if ended else ("machine-deleted", "its machine was deleted")
            raise JobFailed(code, reason, {})
        switch = await store.read(lambda db: power.find(db, ended.machine))
        return {"power": switch.seen.state if switch else PowerState.UNKNOWN}

    return JobKind(run, resumes=True, waits=True)


class _Watched:
    """The task of an order, told how far that is."""

    def __init__(self, running: Running) -> None:
        self._running, self._told = running, -1

    async def go_on(self, order: PowerOrder) -> None:
        """Raises JobCancelled where somebody has cancelled it, but where the power is away to come back."""
        with contextlib.suppress(JobCancelled) if order.away else contextlib.nullcontext():
            await self._running.check()
            await self._tell(order)

    async def _tell(self, order: PowerOrder) -> None:
        """Once for each stage: there may be thousands of orders."""
        if order.index != self._told:
            self._told = order.index
            await self._running.progress(order.index / len(STAGES[order.action]), _AT[order.stage])
