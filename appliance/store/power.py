"""Power switches of machines: how each is reached, its sealed secret, what it said last, and orders to it."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from appliance.machine import MachineId
from appliance.power_known import Seen, Switch
from appliance.power_order import OrderId, PowerOrder
from appliance.power_switch import PowerSettings, PowerState
from appliance.store.documents import dump, load, one, rows
from appliance.task import TaskId
from appliance.workflow import AttemptId

KEEP_ORDERS = 50
"""Orders of each machine that are kept once they have ended."""


_SELECT = "SELECT s.machine, s.settings, length(s.secret) > 0, s.seen, s.wanted, s.wanted_at FROM power_switches s"


def _switch(row: tuple[str, bytes, int, bytes, str, float]) -> Switch:
    machine, settings, secret, seen, wanted, at = row
    return Switch(
        MachineId(machine), load(settings, PowerSettings), bool(secret), load(seen, Seen), PowerState(wanted), at
    )


def find(db: sqlite3.Connection, machine: MachineId) -> Switch | None:
    """The switch of a machine, where it has one."""
    row = one(db, f"{_SELECT} WHERE s.machine = ?", machine)
    return _switch(row) if row else None


def of_machines(db: sqlite3.Connection, machines: Sequence[str]) -> dict[MachineId, Switch]:
    """The switches of those of these machines that have one."""
    sql = f"{_SELECT} WHERE s.machine IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours
    found = [_switch(row) for row in rows(db, sql, dump(machines).decode())]
    return {each.machine: each for each in found}


def every(db: sqlite3.Connection) -> list[Switch]:
    """All switches."""
    return [_switch(row) for row in rows(db, f"{_SELECT} ORDER BY s.machine")]


def secret(db: sqlite3.Connection, machine: MachineId) -> bytes:
    """The sealed secret; empty where there is none."""
    row = one(db, "SELECT secret FROM power_switches WHERE machine = ?", machine)
    return bytes(row[0]) if row else b""


def put(db: sqlite3.Connection, machine: MachineId, settings: PowerSettings, sealed: bytes | None) -> None:
    """Store how a machine is switched; what was seen before was said by another switch. None keeps the secret."""
    kept = secret(db, machine) if sealed is None else sealed
    sql = (
        "INSERT INTO power_switches(machine, settings, secret, state, seen, wanted, wanted_at)"
        " VALUES(?,?,?,?,?,'unknown',0) ON CONFLICT(machine) DO UPDATE SET"
        " settings=excluded.settings, secret=excluded.secret, state=excluded.state, seen=excluded.seen"
    )
    db.execute(sql, (machine, dump(settings), kept, PowerState.UNKNOWN, dump(Seen())))


def put_seen(db: sqlite3.Connection, machine: MachineId, seen: Seen) -> None:
    """Store what the switch said."""
    sql = "UPDATE power_switches SET state = ?, seen = ? WHERE machine = ?"
    db.execute(sql, (seen.state, dump(seen), machine))


def put_wanted(db: sqlite3.Connection, machine: MachineId, wanted: PowerState, now: float) -> None:
    """Store what a user has switched it to."""
    sql = "UPDATE power_switches SET wanted = ?, wanted_at = ? WHERE machine = ?"
    db.execute(sql, (wanted, now, machine))


def delete(db: sqlite3.Connection, machine: MachineId) -> None:
    """Forget the switch with its secret."""
    db.execute("DELETE FROM power_switches WHERE machine = ?", (machine,))


def add_order(db: sqlite3.Connection, order: PowerOrder) -> PowerOrder:
    """Store a new order; the same with its number. The oldest that have ended are forgotten."""
    sql = "INSERT INTO power_orders(machine, attempt, task, ended, doc) VALUES(?,?,?,?,?)"
    values = (order.machine, order.attempt, order.task, order.ended, b"")
    cursor = db.execute(sql, values)
    stored = replace(order, id=OrderId(cursor.lastrowid or 0))
    put_order(db, stored)
    old = "SELECT id FROM power_orders WHERE machine = ? AND ended IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM power_orders WHERE id IN ({old})", (order.machine, KEEP_ORDERS))  # noqa: S608 - ours
    return stored


def put_order(db: sqlite3.Connection, order: PowerOrder) -> None:
    """Store an order that changed."""
    sql = "UPDATE power_orders SET task = ?, ended = ?, doc = ? WHERE id = ?"
    db.execute(sql, (order.task, order.ended, dump(order), order.id))


def order(db: sqlite3.Connection, number: OrderId) -> PowerOrder | None:
    """The order with this number."""
    row = one(db, "SELECT doc FROM power_orders WHERE id = ?", number)
    return load(row[0], PowerOrder) if row else None


def open_order(db: sqlite3.Connection, machine: MachineId) -> PowerOrder | None:
    """What the switch of a machine is at."""
    row = one(db, "SELECT doc FROM power_orders WHERE machine = ? AND ended IS NULL", machine)
    return load(row[0], PowerOrder) if row else None


def open_orders(db: sqlite3.Connection) -> list[PowerOrder]:
    """All that go on."""
    return [load(row[0], PowerOrder) for row in rows(db, "SELECT doc FROM power_orders WHERE ended IS NULL")]


def stray_orders(db: sqlite3.Connection) -> list[PowerOrder]:
    """Those that go on for a task which does not."""
    sql = "SELECT o.doc FROM power_orders o LEFT JOIN tasks t ON t.id = o.task"
    where = "o.ended IS NULL AND o.task IS NOT NULL AND (t.id IS NULL OR t.ended IS NOT NULL)"
    return [load(row[0], PowerOrder) for row in rows(db, f"{sql} WHERE {where}")]


def order_of_task(db: sqlite3.Connection, task: TaskId) -> PowerOrder | None:
    """The order that a task follows."""
    row = one(db, "SELECT doc FROM power_orders WHERE task = ?", task)
    return load(row[0], PowerOrder) if row else None


def orders_of_attempts(db: sqlite3.Connection, of: Sequence[AttemptId]) -> dict[AttemptId, list[PowerOrder]]:
    """What each of these attempts needed of its switch, the oldest first."""
    sql = "SELECT doc FROM power_orders WHERE attempt IN (SELECT value FROM json_each(?)) ORDER BY id"
    found: dict[AttemptId, list[PowerOrder]] = {}
    for row in rows(db, sql, dump(of).decode()):
        made = load(row[0], PowerOrder)
        found.setdefault(made.attempt or AttemptId(""), []).append(made)
    return found


def orders_of_attempt(db: sqlite3.Connection, attempt: AttemptId) -> list[PowerOrder]:
    """What an attempt needed of the switch, the oldest first."""
    sql = "SELECT doc FROM power_orders WHERE attempt = ? ORDER BY id"
    return [load(row[0], PowerOrder) for row in rows(db, sql, attempt)]
