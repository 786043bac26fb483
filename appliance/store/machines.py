"""Machines, their interfaces and their inventories."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from appliance.errors import Conflict, NotFound
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.store.documents import dump, load, one, rows
from appliance.store.machine_list import digest, disk_rows, hardware_text, search_text

_SELECT = "SELECT m.doc, i.doc FROM machines m LEFT JOIN inventories i ON i.machine = m.id"


def _machine(row: Any) -> Machine:
    machine = load(row[0], Machine)
    return replace(machine, inventory=load(row[1], dict[str, Any])) if row[1] else machine


def every(db: sqlite3.Connection) -> list[Machine]:
    """All machines by name."""
    return [_machine(row) for row in rows(db, f"{_SELECT} ORDER BY m.name")]


def briefs(db: sqlite3.Connection) -> list[Machine]:
    """All machines by name, without their inventories."""
    return [load(row[0], Machine) for row in rows(db, "SELECT doc FROM machines ORDER BY name")]


def brief(db: sqlite3.Connection, machine: MachineId) -> Machine | None:
    """The machine with this id, without its inventory."""
    row = one(db, "SELECT doc FROM machines WHERE id = ?", machine)
    return load(row[0], Machine) if row else None


def some(db: sqlite3.Connection, ids: Sequence[str]) -> list[Machine]:
    """Those of these machines that there are, without their inventories."""
    sql = "SELECT m.doc FROM json_each(?) i CROSS JOIN machines m ON m.id = i.value"
    return [load(row[0], Machine) for row in rows(db, sql, dump(ids).decode())]


def number(db: sqlite3.Connection) -> int:
    """How many there are."""
    row = one(db, "SELECT count(*) FROM machines")
    return int(row[0]) if row else 0


def ids(db: sqlite3.Connection) -> list[MachineId]:
    """Of all of them, by name."""
    return [MachineId(row[0]) for row in rows(db, "SELECT id FROM machines ORDER BY name")]


def with_inventories(db: sqlite3.Connection, of: Sequence[MachineId]) -> list[Machine]:
    """Those of these machines that there are, in this order."""
    sql = (
        "SELECT m.doc, i.doc FROM json_each(?) j CROSS JOIN machines m ON m.id = j.value"
        " LEFT JOIN inventories i ON i.machine = m.id ORDER BY j.key"
    )
    return [_machine(row) for row in rows(db, sql, dump(of).decode())]


def names(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """The names of those of these machines that there are, by id."""
    sql = "SELECT m.id, m.name FROM json_each(?) i CROSS JOIN machines m ON m.id = i.value"
    return dict(rows(db, sql, dump(ids).decode()))


def without_inventory(db: sqlite3.Connection, state: State) -> list[Machine]:
    """The machines in a state of which no agent ever sent an inventory."""
    sql = "SELECT doc FROM machines WHERE state = ? AND id NOT IN (SELECT machine FROM inventories)"
    return [load(row[0], Machine) for row in rows(db, sql, state)]


def with_reservations(db: sqlite3.Connection) -> list[Machine]:
    """The machines that an address is kept for, by name, found by an index."""
    indexed = _SELECT.replace("machines m", "machines m INDEXED BY machines_reserved")
    return [_machine(row) for row in rows(db, f"{indexed} WHERE m.reserved IS NOT NULL ORDER BY m.name")]


def with_dhcp_options(db: sqlite3.Connection) -> list[Machine]:
    """The machines that users have told more by DHCP than others, found by an index."""
    indexed = _SELECT.replace("machines m", "machines m INDEXED BY machines_dhcp_options")
    return [_machine(row) for row in rows(db, f"{indexed} WHERE m.dhcp_options = 1 ORDER BY m.name")]


def find(db: sqlite3.Connection, key: str) -> Machine | None:
    """The machine with this id or name."""
    # A machine may be named like the id of another: the id wins, since that is what we ask with.
    row = one(db, f"{_SELECT} WHERE m.id = ? OR m.name = ? ORDER BY m.id <> ?", key, key, key)
    return _machine(row) if row else None


def find_id(db: sqlite3.Connection, key: str) -> MachineId | None:
    """The id of the machine with this id or name."""
    row = one(db, "SELECT id FROM machines WHERE id = ? OR name = ? ORDER BY id <> ?", key, key, key)
    return MachineId(row[0]) if row else None


def get(db: sqlite3.Connection, key: str) -> Machine:
    """The machine with this id or name; raises NotFound."""
    machine = find(db, key)
    if machine is None:
        raise NotFound("machine-unknown", f"there is no machine {key[:80]!r}", "list them with: qrm machines")
    return machine


def by_mac(db: sqlite3.Connection, mac: MacAddress) -> Machine | None:
    """The machine that owns this interface."""
    row = one(db, f"{_SELECT} JOIN machine_macs a ON a.machine = m.id WHERE a.mac = ?", mac)
    return _machine(row) if row else None


def by_uuid(db: sqlite3.Connection, uuid: str) -> list[Machine]:
    """The machines that claim this SMBIOS UUID; more than one where firmware lies."""
    return [_machine(row) for row in rows(db, f"{_SELECT} WHERE m.uuid = ?", uuid)]


def known_macs(db: sqlite3.Connection) -> set[MacAddress]:
    """Every interface that belongs to a machine."""
    return {MacAddress(row[0]) for row in rows(db, "SELECT mac FROM machine_macs")}


def put(db: sqlite3.Connection, machine: Machine) -> None:
    """Store the machine, new or changed, without its inventory; raises Conflict when its name is taken."""
    taken = one(db, "SELECT id FROM machines WHERE name = ? AND id <> ?", machine.name, machine.id)
    if taken:
        raise Conflict("name-taken", f"another machine is called {machine.name}", field="name")
    columns = _columns(machine)
    db.execute(
        f"INSERT INTO machines({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})"
        f" ON CONFLICT(id) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in columns)}",
        tuple(columns.values()),
    )
    _put_values(db, machine.id, "machine_macs", "mac", machine.macs)
    _put_values(db, machine.id, "machine_tags", "tag", machine.tags)


def put_seen(db: sqlite3.Connection, seen: Mapping[MachineId, float]) -> None:
    """Note when machines were last heard of, unless that is known to be later; nothing else of them changes."""
    db.executemany(
        "UPDATE machines SET last_seen = ?1, doc = CAST(json_set(CAST(doc AS TEXT), '$.last_seen', ?1) AS BLOB)"
        " WHERE id = ?2 AND last_seen < ?1",
        [(at, machine) for machine, at in seen.items()],
    )


def _columns(machine: Machine) -> dict[str, Any]:
    """The row of a machine: its document, and what of it lists filter and sort by."""
    return {
        "id": machine.id,
        "name": machine.name,
        "state": machine.state,
        "uuid": machine.uuid,
        "maintenance": machine.maintenance,
        "firmware": machine.firmware or "",
        "address": int(IPv4Address(machine.address)) if machine.address else 0,
        "last_seen": machine.last_seen or 0.0,
        "created": machine.created,
        "search": search_text(machine),
        "doc": dump(replace(machine, inventory=None)),
    }


def _put_values(db: sqlite3.Connection, machine: MachineId, table: str, column: str, values: Sequence[str]) -> None:
    """Replace what a machine has of one kind. Most changes leave it as it is: each sign of life is one."""
    stored = {row[0] for row in rows(db, f"SELECT {column} FROM {table} WHERE machine = ?", machine)}  # noqa: S608
    if stored != set(values):
        db.execute(f"DELETE FROM {table} WHERE machine = ?", (machine,))  # noqa: S608 - ours
        sql = f"INSERT INTO {table}({column}, machine) VALUES(?,?)"
        db.executemany(sql, [(value, machine) for value in values])


def claim(db: sqlite3.Connection, mac: MacAddress, machine: MachineId) -> bool:
    """Note that the machine booted from an interface that is another's; False where that was known."""
    sql = "INSERT OR IGNORE INTO interface_claims(mac, machine) VALUES(?,?)"
    cursor = db.execute(sql, (mac, machine))
    return cursor.rowcount > 0


