"""Machines, their interfaces and their inventories."""

from dataclasses import replace
from typing import Any

import aiosqlite

from appliance.errors import Conflict, NotFound
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.store.documents import dump, load, one, rows

_SELECT = "SELECT m.doc, i.doc FROM machines m LEFT JOIN inventories i ON i.machine = m.id"


def _machine(row: Any) -> Machine:
    machine = load(row[0], Machine)
    return replace(machine, inventory=load(row[1], dict[str, Any])) if row[1] else machine


async def every(db: aiosqlite.Connection) -> list[Machine]:
    """All machines by name."""
    return [_machine(row) for row in await rows(db, f"{_SELECT} ORDER BY m.name")]


async def briefs(db: aiosqlite.Connection) -> list[Machine]:
    """All machines by name, without their inventories."""
    return [load(row[0], Machine) for row in await rows(db, "SELECT doc FROM machines ORDER BY name")]


async def without_inventory(db: aiosqlite.Connection, state: State) -> list[Machine]:
    """The machines in a state of which no agent ever sent an inventory."""
    sql = "SELECT doc FROM machines WHERE state = ? AND id NOT IN (SELECT machine FROM inventories)"
    return [load(row[0], Machine) for row in await rows(db, sql, state)]


async def find(db: aiosqlite.Connection, key: str) -> Machine | None:
    """The machine with this id or name."""
    # A machine may be named like the id of another: the id wins, since that is what we ask with.
    row = await one(db, f"{_SELECT} WHERE m.id = ? OR m.name = ? ORDER BY m.id <> ?", key, key, key)
    return _machine(row) if row else None


async def get(db: aiosqlite.Connection, key: str) -> Machine:
    """The machine with this id or name; raises NotFound."""
    machine = await find(db, key)
    if machine is None:
        raise NotFound("machine-unknown", f"there is no machine {key[:80]!r}", "list them with: qrm machines")
    return machine


async def by_mac(db: aiosqlite.Connection, mac: MacAddress) -> Machine | None:
    """The machine that owns this interface."""
    row = await one(db, f"{_SELECT} JOIN machine_macs a ON a.machine = m.id WHERE a.mac = ?", mac)
    return _machine(row) if row else None


async def by_uuid(db: aiosqlite.Connection, uuid: str) -> list[Machine]:
    """The machines that claim this SMBIOS UUID; more than one where firmware lies."""
    return [_machine(row) for row in await rows(db, f"{_SELECT} WHERE m.uuid = ?", uuid)]


async def known_macs(db: aiosqlite.Connection) -> set[MacAddress]:
    """Every interface that belongs to a machine."""
    return {MacAddress(row[0]) for row in await rows(db, "SELECT mac FROM machine_macs")}


async def put(db: aiosqlite.Connection, machine: Machine) -> None:
    """Store the machine, new or changed, without its inventory; raises Conflict when its name is taken."""
    taken = await one(db, "SELECT id FROM machines WHERE name = ? AND id <> ?", machine.name, machine.id)
    if taken:
        raise Conflict("name-taken", f"another machine is called {machine.name}", field="name")
    await db.execute(
        "INSERT INTO machines(id, name, state, uuid, doc) VALUES(?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
        " name=excluded.name, state=excluded.state, uuid=excluded.uuid, doc=excluded.doc",
        (machine.id, machine.name, machine.state, machine.uuid, dump(replace(machine, inventory=None))),
    )
    await db.execute("DELETE FROM machine_macs WHERE machine = ?", (machine.id,))
    await db.executemany(
        "INSERT INTO machine_macs(mac, machine) VALUES(?,?)", [(mac, machine.id) for mac in machine.macs]
    )


async def claim(db: aiosqlite.Connection, mac: MacAddress, machine: MachineId) -> bool:
    """Note that the machine booted from an interface that is another's; False where that was known."""
    sql = "INSERT OR IGNORE INTO interface_claims(mac, machine) VALUES(?,?)"
    async with db.execute(sql, (mac, machine)) as cursor:
        return cursor.rowcount > 0


async def claims(db: aiosqlite.Connection, machine: MachineId) -> frozenset[MacAddress]:
    """The interfaces of others that the machine booted from."""
    found = await rows(db, "SELECT mac FROM interface_claims WHERE machine = ?", machine)
    return frozenset(MacAddress(row[0]) for row in found)


async def give(db: aiosqlite.Connection, mac: MacAddress, owner: Machine, machine: Machine) -> Machine:
    """Take the interface from its owner and give it to the machine, which is returned and not stored."""
    await put(db, replace(owner, macs=tuple(each for each in owner.macs if each != mac)))
    await db.execute("DELETE FROM interface_claims WHERE mac = ? AND machine = ?", (mac, machine.id))
    return replace(machine, macs=(*machine.macs, mac))


async def put_inventory(db: aiosqlite.Connection, machine: MachineId, inventory: dict[str, Any]) -> None:
    """Replace the machine's inventory."""
    await db.execute("INSERT OR REPLACE INTO inventories(machine, doc) VALUES(?,?)", (machine, dump(inventory)))


async def delete(db: aiosqlite.Connection, machine: MachineId) -> None:
    """Forget the machine and everything that hangs on it but its events."""
    await db.execute("DELETE FROM machines WHERE id = ?", (machine,))