def claims(db: sqlite3.Connection, machine: MachineId) -> frozenset[MacAddress]:
    """The interfaces of others that the machine booted from."""
    found = rows(db, "SELECT mac FROM interface_claims WHERE machine = ?", machine)
    return frozenset(MacAddress(row[0]) for row in found)


def give(db: sqlite3.Connection, mac: MacAddress, owner: Machine, machine: Machine) -> Machine:
    """Take the interface from its owner and give it to the machine, which is returned and not stored."""
    put(db, replace(owner, macs=tuple(each for each in owner.macs if each != mac)))
    db.execute("DELETE FROM interface_claims WHERE mac = ? AND machine = ?", (mac, machine.id))
    return replace(machine, macs=(*machine.macs, mac))


def put_inventory(db: sqlite3.Connection, machine: MachineId, inventory: dict[str, Any]) -> None:
    """Replace the machine's inventory."""
    db.execute("INSERT OR REPLACE INTO inventories(machine, doc) VALUES(?,?)", (machine, dump(inventory)))
    shown = digest(inventory)
    db.execute(
        "UPDATE machines SET cpus=?, memory=?, hardware=?, digest=? WHERE id=?",
        (shown["cpu"]["threads"] or 0, shown["memory"]["bytes"] or 0, hardware_text(inventory), dump(shown), machine),
    )
    db.execute("DELETE FROM machine_disks WHERE machine = ?", (machine,))
    sql = "INSERT INTO machine_disks(machine, name, bytes, sector_size, empty) VALUES(?,?,?,?,?)"
    db.executemany(sql, [(machine, *row) for row in disk_rows(inventory)])


def delete(db: sqlite3.Connection, machine: MachineId) -> None:
    """Forget the machine and everything that hangs on it but its events."""
    db.execute("DELETE FROM machines WHERE id = ?", (machine,))
